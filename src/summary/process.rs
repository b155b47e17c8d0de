//! What is known of one process.

use std::time::Duration;

use super::{Limit, RunVerdict};
use crate::culprit::growth::Finding;
use crate::demux::ProcessId;
use crate::detector::{
    Forecast, Growth, Inconclusive, Judgement, Leak, OverBudget, Rise, Verdict, Withdrawal,
    forecast,
};
use crate::series::Series;
use crate::signs::Tally;
use crate::size::Size;
use crate::trace::Cycle;

/// So many flags are kept of one process: the first and the last ones.
const MOST_FLAGS: usize = 100;

/// Below this live heap the goal is the runtime's least one (`mgcpacer.go`, `defaultHeapMinimum`), or rounding shows.
const GOAL_SHOWS_FROM: Size = Size::from_bytes(8 << 20);

/// A moment that mattered.
#[derive(Clone, Debug, PartialEq)]
pub enum Flag {
    /// A leak was flagged.
    Leak(Rise),
    /// It was withdrawn.
    Withdrawn(Withdrawal),
    /// The budget was passed.
    OverBudget(OverBudget),
}

/// What is known of one process.
#[derive(Clone, Debug)]
pub struct ProcessSummary {
    /// Which.
    pub process: ProcessId,
    /// Its number in the system, where that is certain.
    pub pid: Option<i32>,
    /// How many cycles were seen.
    pub cycles: u64,
    /// How many of them were forced.
    pub forced_cycles: u64,
    /// The first cycle that was seen.
    pub first: Cycle,
    /// The last cycle that was seen.
    pub last: Cycle,
    /// When the first cycle and the last one began, since the program's start; of Go 1.0 to 1.4, which print no time, when
    /// their lines came since the run began.
    times: Option<(Duration, Duration)>,
    /// The live heap of the last cycle but one.
    live_before: Option<Size>,
    /// The highest live heap.
    pub peak: Size,
    /// The longest pause of a cycle.
    pub longest_pause: Duration,
    /// All pauses together.
    pub total_pause: Duration,
    /// The moments that mattered, oldest first.
    pub flags: Vec<Flag>,
    /// When a leak was flagged first, since the program's start.
    pub first_flag: Option<Duration>,
    /// The live heap over the cycles.
    pub live: Series,
    /// What else is added up of them.
    pub tally: Tally,
    /// The lines that hold the growth, as far as they are known.
    pub finding: Finding,
    /// Set when no more cycles will come.
    pub judgement: Option<Judgement>,
}

impl ProcessSummary {
    pub(super) fn new(process: ProcessId, first: &Cycle) -> Self {
        Self {
            process,
            pid: None,
            cycles: 0,
            forced_cycles: 0,
            first: first.clone(),
            last: first.clone(),
            times: None,
            live_before: None,
            peak: Size::default(),
            longest_pause: Duration::ZERO,
            total_pause: Duration::ZERO,
            flags: Vec::new(),
            first_flag: None,
            live: Series::default(),
            tally: Tally::default(),
            finding: Finding::default(),
            judgement: None,
        }
    }

    pub(super) fn record(&mut self, cycle: &Cycle, arrived: Option<Duration>) {
        self.cycles += 1;
        if let Some(at) = cycle.at.or(arrived) {
            self.times = Some((self.times.map_or(at, |(first, _)| first), at));
        }
        self.forced_cycles += u64::from(cycle.forced);
        self.peak = self.peak.max(cycle.newest_live());
        self.longest_pause = self.longest_pause.max(cycle.pause());
        self.total_pause = self.total_pause.saturating_add(cycle.pause());
        self.live.push(cycle.newest_live().bytes());
        self.tally.record(cycle);
        self.live_before = (self.cycles > 1).then(|| self.last.newest_live());
        self.last = cycle.clone();
    }

    pub(super) fn flag(&mut self, flag: Flag) {
        if self.flags.len() == MOST_FLAGS {
            self.flags.remove(MOST_FLAGS / 2);
        }
        self.flags.push(flag);
    }

    /// The time from the first cycle to the last.
    pub fn span(&self) -> Duration {
        self.times
            .map_or(Duration::ZERO, |(first, last)| last.saturating_sub(first))
    }

    /// The rise that made the verdict a leak at the end, where it was not flagged before.
    pub fn leak_at_last(&self) -> Option<&Rise> {
        let Verdict::Leak(Leak::Floor(rise)) = &self.judgement.as_ref()?.verdict else {
            return None;
        };
        let is_flagged = |flag: &Flag| matches!(flag, Flag::Leak(flagged) if flagged == rise);
        (!self.flags.iter().any(is_flagged)).then_some(rise)
    }

    /// How fast the rise of a leak grows.
    pub fn growth(&self) -> Option<Growth> {
        self.judgement
            .as_ref()
            .and_then(|judgement| judgement.growth)
    }

    /// When the live heap reaches the limit, at that growth.
    pub fn forecast(&self, limit: &Limit) -> Option<Forecast> {
        let live = self.last.newest_live();
        forecast(&self.growth()?, live, limit.size, self.goal_factor())
    }

    /// How many times the live heap the heap goal is: 2 with GOGC=100. `None` for heaps so small that the trace's rounding
    /// shows, and where no goal is printed.
    pub fn goal_factor(&self) -> Option<f64> {
        // A cycle's goal is set when the cycle before ends.
        let before = self
            .live_before
            .filter(|before| *before >= GOAL_SHOWS_FROM)?;
        Some(self.last.goal?.mib() / before.mib())
    }

    /// Its verdict, once it is judged.
    pub fn verdict(&self) -> Option<RunVerdict> {
        self.judgement
            .as_ref()
            .map(|judgement| RunVerdict::of(&judgement.verdict))
    }

    /// Whether so few cycles were seen that nothing can be said.
    pub(super) fn has_too_few_cycles(&self) -> bool {
        let verdict = self.judgement.as_ref().map(|judgement| &judgement.verdict);
        matches!(
            verdict,
            None | Some(Verdict::Inconclusive(
                Inconclusive::TooFewCycles { .. } | Inconclusive::NoCycle { .. }
            ))
        )
    }
}
