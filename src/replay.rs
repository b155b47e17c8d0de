//! Judges a saved stderr: the same session, without a command.
//!
//! What collectors and `gzip` have made of it is undone first ([`crate::wrapping`]). Each read is passed on as it comes, so
//! a log that still grows is judged live: `tail -f service.log | gcwatch --from -`.

mod log;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::cli::Config;
use crate::error::Error;
use crate::exit::{Exit, Reasons, decide};
use crate::limit;
use crate::outputs;
use crate::report::{Failure, Reports};
use crate::session::{Batch, Event, Session};
use crate::splitter::Edges;
use crate::wrapping::Unwrapper;

use self::log::Log;

/// So much of a log is read at once.
const READ: usize = 64 << 10;

/// Where a log that still grows pauses for so long, what is held back of it is decided with what is there.
const PAUSE: Duration = Duration::from_secs(1);

/// Judges the log at `path`, or standard input where that is `-`.
pub fn run(config: &Config, path: &Path) -> Result<Exit, Error> {
    let failed = |source| Error::Log {
        path: path.to_path_buf(),
        source,
    };
    let mut log = Log::open(path).map_err(failed)?;
    let mut buffer = vec![0; READ];
    // First: of what cannot be read no report is begun.
    let mut len = log.read(&mut buffer).map_err(failed)?;
    let mut replay = Replay::new(config);
    let mut unwrapper = Unwrapper::new();
    let mut session = Session::new(Edges::Lost, config.detector.clone());
    let mut batch = Batch::default();
    let mut bytes = Vec::new();
    while len > 0 {
        unwrapper.push(&buffer[..len], &mut bytes);
        session.feed(&bytes, None, &mut batch);
        bytes.clear();
        replay.pass_on(&mut batch);
        if session.holding().is_some() && log.pauses(PAUSE) {
            session.release(&mut batch);
            replay.pass_on(&mut batch);
        }
        len = log.read(&mut buffer).map_err(failed)?;
    }
    unwrapper.finish(&mut bytes);
    session.feed(&bytes, None, &mut batch);
    session.finish(&mut batch);
    replay.pass_on(&mut batch);
    if let Some(damage) = log.damage() {
        replay.warn(&format!(
            "`{}` {damage}: judged as far as it goes; is the copy complete?",
            path.display()
        ));
    }
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
            beside: None,
            breach: config.gate.check(&reports.summary),
            leak_exit_code: config.leak_exit_code,
            report_failed: reports.have_failed(),
        };
        let exit = decide(&reasons(&self.reports));
        let failures = self.reports.finish(exit);
        self.say(&failures);
        decide(&reasons(&self.reports))
    }

    /// A line that is no report's: said with `--quiet` too.
    fn warn(&mut self, text: &str) {
        self.say(&[]);
        let _ = io::stderr().write_all(format!("gcwatch: {text}\n").as_bytes());
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
