//! Live heap after live heap, one process: does it leak?
//!
//! The user's rule is "the live heap rises across N cycles in a row". Word for word ([`Rule::Strict`]) it misses half of
//! the leaks, since the trace rounds to MiB and every heap breathes, and it flags half of the healthy programs. So by
//! default ([`Rule::Floor`]) the same is asked of *windows*: of one cycle, or of as many as the noise needs, and what
//! has to rise is the lowest live heap in the window, the *floor*: what no cycle in it could free. Eight conditions say
//! when such a rise is worth an alarm, and a rise that comes back or levels off is withdrawn.
//!
//! The core has no clock: all times are the `@` of the trace lines. Its state is bounded, and a cycle takes constant
//! time on average, so it can watch for weeks.

mod change;
mod conditions;
mod floor;
mod forecast;
mod ladder;
mod stats;
mod strict;
mod swing;
mod thirds;
mod verdict;
mod withdrawal;

use std::time::Duration;

pub use change::{Change, Growth, OverBudget, Rise, Withdrawal, WithdrawnWhy};
pub use forecast::{Forecast, forecast};
pub use verdict::{Clean, Inconclusive, Leak, Sight, Verdict};

use crate::size::{MIB, Size};
use floor::FloorRule;
use strict::{Run, StrictRule};

/// The trace prints `@` in milliseconds: no time it shows is shorter, in seconds.
const TRACE_CLOCK: f64 = 0.001;

/// What counts as a leak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The floor of the live heap rises across N windows in a row, long and far enough.
    #[default]
    Floor,
    /// The live heap of each of N cycles in a row is higher than the one before; nothing else is asked.
    Strict,
}

/// What a detector goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorConfig {
    /// What counts as a leak.
    pub rule: Rule,
    /// N, the rises in a row that make a leak: 2 to 100, other values are brought into that range.
    pub cycles: u32,
    /// [`Rule::Floor`]: a rise must last at least this long, from the begin of its first window to that of its last.
    pub min_span: Duration,
    /// [`Rule::Floor`]: a rise must be at least this large, and 10 % of the floor that it began at.
    pub min_rise: Size,
    /// Cycles that began earlier than this after the program's start are not judged.
    pub warmup: Duration,
    /// A live heap above this is a leak, whatever the rule.
    pub max_live: Option<Size>,
}

impl Default for DetectorConfig {
    /// Chosen on recorded programs: fewer cycles or a shorter span flag more healthy ones, more find fewer leaks or
    /// find them later.
    fn default() -> Self {
        Self {
            rule: Rule::Floor,
            cycles: 6,
            min_span: Duration::from_secs(20),
            min_rise: Size::from_bytes(6 * MIB),
            warmup: Duration::ZERO,
            max_live: None,
        }
    }
}

/// Watches the live heap of one process. Another process, or the same program started again, needs a new one.
#[derive(Clone, Debug)]
pub struct Detector {
    warmup: Duration,
    max_live: Option<Size>,
    over_budget: Option<OverBudget>,
    cycles: u64,
    first: Duration,
    last: Duration,
    run: Run,
    rule: RuleState,
}

/// The state of the rule that was asked for.
#[derive(Clone, Debug)]
enum RuleState {
    Floor(Box<FloorRule>),
    Strict(StrictRule),
}

/// What is known about the process.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Does it leak?
    pub verdict: Verdict,
    /// How fast the flagged rise grows; `None` where none is flagged, or too few windows show it.
    pub growth: Option<Growth>,
    /// The most judged cycles in a row whose live heap was higher than the one before. Kept with both rules.
    pub longest_strict_run: u64,
}

impl Detector {
    /// A detector that has seen no cycle.
    pub fn new(config: &DetectorConfig) -> Self {
        let rises = config.cycles.clamp(2, 100) as usize;
        Self {
            warmup: config.warmup,
            max_live: config.max_live,
            over_budget: None,
            cycles: 0,
            first: Duration::ZERO,
            last: Duration::ZERO,
            run: Run::default(),
            rule: match config.rule {
                Rule::Floor => RuleState::Floor(Box::new(FloorRule::new(config, rises))),
                Rule::Strict => RuleState::Strict(StrictRule::new(rises)),
            },
        }
    }

    /// Takes one cycle: its number, when it began since the program's start, and its live heap. Returns what changed
    /// with it, nearly always nothing.
    pub fn observe(&mut self, number: u32, at: Duration, live: Size) -> Vec<Change> {
        let mut changes = Vec::new();
        if at < self.warmup {
            return changes;
        }
        if self.cycles == 0 {
            self.first = at;
        }
        self.cycles += 1;
        self.last = at;
        if let (Some(budget), None) = (
            self.max_live.filter(|&budget| live > budget),
            &self.over_budget,
        ) {
            let over_budget = OverBudget {
                cycle: number,
                at,
                live,
                budget,
            };
            self.over_budget = Some(over_budget.clone());
            changes.push(Change::OverBudget(over_budget));
        }
        let in_a_row = self.run.observe(live);
        changes.extend(match &mut self.rule {
            RuleState::Floor(rule) => rule.observe(number, at, live),
            RuleState::Strict(rule) => rule
                .observe(number, at, live, in_a_row)
                .map(Change::Flagged),
        });
        changes
    }

    /// What is known, as if the run ended now.
    pub fn judgement(&self) -> Judgement {
        let growth = match &self.rule {
            RuleState::Floor(rule) => rule.growth(),
            RuleState::Strict(rule) => rule.flagged.as_ref().and_then(|rise| rise.growth),
        };
        Judgement {
            verdict: self.verdict(),
            growth,
            longest_strict_run: self.run.longest,
        }
    }

    fn verdict(&self) -> Verdict {
        // A measured fact, for good; a rise is an inference that may be withdrawn.
        if let Some(over_budget) = &self.over_budget {
            return Verdict::Leak(Leak::OverBudget(over_budget.clone()));
        }
        if self.cycles == 0 {
            return Verdict::Inconclusive(Inconclusive::NoCycle {
                warmup: self.warmup,
            });
        }
        match &self.rule {
            RuleState::Floor(rule) => rule.verdict(),
            RuleState::Strict(rule) => {
                rule.verdict(self.cycles, self.last.saturating_sub(self.first), &self.run)
            }
        }
    }
}

/// A time as seconds, exactly the number that the trace's decimals say.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 104 days, and to the trace's millisecond for ages after"
)]
fn seconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e9
}

/// Seconds as a time; below zero is none, and what does not fit is as long as it gets.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
