//! What /proc shows of the processes that write the trace, on a thread of its own: nothing here holds up the command's text,
//! its signals or its end.

mod family;
mod identify;

use std::collections::HashMap;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::family::{Image, since_boot, writers};
use self::identify::Trail;
use crate::demux::ProcessId;
use crate::session::Event;

pub use self::family::FileId;

/// What the command is.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// Its process number.
    pub command: i32,
    /// The file that it was given as stderr.
    pub stderr: FileId,
    /// When the run began: the clock of arrivals.
    pub started: Instant,
}

/// What the thread is told.
#[derive(Debug)]
enum Told {
    Cycle {
        process: ProcessId,
        arrived: Duration,
        /// How long before that it had started.
        age: Duration,
    },
    Over {
        process: ProcessId,
    },
}

/// Our end of the thread.
#[derive(Debug)]
pub struct Watcher {
    /// `None` when no more will be told.
    to: Option<Sender<Told>>,
    from: UnboundedReceiver<Event>,
}

impl Watcher {
    /// Starts the thread. Where there can be none, nothing is found out.
    pub fn start(watched: Watched) -> Self {
        let (to, told) = mpsc::channel();
        let (found, from) = unbounded_channel();
        let work = move || {
            let mut witness = Witness {
                watched,
                found,
                trails: HashMap::new(),
                taken: Vec::new(),
            };
            for told in told {
                witness.hear(&told);
            }
        };
        let started = thread::Builder::new().name("watcher".into()).spawn(work);
        if let Err(error) = &started {
            tracing::warn!(%error, "no thread to look at processes with");
        }
        Self {
            to: started.is_ok().then_some(to),
            from,
        }
    }

    /// Tells of what happened.
    pub fn tell(&mut self, events: &[Event]) {
        for event in events {
            let told = match event {
                Event::Cycle {
                    process,
                    arrived: Some(arrived),
                    cycle,
                    ..
                } => {
                    // Go 1.0 to 1.4 tell no time, so that no start can be told.
                    let Some(age) = cycle.ended() else { continue };
                    Told::Cycle {
                        process: *process,
                        arrived: *arrived,
                        age,
                    }
                }
                Event::Judged { process, .. } => Told::Over { process: *process },
                _ => continue,
            };
            if let Some(to) = &self.to
                && to.send(told).is_err()
            {
                self.to = None;
            }
        }
    }

    /// What was found out next; waits for it, for ever where nothing more will be.
    pub async fn next(&mut self) -> Event {
        match self.from.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

/// The thread's part.
struct Witness {
    watched: Watched,
    found: UnboundedSender<Event>,
    /// The processes whose program is not known yet.
    trails: HashMap<ProcessId, Trail>,
    /// The programs that are known.
    taken: Vec<(ProcessId, Image)>,
}

impl Witness {
    fn hear(&mut self, told: &Told) {
        match *told {
            Told::Cycle {
                process,
                arrived,
                age,
            } => self.cycle(process, arrived, age),
            Told::Over { process } => {
                self.trails.remove(&process);
                self.taken.retain(|(taken, _)| *taken != process);
            }
        }
    }

    fn cycle(&mut self, process: ProcessId, arrived: Duration, age: Duration) {
        if self.taken.iter().any(|(known, _)| *known == process) {
            return;
        }
        let now = self.watched.started.elapsed();
        let started = (since_boot() + arrived).saturating_sub(now + age);
        let trail = self.trails.entry(process).or_insert_with(Trail::new);
        if let Some(image) = trail.cycle(arrived, started) {
            self.identified(process, image);
        } else if trail.wants_a_look() {
            let mut images = writers(self.watched.command, self.watched.stderr);
            images.retain(|image| self.taken.iter().all(|(_, taken)| taken != image));
            tracing::debug!(?process, ?started, ?images, "who may that be?");
            trail.look(&images, self.watched.started.elapsed());
        }
    }

    fn identified(&mut self, process: ProcessId, image: Image) {
        tracing::info!(?process, ?image, "identified");
        self.trails.remove(&process);
        self.taken.push((process, image));
        // Whoever does not listen any more need not be told.
        let _ = self.found.send(Event::Identified {
            process,
            pid: image.pid,
        });
    }
}
