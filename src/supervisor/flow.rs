//! What becomes of the bytes: text to our stderr, events to the reports, lines of our own between them.

use std::ffi::OsString;
use std::time::{Instant, SystemTime};

use super::relay::Survivors;
use super::signals::Inherited;
use super::sink::Sink;
use super::spawn::Spawned;
use super::stream::Stream;
use crate::cli::Config;
use crate::demux::ProcessId;
use crate::error::Error;
use crate::exit::{Cause, End, Exit, Reasons, decide};
use crate::limit;
use crate::outputs;
use crate::report::{Failure, Reports};
use crate::session::{Batch, Event, Gauge, Session};
use crate::watcher::{Watched, Watcher};

/// From the command's stderr to everything that is made of it.
pub(super) struct Flow<'a> {
    config: &'a Config,
    started: Instant,
    session: Option<Session>,
    batch: Batch,
    reports: Reports,
    notices: outputs::Notices,
    /// Our own stderr.
    pub(super) sink: Sink,
    /// Who looks at the processes.
    pub(super) watcher: Watcher,
}

impl<'a> Flow<'a> {
    /// Opens the reports; inside a runtime.
    pub(super) fn new(
        config: &'a Config,
        command: &[OsString],
        spawned: &Spawned,
        inherited: &Inherited,
        started: Instant,
    ) -> Result<Self, Error> {
        let notices = outputs::Notices::default();
        let (mut reports, mut failures) =
            outputs::open(config, limit::of_command(config.limit), notices.clone());
        if let Some(folder) = &config.naming.profile_out
            && let Err(error) = std::fs::create_dir_all(folder)
        {
            failures.push(reports.missing(folder.display().to_string(), error));
        }
        let mut flow = Self {
            config,
            started,
            session: Some(Session::new(spawned.edges, config.detector.clone())),
            batch: Batch::default(),
            reports,
            notices,
            sink: Sink::start(inherited.stops_in_background())?,
            watcher: Watcher::start(Watched {
                command: spawned.pid.as_raw(),
                stderr: spawned.stderr_file,
                started,
                naming: config.naming.clone(),
            }),
        };
        flow.complain(failures);
        let command = command
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        flow.event(&Event::Started {
            command,
            unix_seconds: Some(unix.as_secs_f64()),
        });
        Ok(flow)
    }

    /// Takes the bytes of one read.
    pub(super) fn feed(&mut self, read: &[u8]) {
        if let Some(session) = &mut self.session {
            session.feed(read, Some(self.started.elapsed()), &mut self.batch);
        }
    }

    /// What is held back of them: see [`Session::holding`].
    pub(super) fn holding(&self) -> Option<u64> {
        self.session.as_ref().and_then(Session::holding)
    }

    /// What is held back was text after all.
    pub(super) fn release(&mut self) {
        if let Some(session) = &mut self.session {
            session.release(&mut self.batch);
        }
    }

    /// Hands out what came of the last reads, and says whether that shows a leak.
    pub(super) fn pass_on(&mut self) -> bool {
        let batch = std::mem::take(&mut self.batch);
        self.sink.text(&batch.text);
        let failures = self.reports.batch(&batch);
        self.complain(failures);
        self.pass_notices();
        self.watcher.tell(&batch.events);
        let leaks = batch
            .events
            .iter()
            .any(|event| matches!(event, Event::Flagged { .. } | Event::OverBudget { .. }));
        self.batch = batch;
        self.batch.clear();
        leaks
    }

    /// The stream ended.
    pub(super) fn end(&mut self) {
        if let Some(session) = self.session.take() {
            session.finish(&mut self.batch);
            self.pass_on();
        }
    }

    /// The run is over, and others may still write to the stream.
    pub(super) fn leave(&mut self, stream: Stream) -> Option<Survivors> {
        let (stderr, kind) = stream.held_by_others()?;
        let splitter = self.session.take()?.leave(&mut self.batch);
        self.pass_on();
        Some(Survivors {
            stderr,
            kind,
            splitter,
        })
    }

    /// The run is over: judges and reports. Our stderr may take longer.
    pub(super) fn finish(&mut self, end: Option<End>, cause: Cause, beside: Option<End>) -> Exit {
        let wall = Some(self.started.elapsed());
        self.event(&Event::Ended { end, wall });
        let reasons = |reports: &Reports| Reasons {
            ended: end.map(|end| (end, cause)),
            beside,
            breach: self.config.gate.check(&reports.summary),
            leak_exit_code: self.config.leak_exit_code,
            report_failed: reports.have_failed(),
        };
        let exit = decide(&reasons(&self.reports));
        let failures = self.reports.finish(exit);
        let exit = decide(&reasons(&self.reports));
        self.complain(failures);
        self.pass_notices();
        self.sink.close();
        exit
    }

    /// The live heap of a process can be known to the byte.
    pub(super) fn gauge(&mut self, process: ProcessId, gauge: Gauge) {
        if let Some(session) = &mut self.session {
            session.gauge(process, gauge);
        }
    }

    /// A profile could not be written.
    pub(super) fn unwritable(&mut self, failure: Failure) {
        let failure = self.reports.missing(failure.name, failure.error);
        self.complain(vec![failure]);
    }

    /// Takes one event that is not the session's.
    pub(super) fn event(&mut self, event: &Event) {
        let failures = self.reports.event(event);
        self.complain(failures);
        self.pass_notices();
    }

    fn complain(&mut self, failures: Vec<Failure>) {
        for failure in failures {
            self.sink.notice(outputs::complaint(&failure).as_bytes());
        }
    }

    fn pass_notices(&mut self) {
        let notices = self.notices.take();
        if !notices.is_empty() {
            self.sink.notice(&notices);
        }
    }
}
