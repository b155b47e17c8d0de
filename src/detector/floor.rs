//! The default rule: the floor of the live heap rises across N windows in a row, at whatever length of window shows it.

use std::time::Duration;

use super::baseline::{Baseline, Compared, Trend};
use super::candidates::Candidates;
use super::change::{Change, Growth};
use super::conditions::{self, Condition, DOUBLING, GOING_ON, Lately, STEADY};
use super::evidence::{Evidence, Finding, HeldBack, Margin};
use super::ladder::{Ladder, Window};
use super::stretch::{Moment, Stretch, Terms};
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
    /// In MiB.
    resolution: f64,
    /// Cycles before this were left out.
    warmup: Duration,
    cycles: u64,
    /// When the first and the last cycle began, in seconds.
    first: f64,
    last: f64,
    /// The last cycle's number, when it began, and its live heap.
    latest: (u32, Duration, Size),
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
            resolution: config.resolution.mib(),
            warmup: config.warmup,
            cycles: 0,
            first: 0.0,
            last: 0.0,
            latest: (0, Duration::ZERO, Size::default()),
            ladder: Ladder::new(KEPT_GROUPING * (rises + 1)),
            swing: Swing::new(min_rise),
            thirds: Thirds::new(),
            climb: None,
            held_back: Candidates::default(),
        }
    }

    /// Takes one cycle.
    pub(super) fn observe(
        &mut self,
        number: u32,
        at: Duration,
        live: Size,
        garbage: Size,
    ) -> Option<Change> {
        let now = seconds(at);
        if self.cycles == 0 {
            self.first = now;
        }
        self.last = now;
        self.latest = (number, at, live);
        self.cycles += 1;
        self.swing.observe(now, live.mib());
        let window = Window {
            garbage,
            ..Window::of(now, live)
        };
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
            if let Some(climb) = self.find_rise(level) {
                let rise = climb.rise.clone();
                self.climb = Some(climb);
                return Some(Change::Flagged(rise));
            }
        }
        self.held_back.latest_news().map(Change::HeldBack)
    }

    /// Whether a rise is flagged.
    pub(super) fn is_rising(&self) -> bool {
        self.climb.is_some()
    }

    /// The rise that the latest windows of a level show, if they do.
    fn find_rise(&mut self, level: usize) -> Option<Climb> {
        let terms = self.terms(Moment::Running);
        let (number, at, _) = self.latest;
        for (conditions, stretch) in stretches(&self.ladder, level, self.rises, terms) {
            let is_steady = stretch.steps == self.rises;
            let goes_up = stretch.first_floor < stretch.last_floor;
            if !goes_up || is_steady && !conditions::is_rising(&stretch) {
                continue;
            }
            // The first one is met then.
            let from = usize::from(is_steady);
            let Some((unmet, margin)) = conditions::unmet(conditions, from, &stretch) else {
                return Some(self.climb(conditions, &stretch));
            };
            // A heap that does not even double was never near to the quick form.
            if unmet > 0 || is_steady {
                let name = conditions[unmet].name;
                self.held_back.consider(unmet, name, margin, || {
                    HeldBack::of(conditions, unmet, &stretch, number, at)
                });
            }
        }
        None
    }

    /// The rise that the run ended with, where none is flagged: one that would have had to last longer while it ran.
    fn rise_at_last(&self) -> Option<Climb> {
        let terms = self.terms(Moment::Ended);
        let (conditions, stretch) = (0..self.ladder.levels())
            .flat_map(|level| stretches(&self.ladder, level, self.rises, terms))
            .find(|(conditions, stretch)| conditions::unmet(conditions, 0, stretch).is_none())?;
        let going_on = Finding::of(&GOING_ON, &stretch);
        going_on.margin.is_met().then(|| {
            let mut climb = self.climb(conditions, &stretch);
            climb.rise.evidence.findings.push(going_on);
            climb
        })
    }

    /// The climb that a stretch shows with the last cycle.
    fn climb(&self, conditions: &[Condition], stretch: &Stretch) -> Climb {
        let (number, at, live) = self.latest;
        let growth = self.growth_since(stretch.first().start);
        let evidence = Evidence::of(conditions, stretch);
        Climb::new(stretch, number, at, live, growth, evidence)
    }

    /// What stretches are judged by at that moment.
    fn terms(&self, moment: Moment) -> Terms {
        Terms {
            moment,
            min_span: self.min_span,
            min_rise: self.min_rise,
            resolution: self.resolution,
            first_cycle: self.first,
            longest_swing: self.swing.longest,
        }
    }

    fn growth_since(&self, begin: f64) -> Option<Growth> {
        stats::growth(&self.ladder.equal_windows(begin), self.resolution)
    }

    /// How fast the rise goes on that is flagged, or that the run ended with, since it began.
    pub(super) fn growth(&self) -> Option<Growth> {
        match &self.climb {
            Some(climb) => self.growth_since(climb.start),
            None => self.rise_at_last()?.rise.growth,
        }
    }

    /// How the run went on after its first third.
    pub(super) fn trend(&self) -> Option<Trend> {
        if self.cycles < self.needed_cycles() {
            return None;
        }
        let (_, end) = self.thirds.late(self.first, self.last)?;
        let growth = stats::growth(
            &self.thirds.late_windows(self.first, self.last),
            self.resolution,
        )?;
        Some(Trend {
            floor: end.floor,
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
        if let Some(climb) = self.rise_at_last() {
            return Verdict::Leak(Leak::Floor(climb.rise));
        }
        if let Some(why) = self.risen_until_lately() {
            return Verdict::Inconclusive(why);
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
                warmup: self.warmup,
            });
        }
        let late = self.thirds.late(self.first, self.last);
        if let Some((middle, end)) = late {
            let rise =
                |from: Size, to: Size| Size::from_bytes(to.bytes().saturating_sub(from.bytes()));
            let by = rise(middle.floor, end.floor);
            if by.mib() >= (self.min_rise / 2.0).max(LATE_RISE_SHARE * middle.floor.mib()) {
                return Err(Inconclusive::StillRose { by });
            }
            let by = rise(middle.ceiling, end.ceiling);
            if by.mib() >= conditions::least_rise(self.min_rise, middle.ceiling) {
                return Err(Inconclusive::PeakStillRose { by });
            }
        }
        let floor = late.map_or(Size::default(), |(_, end)| end.floor);
        Ok(Clean {
            cycles: self.cycles,
            observed: duration(observed),
            smallest_visible_leak: conditions::least_rise(self.min_rise, floor)
                * crate::wording::real(MIB)
                / observed.max(TRACE_CLOCK),
            sight: Sight::Floors(late.map(|(middle, end)| (middle.floor, end.floor))),
        })
    }

    /// The largest rise that would be a leak, had it not nearly stopped before the run ended or come with more load. Neither
    /// tells that nothing leaks.
    fn risen_until_lately(&self) -> Option<Inconclusive> {
        let terms = self.terms(Moment::Ended);
        let (rise, lately) = (0..self.ladder.levels())
            .flat_map(|level| stretches(&self.ladder, level, self.rises, terms))
            .filter(|(_, stretch)| stretch.steps == self.rises)
            .filter_map(|(_, stretch)| {
                let lately = conditions::until_lately(&stretch)?;
                let (first, last) = (stretch.first_floor, stretch.last_floor);
                let rise = Size::from_bytes(last.bytes().saturating_sub(first.bytes()));
                Some((rise, lately))
            })
            .max_by_key(|&(rise, _)| rise)?;
        Some(match lately {
            Lately::Stopped => Inconclusive::Stopped { rise },
            Lately::WithLoad => Inconclusive::WithLoad { rise },
        })
    }

    /// The longest stretch that rises, and far enough, but not for long enough yet.
    fn rising_so_far(&self) -> Option<Inconclusive> {
        let terms = self.terms(Moment::Ended);
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
    pub(super) fn nearest(&self) -> Option<HeldBack> {
        if self.climb.is_some() || self.rise_at_last().is_some() {
            return None;
        }
        match self.held_back.nearest() {
            Some(nearest) => Some(nearest.clone()),
            None => self.nearest_at_last(),
        }
    }

    /// Where nothing ever rose: the windows of the end that come nearest to it.
    fn nearest_at_last(&self) -> Option<HeldBack> {
        let (number, at, _) = self.latest;
        let mut nearest = Candidates::default();
        let terms = self.terms(Moment::Running);
        let all = (0..self.ladder.levels())
            .flat_map(|level| stretches(&self.ladder, level, self.rises, terms))
            .filter(|(_, stretch)| stretch.steps == self.rises);
        for (conditions, stretch) in all {
            if let Some((unmet, margin)) = conditions::unmet(conditions, 0, &stretch) {
                nearest.consider(unmet, conditions[unmet].name, margin, || {
                    HeldBack::of(conditions, unmet, &stretch, number, at)
                });
            }
        }
        nearest.nearest().cloned()
    }
}

/// What the latest windows of a level can show: each form of the rule that is asked of them, with its stretch.
fn stretches(
    ladder: &Ladder,
    level: usize,
    rises: usize,
    terms: Terms,
) -> impl Iterator<Item = (&'static [Condition], Stretch<'_>)> {
    let steady: Form = (&STEADY, rises);
    let doubling: Form = (&DOUBLING, rises / 2);
    Ladder::groupings(level)
        .flat_map(move |grouping| {
            let quick = (level == 0 && grouping == 1).then_some(doubling);
            std::iter::once(steady)
                .chain(quick)
                .map(move |form| (grouping, form))
        })
        .filter_map(move |(grouping, (conditions, rises))| {
            let stretch = Stretch::latest(ladder, level, grouping, rises, terms)?;
            Some((conditions, stretch))
        })
}

#[cfg(test)]
mod tests;
