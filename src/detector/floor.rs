//! The default rule: the floor of the live heap rises across N windows in a row, at whatever length of window shows it.

use std::time::Duration;

use super::change::{Change, Growth, Rise};
use super::conditions::{self, Stretch};
use super::ladder::{Ladder, Window};
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

/// How the groups of a stretch have to rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// N rises, one tie allowed.
    Steady,
    /// N/2 cycles in a row that nearly double the heap.
    Quick,
}

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
    /// The groups under test; kept so that a test allocates nothing.
    groups: Vec<Window>,
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
            groups: Vec::with_capacity(rises + 1),
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
            return Some(Change::Withdrawn(withdrawal));
        }
        let (level, grouping) = (0..reached).find_map(|level| self.find_rise(level))?;
        let (first, last) = (self.groups[0], self.groups[self.groups.len() - 1]);
        let span = last.start - first.start;
        let rise = Rise {
            cycle: number,
            at,
            window_cycles: (grouping as u64) << level,
            floors: self.groups.iter().map(|group| group.floor).collect(),
            span: duration(span),
            live,
            growth: self.growth_since(first.start),
        };
        self.climb = Some(Climb {
            rise: rise.clone(),
            level,
            grouping,
            start: first.start,
            end: last.end,
            span,
            from: first.floor,
            highest: last.floor,
            step: last.floor,
            step_at: last.end,
        });
        Some(Change::Flagged(rise))
    }

    /// The level and the grouping at which the latest windows of a level show a leak; `self.groups` has the groups then.
    fn find_rise(&mut self, level: usize) -> Option<(usize, usize)> {
        for grouping in Ladder::groupings(level) {
            if self.is_leak(level, grouping, self.rises, Form::Steady)
                || (level == 0 && grouping == 1 && self.is_leak(0, 1, self.rises / 2, Form::Quick))
            {
                return Some((level, grouping));
            }
        }
        None
    }

    /// Whether the last `rises` + 1 groups show a leak; they are in `self.groups` then. What costs least comes first,
    /// and most stretches end there.
    fn is_leak(&mut self, level: usize, grouping: usize, rises: usize, form: Form) -> bool {
        let count = rises + 1;
        let needed = self.needed_span();
        let span = self.ladder.span(level, grouping, count);
        if !span.is_some_and(|span| conditions::is_long_enough(span, needed))
            || !self.is_rising_enough(level, grouping, rises)
        {
            return false;
        }
        self.ladder.groups(level, grouping, count, &mut self.groups);
        let stretch = Stretch {
            ladder: &self.ladder,
            level,
            grouping,
            groups: &self.groups,
        };
        (form == Form::Steady || conditions::is_doubling(&self.groups))
            && conditions::is_new_territory(&stretch)
            && conditions::is_clear_of_noise(&stretch)
            && conditions::is_steady(&stretch)
            && conditions::is_rising_at_the_end(&stretch)
            && conditions::is_steady_since_before(&stretch, self.first)
    }

    /// Whether the last `rises` + 1 floors rise, and far enough. All of them must be there.
    fn is_rising_enough(&self, level: usize, grouping: usize, rises: usize) -> bool {
        let first = self.ladder.floor(level, grouping, rises);
        let last = self.ladder.floor(level, grouping, 0);
        conditions::is_large_enough(first, last, self.min_rise)
            && conditions::is_rising(self.ladder.floors(level, grouping, rises + 1))
    }

    /// How long a rise has to last now, in seconds.
    fn needed_span(&self) -> f64 {
        conditions::needed_span(self.min_span, self.swing.longest)
    }

    fn growth_since(&self, begin: f64) -> Option<Growth> {
        stats::growth(&self.ladder.equal_windows(begin))
    }

    /// How fast the flagged rise goes on, since it began.
    pub(super) fn growth(&self) -> Option<Growth> {
        self.growth_since(self.climb.as_ref()?.start)
    }

    /// As if the run ended now.
    pub(super) fn verdict(&self) -> Verdict {
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

    fn clean(&self) -> Result<Clean, Inconclusive> {
        let needed = 2 * (self.rises as u64 + 1);
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
        let needed = self.needed_span();
        let mut longest: Option<f64> = None;
        for level in 0..self.ladder.levels() {
            for grouping in Ladder::groupings(level) {
                let span = self.ladder.span(level, grouping, self.rises + 1);
                let Some(span) = span.filter(|&span| 0.0 < span && span < needed) else {
                    continue;
                };
                if self.is_rising_enough(level, grouping, self.rises) {
                    longest = Some(longest.map_or(span, |longest| longest.max(span)));
                }
            }
        }
        longest.map(|span| Inconclusive::Rising {
            windows: self.rises,
            lasted: duration(span),
            needed: duration(needed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rule says in the end of live heaps in MiB, one cycle every `pace` milliseconds.
    fn reason(pace: u64, live: impl IntoIterator<Item = u64>) -> String {
        watch(pace, live).verdict().reason()
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
        assert!(rule.groups.capacity() <= 7);
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
