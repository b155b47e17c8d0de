//! Live heap after live heap, one process: does it leak?
//!
//! The user's rule is "the live heap rises across N cycles in a row". Word for word ([`Rule::Strict`]) it misses four
//! leaks in ten, since the trace rounds to MiB and every heap breathes, and it flags more than a third of the healthy
//! programs. So by default ([`Rule::Floor`]) the same is asked of *windows*: of one cycle, or of as many as the noise
//! needs, and what has to rise is the lowest live heap in the window, the *floor*: what no cycle in it could free.
//! Eight conditions say when such a rise is worth an alarm, and a rise that comes back or levels off is withdrawn.
//!
//! They ask for more while the program runs than once the run is over. A flag may end the run, and a minute more would
//! have shown whether the rise ends; the verdict is about what was seen, and nothing more will come.
//!
//! The core has no clock: all times are the `@` of the trace lines. Its state is bounded, and a cycle takes constant
//! time on average, so it can watch for weeks.

mod baseline;
mod candidates;
mod change;
mod conditions;
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
pub use evidence::{Evidence, Finding, HeldBack, Margin, Seen, Unit};
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
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorConfig {
    /// What counts as a leak.
    pub rule: Rule,
    /// N, the rises in a row that make a leak: 2 to 100, other values are brought into that range.
    pub cycles: u32,
    /// [`Rule::Floor`]: a rise must last at least this long, from the begin of its first window to the end of its last;
    /// while the program runs up to four times as long, the longer the more of the heap it made.
    pub min_span: Duration,
    /// [`Rule::Floor`]: a rise must be at least this large, and 10 % of the floor that it began at.
    pub min_rise: Size,
    /// Cycles that began earlier than this after the program's start are not judged.
    pub warmup: Duration,
    /// A live heap above this is a leak, whatever the rule.
    pub max_live: Option<Size>,
    /// [`Rule::Floor`]: an earlier run; what is worse than that is a leak.
    pub baseline: Option<Baseline>,
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
            baseline: None,
        }
    }
}

/// Watches the live heap of one process. Another process, or the same program started again, needs a new one.
#[derive(Clone, Debug)]
pub struct Detector {
    warmup: Duration,
    max_live: Option<Size>,
    baseline: Option<Baseline>,
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
}

impl Detector {
    /// A detector that has seen no cycle.
    pub fn new(config: &DetectorConfig) -> Self {
        let rises = config.cycles.clamp(2, 100) as usize;
        Self {
            warmup: config.warmup,
            max_live: config.max_live,
            baseline: config.baseline,
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

    /// Takes one cycle: its number, when it began since the program's start, and its live heap. Returns what changed
    /// with it, nearly always nothing.
    ///
    /// Where there is no time (a saved log of Go 1.0 to 1.4) only what needs none is judged: the budget and the strict
    /// rule, and what they flag has the time zero.
    pub fn observe(&mut self, number: u32, at: Option<Duration>, live: Size) -> Vec<Change> {
        let mut changes = Vec::new();
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
            RuleState::Floor(rule) if is_timed => rule.observe(number, at, live),
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
mod tests {
    use super::*;

    fn config() -> DetectorConfig {
        DetectorConfig::default()
    }

    /// What a detector says of live heaps in MiB, one cycle every `pace` milliseconds.
    fn watch(
        config: &DetectorConfig,
        pace: u64,
        live: impl IntoIterator<Item = u64>,
    ) -> (Detector, Vec<Change>) {
        let mut detector = Detector::new(config);
        let mut changes = Vec::new();
        for (number, live) in (1..).zip(live) {
            let at = Duration::from_millis(u64::from(number - 1) * pace);
            changes.extend(detector.observe(number, Some(at), Size::from_bytes(live * MIB)));
        }
        // Those have tests of their own.
        changes.retain(|change| !matches!(change, Change::HeldBack(_)));
        (detector, changes)
    }

    fn reason(config: &DetectorConfig, pace: u64, live: impl IntoIterator<Item = u64>) -> String {
        watch(config, pace, live).0.judgement().verdict.reason()
    }

    #[test]
    fn a_slow_leak_under_noise_is_flagged_once_and_stays() {
        let (detector, changes) = watch(
            &config(),
            100,
            (0..600).map(|cycle| 20 + cycle / 20 + cycle * 7 % 5),
        );
        let [Change::Flagged(rise)] = changes.as_slice() else {
            panic!("one flag, not {changes:?}");
        };
        assert!(rise.window_cycles > 1);
        assert_eq!(rise.floors.len(), 7);
        let judgement = detector.judgement();
        assert_eq!(judgement.verdict, Verdict::Leak(Leak::Floor(rise.clone())));
        let growth = judgement.growth.expect("a rate");
        let rate = growth.bytes_per_second / crate::wording::real(MIB);
        assert!((0.4..0.6).contains(&rate), "{rate}");
        assert!(growth.low < growth.bytes_per_second && growth.bytes_per_second < growth.high);
    }

    #[test]
    fn a_heap_that_doubles_every_cycle_is_flagged_after_four() {
        let (_, changes) = watch(&config(), 20_000, [3, 7, 14, 29]);
        assert!(matches!(changes.as_slice(), [Change::Flagged(rise)] if rise.floors.len() == 4));
    }

    #[test]
    fn a_cache_that_fills_is_flagged_at_most_for_a_while() {
        let fill = |base: u64| (0..400).map(move |cycle| base + (cycle / 2).min(40));
        let (detector, changes) = watch(&config(), 500, fill(20));
        assert!(changes.is_empty(), "what triples the heap is a start");
        assert_eq!(detector.judgement().verdict.word(), "clean");
        let (detector, changes) = watch(&config(), 500, fill(100));
        assert!(matches!(
            changes.as_slice(),
            [Change::Flagged(_), Change::Withdrawn(withdrawal)] if withdrawal.why == WithdrawnWhy::LevelledOff
        ));
        assert_eq!(detector.judgement().growth, None);
    }

    #[test]
    fn a_leak_that_is_freed_is_withdrawn_and_found_again() {
        let leak = |from: u64, to: u64| (from..to).flat_map(|live| [live; 2]);
        let (_, changes) = watch(
            &config(),
            500,
            leak(80, 130).chain([82; 4]).chain(leak(82, 270)),
        );
        let [
            Change::Flagged(_),
            Change::Withdrawn(withdrawal),
            Change::Flagged(again),
        ] = changes.as_slice()
        else {
            panic!("not {changes:?}");
        };
        assert_eq!(withdrawal.why, WithdrawnWhy::GivenBack);
        assert!(
            again.span >= Duration::from_secs(73),
            "half as long again as what came back"
        );
    }

    #[test]
    fn the_condition_that_holds_a_rise_back_is_told_once() {
        let mut detector = Detector::new(&config());
        let mut held_back = Vec::new();
        // A cache that fills ever more slowly.
        let cache = [10, 20, 28, 34, 37, 39, 41, 42, 42, 43, 43, 43, 43, 43];
        for (number, live) in (0..).zip(cache) {
            let at = Duration::from_secs(4 * u64::from(number));
            let live = Size::from_bytes(live * MIB);
            for change in detector.observe(number, Some(at), live) {
                let Change::HeldBack(told) = change else {
                    panic!("{change:?} at {number}");
                };
                assert!(!told.by.margin.is_met());
                assert!(
                    told.evidence
                        .findings
                        .iter()
                        .all(|finding| finding.margin.is_met())
                );
                held_back.push(told.by.condition);
            }
        }
        assert!(!held_back.is_empty());
        assert!(
            held_back.windows(2).all(|pair| pair[0] != pair[1]),
            "{held_back:?}"
        );
    }

    #[test]
    fn the_nearest_miss_is_kept_until_a_leak_is_flagged() {
        let nearest = |pace, live: &[u64]| {
            let (detector, _) = watch(&config(), pace, live.iter().copied());
            let nearest = detector.judgement().nearest?;
            Some((nearest.by.condition, nearest.evidence.floors().len()))
        };
        assert_eq!(nearest(4_000, &[10; 6]), None, "no seven windows");
        assert_eq!(nearest(4_000, &[10; 30]), Some(("rising", 7)));
        let rise = [10, 12, 14, 16, 18, 20, 22];
        assert_eq!(nearest(3_000, &rise), Some(("long enough", 7)));
        assert_eq!(nearest(4_000, &rise), None, "it is a leak");
        let rise_and_rest = [&rise[..], &[22; 20]].concat();
        assert_eq!(nearest(3_000, &rise_and_rest), Some(("long enough", 7)));
    }

    #[test]
    fn without_a_cycle_nothing_is_known() {
        assert!(reason(&config(), 1_000, []).starts_with("no GC cycle seen"));
    }

    #[test]
    fn without_a_least_span_a_few_lines_are_enough_but_not_without_time() {
        let config = DetectorConfig {
            min_span: Duration::ZERO,
            ..config()
        };
        assert_eq!(
            watch(&config, 10, (0..8).map(|cycle| 4 + 2 * cycle))
                .1
                .len(),
            1
        );
        let (detector, changes) = watch(&config, 0, (0..80).map(|cycle| 4 + 2 * cycle));
        assert!(changes.is_empty());
        assert_eq!(detector.judgement().verdict.word(), "inconclusive");
    }

    #[test]
    fn cycles_of_the_warm_up_are_not_judged() {
        let config = DetectorConfig {
            warmup: Duration::from_secs(30),
            max_live: Some(Size::from_bytes(70 * MIB)),
            ..config()
        };
        let live = |cycle: u64| if cycle < 60 { 20 + cycle } else { 60 };
        let (detector, changes) = watch(&config, 500, (0..160).map(live));
        assert!(changes.is_empty());
        let judgement = detector.judgement();
        assert!(judgement.verdict.reason().starts_with("100 cycles in 49 s"));
        assert_eq!(judgement.longest_strict_run, 0);
        assert!(
            reason(&config, 500, [20; 9]).starts_with("no GC cycle seen after the warm-up of 30 s")
        );
    }

    #[test]
    fn a_heap_over_its_budget_is_a_leak_for_good_with_both_rules() {
        for rule in [Rule::Floor, Rule::Strict] {
            let config = DetectorConfig {
                rule,
                max_live: Some(Size::from_bytes(64 * MIB)),
                ..config()
            };
            let (detector, changes) = watch(&config, 500, [10, 64, 70, 10, 80, 10]);
            let over_budget = OverBudget {
                cycle: 3,
                at: Duration::from_secs(1),
                live: Size::from_bytes(70 * MIB),
                budget: Size::from_bytes(64 * MIB),
            };
            assert_eq!(changes, [Change::OverBudget(over_budget.clone())]);
            let judgement = detector.judgement();
            assert_eq!(
                judgement.verdict,
                Verdict::Leak(Leak::OverBudget(over_budget))
            );
        }
    }

    #[test]
    fn the_strict_rule_asks_for_nothing_but_rises() {
        let strict = DetectorConfig {
            rule: Rule::Strict,
            ..config()
        };
        let rise = [3, 5, 8, 9, 14, 20, 29, 3, 3];
        let (detector, changes) = watch(&strict, 1, rise);
        assert_eq!(changes.len(), 1);
        let judgement = detector.judgement();
        assert_eq!(judgement.verdict.word(), "leak");
        assert_eq!(
            judgement.verdict.reason(),
            "live heap rose in 6 cycles in a row, 3 to 29 MiB"
        );
        assert_eq!(judgement.longest_strict_run, 6);
        assert_eq!(
            reason(&strict, 1_000, [5, 6, 7, 7, 8, 9, 3]),
            "7 cycles in 6 s: at most 2 rises in a row; a leak above 1.0 MiB/s would have shown"
        );
        assert!(reason(&strict, 1_000, [5; 6]).starts_with("6 cycles seen, 7 needed"));
    }

    #[test]
    fn a_log_without_times_cannot_be_judged_but_by_what_needs_none() {
        let budget = DetectorConfig {
            max_live: Some(Size::from_bytes(64 * MIB)),
            ..config()
        };
        let strict = DetectorConfig {
            rule: Rule::Strict,
            ..config()
        };
        for (config, word) in [
            (&config(), "inconclusive"),
            (&budget, "leak"),
            (&strict, "leak"),
        ] {
            let mut detector = Detector::new(config);
            for number in 1..100 {
                detector.observe(number, None, Size::from_bytes(u64::from(number) * MIB));
            }
            let verdict = detector.judgement().verdict;
            assert_eq!(verdict.word(), word, "{}", verdict.reason());
        }
    }
}
