//! Runs the command, passes its stderr on without the trace, and ends as it ended.
//!
//! One loop waits for everything: signals, the command's stderr, deadlines, our own stderr. Each turn names what happened
//! and then handles it; only there does anything change.

mod signals;
mod sink;
mod spawn;

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::net::unix::pipe::Receiver;
use tokio::time::sleep_until;

pub use self::signals::end_by;
use self::signals::{Arrival, Signals};
use self::sink::Sink;
use self::spawn::{Spawned, spawn};
use crate::cli::Config;
use crate::error::Error;
use crate::exit::{Cause, End, Exit, Reasons, decide};
use crate::gate::OnLeak;
use crate::limit;
use crate::outputs;
use crate::report::{Failure, Reports};
use crate::session::{Batch, Event, Session};

/// So long bytes wait that may become a trace line: the runtime writes a line's forty pieces within one millisecond, unless
/// its thread has to wait for a processor.
const HOLD: Duration = Duration::from_millis(80);

/// So long the end of stderr is waited for behind the command's own end: another process may hold it for ever.
const DRAIN: Duration = Duration::from_millis(100);

/// What a pipe holds at most: behind the command's end, so much may still be its own.
const PIPE_HOLDS: usize = 1 << 20;

/// A read must have room for a whole packet, or the rest of it is lost; longer ones save calls where packets are not kept.
const READ: usize = 64 << 10;

/// So many reads are taken before signals and deadlines are looked at again.
const READS_A_TURN: usize = 256;

/// Runs the command to its end.
pub fn run(config: &Config, command: &[OsString]) -> Result<Exit, Error> {
    let inherited = signals::block_all()?;
    // The program's own clock begins later than this, so no cycle comes before its time.
    let started = Instant::now();
    // Before any other thread runs.
    let spawned = spawn(command, &inherited)?;
    tracing::info!(pid = spawned.pid.as_raw(), edges = ?spawned.edges, "the command runs");
    let pid = spawned.pid;
    let result = watch(config, command, spawned, started);
    if result.is_err() {
        // Without us its stderr is broken.
        signals::kill_now(pid);
    }
    result
}

fn watch(
    config: &Config,
    command: &[OsString],
    spawned: Spawned,
    started: Instant,
) -> Result<Exit, Error> {
    let failed = || Error::plumbing("wait for events");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(failed())?;
    runtime.block_on(async {
        let watch = Watch::new(config, command, &spawned, started)?;
        watch.watch(spawned.stderr).await.map_err(failed())
    })
}

/// What happened in one turn of the loop.
#[derive(Debug)]
enum Happening {
    Signal(Arrival),
    Deadline,
    Readable,
    SinkChanged,
}

/// When something is due.
#[derive(Debug, Default)]
struct Deadlines {
    /// `--for`: ask the command to end.
    stop: Option<Instant>,
    /// `--kill-after`: it did not.
    kill: Option<Instant>,
    /// Give up what is held.
    release: Option<Instant>,
    /// Give up waiting for the end of stderr.
    drain: Option<Instant>,
}

impl Deadlines {
    fn next(&self) -> Option<Instant> {
        [self.stop, self.kill, self.release, self.drain]
            .into_iter()
            .flatten()
            .min()
    }
}

fn is_due(deadline: &mut Option<Instant>) -> bool {
    deadline
        .take_if(|deadline| *deadline <= Instant::now())
        .is_some()
}

/// One run.
struct Watch<'a> {
    config: &'a Config,
    command: Pid,
    started: Instant,
    session: Option<Session>,
    batch: Batch,
    reports: Reports,
    notices: outputs::Notices,
    signals: Signals,
    sink: Sink,
    deadlines: Deadlines,
    /// What has been held since the deadline was set.
    holding: Option<u64>,
    /// Whether gcwatch asked the command to end, and how hard.
    cause: Cause,
    end: Option<End>,
    /// How many bytes came behind the command's end.
    read_after_end: usize,
    /// Whether the end of stderr was waited for long enough.
    drain_is_over: bool,
    buffer: Vec<u8>,
    /// Whether the wait for our own stderr is over, though it is stuck.
    abandoned: bool,
}

impl<'a> Watch<'a> {
    fn new(
        config: &'a Config,
        command: &[OsString],
        spawned: &Spawned,
        started: Instant,
    ) -> Result<Self, Error> {
        let notices = outputs::Notices::default();
        let (reports, failures) =
            outputs::open(config, limit::of_command(config.limit), notices.clone());
        let mut watch = Self {
            config,
            command: spawned.pid,
            started,
            session: Some(Session::new(spawned.edges, config.detector.clone())),
            batch: Batch::default(),
            reports,
            notices,
            signals: Signals::new()?,
            sink: Sink::start()?,
            deadlines: Deadlines::default(),
            holding: None,
            cause: Cause::Itself,
            end: None,
            read_after_end: 0,
            drain_is_over: false,
            buffer: vec![0; READ],
            abandoned: false,
        };
        watch.deadlines.stop = config.run_for.map(|run_for| watch.started + run_for);
        watch.complain(failures);
        let command = command
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        watch.event(&Event::Started {
            command,
            unix_seconds: Some(unix.as_secs_f64()),
        });
        Ok(watch)
    }

    async fn watch(mut self, stderr: OwnedFd) -> io::Result<Exit> {
        let mut stderr = Some(Receiver::from_owned_fd(stderr)?);
        // The command may have ended before signals were looked at.
        self.reap();
        while self.end.is_none() || (stderr.is_some() && !self.abandoned) {
            let happening = self.next(stderr.as_ref()).await?;
            tracing::trace!(?happening);
            match happening {
                Happening::Signal(arrival) => self.signal(arrival),
                Happening::Deadline => self.deadline(),
                Happening::Readable | Happening::SinkChanged => {}
            }
            if let Some(pipe) = &stderr
                && (self.sink.is_gone() || (self.sink.has_room() && self.read(pipe)?))
            {
                // At its end; or nobody reads our own stderr, which the command is to notice at its next write.
                stderr = None;
                self.end_of_stream();
            }
        }
        self.end_of_stream();
        self.finish().await
    }

    /// Waits for what happens next.
    async fn next(&mut self, stderr: Option<&Receiver>) -> io::Result<Happening> {
        let due = self.deadlines.next();
        let has_room = self.sink.has_room();
        let readable = async {
            match stderr.filter(|_| has_room) {
                Some(stderr) => stderr.readable().await,
                None => std::future::pending().await,
            }
        };
        let deadline = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        Ok(tokio::select! {
            biased;
            arrival = self.signals.next(self.command) => Happening::Signal(arrival?),
            () = deadline => Happening::Deadline,
            () = self.sink.changed() => Happening::SinkChanged,
            ready = readable => { ready?; Happening::Readable }
        })
    }

    fn signal(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Child => self.reap(),
            Arrival::Forward(number) if self.end.is_none() => {
                signals::forward(self.command, number);
            }
            Arrival::Forward(number) => self.abandoned |= signals::asks_to_end(number),
            Arrival::Stop(number) => {
                if self.end.is_none() {
                    signals::forward(self.command, number);
                }
                signals::stop_self(number);
            }
            Arrival::StopSelf(number) => signals::stop_self(number),
            Arrival::NotForUs => {}
        }
    }

    /// Looks whether the command has ended; by its own number, since we may have inherited other children.
    fn reap(&mut self) {
        if self.end.is_some() {
            return;
        }
        let end = match waitpid(self.command, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => End::Code(u8::try_from(code).unwrap_or(u8::MAX)),
            Ok(WaitStatus::Signaled(_, signal, _)) => End::Signal(signal as i32),
            Ok(_) | Err(_) => return,
        };
        tracing::info!(?end, cause = ?self.cause, "the command ended");
        self.end = Some(end);
        self.deadlines.stop = None;
        self.deadlines.kill = None;
        self.deadlines.drain = Some(Instant::now() + DRAIN);
    }

    fn deadline(&mut self) {
        if is_due(&mut self.deadlines.stop) {
            self.stop("the time given by --for is over");
        }
        if is_due(&mut self.deadlines.kill) {
            tracing::info!("the command did not end, so it is killed");
            self.cause = Cause::Killed;
            signals::kill_now(self.command);
        }
        if is_due(&mut self.deadlines.drain) {
            self.drain_is_over = true;
        }
        if is_due(&mut self.deadlines.release) {
            if let Some(session) = &mut self.session {
                session.release(&mut self.batch);
            }
            self.pass_on();
        }
    }

    /// Asks the command to end.
    fn stop(&mut self, why: &'static str) {
        if self.end.is_none() && self.cause == Cause::Itself {
            tracing::info!(why, "the command is asked to end");
            self.cause = Cause::Asked;
            self.deadlines.stop = None;
            self.deadlines.kill = Some(Instant::now() + self.config.kill_after);
            signals::terminate(self.command);
        }
    }

    /// Reads what there is, and says whether that was the end: of the stream, or of all that can be the command's own.
    fn read(&mut self, pipe: &Receiver) -> io::Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut at_end = Ok(false);
        for _ in 0..READS_A_TURN {
            match pipe.try_read(&mut buffer) {
                Ok(0) => at_end = Ok(true),
                Ok(len) => {
                    self.feed(&buffer[..len]);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    at_end = Ok(self.drain_is_over);
                }
                Err(error) => at_end = Err(error),
            }
            break;
        }
        self.buffer = buffer;
        self.pass_on();
        at_end.map(|at_end| at_end || (self.drain_is_over && self.read_after_end > PIPE_HOLDS))
    }

    fn feed(&mut self, read: &[u8]) {
        if self.end.is_some() {
            self.read_after_end += read.len();
        }
        if let Some(session) = &mut self.session {
            session.feed(read, Some(self.started.elapsed()), &mut self.batch);
        }
    }

    /// Hands out what came of the last reads.
    fn pass_on(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.sink.text(&batch.text);
        let failures = self.reports.batch(&batch);
        self.complain(failures);
        self.pass_notices();
        let leak =
            |event: &Event| matches!(event, Event::Flagged { .. } | Event::OverBudget { .. });
        if self.config.gate.on_leak == OnLeak::Stop && batch.events.iter().any(leak) {
            self.stop("it leaks");
        }
        self.batch = batch;
        self.batch.clear();
        let holding = self.session.as_ref().and_then(Session::holding);
        if holding != self.holding || holding.is_none() {
            self.holding = holding;
            self.deadlines.release = holding.map(|_| Instant::now() + HOLD);
        } else if self.deadlines.release.is_none() {
            self.deadlines.release = Some(Instant::now() + HOLD);
        }
    }

    fn end_of_stream(&mut self) {
        if let Some(session) = self.session.take() {
            session.finish(&mut self.batch);
            self.pass_on();
        }
    }

    fn event(&mut self, event: &Event) {
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

    /// The command has ended and its stderr is read: judges, reports, and waits until all is written.
    async fn finish(mut self) -> io::Result<Exit> {
        let cause = match (self.cause, self.end) {
            // It ended by itself just before it was killed.
            (Cause::Killed, Some(end)) if end != End::Signal(nix::libc::SIGKILL) => Cause::Asked,
            (cause, _) => cause,
        };
        self.event(&Event::Ended {
            end: self.end,
            wall: Some(self.started.elapsed()),
        });
        let reasons = |reports: &Reports| Reasons {
            ended: self.end.map(|end| (end, cause)),
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
        while !self.sink.is_done() && !self.abandoned {
            match self.next(None).await? {
                Happening::Signal(arrival) => self.signal(arrival),
                Happening::Deadline => self.deadline(),
                Happening::Readable | Happening::SinkChanged => {}
            }
        }
        Ok(exit)
    }
}
