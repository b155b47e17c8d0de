//! Live heap after live heap, one process: does it leak?
//!
//! The user's rule is "the live heap rises across N cycles in a row". Word for word ([`Rule::Strict`]) it misses four
//! leaks in ten, since the trace rounds to MiB and every heap breathes, and it flags more than a third of the healthy
//! programs. So by default ([`Rule::Floor`]) the same is asked of *windows*: of one cycle, or of as many as the noise
//! needs, and what has to rise is the lowest live heap in the window, the *floor*: what no cycle in it could free.
//! Nine conditions say when such a rise is worth an alarm, and a rise that comes back or levels off is withdrawn.
//!
//! They ask for more while the program runs than once the run is over. A flag may end the run, and a minute more would
//! have shown whether the rise ends; the verdict is about what was seen, and nothing more will come. So the end asks for
//! one thing besides: that the rise still goes on.
//!
//! The core has no clock: all times are the `@` of the trace lines. Its state is bounded, and a cycle takes constant
//! time on average, so it can watch for weeks.

mod baseline;
mod candidates;
mod change;
mod conditions;
mod config;
mod evidence;
mod floor;
mod forecast;
mod ladder;
mod stats;
mod stretch;
mod strict;
mod swing;
mod thirds;
mod verdict;
mod withdrawal;

use std::time::Duration;

pub use baseline::{Baseline, Regression, TooShort, Trend};
pub use change::{Change, Growth, OverBudget, Rise, Withdrawal, WithdrawnWhy};
pub use config::{DetectorConfig, Rule};
pub use evidence::{Evidence, Finding, HeldBack, Margin, Seen, Unit};
pub use forecast::{Forecast, forecast};
pub use verdict::{Clean, Inconclusive, Leak, Sight, Verdict};

use crate::size::Size;
use floor::FloorRule;
use strict::{Run, StrictRule};

/// The trace prints `@` in milliseconds: no time it shows is shorter, in seconds.
const TRACE_CLOCK: f64 = 0.001;

/// Watches the live heap of one process. Another process, or the same program started again, needs a new one.
#[derive(Clone, Debug)]
pub struct Detector {
    warmup: Duration,
    max_live: Option<Size>,
    baseline: Option<Baseline>,
    resolution: Size,
    over_budget: Option<OverBudget>,
    cycles: u64,
    first: Duration,
    last: Duration,
    /// Whether a cycle came without a time.
    is_untimed: bool,
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
    /// The nearest that the rule came to a flag, since the last one was withdrawn; `None` while one is flagged, and with
    /// the strict rule.
    pub nearest: Option<HeldBack>,
    /// What a later run can be compared with; `None` where this one had too few cycles, and with the strict rule.
    pub trend: Option<Trend>,
    /// The steps that the live heaps came in.
    pub resolution: Size,
}

impl Detector {
    /// A detector that has seen no cycle.
    pub fn new(config: &DetectorConfig) -> Self {
        let rises = config.cycles.clamp(2, 100) as usize;
        Self {
            warmup: config.warmup,
            max_live: config.max_live,
            baseline: config.baseline,
            resolution: config.resolution,
            over_budget: None,
            cycles: 0,
            first: Duration::ZERO,
            last: Duration::ZERO,
            is_untimed: false,
            run: Run::default(),
            rule: match config.rule {
                Rule::Floor => RuleState::Floor(Box::new(FloorRule::new(config, rises))),
                Rule::Strict => RuleState::Strict(StrictRule::new(rises)),
            },
        }
    }

    /// Whether nothing is flagged.
    pub fn is_silent(&self) -> bool {
        let is_rising = match &self.rule {
            RuleState::Floor(rule) => rule.is_rising(),
            RuleState::Strict(rule) => rule.flagged.is_some(),
        };
        !is_rising && self.over_budget.is_none()
    }

    /// Takes one cycle: its number, when it began since the program's start, its live heap, and the garbage that it
    /// found, which is how the load shows (none where that is not known: then any load counts as steady). Returns what
    /// changed with it, nearly always nothing.
    ///
    /// Where there is no time (a saved log of Go 1.0 to 1.4) only what needs none is judged: the budget and the strict
    /// rule, and what they flag has the time zero.
    pub fn observe(
        &mut self,
        number: u32,
        at: Option<Duration>,
        live: Size,
        garbage: Size,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let live = live.down_to(self.resolution);
        self.is_untimed |= at.is_none();
        let is_timed = at.is_some();
        let at = at.unwrap_or_default();
        if is_timed && at < self.warmup {
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
            RuleState::Floor(rule) if is_timed => rule.observe(number, at, live, garbage),
            RuleState::Floor(_) => None,
            RuleState::Strict(rule) => rule
                .observe(number, at, live, in_a_row)
                .map(Change::Flagged),
        });
        changes
    }

    /// What is known, as if the run ended now.
    pub fn judgement(&self) -> Judgement {
        let (growth, nearest, trend) = match &self.rule {
            RuleState::Floor(rule) => (rule.growth(), rule.nearest(), rule.trend()),
            RuleState::Strict(rule) => {
                let growth = rule.flagged.as_ref().and_then(|rise| rise.growth);
                (growth, None, None)
            }
        };
        Judgement {
            verdict: self.verdict(),
            growth,
            longest_strict_run: self.run.longest,
            nearest,
            trend,
            resolution: self.resolution,
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
            RuleState::Strict(rule) if self.is_untimed && rule.flagged.is_none() => {
                Verdict::Inconclusive(Inconclusive::NoTime)
            }
            RuleState::Floor(_) if self.is_untimed => Verdict::Inconclusive(Inconclusive::NoTime),
            RuleState::Floor(rule) => rule.verdict(self.baseline.as_ref()),
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

#[cfg(test)]
mod tests;
