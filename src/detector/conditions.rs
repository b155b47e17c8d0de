//! The conditions that make a rise a leak, each with its name, its reason and how far it is met.
//!
//! [`STEADY`] and [`DOUBLING`] are the rule: a stretch is a leak where it meets all conditions of one of them. The first
//! three say what a rise is; the others keep healthy programs out: warm-ups, caches that fill, sawtooths, load that grows.
//! The figures were found on recorded runs of healthy and of leaking Go programs.

mod end;
mod load;

use super::evidence::{Margin, NOTHING_TO_COMPARE, Unit};
use super::ladder::Window;
use super::stretch::{Moment, Stretch, rise};
use crate::size::Size;
use crate::wording::real;
pub(super) use end::GOING_ON;
use load::UNDER_STEADY_LOAD;

/// One condition of the rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    /// Its name: it completes "is the rise …?".
    pub(super) name: &'static str,
    /// Why it is asked.
    pub(super) reason: &'static str,
    /// How far a stretch meets it.
    margin: fn(&Stretch) -> Margin,
}

impl Condition {
    /// How far that stretch meets it.
    pub(super) fn margin(&self, stretch: &Stretch) -> Margin {
        (self.margin)(stretch)
    }
}

/// The first of these conditions that the stretch does not meet; those before `from` are met.
pub(super) fn unmet(
    conditions: &[Condition],
    from: usize,
    stretch: &Stretch,
) -> Option<(usize, Margin)> {
    conditions
        .iter()
        .enumerate()
        .skip(from)
        .find_map(|(index, condition)| {
            let margin = condition.margin(stretch);
            (!margin.is_met()).then_some((index, margin))
        })
}

/// How long a stretch has lasted that is a rise, where only that it is too short holds it back so far.
pub(super) fn rises_too_short(stretch: &Stretch) -> Option<Margin> {
    let (index, _) = unmet(&STEADY, 0, stretch)?;
    let span = long_enough(stretch);
    (index >= WHAT_A_RISE_IS && span.has > 0.0 && !span.is_met()).then_some(span)
}

/// Why a rise that the run ended in is none any more, or not its own doing, where all else is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lately {
    /// It had nearly stopped.
    Stopped,
    /// It came with more load.
    WithLoad,
}

/// Whether a stretch was a rise worth an alarm until lately, and what it is no more, where the run did not end in one:
/// what meets all conditions did not go on then.
pub(super) fn until_lately(stretch: &Stretch) -> Option<Lately> {
    match unmet(&STEADY, 0, stretch) {
        Some((index, _)) if index < WHAT_IT_WAS => None,
        Some((index, _)) if index > WHAT_IT_WAS => Some(Lately::WithLoad),
        _ => Some(Lately::Stopped),
    }
}

/// The rule: N rises in a row, in windows of any length.
pub(super) const STEADY: [Condition; 9] = [
    RISING,
    LARGE_ENOUGH,
    LONG_ENOUGH,
    NEW_TERRITORY,
    CLEAR_OF_NOISE,
    NOT_SLOWING,
    NOT_SLOWER_THAN_BEFORE,
    RISING_AT_THE_END,
    UNDER_STEADY_LOAD,
];

/// Its quick form: N/2 single cycles that nearly double the heap, each of them. Six would be 64 times the heap.
pub(super) const DOUBLING: [Condition; 8] = [
    NEARLY_DOUBLING,
    LARGE_ENOUGH,
    LONG_ENOUGH,
    NEW_TERRITORY,
    CLEAR_OF_NOISE,
    NOT_SLOWING,
    NOT_SLOWER_THAN_BEFORE,
    RISING_AT_THE_END,
];

/// So many conditions say what a rise is; the next ones, whether it is worth an alarm.
pub(super) const WHAT_A_RISE_IS: usize = 2;

/// So many say that it was worth one until lately; the last ones, that it goes on and does so by itself.
const WHAT_IT_WAS: usize = 7;

const RISING: Condition = Condition {
    name: "rising",
    reason: "the rule itself: floor after floor is higher, the first is the lowest of all and the last the highest",
    margin: rising,
};

const NEARLY_DOUBLING: Condition = Condition {
    name: "nearly doubling",
    reason: "with GOGC=100 and nothing but retention the heap doubles from cycle to cycle",
    margin: nearly_doubling,
};

const LARGE_ENOUGH: Condition = Condition {
    name: "large enough",
    reason: "below some steps of the trace's 1 MiB, or 10 % of the heap, nothing can be said",
    margin: large_enough,
};

const LONG_ENOUGH: Condition = Condition {
    name: "long enough",
    reason: "warm-ups, fills and ramps rise too, but end, the steeper the sooner; and what this process gave back before must be outdone",
    margin: long_enough,
};

const NEW_TERRITORY: Condition = Condition {
    name: "in new territory",
    reason: "on its way back to a height it had before, a heap does what it did before",
    margin: new_territory,
};

const CLEAR_OF_NOISE: Condition = Condition {
    name: "clear of the noise",
    reason: "the floor under a wide sawtooth wanders by itself",
    margin: clear_of_noise,
};

const NOT_SLOWING: Condition = Condition {
    name: "steady",
    reason: "a cache that fills rises ever more slowly, a leak goes on",
    margin: not_slowing,
};

const NOT_SLOWER_THAN_BEFORE: Condition = Condition {
    name: "as fast as before it",
    reason: "the later part of a warm-up looks straight by itself",
    margin: not_slower_than_before,
};

const RISING_AT_THE_END: Condition = Condition {
    name: "still rising at its end",
    reason: "what has just become full does not show in the floors yet",
    margin: rising_at_the_end,
};

/// A rise must last this many times as long as the longest that was given back: half as long again is no sawtooth.
const BEYOND_SWING: f64 = 1.5;

/// While the program runs a rise must last one more least span for each time that the heap has grown by this share of
/// itself. What a program builds up as it starts multiplies its heap; a leak adds to a heap that is there.
const GROWTH_PER_SPAN: f64 = 0.5;

/// A heap below this, in steps of the trace (MiB), is counted as this: from nothing every rise is many times the heap.
const GROWTH_FROM: f64 = 24.0;

/// But so many least spans are always enough: few programs take longer to fill what they fill at that pace.
const MOST_SPANS: f64 = 4.0;

/// How many of the steps may be no rise. One tie is what rounding to MiB makes of a slow leak.
const SLACK: usize = 1;

/// Once the run is over one step in so many may be no rise: no later, longer windows can show it better.
const STEPS_PER_SLACK_AT_LAST: usize = 3;

/// A rise below this share of the heap is its breathing, whatever it is in MiB.
const LEAST_SHARE: f64 = 0.1;

/// A rise must be this large beside the noise within its windows.
const BESIDE_NOISE: f64 = 0.25;

/// How much of the rate of the first half the second half must keep. That of a leak wavers, under noise by a half.
const STEADY_SHARE: f64 = 0.5;

/// How much of the mean rate the very end must keep: all of it, but for the trace's rounding. A leak under noise has to
/// wait for a good moment, and what has just become full has none.
const STEADY_AT_THE_END: f64 = 0.9;

/// As much as that once the run is over: there is no better moment to wait for, and the end is short and noisy. But a
/// run that ends just behind a fill ends in the last third of a rise, too.
const STEADY_AT_LAST: f64 = 0.5;

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
const NEARLY_TWICE: f64 = 1.5;

/// A heap below this, in steps of the trace (MiB), is counted as this: from 1 to 2 is rounding, not doubling.
const DOUBLING_FROM: f64 = 2.0;

/// Keeps a divisor above zero.
const SOME_TIME: f64 = 1e-9;

/// How many steps may be no rise.
fn slack(stretch: &Stretch) -> usize {
    match stretch.terms.moment {
        Moment::Running => SLACK,
        Moment::Ended => SLACK.max(stretch.steps / STEPS_PER_SLACK_AT_LAST),
    }
}

/// Whether [`RISING`] is met, and no more than that: nearly all stretches end here, most of them after a step or two.
pub(super) fn is_rising(stretch: &Stretch) -> bool {
    let (first, last) = (stretch.first_floor, stretch.last_floor);
    let slack = slack(stretch);
    let mut ties = 0;
    let mut before = first;
    stretch.floors().enumerate().skip(1).all(|(index, floor)| {
        ties += usize::from(floor <= before);
        before = floor;
        ties <= slack && first < floor && (floor < last || index == stretch.steps)
    })
}

/// So many steps rise. Where the first floor is not the lowest of all, or the last not the highest, that is one too few.
fn rising(stretch: &Stretch) -> Margin {
    let (first, last) = (stretch.first_floor, stretch.last_floor);
    let needs = stretch.steps - slack(stretch);
    let mut rises = 0;
    let mut is_within = true;
    let mut before = first;
    for (index, floor) in stretch.floors().enumerate().skip(1) {
        rises += usize::from(floor > before);
        is_within &= first < floor && (floor < last || index == stretch.steps);
        before = floor;
    }
    let has = if is_within {
        rises
    } else {
        rises.min(needs.saturating_sub(1))
    };
    Margin::new(real(has as u64), real(needs as u64), Unit::Steps)
}

/// The least of the steps, as a factor.
fn nearly_doubling(stretch: &Stretch) -> Margin {
    let mut before = stretch.first_floor;
    let mut least = f64::INFINITY;
    let from = DOUBLING_FROM * stretch.terms.resolution;
    for floor in stretch.floors().skip(1) {
        least = least.min(floor.mib() / before.mib().max(from));
        before = floor;
    }
    Margin::new(least, NEARLY_TWICE, Unit::Times)
}

fn large_enough(stretch: &Stretch) -> Margin {
    let needs = least_rise(stretch.terms.min_rise, stretch.first_floor);
    Margin::new(stretch.rise(), needs, Unit::Mib)
}

/// The smallest rise from that floor that matters, in MiB.
pub(super) fn least_rise(min_rise: f64, floor: Size) -> f64 {
    min_rise.max(LEAST_SHARE * floor.mib())
}

/// Some time at least, whatever was asked for: what happened at one moment is no rise.
fn long_enough(stretch: &Stretch) -> Margin {
    let needs = needed_span(stretch).max(f64::MIN_POSITIVE);
    Margin::new(stretch.lasted(), needs, Unit::Seconds)
}

/// How long a rise must last, in seconds: as asked for, while the program runs the longer the more of the heap is new,
/// and longer than any that was given back so far.
fn needed_span(stretch: &Stretch) -> f64 {
    let terms = &stretch.terms;
    let spans = match terms.moment {
        Moment::Running => {
            let from = stretch
                .first_floor
                .mib()
                .max(GROWTH_FROM * terms.resolution);
            (1.0 + stretch.rise() / from / GROWTH_PER_SPAN).min(MOST_SPANS)
        }
        Moment::Ended => 1.0,
    };
    (spans * terms.min_span).max(BEYOND_SWING * terms.longest_swing)
}

/// By its middle the rise has passed all floors before it. Over long runs this keeps out most of what is false.
fn new_territory(stretch: &Stretch) -> Margin {
    let halfway = stretch.groups()[stretch.steps - stretch.steps / 2].floor;
    // Compared with windows about as long as the groups, since shorter ones have higher floors.
    let level = stretch.level + stretch.grouping.ilog2() as usize;
    let level = level.min(stretch.ladder.levels() - 1);
    let record = stretch.ladder.record_before(level, stretch.first().start);
    let above = record.map_or(NOTHING_TO_COMPARE, |record| record.mib().next_up());
    Margin::new(halfway.mib(), above, Unit::Mib)
}

/// Compared with the median of what the live heap moves within a window.
fn clear_of_noise(stretch: &Stretch) -> Margin {
    let noise = |group: &Window| group.ceiling.mib() - group.floor.mib();
    let mut noises: Vec<f64> = stretch.groups().iter().map(noise).collect();
    let middle = noises.len() / 2;
    let (_, median, _) = noises.select_nth_unstable_by(middle, f64::total_cmp);
    Margin::new(stretch.rise(), BESIDE_NOISE * *median, Unit::Mib)
}

/// The rate of the later half beside that of the earlier.
fn not_slowing(stretch: &Stretch) -> Margin {
    let time = |from: &Window, to: &Window| (to.start - from.start).max(SOME_TIME);
    let (first, middle, last) = (stretch.first(), stretch.middle(), stretch.last());
    let has = rise(middle, last) / time(middle, last);
    let needs = STEADY_SHARE * rise(first, middle) / time(first, middle);
    Margin::new(has, needs, Unit::MibPerSecond)
}

/// The last half group beside the half group that ended a quarter of the stretch earlier.
fn rising_at_the_end(stretch: &Stretch) -> Margin {
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
    let share = match stretch.terms.moment {
        Moment::Running => STEADY_AT_THE_END,
        Moment::Ended => STEADY_AT_LAST,
    };
    let needs = share * stretch.rise() / whole * apart;
    Margin::new(rise(&before, &now), needs, Unit::Mib)
}

/// The rate beside that of the time just before, where there is enough of it.
fn not_slower_than_before(stretch: &Stretch) -> Margin {
    let begin = stretch.first().start;
    let span = stretch.span();
    let before = (begin - BEFORE * span).max(stretch.terms.first_cycle + SET_UP);
    let time = begin - before;
    let floor = (time >= LEAST_BEFORE * span)
        .then(|| {
            let begin = before + BEGIN_OF_BEFORE * time;
            stretch.ladder.floor_between(before, begin)
        })
        .flatten();
    let needs = floor.map_or(NOTHING_TO_COMPARE, |floor| {
        STEADY_SINCE_BEFORE * (stretch.first().floor.mib() - floor.mib()) / time
    });
    Margin::new(stretch.rise() / span, needs, Unit::MibPerSecond)
}

#[cfg(test)]
mod tests;
