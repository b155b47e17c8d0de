//! What can be seen of the processes that write the trace: which they are, and which of their lines hold the growth. On a
//! thread of its own, so that nothing here holds up the command's text, its signals or its end.

mod armory;
mod family;
mod fetch;
mod identify;
mod pace;
mod profiling;
mod suspects;
mod witness;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::witness::Witness;
use crate::demux::ProcessId;
use crate::file_id::FileId;
use crate::report::Failure;
use crate::session::{Event, Gauge};

pub use self::fetch::ProfileUrl;

/// Whether the heap profile of a program is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Where the program samples anyway.
    #[default]
    Auto,
    /// Always: sampling is switched on where it is off.
    On,
    /// Never.
    Off,
}

/// How to name the lines that leak.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// From a program's memory.
    pub reading: Reading,
    /// Bytes from one sample to the next on average, where sampling is switched on; `None` for what costs little.
    pub sample_rate: Option<u64>,
    /// Where profiles of the rise go.
    pub profile_out: Option<PathBuf>,
    /// Where the program serves its profile: that is read, and not its memory.
    pub served: Option<ProfileUrl>,
}

/// What the command is.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its process number.
    pub command: i32,
    /// The file that it was given as stderr.
    pub stderr: FileId,
    /// When the run began: the clock of arrivals.
    pub started: Instant,
    /// How to name the lines that leak.
    pub naming: Naming,
}

/// A cycle that came.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    process: ProcessId,
    arrived: Duration,
    /// How long before that the process had started.
    age: Duration,
    number: u32,
    live_mib: u64,
}

/// What the thread is told.
#[derive(Debug)]
enum Told {
    Cycle(Cycle),
    /// The live heap rises since this time, by the program's clock.
    Rises {
        process: ProcessId,
        began: Duration,
    },
    RiseEnded {
        process: ProcessId,
    },
    /// No more cycles of it will come.
    Over {
        process: ProcessId,
    },
    /// The command will be asked to end.
    LastLook,
}

/// What the thread tells.
#[derive(Debug)]
pub enum Sighting {
    /// Something to report.
    Event(Box<Event>),
    /// The live heap of a process can be known to the byte.
    Gauge(ProcessId, Gauge),
    /// A profile could not be written.
    Unwritable(Failure),
    /// All was looked at before the command is asked to end.
    LookedOver,
    /// Nothing more will come.
    Over,
}

/// Our end of the thread.
#[derive(Debug)]
pub struct Watcher {
    /// `None` when no more will be told.
    to: Option<Sender<Told>>,
    from: UnboundedReceiver<Sighting>,
    is_over: bool,
}

impl Watcher {
    /// Starts the thread. Where there can be none, nothing is found out.
    pub fn start(watched: Watched) -> Self {
        let (to, told) = mpsc::channel();
        let (found, from) = unbounded_channel();
        let work = move || work(watched, &told, found);
        let started = thread::Builder::new().name("watcher".into()).spawn(work);
        if let Err(error) = &started {
            tracing::warn!(%error, "no thread to look at processes with");
        }
        Self {
            to: started.is_ok().then_some(to),
            from,
            is_over: started.is_err(),
        }
    }

    /// Tells of what happened.
    pub fn tell(&mut self, events: &[Event]) {
        for event in events {
            if let Some(told) = told(event) {
                self.send(told);
            }
        }
    }

    /// Asks for a last look before the command ends: [`Sighting::LookedOver`] answers.
    pub fn look_over(&mut self) {
        self.send(Told::LastLook);
    }

    /// Nothing more will be told: [`Sighting::Over`] answers.
    pub fn close(&mut self) {
        self.to = None;
    }

    /// Whether nothing more will be found.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What was found next; waits for it, for ever where nothing more will be.
    pub async fn next(&mut self) -> Sighting {
        if self.is_over {
            return std::future::pending().await;
        }
        let found = self.from.recv().await;
        self.is_over = found.is_none();
        found.unwrap_or(Sighting::Over)
    }

    fn send(&mut self, told: Told) {
        if let Some(to) = &self.to
            && to.send(told).is_err()
        {
            self.to = None;
        }
    }
}

fn told(event: &Event) -> Option<Told> {
    match event {
        Event::Cycle {
            process,
            arrived: Some(arrived),
            cycle,
            ..
        } => Some(Told::Cycle(Cycle {
            process: *process,
            arrived: *arrived,
            age: cycle.ended()?,
            number: cycle.number,
            live_mib: cycle.heap.live?.bytes() >> 20,
        })),
        Event::Flagged { process, rise } => Some(Told::Rises {
            process: *process,
            began: rise.at.saturating_sub(rise.span),
        }),
        // How long it has risen is not known.
        Event::OverBudget { process, .. } => Some(Told::Rises {
            process: *process,
            began: Duration::ZERO,
        }),
        Event::Withdrawn { process, .. } => Some(Told::RiseEnded { process: *process }),
        Event::Judged { process, .. } => Some(Told::Over { process: *process }),
        _ => None,
    }
}

/// The thread.
fn work(watched: Watched, told: &Receiver<Told>, found: UnboundedSender<Sighting>) {
    let mut witness = Witness::new(watched, found);
    loop {
        let next = match witness.look() {
            Some(interval) => told.recv_timeout(interval),
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(told) => witness.hear(&told),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    witness.end();
}

/// A file that could not be written.
fn unwritable(path: &std::path::Path, error: io::Error) -> Sighting {
    Sighting::Unwritable(Failure {
        name: path.display().to_string(),
        error,
    })
}
