//! Judges a saved stderr: the same session, without a command.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::cli::Config;
use crate::error::Error;
use crate::exit::{Exit, Reasons, decide};
use crate::limit;
use crate::outputs;
use crate::report::{Failure, Reports};
use crate::session::{Batch, Event, Session};
use crate::splitter::Edges;

/// So much of a log is read at once.
const READ: usize = 64 << 10;

/// Judges the log at `path`, or standard input where that is `-`.
pub fn run(config: &Config, path: &Path) -> Result<Exit, Error> {
    let failed = |source| Error::Log {
        path: path.to_path_buf(),
        source,
    };
    let mut log: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut replay = Replay::new(config);
    let mut session = Session::new(Edges::Lost, config.detector.clone());
    let mut batch = Batch::default();
    let mut buffer = vec![0; READ];
    loop {
        match log.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => session.feed(&buffer[..len], None, &mut batch),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
        replay.pass_on(&mut batch);
    }
    session.finish(&mut batch);
    replay.pass_on(&mut batch);
    Ok(replay.finish(config))
}

/// What a log's batches go to.
struct Replay {
    reports: Reports,
    notices: outputs::Notices,
    /// `--echo`; `None` also where nobody reads any more.
    echo: Option<io::Stdout>,
}

impl Replay {
    fn new(config: &Config) -> Self {
        let notices = outputs::Notices::default();
        let (reports, failures) =
            outputs::open(config, limit::from_option(config.limit), notices.clone());
        let mut replay = Self {
            reports,
            notices,
            echo: config.outputs.echo.then(io::stdout),
        };
        replay.say(&failures);
        let failures = replay.reports.event(&Event::Started {
            command: Vec::new(),
            unix_seconds: None,
        });
        replay.say(&failures);
        replay
    }

    fn pass_on(&mut self, batch: &mut Batch) {
        if let Some(echo) = &mut self.echo
            && let Err(error) = echo.write_all(&batch.text).and_then(|()| echo.flush())
        {
            self.echo = None;
            // Who closes stdout early has seen enough; anything else is a report that failed.
            if error.kind() != io::ErrorKind::BrokenPipe {
                let failure = self.reports.missing("stdout".into(), error);
                self.say(&[failure]);
            }
        }
        let failures = self.reports.batch(batch);
        self.say(&failures);
        batch.clear();
    }

    fn finish(mut self, config: &Config) -> Exit {
        let failures = self.reports.event(&Event::Ended {
            end: None,
            wall: None,
        });
        self.say(&failures);
        let reasons = |reports: &Reports| Reasons {
            ended: None,
            breach: config.gate.check(&reports.summary),
            leak_exit_code: config.leak_exit_code,
            report_failed: reports.have_failed(),
        };
        let exit = decide(&reasons(&self.reports));
        let failures = self.reports.finish(exit);
        self.say(&failures);
        decide(&reasons(&self.reports))
    }

    /// Our own lines, and those about reports that failed.
    fn say(&mut self, failures: &[Failure]) {
        let mut lines = self.notices.take();
        for failure in failures {
            lines.extend_from_slice(outputs::complaint(failure).as_bytes());
        }
        // Where stderr is closed there is nobody to tell.
        let _ = io::stderr().write_all(&lines);
    }
}
