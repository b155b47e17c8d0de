//! What becomes of a rise after it was flagged: it goes on, comes back, or levels off.

use std::time::Duration;

use super::change::{Growth, Rise, Withdrawal, WithdrawnWhy};
use super::duration;
use super::evidence::Evidence;
use super::ladder::Ladder;
use super::stretch::Stretch;
use crate::size::Size;

/// A live heap this far down between the highest floor and the first has been given back.
const GIVEN_BACK: f64 = 0.5;

/// A new floor counts as one when it is so many steps of the trace (MiB) higher: one may be rounding.
const NEW_FLOOR: f64 = 2.0;

/// … and this share of the rise.
const NEW_FLOOR_SHARE: f64 = 0.1;

/// A floor that rose by less than this share of the rise, in as much time, has levelled off.
const STILL_RISING: f64 = 0.2;

/// Once the run is over the last part of the rise must have kept this share of its mean rate to count as going on.
const GOING_ON: f64 = 0.5;

/// The heap's end of a run is judged over this share of the rise's time …
const LAST_PART: f64 = 0.5;

/// … or this share of the time since the rise began, if that is longer.
const LAST_PART_SINCE: f64 = 0.25;

/// A flagged rise that has not been withdrawn.
#[derive(Clone, Debug)]
pub(super) struct Climb {
    /// The rise as it was flagged.
    pub(super) rise: Rise,
    /// The level of the ladder it was seen at, and how many of its windows made a group.
    pub(super) level: usize,
    pub(super) grouping: usize,
    /// When its first group began and its last one ended, and the time from first to last floor; seconds.
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) span: f64,
    /// Its first floor.
    pub(super) from: Size,
    /// The highest floor so far.
    pub(super) highest: Size,
    /// The last floor that counted as a new one, and when its group ended.
    pub(super) step: Size,
    pub(super) step_at: f64,
    /// The steps that live heaps come in, in MiB.
    pub(super) resolution: f64,
}

impl Climb {
    /// The rise that a stretch shows, flagged with that cycle.
    pub(super) fn new(
        stretch: &Stretch,
        cycle: u32,
        at: Duration,
        live: Size,
        growth: Option<Growth>,
        evidence: Evidence,
    ) -> Self {
        let (first, last) = (*stretch.first(), *stretch.last());
        let span = stretch.span();
        Self {
            rise: Rise {
                cycle,
                at,
                window_cycles: stretch.window_cycles(),
                floors: evidence.floors(),
                span: duration(stretch.lasted()),
                live,
                growth,
                evidence,
            },
            level: stretch.level,
            grouping: stretch.grouping,
            start: first.start,
            end: last.end,
            span,
            from: first.floor,
            highest: last.floor,
            step: last.floor,
            step_at: last.end,
            resolution: stretch.terms.resolution,
        }
    }

    /// How much the floor has risen, at its highest.
    pub(super) fn height(&self) -> Size {
        Size::from_bytes(self.highest.bytes().saturating_sub(self.from.bytes()))
    }

    /// The rise as it was flagged, in MiB.
    fn flagged(&self) -> f64 {
        self.rise.rise().mib()
    }

    /// Takes one cycle, already in the ladder. Says so if the rise is over with it.
    pub(super) fn observe(
        &mut self,
        number: u32,
        at: Duration,
        seconds: f64,
        live: Size,
        ladder: &Ladder,
    ) -> Option<Withdrawal> {
        let withdrawal = |why, level, quiet| Withdrawal {
            cycle: number,
            at,
            why,
            level,
            quiet,
        };
        if self.is_given_back(live) {
            return Some(withdrawal(WithdrawnWhy::GivenBack, live, Duration::ZERO));
        }
        self.note_new_floor(ladder);
        let level = self.settled_level(seconds, ladder)?;
        let quiet = duration(seconds - self.step_at);
        Some(withdrawal(WithdrawnWhy::LevelledOff, level, quiet))
    }

    fn is_given_back(&self, live: Size) -> bool {
        live.mib() <= self.from.mib() + GIVEN_BACK * (self.highest.mib() - self.from.mib())
    }

    fn note_new_floor(&mut self, ladder: &Ladder) {
        if ladder.windows(self.level).len() < self.grouping {
            return;
        }
        let latest = ladder.group(self.level, self.grouping, 0);
        let higher = (NEW_FLOOR * self.resolution).max(NEW_FLOOR_SHARE * self.flagged());
        if latest.floor.mib() >= self.step.mib() + higher {
            self.step = latest.floor;
            self.step_at = latest.end;
        }
        self.highest = self.highest.max(latest.floor);
    }

    /// The floor that the heap has settled at, if it has: for as long as the rise had lasted no new floor came, and the
    /// floor of the last half of that time is hardly above the one of as much time earlier.
    fn settled_level(&self, now: f64, ladder: &Ladder) -> Option<Size> {
        if now - self.end < self.span || now - self.step_at < self.span {
            return None;
        }
        let (before, latest) = ladder.floors_apart(now, self.span)?;
        (latest.mib() - before.mib() < STILL_RISING * self.flagged()).then_some(latest)
    }

    /// Whether the rise had stopped at the end of the run, too late for a withdrawal: over the last part the floor rose
    /// at less than half of its mean rate.
    pub(super) fn has_stopped(&self, now: f64, ladder: &Ladder) -> bool {
        let since = now - self.start;
        let part = (LAST_PART * self.span).max(LAST_PART_SINCE * since);
        if now - self.end < part {
            return false;
        }
        ladder
            .floors_apart(now, part)
            .is_some_and(|(before, latest)| {
                let mean = part * (latest.mib() - self.from.mib()) / since;
                latest.mib() - before.mib() < GOING_ON * mean
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ladder::Window;
    use super::*;

    fn mib(mib: u64) -> Size {
        Size::from_mib(mib).expect("small")
    }

    /// A rise from 10 to 34 MiB in 24 s, a cycle every 4 s, and what came of it with the given live heaps after.
    fn after(live: &[u64]) -> (Option<Withdrawal>, bool) {
        let mut ladder = Ladder::new(56);
        let mut at = 0;
        let mut push = |ladder: &mut Ladder, live| {
            let begun = Duration::from_secs(at);
            ladder.push(Window::of(begun.as_secs_f64(), mib(live)));
            at += 4;
            begun
        };
        let floors = [10, 14, 18, 22, 26, 30, 34];
        for floor in floors {
            push(&mut ladder, floor);
        }
        let mut climb = Climb {
            rise: Rise {
                cycle: 7,
                at: Duration::from_secs(24),
                window_cycles: 1,
                floors: floors.map(mib).to_vec(),
                span: Duration::from_secs(24),
                live: mib(34),
                growth: None,
                evidence: Evidence::default(),
            },
            level: 0,
            grouping: 1,
            start: 0.0,
            end: 24.0,
            span: 24.0,
            from: mib(10),
            highest: mib(34),
            step: mib(34),
            step_at: 24.0,
            resolution: 1.0,
        };
        let mut now = Duration::from_secs(24);
        for (number, &live) in (8..).zip(live) {
            now = push(&mut ladder, live);
            let withdrawal = climb.observe(number, now, now.as_secs_f64(), mib(live), &ladder);
            if withdrawal.is_some() {
                return (withdrawal, false);
            }
        }
        (None, climb.has_stopped(now.as_secs_f64(), &ladder))
    }

    #[test]
    fn half_of_the_rise_must_come_back() {
        assert_eq!(
            after(&[38, 25]),
            (None, false),
            "the middle of 10 and 38 is 24"
        );
        let (withdrawal, _) = after(&[38, 24]);
        let withdrawal = withdrawal.expect("given back");
        assert_eq!(
            (withdrawal.cycle, withdrawal.why),
            (9, WithdrawnWhy::GivenBack)
        );
        assert_eq!(
            (withdrawal.level, withdrawal.quiet),
            (mib(24), Duration::ZERO)
        );
    }

    #[test]
    fn a_floor_that_stays_for_as_long_as_the_rise_lasted_has_levelled_off() {
        let (withdrawal, _) = after(&[35; 20]);
        let withdrawal = withdrawal.expect("levelled off");
        assert_eq!(withdrawal.why, WithdrawnWhy::LevelledOff);
        assert_eq!(withdrawal.level, mib(35));
        assert!(withdrawal.quiet >= Duration::from_secs(24));
    }

    #[test]
    fn a_rise_that_goes_on_is_not_withdrawn() {
        let on: Vec<_> = (35..100).collect();
        assert_eq!(after(&on), (None, false));
    }

    #[test]
    fn a_rise_that_stopped_just_before_the_end_has_stopped() {
        assert_eq!(after(&[35; 5]), (None, true));
    }
}
