//! The default rule: the floor of the live heap rises across N windows in a row, at whatever length of window shows it.

use std::time::Duration;

use super::baseline::{Baseline, Compared, Trend};
use super::candidates::Candidates;
use super::change::{Change, Growth};
use super::conditions::{self, Condition, DOUBLING, STEADY};
use super::evidence::{Evidence, HeldBack, Margin};
use super::ladder::{Ladder, Window};
use super::stretch::{Stretch, Terms};
use super::swing::Swing;
use super::thirds::Thirds;
use super::verdict::{Clean, Inconclusive, Leak, Sight, Verdict};
use super::withdrawal::Climb;
use super::{DetectorConfig, TRACE_CLOCK, duration, seconds, stats};
use crate::size::{MIB, Size};

/// A level keeps as many windows as the largest grouping needs, and one more set to look back at.
const KEPT_GROUPING: usize = 8;

/// For "clean" the last third may be this share of the middle third above it.
const LATE_RISE_SHARE: f64 = 0.05;

/// A rule that a stretch can meet: its conditions, and how many rises they are asked of.
type Form = (&'static [Condition], usize);

/// The rule's state for one process.
#[derive(Clone, Debug)]
pub(super) struct FloorRule {
    /// N, how many rises make a leak.
    rises: usize,
    /// In seconds.
    min_span: f64,
    /// In MiB.
    min_rise: f64,
    cycles: u64,
    /// When the first and the last cycle began, in seconds.
    first: f64,
    last: f64,
    ladder: Ladder,
    swing: Swing,
    thirds: Thirds,
    climb: Option<Climb>,
    held_back: Candidates,
}

impl FloorRule {
    /// No cycle seen.
    pub(super) fn new(config: &DetectorConfig, rises: usize) -> Self {
        let min_rise = config.min_rise.mib();
        Self {
            rises,
            min_span: seconds(config.min_span),
            min_rise,
            cycles: 0,
            first: 0.0,
            last: 0.0,
            ladder: Ladder::new(KEPT_GROUPING * (rises + 1)),
            swing: Swing::new(min_rise),
            thirds: Thirds::new(),
            climb: None,
            held_back: Candidates::default(),
        }
    }

    /// Takes one cycle.
    pub(super) fn observe(&mut self, number: u32, at: Duration, live: Size) -> Option<Change> {
        let now = seconds(at);
        if self.cycles == 0 {
            self.first = now;
        }
        self.last = now;
        self.cycles += 1;
        self.swing.observe(now, live.mib());
        let window = Window::of(now, live);
        self.thirds.push(window);
        let reached = self.ladder.push(window);

        if let Some(climb) = &mut self.climb {
            let withdrawal = climb.observe(number, at, now, live, &self.ladder)?;
            self.climb = None;
            // New evidence has to be new.
            self.ladder.clear();
            self.held_back = Candidates::default();
            return Some(Change::Withdrawn(withdrawal));
        }
        for level in 0..reached {
            if let Some(climb) = self.find_rise(level, number, at, live) {
                let rise = climb.rise.clone();
                self.climb = Some(climb);
                return Some(Change::Flagged(rise));
            }
        }
        self.held_back.latest_news().map(Change::HeldBack)
    }

    /// The rise that the latest windows of a level show, if they do.
    fn find_rise(&mut self, level: usize, number: u32, at: Duration, live: Size) -> Option<Climb> {
        let (steady, doubling): (Form, Form) = ((&STEADY, self.rises), (&DOUBLING, self.rises / 2));
        let terms = self.terms();
        for grouping in Ladder::groupings(level) {
            let forms = if level == 0 && grouping == 1 {
                &[steady, doubling][..]
            } else {
                &[steady]
            };
            for &(conditions, rises) in forms {
                let stretch = Stretch::latest(&self.ladder, level, grouping, rises, terms);
                let Some(stretch) = stretch else {
                    continue;
                };
                let Some((unmet, margin)) = conditions::unmet(conditions, &stretch) else {
                    let evidence = Evidence::of(conditions, &stretch);
                    let growth = self.growth_since(stretch.first().start);
                    return Some(Climb::new(&stretch, number, at, live, growth, evidence));
                };
                // A heap that does not even double was never near to the quick form.
                if unmet > 0 || rises == self.rises {
                    self.held_back.consider(unmet, margin, || {
                        HeldBack::of(conditions, unmet, &stretch, number, at)
                    });
                }
            }
        }
        None
    }

    /// What stretches are judged by now.
    fn terms(&self) -> Terms {
        Terms {
            min_span: self.min_span,
            min_rise: self.min_rise,
            first_cycle: self.first,
            longest_swing: self.swing.longest,
        }
    }

    fn growth_since(&self, begin: f64) -> Option<Growth> {
        stats::growth(&self.ladder.equal_windows(begin))
    }

    /// How fast the flagged rise goes on, since it began.
    pub(super) fn growth(&self) -> Option<Growth> {
        self.growth_since(self.climb.as_ref()?.start)
    }

    /// How the run went on after its first third.
    pub(super) fn trend(&self) -> Option<Trend> {
        if self.cycles < self.needed_cycles() {
            return None;
        }
        let (_, floor) = self.thirds.late_floors(self.first, self.last)?;
        let growth = stats::growth(&self.thirds.late_windows(self.first, self.last))?;
        Some(Trend {
            floor,
            growth,
            observed: duration(self.last - self.first),
        })
    }

    /// As if the run ended now.
    pub(super) fn verdict(&self, baseline: Option<&Baseline>) -> Verdict {
        let verdict = self.verdict_alone();
        let (Some(baseline), Some(trend)) = (baseline, self.trend()) else {
            return verdict;
        };
        match (baseline.compare(&trend, self.min_rise), &verdict) {
            (_, Verdict::Leak(_)) => verdict,
            (Compared::Worse(regression), _) => Verdict::Leak(Leak::Regression(regression)),
            (Compared::TooShort(short), Verdict::Clean(_)) => {
                Verdict::Inconclusive(Inconclusive::NotComparable(short))
            }
            (Compared::NotWorse | Compared::TooShort(_), _) => verdict,
        }
    }

    /// Without a comparison.
    fn verdict_alone(&self) -> Verdict {
        if let Some(climb) = &self.climb {
            return if climb.has_stopped(self.last, &self.ladder) {
                Verdict::Inconclusive(Inconclusive::Stopped {
                    rise: climb.height(),
                })
            } else {
                Verdict::Leak(Leak::Floor(climb.rise.clone()))
            };
        }
        match self.clean() {
            Ok(clean) => Verdict::Clean(clean),
            // That it is rising tells more than that it is too early.
            Err(why) => Verdict::Inconclusive(self.rising_so_far().unwrap_or(why)),
        }
    }

    /// So many cycles it takes to say anything but leak.
    fn needed_cycles(&self) -> u64 {
        2 * (self.rises as u64 + 1)
    }

    fn clean(&self) -> Result<Clean, Inconclusive> {
        let needed = self.needed_cycles();
        if self.cycles < needed {
            return Err(Inconclusive::TooFewCycles {
                seen: self.cycles,
                needed,
            });
        }
        let observed = self.last - self.first;
        // Without any time nothing could have been flagged, whatever the heap did.
        if observed < 2.0 * self.min_span || observed <= 0.0 {
            return Err(Inconclusive::TooShort {
                lasted: duration(observed),
                needed: duration(2.0 * self.min_span),
            });
        }
        let floors = self.thirds.late_floors(self.first, self.last);
        let (middle, end) = floors.unwrap_or_default();
        if end.mib() - middle.mib() >= (self.min_rise / 2.0).max(LATE_RISE_SHARE * middle.mib()) {
            return Err(Inconclusive::StillRose {
                by: Size::from_bytes(end.bytes().saturating_sub(middle.bytes())),
            });
        }
        Ok(Clean {
            cycles: self.cycles,
            observed: duration(observed),
            smallest_visible_leak: conditions::least_rise(self.min_rise, end)
                * crate::wording::real(MIB)
                / observed.max(TRACE_CLOCK),
            sight: Sight::Floors(floors),
        })
    }

    /// The longest stretch that rises, and far enough, but not for long enough yet.
    fn rising_so_far(&self) -> Option<Inconclusive> {
        let terms = self.terms();
        let mut longest: Option<Margin> = None;
        for level in 0..self.ladder.levels() {
            for grouping in Ladder::groupings(level) {
                let stretch = Stretch::latest(&self.ladder, level, grouping, self.rises, terms);
                let Some(span) = stretch.and_then(|stretch| conditions::rises_too_short(&stretch))
                else {
                    continue;
                };
                if longest.is_none_or(|longest| longest.has < span.has) {
                    longest = Some(span);
                }
            }
        }
        longest.map(|span| Inconclusive::Rising {
            windows: self.rises,
            lasted: duration(span.has),
            needed: duration(span.needs),
        })
    }

    /// The nearest that the rule came to a flag; since the last one was withdrawn, if one was.
    pub(super) fn nearest(&self) -> Option<&HeldBack> {
        self.climb.is_none().then(|| self.held_back.nearest())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rule says in the end of live heaps in MiB, one cycle every `pace` milliseconds.
    fn reason(pace: u64, live: impl IntoIterator<Item = u64>) -> String {
        watch(pace, live).verdict(None).reason()
    }

    fn watch(pace: u64, live: impl IntoIterator<Item = u64>) -> FloorRule {
        let mut rule = FloorRule::new(&DetectorConfig::default(), 6);
        for (number, live) in (0..).zip(live) {
            let at = Duration::from_millis(u64::from(number) * pace);
            rule.observe(number, at, Size::from_bytes(live * MIB));
        }
        rule
    }

    #[test]
    fn any_one_condition_holds_a_flag_back() {
        let noisy = |ceiling| {
            [10, 12, 14, 16, 18, 20, 22]
                .map(|floor| [ceiling, floor])
                .concat()
        };
        let plain = [10, 12, 14, 16, 18, 20, 22];
        assert!(watch(4_000, plain).climb.is_some());
        assert!(watch(2_000, noisy(60)).climb.is_some());
        let held_back: [(&str, u64, &[u64]); 9] = [
            ("too short", 3_000, &plain),
            (
                "shorter than a swing",
                4_000,
                &[10, 12, 14, 16, 18, 20, 10, 15, 20, 25, 30, 35, 40],
            ),
            ("two ties", 4_000, &[10, 12, 12, 14, 14, 16, 18]),
            ("too small", 4_000, &[10, 11, 12, 12, 13, 14, 15]),
            (
                "an old height",
                4_000,
                &[30, 30, 30, 30, 30, 30, 30, 30, 10, 13, 16, 19, 22, 25, 28],
            ),
            ("in the noise", 2_000, &noisy(200)),
            ("slowing", 4_000, &[10, 20, 28, 34, 37, 39, 41]),
            ("a plateau", 4_000, &[100, 120, 140, 160, 220, 222, 224]),
            (
                "slower than before",
                4_000,
                &[10, 25, 40, 50, 52, 54, 56, 58, 60, 62],
            ),
        ];
        for (why, pace, live) in held_back {
            assert!(watch(pace, live.iter().copied()).climb.is_none(), "{why}");
        }
        assert!(watch(8_000, [3, 7, 14, 29]).climb.is_some());
        assert!(
            watch(8_000, [3, 7, 10, 29]).climb.is_none(),
            "three cycles are enough only when they double"
        );
    }

    #[test]
    fn the_state_stays_bounded() {
        let mut rule = FloorRule::new(&DetectorConfig::default(), 6);
        for number in 0..100_000 {
            let live = Size::from_bytes(u64::from(20 + number % 50 + number / 5_000) * MIB);
            rule.observe(number, Duration::from_secs(u64::from(number)), live);
        }
        let windows: usize = (0..rule.ladder.levels())
            .map(|level| rule.ladder.windows(level).len())
            .sum();
        assert!(
            rule.ladder.levels() == 17 && windows <= 17 * 56,
            "{windows}"
        );
    }

    #[test]
    fn a_flat_heap_is_clean_and_says_what_would_have_shown() {
        assert_eq!(
            reason(500, [20; 121]),
            "121 cycles in 60 s: floor 20 MiB -> 20 MiB over the last two thirds; a leak above 6.0 MiB/min would have shown"
        );
    }

    #[test]
    fn what_cannot_be_told_is_inconclusive() {
        assert!(reason(9_000, [20; 6]).starts_with("6 cycles seen, 14 needed"));
        assert!(reason(500, [20; 60]).starts_with("lasted 29 s, 40 s needed"));
        let stepped = (0..99).map(|cycle| if cycle < 66 { 20 } else { 25 });
        assert!(reason(500, stepped).starts_with("floor still rose by 5 MiB in the last third"));
    }

    #[test]
    fn a_rise_that_has_not_lasted_yet_is_told() {
        assert_eq!(
            reason(500, (0..20).map(|cycle| 20 + 2 * cycle)),
            "rising across 6 windows for 6 s (a leak if it goes on to 20 s)"
        );
    }

    #[test]
    fn a_rise_that_has_stopped_at_the_end_is_inconclusive() {
        let rise = (0..46).map(|cycle| 20 + cycle).chain([65; 38]);
        assert_eq!(
            reason(500, rise),
            "rose by 45 MiB, had stopped when the run ended: run longer"
        );
    }
}
