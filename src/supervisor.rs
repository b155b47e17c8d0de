//! Runs the command, passes its stderr on without the trace, and ends as it ended.
//!
//! One loop waits for everything: signals, the command's stderr, deadlines, our own stderr. Each turn names what happened
//! and then handles it; only there does anything change.

mod beside;
mod burst;
mod deadlines;
mod descriptors;
mod ending;
mod environment;
mod flow;
mod pty;
mod reading;
mod reap;
mod relay;
mod signals;
mod sink;
mod spawn;
mod stream;

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use tokio::time::sleep_until;

use self::beside::Beside;
use self::deadlines::{Deadlines, Hold, is_due};
use self::flow::Flow;
use self::reading::Found;
use self::reap::Change;
use self::relay::Survivors;
pub use self::signals::end_by;
use self::signals::{Arrival, Inherited, Meaning, Signals, StopSignal};
use self::spawn::{Spawned, spawn};
use self::stream::{READ, Stream};
use crate::cli::Config;
use crate::error::Error;
use crate::exit::{Cause, End, Exit};
use crate::watcher::Sighting;

/// So long the end of stderr is waited for behind the command's own end: another process may hold it for ever.
const DRAIN: Duration = Duration::from_millis(100);

/// Somebody asks us to end although our stderr has not taken everything: so long it may take nothing until we believe that
/// it never will.
const STUCK: Duration = Duration::from_millis(300);

/// Runs the command to its end.
pub fn run(config: &Config, command: &[OsString]) -> Result<Exit, Error> {
    let inherited = signals::block_all()?;
    // The program's own clock begins later than this, so no cycle comes before its time.
    let started = Instant::now();
    // Before any other thread runs.
    let spawned = spawn(command, &inherited, config.stderr)?;
    tracing::info!(pid = spawned.pid.as_raw(), edges = ?spawned.edges, "the command runs");
    let pid = spawned.pid;
    let (exit, survivors) =
        watch(config, command, &inherited, spawned, started).inspect_err(|_| {
            // Without us its stderr is broken.
            signals::kill_now(pid);
        })?;
    if let Some(survivors) = survivors {
        relay::leave_behind(survivors);
    }
    Ok(exit)
}

/// Becomes a command that is not to be watched. Comes back only if that cannot be done.
pub fn replace_by(command: &[OsString]) -> Error {
    match signals::block_all() {
        Ok(inherited) => spawn::replace_by(command, &inherited),
        Err(error) => error,
    }
}

fn watch(
    config: &Config,
    command: &[OsString],
    inherited: &Inherited,
    spawned: Spawned,
    started: Instant,
) -> Result<(Exit, Option<Survivors>), Error> {
    let failed = || Error::plumbing("wait for events");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(failed())?;
    runtime.block_on(async {
        let watch = Watch::new(config, command, inherited, &spawned, started)?;
        let stderr = Stream::new(spawned.stderr, spawned.kind).map_err(failed())?;
        watch.watch(stderr).await.map_err(failed())
    })
}

/// What happened in one turn of the loop.
#[derive(Debug)]
enum Happening {
    Signal(Arrival),
    Deadline,
    Readable,
    SinkChanged,
    Seen(Sighting),
}

/// One run.
struct Watch<'a> {
    config: &'a Config,
    command: Pid,
    flow: Flow<'a>,
    signals: Signals,
    deadlines: Deadlines,
    /// The command of `--while`.
    beside: Option<Beside>,
    /// Whether gcwatch asked the command to end, and how hard.
    cause: Cause,
    end: Option<End>,
    /// The signal that stopped the command, and is to stop us.
    stopping: Option<StopSignal>,
    /// How many bytes came behind the command's end.
    read_after_end: usize,
    /// Whether the end of stderr was waited for long enough.
    drain_is_over: bool,
    buffer: Vec<u8>,
    /// How much our own stderr had taken when somebody asked us to end.
    taken_when_asked: u64,
    /// Whether the wait for our own stderr is over, though it is stuck.
    abandoned: bool,
}

impl<'a> Watch<'a> {
    /// Inside a runtime.
    fn new(
        config: &'a Config,
        command: &[OsString],
        inherited: &Inherited,
        spawned: &Spawned,
        started: Instant,
    ) -> Result<Self, Error> {
        let flow = Flow::new(config, command, spawned, inherited, started)?;
        // Not sooner: a report may go to a descriptor that we were given.
        descriptors::let_go();
        let beside = config.beside.as_deref();
        Ok(Self {
            config,
            beside: beside
                .map(|command| Beside::start(command, inherited))
                .transpose()?,
            command: spawned.pid,
            signals: Signals::new(inherited)?,
            flow,
            deadlines: Deadlines {
                stop: config.run_for.map(|run_for| started + run_for),
                ..Deadlines::default()
            },
            cause: Cause::Itself,
            end: None,
            stopping: None,
            read_after_end: 0,
            drain_is_over: false,
            buffer: vec![0; READ],
            taken_when_asked: 0,
            abandoned: false,
        })
    }

    async fn watch(mut self, stderr: Stream) -> io::Result<(Exit, Option<Survivors>)> {
        let mut stderr = Some(stderr);
        let mut left_to_others = None;
        // The command may have ended before signals were looked at.
        self.reap();
        while self.end.is_none() || (stderr.is_some() && !self.abandoned) {
            let happening = self.next(stderr.as_ref()).await?;
            tracing::trace!(?happening);
            match happening {
                Happening::Signal(arrival) => self.signal(arrival, stderr.as_ref()),
                Happening::Deadline => self.deadline(),
                Happening::Seen(sighting) => self.seen(sighting),
                Happening::Readable | Happening::SinkChanged => {}
            }
            if self.flow.sink.is_gone() {
                // Nobody reads our own stderr, which the command is to notice at its next write.
                stderr = None;
            } else if let Some(stream) = &stderr
                && self.flow.sink.has_room()
            {
                match self.read(stream)? {
                    Found::More => {}
                    Found::End => stderr = None,
                    Found::OthersOnly => left_to_others = stderr.take(),
                }
                self.give_up_hold();
            }
            if stderr.is_none() && left_to_others.is_none() {
                self.flow.end();
                self.deadlines.release = Hold::default();
            }
            self.stop_with_command();
        }
        let survivors = left_to_others
            .or(stderr)
            .and_then(|stream| self.flow.leave(stream));
        self.flow.end();
        self.deadlines.release = Hold::default();
        self.hear_out().await?;
        Ok((self.finish().await?, survivors))
    }

    /// Waits for what happens next.
    async fn next(&mut self, stderr: Option<&Stream>) -> io::Result<Happening> {
        let has_room = self.flow.sink.has_room();
        let due = self.deadlines.next(has_room);
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
            () = self.flow.sink.changed() => Happening::SinkChanged,
            sighting = self.flow.watcher.next() => Happening::Seen(sighting),
            ready = readable => { ready?; Happening::Readable }
        })
    }

    fn signal(&mut self, arrival: Arrival, stderr: Option<&Stream>) {
        if arrival.asks_to_end() {
            // Its number is lower than that of SIGCHLD, so it comes first even if the command ended before.
            self.reap();
        }
        match arrival.meaning() {
            Meaning::Child => self.reap(),
            _ if self.end.is_some() => {
                if arrival.asks_to_end() {
                    self.taken_when_asked = self.flow.sink.taken();
                    self.deadlines.abandon = Some(Instant::now() + STUCK);
                }
                arrival.stop_if_it_stops();
            }
            Meaning::Resized => {
                if let Some(stream) = stderr.filter(|stream| stream.is_pty()) {
                    // The command has been told already, but may have looked too early.
                    stream.resize();
                    signals::tell_of_resize(self.command);
                }
            }
            Meaning::Forward => {
                if arrival.continues() {
                    self.stopping = None;
                    self.deadlines.flush = None;
                }
                let resized = arrival.is_for_the_terminal() && stderr.is_some_and(Stream::resize);
                arrival.forward(self.command);
                if resized {
                    signals::tell_of_resize(self.command);
                }
            }
            Meaning::NotForUs => {}
        }
    }

    fn seen(&mut self, sighting: Sighting) {
        match sighting {
            Sighting::Event(event) => self.flow.event(&event),
            Sighting::Gauge(process, gauge) => self.flow.gauge(process, gauge),
            Sighting::Unwritable(failure) => self.flow.unwritable(failure),
            Sighting::LookedOver if self.deadlines.look.is_some() => self.stop_now(),
            // Too late, or the end.
            Sighting::LookedOver | Sighting::Over => {}
        }
    }

    /// Looks what became of the command, and of that of `--while`.
    fn reap(&mut self) {
        let command = self.end.is_none().then_some(self.command);
        let beside = self.beside.as_ref().and_then(Beside::running);
        let children: Vec<Pid> = command.into_iter().chain(beside).collect();
        for (child, change) in reap::look(&children) {
            match (change, &mut self.beside) {
                (change, _) if child == self.command => self.command_changed(change),
                (Change::Ended(end), Some(beside)) => {
                    beside.ended(end);
                    self.stop("the command of --while has ended");
                }
                _ => {}
            }
        }
    }

    fn command_changed(&mut self, change: Change) {
        match change {
            Change::Ended(end) => {
                tracing::info!(?end, cause = ?self.cause, "the command ended");
                self.end = Some(end);
                self.stopping = None;
                self.deadlines.flush = None;
                signals::forget_stops();
                self.deadlines.stop = None;
                self.deadlines.kill = None;
                self.deadlines.look = None;
                self.deadlines.drain = Some(Instant::now() + DRAIN);
                if let Some(beside) = &mut self.beside {
                    beside.terminate();
                    self.deadlines.kill = Some(Instant::now() + self.config.kill_after);
                }
            }
            Change::Stopped(number) => {
                self.stopping = StopSignal::new(number);
                self.deadlines.flush = self.stopping.map(|_| Instant::now() + DRAIN);
            }
        }
    }

    /// Stops us where the command was stopped, as soon as all is shown that it wrote before.
    fn stop_with_command(&mut self) {
        let shown = self.flow.sink.is_idle() || self.deadlines.flush.is_none();
        if let Some(signal) = self.stopping.take_if(|_| shown) {
            self.deadlines.flush = None;
            signal.stop_with_command();
        }
    }

    fn deadline(&mut self) {
        if is_due(&mut self.deadlines.stop) {
            self.stop("the time given by --for is over");
        }
        if is_due(&mut self.deadlines.look) {
            self.stop_now();
        }
        if is_due(&mut self.deadlines.kill) {
            if self.end.is_none() {
                tracing::info!("the command did not end, so it is killed");
                self.cause = Cause::Killed;
                signals::kill_now(self.command);
            } else if let Some(beside) = &self.beside {
                beside.kill();
            }
        }
        // Whoever sees that there is none stops without waiting.
        is_due(&mut self.deadlines.flush);
        if is_due(&mut self.deadlines.drain) {
            self.drain_is_over = true;
        }
        if is_due(&mut self.deadlines.abandon) {
            let taken = self.flow.sink.taken();
            if taken == self.taken_when_asked {
                self.abandoned = true;
            } else {
                self.taken_when_asked = taken;
                self.deadlines.abandon = Some(Instant::now() + STUCK);
            }
        }
    }
}
