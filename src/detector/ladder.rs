//! The live heap at every time scale at once: windows of 1, 2, 4, 8 … cycles, a bounded number of each.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use crate::size::Size;

/// Windows closer than this to the begin of a rise belong to it: `@` has milliseconds, the rest is float noise.
const SAME_TIME: f64 = 1e-9;

/// A growth rate is drawn through at most this many floors: more cost time and say no more.
pub(super) const MOST_POINTS: usize = 14;

/// Fewer floors than this give no growth rate.
pub(super) const FEWEST_POINTS: usize = 4;

/// Some cycles in a row. Times are seconds of the trace's own clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// The lowest live heap: what no cycle in the window could free.
    pub(super) floor: Size,
    /// The highest live heap.
    pub(super) ceiling: Size,
    /// When the first cycle began.
    pub(super) start: f64,
    /// When the last cycle began.
    pub(super) end: f64,
    /// When the cycle with the floor began.
    pub(super) floor_at: f64,
    /// How many cycles.
    pub(super) cycles: u64,
    /// The garbage that they found.
    pub(super) garbage: Size,
}

impl Window {
    /// The window of one cycle that found no garbage.
    pub(super) fn of(at: f64, live: Size) -> Self {
        Self {
            floor: live,
            ceiling: live,
            start: at,
            end: at,
            floor_at: at,
            cycles: 1,
            garbage: Size::default(),
        }
    }

    /// This window and the one after it as one.
    pub(super) fn join(&self, next: &Self) -> Self {
        Self {
            floor: self.floor.min(next.floor),
            ceiling: self.ceiling.max(next.ceiling),
            start: self.start,
            end: next.end,
            floor_at: if self.floor <= next.floor {
                self.floor_at
            } else {
                next.floor_at
            },
            cycles: self.cycles.saturating_add(next.cycles),
            garbage: Size::from_bytes(self.garbage.bytes().saturating_add(next.garbage.bytes())),
        }
    }
}

/// The latest windows of one length.
#[derive(Clone, Debug, Default)]
struct Level {
    windows: VecDeque<Window>,
    /// Their floors once more, in one piece, which is what nearly all tests look at. Older ones may come before them.
    floors: Vec<Size>,
    /// A window whose pair has not come yet.
    waiting: Option<Window>,
    /// The highest floor of all windows that were dropped.
    record: Option<Size>,
}

impl Level {
    /// Takes a finished window. Returns it joined with its pair if it was the second of one.
    fn push(&mut self, window: Window, kept: usize) -> Option<Window> {
        if self.floors.len() == 2 * kept {
            self.floors.drain(..kept);
        }
        self.floors.push(window.floor);
        self.windows.push_back(window);
        if self.windows.len() > kept {
            let dropped = self.windows.pop_front();
            self.record = self.record.max(dropped.map(|dropped| dropped.floor));
        }
        let pair = self.waiting.take().map(|first| first.join(&window));
        if pair.is_none() {
            self.waiting = Some(window);
        }
        pair
    }
}

/// Windows of 2^k cycles for every level k that the run is long enough for.
///
/// Two finished windows of a level join into one of the next, so a cycle costs two joins on average, and the state
/// grows with the logarithm of the run.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    levels: Vec<Level>,
    /// How many windows a level keeps.
    kept: usize,
}

impl Ladder {
    /// An empty ladder that keeps that many windows a level.
    pub(super) fn new(kept: usize) -> Self {
        Self {
            levels: Vec::new(),
            kept,
        }
    }

    /// Takes the window of one cycle. Returns how many levels, from the lowest, have got a new window by it.
    pub(super) fn push(&mut self, mut window: Window) -> usize {
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Level::default());
            }
            match self.levels[level].push(window, self.kept) {
                Some(pair) => window = pair,
                None => return level + 1,
            }
            level += 1;
        }
    }

    /// Drops all windows; of what they showed only the records stay.
    pub(super) fn clear(&mut self) {
        for level in &mut self.levels {
            let highest = level.windows.iter().map(|window| window.floor).max();
            level.record = level.record.max(highest);
            level.windows.clear();
            level.floors.clear();
            level.waiting = None;
        }
    }

    /// How many levels there are.
    pub(super) fn levels(&self) -> usize {
        self.levels.len()
    }

    /// The windows of one level, oldest first.
    pub(super) fn windows(&self, level: usize) -> &VecDeque<Window> {
        &self.levels[level].windows
    }

    /// How many windows of a level are taken together: with 2^k cycles a window, 4 to 7 of them give lengths in steps
    /// of a quarter to a seventh. Level 0 has no finer level below and takes 1 to 3 as well.
    pub(super) fn groupings(level: usize) -> RangeInclusive<usize> {
        if level == 0 { 1..=7 } else { 4..=7 }
    }

    /// The group of `grouping` windows that has `later` such groups behind it, as one window. All of them must be there.
    pub(super) fn group(&self, level: usize, grouping: usize, later: usize) -> Window {
        let windows = self.windows(level);
        let begin = windows.len() - grouping * (later + 1);
        windows
            .range(begin + 1..begin + grouping)
            .fold(windows[begin], |group, window| group.join(window))
    }

    /// The time from the begin of the first to the begin of the last of `count` groups, if there are as many.
    pub(super) fn span(&self, level: usize, grouping: usize, count: usize) -> Option<f64> {
        let windows = self.windows(level);
        let first = windows.len().checked_sub(grouping * count)?;
        Some(windows[windows.len() - grouping].start - windows[first].start)
    }

    /// The floor of the group that has `later` groups behind it. All of them must be there.
    pub(super) fn floor(&self, level: usize, grouping: usize, later: usize) -> Size {
        let floors = &self.levels[level].floors;
        let begin = floors.len() - grouping * (later + 1);
        let lowest = floors[begin..begin + grouping].iter().min();
        lowest.copied().unwrap_or_default()
    }

    /// The floors of the last `count` groups, oldest first.
    pub(super) fn floors(
        &self,
        level: usize,
        grouping: usize,
        count: usize,
    ) -> impl Iterator<Item = Size> {
        (0..count)
            .rev()
            .map(move |later| self.floor(level, grouping, later))
    }

    /// Fills `into` with the last `count` groups of `grouping` windows, oldest first.
    pub(super) fn groups(
        &self,
        level: usize,
        grouping: usize,
        count: usize,
        into: &mut Vec<Window>,
    ) {
        into.clear();
        into.extend(
            (0..count)
                .rev()
                .map(|later| self.group(level, grouping, later)),
        );
    }

    /// The lowest live heap between two times, from the finest level that reaches back that far.
    pub(super) fn floor_between(&self, from: f64, to: f64) -> Option<Size> {
        let top = self.levels.len().checked_sub(1)?;
        self.levels.iter().enumerate().find_map(|(index, level)| {
            let reaches_back = level
                .windows
                .front()
                .is_some_and(|oldest| oldest.start <= from);
            if !reaches_back && index != top {
                return None;
            }
            level
                .windows
                .iter()
                .filter(|window| window.end >= from && window.start <= to)
                .map(|window| window.floor)
                .min()
        })
    }

    /// Two floors that lie `apart` seconds apart, each over half as long, the later one up to now.
    pub(super) fn floors_apart(&self, now: f64, apart: f64) -> Option<(Size, Size)> {
        Some((
            self.floor_between(now - 1.5 * apart, now - apart)?,
            self.floor_between(now - 0.5 * apart, now)?,
        ))
    }

    /// The highest floor of all windows of a level that ended by that time, dropped ones included.
    pub(super) fn record_before(&self, level: usize, time: f64) -> Option<Size> {
        let Level {
            windows, record, ..
        } = &self.levels[level];
        windows
            .iter()
            .filter(|window| window.end <= time)
            .map(|window| window.floor)
            .max()
            .max(*record)
    }

    /// Equal windows from that time to now, as fine as [`MOST_POINTS`] allows; empty where there are too few.
    pub(super) fn equal_windows(&self, since: f64) -> Vec<Window> {
        let mut found = Vec::new();
        for level in 0..self.levels.len() {
            let windows = self.windows(level);
            if windows
                .front()
                .is_none_or(|oldest| oldest.start > since + SAME_TIME)
            {
                continue;
            }
            for grouping in Self::groupings(level) {
                let count = (1..=windows.len() / grouping)
                    .take_while(|groups| {
                        windows[windows.len() - groups * grouping].start >= since - SAME_TIME
                    })
                    .count();
                if count >= FEWEST_POINTS {
                    self.groups(level, grouping, count, &mut found);
                }
                if count <= MOST_POINTS {
                    return found;
                }
            }
        }
        found
    }
}

#[cfg(test)]
impl Ladder {
    /// How much the floors of a level take, besides its windows.
    pub(super) fn bytes_of_floors(&self, level: usize) -> usize {
        self.levels[level].floors.capacity() * size_of::<Size>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mib(mib: u64) -> Size {
        Size::from_mib(mib).expect("small")
    }

    fn ladder(kept: usize, live: impl IntoIterator<Item = u64>) -> Ladder {
        let mut ladder = Ladder::new(kept);
        let mut at = 0.0;
        for live in live {
            ladder.push(Window {
                garbage: mib(1),
                ..Window::of(at, mib(live))
            });
            at += 1.0;
        }
        ladder
    }

    #[test]
    fn two_windows_join_into_one_of_the_next_level() {
        let ladder = ladder(56, [7, 3, 5, 9]);
        assert_eq!(ladder.levels(), 3);
        assert_eq!(
            ladder.windows(2)[0],
            Window {
                floor: mib(3),
                ceiling: mib(9),
                start: 0.0,
                end: 3.0,
                floor_at: 1.0,
                cycles: 4,
                garbage: mib(4),
            }
        );
        assert_eq!(ladder.windows(1).len(), 2);
    }

    #[test]
    fn a_push_tells_how_many_levels_it_reached() {
        let mut ladder = Ladder::new(56);
        let reached: Vec<_> = (0..8)
            .map(|_| ladder.push(Window::of(0.0, mib(1))))
            .collect();
        assert_eq!(reached, [1, 2, 1, 3, 1, 2, 1, 4]);
    }

    #[test]
    fn the_state_grows_with_the_logarithm_of_the_run() {
        let ladder = ladder(56, (0..100_000).map(|cycle| cycle % 50));
        assert_eq!(ladder.levels(), 17);
        assert!(ladder.levels.iter().all(|level| level.windows.len() <= 56));
    }

    #[test]
    fn the_floor_of_a_dropped_window_stays_in_the_record() {
        let ladder = ladder(4, [1, 90, 2, 3, 4, 5, 6]);
        assert_eq!(ladder.record_before(0, 4.0), Some(mib(90)));
        assert_eq!(ladder.record_before(1, 1.0), Some(mib(1)));
        assert_eq!(ladder.record_before(2, 1.0), None);
    }

    #[test]
    fn clearing_keeps_nothing_but_the_records() {
        let mut ladder = ladder(56, [1, 90, 2]);
        ladder.clear();
        assert!((0..ladder.levels()).all(|level| ladder.windows(level).is_empty()));
        assert_eq!(ladder.record_before(0, 0.0), Some(mib(90)));
        assert_eq!(
            ladder.push(Window::of(3.0, mib(1))),
            1,
            "the pair that waited is gone too"
        );
    }

    #[test]
    fn the_floor_of_old_times_comes_from_a_coarser_level() {
        let ladder = ladder(4, 10..26);
        assert_eq!(
            ladder.floor_between(13.0, 14.0),
            Some(mib(23)),
            "single cycles"
        );
        assert_eq!(
            ladder.floor_between(9.0, 9.5),
            Some(mib(18)),
            "the pair of 8 and 9"
        );
        assert_eq!(ladder.floor_between(99.0, 100.0), None);
        assert_eq!(Ladder::new(4).floor_between(0.0, 1.0), None);
    }

    #[test]
    fn equal_windows_are_as_fine_as_allowed() {
        let ladder = ladder(56, 0..30);
        let windows = ladder.equal_windows(0.0);
        assert_eq!(windows.len(), 10);
        assert!(windows.iter().all(|window| window.cycles == 3));
        assert!(
            ladder.equal_windows(28.0).is_empty(),
            "two cycles are too few"
        );
    }
}
