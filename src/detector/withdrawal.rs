//! What becomes of a rise after it was flagged: it goes on, comes back, or levels off.

use std::time::Duration;

use super::change::{Rise, Withdrawal, WithdrawnWhy};
use super::duration;
use super::ladder::Ladder;
use crate::size::Size;

/// A live heap this far down between the highest floor and the first has been given back.
const GIVEN_BACK: f64 = 0.5;

/// A new floor counts as one when it is this much higher, in MiB: one step of the trace may be rounding.
const NEW_FLOOR: f64 = 2.0;

/// … and this share of the rise.
const NEW_FLOOR_SHARE: f64 = 0.1;

/// A floor that rose by less than this share of the rise, in as much time, has levelled off.
const STILL_RISING: f64 = 0.2;

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
}

impl Climb {
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
        if latest.floor.mib() >= self.step.mib() + NEW_FLOOR.max(NEW_FLOOR_SHARE * self.flagged()) {
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
        let (before, latest) = floors_apart(ladder, now, self.span)?;
        (latest.mib() - before.mib() < STILL_RISING * self.flagged()).then_some(latest)
    }

    /// Whether the rise had stopped at the end of the run, too late for a withdrawal: over the last part the floor rose
    /// at less than a fifth of its mean rate.
    pub(super) fn has_stopped(&self, now: f64, ladder: &Ladder) -> bool {
        let since = now - self.start;
        let part = (LAST_PART * self.span).max(LAST_PART_SINCE * since);
        if now - self.end < part {
            return false;
        }
        floors_apart(ladder, now, part).is_some_and(|(before, latest)| {
            let mean = STILL_RISING * part * (latest.mib() - self.from.mib()) / since;
            latest.mib() - before.mib() < mean
        })
    }
}

/// Two floors that lie `apart` seconds apart, each over half as long, the later one up to now.
fn floors_apart(ladder: &Ladder, now: f64, apart: f64) -> Option<(Size, Size)> {
    Some((
        ladder.floor_between(now - 1.5 * apart, now - apart)?,
        ladder.floor_between(now - 0.5 * apart, now)?,
    ))
}
