//! The eight conditions that make a rise a leak.
//!
//! Conditions 1 to 3 say what a rise is, 4 to 8 keep healthy programs out: warm-ups, caches that fill, sawtooths, daily
//! waves. The figures were found on recorded runs of healthy and of leaking Go programs; each has its reason below.

use super::ladder::{Ladder, Window};
use crate::size::Size;

/// A rise must last this many times as long as the longest that was given back: half as long again is no sawtooth.
const BEYOND_SWING: f64 = 1.5;

/// How many of the steps may be no rise. One tie is what rounding to MiB makes of a slow leak.
const SLACK: usize = 1;

/// A rise below this share of the heap is its breathing, whatever it is in MiB.
const LEAST_SHARE: f64 = 0.1;

/// A rise must be this large beside the noise within its windows.
const BESIDE_NOISE: f64 = 0.25;

/// How much of the rate of the first half the second half must keep.
const STEADY: f64 = 0.75;

/// How much of the mean rate the very end must keep. Less than [`STEADY`], since the end is short and noisy.
const STEADY_AT_THE_END: f64 = 0.3;

/// How far back the very end is compared with, as a share of the whole stretch.
const END: f64 = 0.25;

/// How much of the rate before it the stretch must keep.
const STEADY_SINCE_BEFORE: f64 = 0.6;

/// How far the time before reaches, as a share of the stretch.
const BEFORE: f64 = 0.5;

/// A time before that is shorter than this share of the stretch says nothing.
const LEAST_BEFORE: f64 = 0.2;

/// The floor at the begin of the time before is the lowest in this share of it.
const BEGIN_OF_BEFORE: f64 = 0.2;

/// In its first half second a Go program sets itself up; what it allocates then is no rate to compare with.
const SET_UP: f64 = 0.5;

/// A doubling heap grows by at least this factor from cycle to cycle.
const DOUBLING: f64 = 1.5;

/// A heap below this, in MiB, is counted as this: from 1 to 2 is rounding, not doubling.
const DOUBLING_FROM: f64 = 2.0;

/// Keeps a divisor above zero.
const SOME_TIME: f64 = 1e-9;

/// The last windows of one level in equal groups: where a rise is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    /// The ladder that the groups were taken from.
    pub(super) ladder: &'a Ladder,
    /// Their level in it.
    pub(super) level: usize,
    /// How many windows of that level make a group.
    pub(super) grouping: usize,
    /// The groups, oldest first, at least two.
    pub(super) groups: &'a [Window],
}

impl Stretch<'_> {
    fn first(&self) -> &Window {
        &self.groups[0]
    }

    fn last(&self) -> &Window {
        &self.groups[self.groups.len() - 1]
    }

    fn middle(&self) -> &Window {
        &self.groups[self.groups.len() / 2]
    }

    /// The rise from the first floor to the last, in MiB.
    fn rise(&self) -> f64 {
        rise(self.first(), self.last())
    }

    /// The time from the first floor to the last.
    fn span(&self) -> f64 {
        self.last().start - self.first().start
    }
}

/// How much higher the floor of `last` is than that of `first`, in MiB.
fn rise(first: &Window, last: &Window) -> f64 {
    last.floor.mib() - first.floor.mib()
}

/// How long a rise must last, in seconds, given the longest one that was given back so far.
pub(super) fn needed_span(min_span: f64, longest_swing: f64) -> f64 {
    min_span.max(BEYOND_SWING * longest_swing)
}

/// Condition 1, long enough. Warm-ups, fills and ramps rise too, but end; and a process that has shown how long it can
/// rise and come back has to outdo itself.
pub(super) fn is_long_enough(span: f64, needed: f64) -> bool {
    span >= needed && span > 0.0
}

/// Condition 2, the rule itself: floor after floor rises, the first is the lowest of all and the last the highest.
pub(super) fn is_rising(mut floors: impl Iterator<Item = Size>) -> bool {
    let Some(first) = floors.next() else {
        return false;
    };
    let (mut before, mut highest) = (first, first);
    let (mut ties, mut is_highest) = (0, false);
    for floor in floors {
        ties += usize::from(floor <= before);
        if floor <= first || ties > SLACK {
            return false;
        }
        is_highest = floor > highest;
        highest = highest.max(floor);
        before = floor;
    }
    is_highest
}

/// Condition 3, enough to matter: below some steps of the trace's 1 MiB nothing can be said.
pub(super) fn is_large_enough(first: Size, last: Size, min_rise: f64) -> bool {
    last.mib() - first.mib() >= least_rise(min_rise, first)
}

/// The smallest rise from that floor that matters, in MiB.
pub(super) fn least_rise(min_rise: f64, floor: Size) -> f64 {
    min_rise.max(LEAST_SHARE * floor.mib())
}

/// Condition 4, new territory: by its middle the rise has passed all floors before it. On its way back to a height it
/// had before, a heap does what it did before. Over long runs this keeps out most of what is false.
pub(super) fn is_new_territory(stretch: &Stretch) -> bool {
    let steps = stretch.groups.len() - 1;
    let halfway = stretch.groups[steps - steps / 2].floor;
    // Compared with windows about as long as the groups, since shorter ones have higher floors.
    let level = stretch.level + stretch.grouping.ilog2() as usize;
    let level = level.min(stretch.ladder.levels() - 1);
    Some(halfway) > stretch.ladder.record_before(level, stretch.first().start)
}

/// Condition 5, not small beside its own noise: a floor under a wide sawtooth wanders by itself. More than half of the
/// groups have to agree.
pub(super) fn is_clear_of_noise(stretch: &Stretch) -> bool {
    let rise = stretch.rise();
    let noise = |group: &Window| group.ceiling.mib() - group.floor.mib();
    let clear = stretch
        .groups
        .iter()
        .filter(|group| rise >= BESIDE_NOISE * noise(group));
    clear.count() > stretch.groups.len() / 2
}

/// Condition 6, not slowing: a cache that fills rises ever more slowly, a leak goes on.
pub(super) fn is_steady(stretch: &Stretch) -> bool {
    let time = |from: &Window, to: &Window| (to.start - from.start).max(SOME_TIME);
    let (first, middle, last) = (stretch.first(), stretch.middle(), stretch.last());
    rise(middle, last) / time(middle, last) >= STEADY * rise(first, middle) / time(first, middle)
}

/// Condition 7, still rising now: a plateau that was reached within the last window does not show in the floors yet.
/// So the last half group is compared with the half group that ended a quarter of the stretch earlier.
pub(super) fn is_rising_at_the_end(stretch: &Stretch) -> bool {
    let windows = stretch.ladder.windows(stretch.level);
    let half = (stretch.grouping / 2).max(1);
    let count = windows.len();
    let end = windows[count - 1].end;
    let whole = end - stretch.first().start;
    let mut earlier = count - half - 1;
    while earlier > 0 && windows[earlier].end > end - END * whole {
        earlier -= 1;
    }
    let join = |from: usize, to: usize| {
        windows
            .range(from + 1..=to)
            .fold(windows[from], |joined, window| joined.join(window))
    };
    let before = join((earlier + 1).saturating_sub(half), earlier);
    let now = join(count - half, count - 1);
    let apart = (now.start + now.end - before.start - before.end) / 2.0;
    rise(&before, &now) >= STEADY_AT_THE_END * stretch.rise() / whole * apart
}

/// Condition 8, not slowing against the time just before, either: the later part of a warm-up looks straight by itself.
/// `first_cycle` is when the process's first cycle began.
pub(super) fn is_steady_since_before(stretch: &Stretch, first_cycle: f64) -> bool {
    let begin = stretch.first().start;
    let span = stretch.span();
    let before = (begin - BEFORE * span).max(first_cycle + SET_UP);
    let time = begin - before;
    if time < LEAST_BEFORE * span {
        return true;
    }
    stretch
        .ladder
        .floor_between(before, before + BEGIN_OF_BEFORE * time)
        .is_none_or(|floor| {
            let rise_before = stretch.first().floor.mib() - floor.mib();
            stretch.rise() / span >= STEADY_SINCE_BEFORE * rise_before / time
        })
}

/// The quick form of condition 2, for single cycles only: each is far above the one before.
///
/// With GOGC=100 and nothing but retention the heap doubles from cycle to cycle; six of them would be 64 times the heap.
pub(super) fn is_doubling(groups: &[Window]) -> bool {
    groups
        .windows(2)
        .all(|pair| pair[1].floor.mib() >= DOUBLING * pair[0].floor.mib().max(DOUBLING_FROM))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RISES: usize = 6;
    const NAMES: [&str; 8] = [
        "long enough",
        "rising",
        "large enough",
        "new territory",
        "clear of noise",
        "steady",
        "rising at the end",
        "steady since before",
    ];

    fn mib(mib: u64) -> Size {
        Size::from_mib(mib).expect("small")
    }

    /// The conditions that the last seven groups of so many cycles do not meet, one cycle every `pace` seconds.
    fn unmet(pace: f64, grouping: usize, live: &[u64]) -> Vec<&'static str> {
        let mut ladder = Ladder::new(56);
        let mut at = 0.0;
        for &live in live {
            ladder.push(Window::of(at, mib(live)));
            at += pace;
        }
        let mut groups = Vec::new();
        ladder.groups(0, grouping, RISES + 1, &mut groups);
        let stretch = Stretch {
            ladder: &ladder,
            level: 0,
            grouping,
            groups: &groups,
        };
        let (first, last) = (stretch.first().floor, stretch.last().floor);
        let met = [
            is_long_enough(stretch.span(), needed_span(20.0, 0.0)),
            is_rising(groups.iter().map(|group| group.floor)),
            is_large_enough(first, last, 6.0),
            is_new_territory(&stretch),
            is_clear_of_noise(&stretch),
            is_steady(&stretch),
            is_rising_at_the_end(&stretch),
            is_steady_since_before(&stretch, 0.0),
        ];
        let unmet = NAMES.iter().zip(met).filter(|&(_, met)| !met);
        unmet.map(|(&name, _)| name).collect()
    }

    #[test]
    fn a_plain_rise_meets_every_condition() {
        assert!(unmet(4.0, 1, &[10, 12, 14, 16, 18, 20, 22]).is_empty());
    }

    #[test]
    fn a_short_rise_is_held_back() {
        assert_eq!(
            unmet(3.0, 1, &[10, 12, 14, 16, 18, 20, 22]),
            ["long enough"]
        );
    }

    #[test]
    fn a_rise_must_outlast_what_the_process_gave_back() {
        assert!(is_long_enough(31.0, needed_span(20.0, 20.0)));
        assert!(!is_long_enough(29.0, needed_span(20.0, 20.0)));
        assert!(
            !is_long_enough(0.0, needed_span(0.0, 0.0)),
            "no time is no rise"
        );
    }

    #[test]
    fn one_tie_is_rounding_and_two_are_held_back() {
        assert!(unmet(4.0, 1, &[10, 12, 12, 14, 16, 18, 20]).is_empty());
        assert_eq!(unmet(4.0, 1, &[10, 12, 12, 14, 14, 16, 18]), ["rising"]);
    }

    #[test]
    fn the_first_floor_is_the_lowest_and_the_last_the_highest() {
        let rising = |floors: &[u64]| is_rising(floors.iter().map(|&floor| mib(floor)));
        assert!(rising(&[1, 3, 2, 4]));
        assert!(!rising(&[1, 1, 2, 4]));
        assert!(!rising(&[1, 2, 4, 4]));
        assert!(!rising(&[1, 2, 5, 4]));
        assert!(!rising(&[1]));
        assert!(!rising(&[]));
    }

    #[test]
    fn a_small_rise_is_held_back() {
        assert_eq!(
            unmet(4.0, 1, &[10, 11, 12, 12, 13, 14, 15]),
            ["large enough"]
        );
        let large = [200, 202, 205, 208, 212, 215, 219];
        assert_eq!(
            unmet(4.0, 1, &large),
            ["large enough"],
            "below 10 % of the heap"
        );
    }

    #[test]
    fn a_rise_back_to_an_old_height_is_held_back() {
        let rise = [30, 30, 30, 30, 30, 30, 30, 30, 10, 13, 16, 19, 22, 25, 28];
        assert_eq!(unmet(4.0, 1, &rise), ["new territory"]);
    }

    #[test]
    fn a_floor_that_wanders_under_wide_noise_is_held_back() {
        let noisy = |ceiling| {
            [10, 12, 14, 16, 18, 20, 22]
                .map(|floor| [ceiling, floor])
                .concat()
        };
        assert!(unmet(2.0, 2, &noisy(60)).is_empty());
        assert_eq!(unmet(2.0, 2, &noisy(200)), ["clear of noise"]);
    }

    #[test]
    fn a_rise_that_slows_is_held_back() {
        assert_eq!(unmet(4.0, 1, &[10, 20, 28, 34, 37, 39, 41]), ["steady"]);
    }

    #[test]
    fn a_plateau_at_the_very_end_is_held_back() {
        let rise = [100, 120, 140, 160, 220, 222, 224];
        assert_eq!(unmet(4.0, 1, &rise), ["rising at the end"]);
    }

    #[test]
    fn the_later_part_of_a_warm_up_is_held_back() {
        let rise = [10, 25, 40, 50, 52, 54, 56, 58, 60, 62];
        assert_eq!(unmet(4.0, 1, &rise), ["steady since before"]);
    }

    #[test]
    fn only_large_steps_are_doubling() {
        let doubling = |live: &[u64]| {
            is_doubling(
                &live
                    .iter()
                    .map(|&live| Window::of(0.0, mib(live)))
                    .collect::<Vec<_>>(),
            )
        };
        assert!(doubling(&[3, 7, 14, 29]));
        assert!(!doubling(&[3, 7, 10, 29]));
        assert!(!doubling(&[1, 2, 4, 8]), "from 1 to 2 may be rounding");
    }
}
