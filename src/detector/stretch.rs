//! N+1 equal windows in a row: where a rise is looked for.

use std::cell::OnceCell;

use super::ladder::{Ladder, Window};
use crate::size::Size;

/// When a stretch is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The program runs: a minute more will show more, and a flag that comes too early ends a healthy run.
    Running,
    /// The run is over: what was seen is all there is, and what still rose then is not known to end.
    Ended,
}

/// What a stretch is judged by besides its own windows: what was asked for, and what the process has shown so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Whether there is more to come.
    pub(super) moment: Moment,
    /// The least time that a rise must last, in seconds.
    pub(super) min_span: f64,
    /// The least rise, in MiB.
    pub(super) min_rise: f64,
    /// The steps that live heaps come in, in MiB.
    pub(super) resolution: f64,
    /// When the first cycle of the process began, in seconds.
    pub(super) first_cycle: f64,
    /// The longest rise that was given back so far, in seconds.
    pub(super) longest_swing: f64,
}

/// The last windows of one level of the ladder in equal groups, one more than there are steps.
#[derive(Clone, Debug)]
pub(super) struct Stretch<'a> {
    /// The ladder that the groups are taken from.
    pub(super) ladder: &'a Ladder,
    /// Their level in it.
    pub(super) level: usize,
    /// How many windows of that level make a group.
    pub(super) grouping: usize,
    /// How many steps there are from the first group to the last, at least one.
    pub(super) steps: usize,
    /// What it is judged by.
    pub(super) terms: Terms,
    /// The floor of the oldest group.
    pub(super) first_floor: Size,
    /// The floor of the newest group.
    pub(super) last_floor: Size,
    /// The groups as windows; joined only for the few stretches that come so far.
    groups: OnceCell<Vec<Window>>,
}

impl<'a> Stretch<'a> {
    /// The last `steps` + 1 groups, if there are as many.
    pub(super) fn latest(
        ladder: &'a Ladder,
        level: usize,
        grouping: usize,
        steps: usize,
        terms: Terms,
    ) -> Option<Self> {
        (ladder.windows(level).len() >= grouping * (steps + 1)).then(|| Self {
            ladder,
            level,
            grouping,
            steps,
            terms,
            first_floor: ladder.floor(level, grouping, steps),
            last_floor: ladder.floor(level, grouping, 0),
            groups: OnceCell::new(),
        })
    }

    /// The groups, oldest first.
    pub(super) fn groups(&self) -> &[Window] {
        self.groups.get_or_init(|| {
            let count = self.steps + 1;
            let mut groups = Vec::with_capacity(count);
            self.ladder
                .groups(self.level, self.grouping, count, &mut groups);
            groups
        })
    }

    /// The oldest group.
    pub(super) fn first(&self) -> &Window {
        &self.groups()[0]
    }

    /// The newest group.
    pub(super) fn last(&self) -> &Window {
        &self.groups()[self.steps]
    }

    /// The group in the middle; of two the later one.
    pub(super) fn middle(&self) -> &Window {
        &self.groups()[self.steps.div_ceil(2)]
    }

    /// The floors of the groups, oldest first.
    pub(super) fn floors(&self) -> impl Iterator<Item = Size> {
        self.ladder
            .floors(self.level, self.grouping, self.steps + 1)
    }

    /// The rise from the first floor to the last, in MiB; below zero where it is a fall.
    pub(super) fn rise(&self) -> f64 {
        self.last_floor.mib() - self.first_floor.mib()
    }

    /// How long the rise has lasted: the time from the begin of the first group to the end of the last, in seconds.
    pub(super) fn lasted(&self) -> f64 {
        let windows = self.ladder.windows(self.level);
        let newest = windows.len() - 1;
        windows[newest].end - windows[windows.len() - self.grouping * (self.steps + 1)].start
    }

    /// The time from the begin of the first group to the begin of the last, in seconds: what the rise took.
    pub(super) fn span(&self) -> f64 {
        self.ladder
            .span(self.level, self.grouping, self.steps + 1)
            .unwrap_or_default()
    }

    /// How many cycles make a group.
    pub(super) fn window_cycles(&self) -> u64 {
        (self.grouping as u64) << self.level
    }
}

/// How much higher the floor of `last` is than that of `first`, in MiB.
pub(super) fn rise(first: &Window, last: &Window) -> f64 {
    last.floor.mib() - first.floor.mib()
}
