//! How well a number fits the place that it would have in a line, by what the same process printed before.
//!
//! Where two runtimes print at the same moment their tokens come mixed, and many of them are alike: a number, a plus sign.
//! What tells them apart is what they say: the cycle before had the number before; the CPU of a phase that stops the
//! world is its wall-clock time by the processors (`mgc.go`); a heap is what it was, more or less.

use std::time::Duration;

use crate::size::{MIB, Size};
use crate::trace::{Cycle, Field, decimal, integer};

/// What is unlikely costs. Only the order of two sums means anything.
pub(super) type Cost = u32;

/// Nearly impossible.
const ODD: Cost = 5;
/// Seldom.
const RARE: Cost = 2;
/// Less likely than not.
const UNUSUAL: Cost = 1;

/// So many processes are known at once at most; the longest silent is forgotten.
const MOST_KNOWN: usize = 64;

/// The last cycles of the processes on the stream.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The longest silent first.
    known: Vec<Known>,
    next_process: u64,
}

/// One process: its last cycle.
#[derive(Clone, Debug)]
struct Known {
    process: u64,
    last: Cycle,
}

/// What the numbers of a line said so far, as long as a later one is to be compared with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Said {
    number: u32,
    /// The process that it seems to be of.
    pub(super) process: Option<u64>,
    sweep_term: Duration,
    mark_term: Duration,
    start: u64,
    end: u64,
}

impl Expected {
    /// Whether no cycle was read yet.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// A cycle was read.
    pub(super) fn learn(&mut self, cycle: &Cycle) {
        let before = self.predecessor(cycle.number, cycle.at);
        let index = before.and_then(|before| {
            self.known
                .iter()
                .position(|known| known.process == before.process)
        });
        let process = if let Some(index) = index {
            self.known.remove(index).process
        } else {
            self.next_process += 1;
            self.next_process
        };
        if self.known.len() == MOST_KNOWN {
            self.known.remove(0);
        }
        self.known.push(Known {
            process,
            last: cycle.clone(),
        });
    }

    /// The process whose next cycle this may be: of several the one that printed last before that time.
    fn predecessor(&self, number: u32, at: Option<Duration>) -> Option<&Known> {
        self.known
            .iter()
            .filter(|known| known.last.number.checked_add(1) == Some(number) && known.last.at <= at)
            .max_by_key(|known| known.last.at)
    }

    fn of(&self, said: &Said) -> Option<&Cycle> {
        let known = self
            .known
            .iter()
            .find(|known| Some(known.process) == said.process)?;
        Some(&known.last)
    }

    /// What it costs that a line goes on with this number, of which `said` keeps what later ones are compared with.
    pub(super) fn cost(&self, field: Field, written: &[u8], said: &mut Said) -> Cost {
        let before = self.of(said);
        match field {
            Field::Number => {
                said.number = integer(written).unwrap_or_default();
                let follows = |known: &Known| known.last.number.checked_add(1) == Some(said.number);
                if self.known.iter().any(follows) || self.known.is_empty() {
                    0
                } else if said.number == 1 {
                    UNUSUAL
                } else {
                    ODD
                }
            }
            Field::At => {
                let at = decimal(written, Duration::from_secs(1));
                let number = std::mem::take(&mut said.number);
                let before = self.predecessor(number, at);
                said.process = before.map(|known| known.process);
                let gap = before.and_then(|known| at?.checked_sub(known.last.at?));
                match gap {
                    Some(gap) if gap > Duration::from_secs(5) => UNUSUAL,
                    Some(_) => 0,
                    None if self.known.is_empty() || number == 1 => 0,
                    None => ODD,
                }
            }
            Field::GcCpuPercent => {
                let percent: i64 = integer(written).unwrap_or_default();
                let before = before.and_then(|before| before.gc_cpu_percent);
                before.map_or(0, |before| match before.abs_diff(percent) {
                    0..=1 => 0,
                    2..=4 => UNUSUAL,
                    5..=12 => RARE,
                    _ => ODD,
                })
            }
            Field::ClockSweepTerm => {
                said.sweep_term = millis(written);
                0
            }
            Field::ClockMarkTerm => {
                said.mark_term = millis(written);
                0
            }
            Field::CpuSweepTerm => stopped(before, std::mem::take(&mut said.sweep_term), written),
            Field::CpuMarkTerm => stopped(before, std::mem::take(&mut said.mark_term), written),
            Field::HeapStart => {
                said.start = integer(written).unwrap_or_default();
                before.map_or(0, |before| near(said.start, before.heap.start))
            }
            Field::HeapEnd => {
                said.end = integer(written).unwrap_or_default();
                if said.end < std::mem::take(&mut said.start) {
                    ODD
                } else {
                    let before = before.and_then(|before| before.heap.end);
                    before.map_or(0, |before| near(said.end, before))
                }
            }
            Field::HeapLive => {
                let live: u64 = integer(written).unwrap_or_default();
                if live > std::mem::take(&mut said.end) {
                    ODD
                } else {
                    let before = before.and_then(|before| before.heap.live);
                    before.map_or(0, |before| near(live, before))
                }
            }
            Field::Goal => {
                let goal = integer(written).unwrap_or_default();
                let before = before.and_then(|before| before.goal);
                before.map_or(0, |before| near(goal, before))
            }
            Field::Stacks | Field::Globals => {
                let size: u64 = integer(written).unwrap_or_default();
                let scan = before.and_then(|before| before.scan);
                let before = scan.map(|scan| match field {
                    Field::Stacks => scan.stacks,
                    _ => scan.globals,
                });
                before.map_or(0, |before| near(size, before))
            }
            Field::Procs => {
                let procs: u32 = integer(written).unwrap_or_default();
                before.map_or(0, |before| if before.procs == procs { 0 } else { RARE })
            }
            _ => 0,
        }
    }
}

fn millis(written: &[u8]) -> Duration {
    decimal(written, Duration::from_millis(1)).unwrap_or_default()
}

/// A phase that stops the world takes its wall-clock time of every processor. Both numbers are cut to two or three digits.
fn stopped(before: Option<&Cycle>, clock: Duration, cpu: &[u8]) -> Cost {
    let Some(procs) = before.map(|before| before.procs) else {
        return 0;
    };
    let cpu = millis(cpu);
    let least = clock * procs;
    let most = (clock + clock / 9 + Duration::from_micros(1)) * procs;
    let cut = cpu / 9 + Duration::from_micros(1);
    if cpu <= most && cpu + cut >= least {
        0
    } else {
        ODD
    }
}

/// How far a size in MiB is from the one before.
fn near(mib: u64, before: Size) -> Cost {
    let before = before.bytes() / MIB;
    match mib.abs_diff(before) {
        0 => 0,
        far if far <= 1 + before / 4 => UNUSUAL,
        far if far <= 4 + before => RARE,
        _ => RARE + UNUSUAL,
    }
}
