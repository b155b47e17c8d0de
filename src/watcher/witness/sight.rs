//! How the program of a process is opened, and what is seen of its heap then.

use crate::culprit::{Program, Refusal};
use crate::session::Gauge;
use crate::size::Size;
use crate::watcher::armory::Armory;
use crate::watcher::pace::{FINE, Pace};
use crate::watcher::profiling::Profiling;
use crate::watcher::{Naming, Reading};

/// What is seen of a process's heap.
pub(super) enum Sight {
    /// It is not known which process it is, or nobody wants to know.
    None,
    /// It cannot be seen, for this reason.
    Blind(String),
    Profiled(Box<Profiling>),
}

/// A program, or why it cannot be read.
pub(super) struct Opened(Result<Program, Refusal>);

impl Opened {
    /// The program of a process, sampled where that is asked for; `None` where its memory is not to be read.
    pub(super) fn of(pid: i32, naming: &Naming, armory: Option<&mut Armory>) -> Option<Self> {
        if naming.served.is_some() {
            return None;
        }
        match naming.reading {
            Reading::Off => None,
            Reading::Auto => Some(Self(Program::open(pid))),
            Reading::On => Some(Self(match armory.and_then(|armory| armory.take(pid)) {
                Some(Ok(program)) => Ok(program),
                // What it was refused for then may be over.
                Some(Err(_)) | None => open_armed(pid, naming.sample_rate.unwrap_or(FINE)),
            })),
        }
    }

    /// Tells its live heap to the byte, where that can be found.
    pub(super) fn gauge(&self) -> Option<Gauge> {
        let live = self.0.as_ref().ok()?.live_heap_of().ok()?;
        Some(Gauge::new(move |cycle| {
            live.of(cycle).map(Size::from_bytes)
        }))
    }

    /// What is seen of its heap; `sample_rate` is what its user wants.
    pub(super) fn sight(self, sample_rate: Option<u64>) -> Sight {
        match self.0.and_then(|program| Ok((program.rate()?, program))) {
            Ok((0, program)) if program.links_mem_profile() => Sight::Blind(
                "the leaking lines are not known: the program has switched its heap profile off (runtime.MemProfileRate is 0)".into(),
            ),
            Ok((0, _)) => Sight::Blind(
                "to have the leaking lines named, run again with `--culprit on`: this program does not sample its heap by itself".into(),
            ),
            Ok((_, program)) => {
                // What the program or its user chose is left alone.
                let pace = sample_rate.is_none().then(Pace::new);
                Sight::Profiled(Box::new(Profiling::live(program, pace)))
            }
            Err(refusal) => Sight::Blind(format!("the leaking lines are not known: {refusal}")),
        }
    }
}

fn open_armed(pid: i32, rate: u64) -> Result<Program, Refusal> {
    let mut program = Program::open(pid)?;
    program.arm(rate)?;
    Ok(program)
}
