//! What else the trace knows besides leaks: said in the summary when it matters, never as an alarm.

use std::fmt;
use std::time::Duration;

use crate::series::Series;
use crate::size::{MIB, Size};
use crate::summary::{Limit, ProcessSummary};
use crate::trace::Cycle;
use crate::wording::{count, millis, real};

/// Below so many cycles or so much time a share says more about the start of the program than about its work.
const LEAST_CYCLES: u64 = 14;
/// See [`LEAST_CYCLES`].
const LEAST_SPAN: Duration = Duration::from_secs(5);

/// At this share of the limit a cycle finds at most a quarter of the live heap's size to allocate before the next, where
/// GOGC=100 gives all of it: four times as many cycles.
const NEAR_THE_LIMIT: f64 = 0.8;

/// Stacks that grew by less are those of some busy moment; a goroutine has a few KiB.
const LEAST_STACKS: u64 = 4 * MIB;

/// While a cycle runs the collector takes a quarter of the CPU (`mgcpacer.go`, `gcBackgroundUtilization`). From half of
/// that on, taken over the whole run, it runs more often than not.
const MOST_GC_CPU_PERCENT: i64 = 13;

/// Mark assists below this share of the CPU do not hurt, however they compare with the background workers.
const LEAST_ASSIST: f64 = 0.01;

/// So many forced cycles in a row are a habit. Go 1.9 to 1.19 may mark a neighbour of a forced one, too (golang/go#52515),
/// so that one or two say little.
const FORCED_IN_A_ROW: u64 = 5;

/// A heap goal this many times the live heap is not GOGC's: GOGC=100 makes it 2.
const GOAL_WITHOUT_GOGC: f64 = 10.0;

/// A heap goal above this is the runtime's for "no goal" (`mgcpacer.go`: all bits set).
const NO_GOAL: u64 = 1 << 50;

/// What is added up of the cycles of a process.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    stacks: Series,
    forced_in_a_row: u64,
    most_forced_in_a_row: u64,
    assist: Duration,
    /// In how many cycles the assists marked more than the background workers: one in which the machine stood still does not
    /// outweigh the others then.
    outdone: u64,
}

impl Tally {
    /// Takes one cycle.
    pub fn record(&mut self, cycle: &Cycle) {
        if let Some(scan) = cycle.scan {
            self.stacks.push(scan.stacks.bytes());
        }
        self.forced_in_a_row = if cycle.forced {
            self.forced_in_a_row + 1
        } else {
            0
        };
        self.most_forced_in_a_row = self.most_forced_in_a_row.max(self.forced_in_a_row);
        if let Some(cpu) = cycle.cpu {
            self.assist = self.assist.saturating_add(cpu.assist);
            self.outdone += u64::from(cpu.assist > cpu.background);
        }
    }
}

/// Something that the trace shows and that is worth a look.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// The live heap is near its limit.
    NearLimit {
        /// How much it is.
        live: Size,
        /// What it must not reach.
        limit: Limit,
    },
    /// GOGC is off, or as good as off.
    NoGogc,
    /// The stacks grow, and more than the heap does.
    Stacks {
        /// In the first third of the cycles, at their lowest.
        from: Size,
        /// In the last third.
        to: Size,
    },
    /// Goroutines that allocate mark more than the background workers do, in most cycles.
    Assist {
        /// Their CPU time.
        assist: Duration,
        /// In how many cycles.
        outdone: u64,
        /// How many there were.
        cycles: u64,
    },
    /// The collector takes much of the CPU.
    Churn {
        /// Its share since the program's start.
        percent: i64,
    },
    /// The program collects by itself.
    Forced {
        /// So many cycles in a row.
        in_a_row: u64,
    },
}

impl Sign {
    /// Its name in the JSON summary.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NearLimit { .. } => "near limit",
            Self::NoGogc => "no gogc",
            Self::Stacks { .. } => "stacks",
            Self::Assist { .. } => "assist",
            Self::Churn { .. } => "churn",
            Self::Forced { .. } => "forced",
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NearLimit { live, limit } => write!(
                f,
                "the live heap is at {:.0} % of {} ({}): GC runs ever more often from here",
                100.0 * live.mib() / limit.size.mib(),
                limit.size,
                limit.from
            ),
            Self::NoGogc => f.write_str(
                "GOGC is off or very large: there are few cycles, so that a leak shows late, or not at all",
            ),
            Self::Stacks { from, to } => write!(
                f,
                "stacks grew from {from} to {to}, more than the heap: do goroutines pile up?"
            ),
            Self::Assist {
                assist,
                outdone,
                cycles,
            } => write!(
                f,
                "mark assists took {} ms of CPU, more than background marking in {outdone} of {}: who allocates waits for the GC",
                millis(*assist),
                count(*cycles, "cycle")
            ),
            Self::Churn { percent } => write!(
                f,
                "GC takes {percent} % of the CPU: much garbage for so small a heap goal; a larger GOGC helps"
            ),
            Self::Forced { in_a_row } => write!(
                f,
                "{} in a row forced: something calls runtime.GC or debug.FreeOSMemory",
                count(*in_a_row, "cycle")
            ),
        }
    }
}

/// What the cycles of a process show, the weightiest first.
pub fn of(process: &ProcessSummary, limit: Option<&Limit>) -> Vec<Sign> {
    let near_limit = near_limit(process, limit);
    // Near the limit the collector works hard because of it.
    let is_free = near_limit.is_none();
    let worked = process.cycles >= LEAST_CYCLES && process.span() >= LEAST_SPAN;
    [
        near_limit,
        has_no_gogc(process).then_some(Sign::NoGogc),
        stacks(process),
        (worked && is_free).then(|| assist(process)).flatten(),
        (worked && is_free).then(|| churn(process)).flatten(),
        forced(&process.tally),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn near_limit(process: &ProcessSummary, limit: Option<&Limit>) -> Option<Sign> {
    let limit = limit?;
    let live = process.last.newest_live();
    (live.mib() >= NEAR_THE_LIMIT * limit.size.mib()).then(|| Sign::NearLimit {
        live,
        limit: limit.clone(),
    })
}

fn has_no_gogc(process: &ProcessSummary) -> bool {
    process
        .last
        .goal
        .is_some_and(|goal| goal.bytes() >= NO_GOAL)
        || process
            .goal_factor()
            .is_some_and(|factor| factor >= GOAL_WITHOUT_GOGC)
}

/// They rise from third to third, have doubled, and more than the live heap.
fn stacks(process: &ProcessSummary) -> Option<Sign> {
    let [from, middle, to] = process.tally.stacks.lows(3)[..] else {
        return None;
    };
    let grown = to.saturating_sub(from);
    let heap = match process.live.lows(3)[..] {
        [first, .., last] => last.saturating_sub(first),
        _ => 0,
    };
    let rises = from < middle && middle < to && to >= from.saturating_mul(2);
    (rises && grown >= LEAST_STACKS && grown > heap).then(|| Sign::Stacks {
        from: Size::from_bytes(from),
        to: Size::from_bytes(to),
    })
}

fn assist(process: &ProcessSummary) -> Option<Sign> {
    let Tally {
        assist, outdone, ..
    } = process.tally;
    let cycles = process.cycles;
    let available = process.span().as_secs_f64() * real(process.last.procs.into());
    let matters = assist.as_secs_f64() >= LEAST_ASSIST * available;
    (matters && 2 * outdone > cycles).then_some(Sign::Assist {
        assist,
        outdone,
        cycles,
    })
}

fn churn(process: &ProcessSummary) -> Option<Sign> {
    let percent = process.last.gc_cpu_percent?;
    (percent >= MOST_GC_CPU_PERCENT).then_some(Sign::Churn { percent })
}

fn forced(tally: &Tally) -> Option<Sign> {
    let in_a_row = tally.most_forced_in_a_row;
    (in_a_row >= FORCED_IN_A_ROW).then_some(Sign::Forced { in_a_row })
}
