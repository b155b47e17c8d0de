//! What a rise is asked about the load of the program, as far as a trace shows it: by the garbage that its cycles find.

use super::super::evidence::{Margin, Unit};
use super::super::stretch::Stretch;
use super::{Condition, MOST_SPANS, SOME_TIME};

pub(super) const UNDER_STEADY_LOAD: Condition = Condition {
    name: "under a steady load",
    reason: "more clients need more memory, and make more garbage: in the first half there must be nearly as much as in the second",
    margin: under_steady_load,
};

/// How much more garbage there may be in the second half of a rise than in its first, for the same time: what a steady
/// load wavers by. Under one that grows evenly by half it is a fifth more.
const STEADY_LOAD: f64 = 1.2;

/// The garbage of the earlier half beside that of the later one. None is needed once the rise has lasted as long as any
/// has to: load does not grow for ever.
fn under_steady_load(stretch: &Stretch) -> Margin {
    let (earlier, later) = load(stretch);
    let is_long = stretch.lasted() >= MOST_SPANS * stretch.terms.min_span;
    let needs = if is_long { 0.0 } else { later / STEADY_LOAD };
    Margin::new(earlier, needs, Unit::MibPerSecond)
}

/// The load of the earlier half and of the later one: the garbage that was found, in MiB a second. All load makes
/// garbage; what leaks is none, so a leak that grows by itself does not look like load.
fn load(stretch: &Stretch) -> (f64, f64) {
    let groups = stretch.groups();
    // What a group has found came into being since the last cycle of the group before.
    let rate = |from: usize, to: usize| {
        let time = groups[to].end - groups[from].end;
        let garbage: f64 = groups[from + 1..=to]
            .iter()
            .map(|group| group.garbage.mib())
            .sum();
        garbage / time.max(SOME_TIME)
    };
    let middle = stretch.steps.div_ceil(2);
    (rate(0, middle), rate(middle, stretch.steps))
}

#[cfg(test)]
mod tests {
    use super::super::super::ladder::{Ladder, Window};
    use super::super::STEADY;
    use super::super::tests::{RISES, TERMS, at_last, mib};
    use super::*;

    /// What holds back a rise of seven windows, from 60 to 90 MiB, under so much garbage in each of them.
    fn held_back_under(garbage: [u64; 7], pace: impl Fn(usize) -> f64) -> Vec<&'static str> {
        let mut ladder = Ladder::new(56);
        let (mut at, mut live) = (0.0, 60);
        for (index, garbage) in garbage.into_iter().enumerate() {
            ladder.push(Window {
                garbage: mib(garbage),
                ..Window::of(at, mib(live))
            });
            at += pace(index);
            live += 5;
        }
        let stretch = Stretch::latest(&ladder, 0, 1, RISES, TERMS).expect("seven windows");
        let unmet = |stretch: &Stretch| {
            STEADY
                .iter()
                .filter(|condition| !condition.margin(stretch).is_met())
                .map(|condition| condition.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(at_last(&stretch, unmet), unmet(&stretch), "at any moment");
        unmet(&stretch)
    }

    fn evenly(_: usize) -> f64 {
        9.0
    }

    const NOT_STEADY: &str = UNDER_STEADY_LOAD.name;

    #[test]
    fn a_rise_that_comes_with_more_load_is_held_back() {
        assert_eq!(
            held_back_under([4, 5, 6, 7, 8, 9, 10], evenly),
            [NOT_STEADY]
        );
        assert_eq!(
            held_back_under([99, 20, 20, 20, 25, 25, 25], evenly),
            [NOT_STEADY],
            "what the first window found is from before it"
        );
        assert!(held_back_under([20, 20, 20, 20, 23, 24, 24], evenly).is_empty());
        assert!(held_back_under([10, 9, 8, 7, 6, 5, 4], evenly).is_empty());
        assert!(held_back_under([0; 7], evenly).is_empty(), "none is known");
    }

    #[test]
    fn load_is_garbage_for_its_time() {
        let faster = |index| if index < 3 { 13.0 } else { 8.0 };
        assert_eq!(held_back_under([10; 7], faster), [NOT_STEADY]);
        assert!(held_back_under([13, 13, 13, 13, 8, 8, 8], faster).is_empty());
    }

    #[test]
    fn what_has_lasted_as_long_as_any_rise_has_to_needs_no_steady_load() {
        let growing = [4, 5, 6, 7, 8, 9, 10];
        assert_eq!(held_back_under(growing, |_| 13.3), [NOT_STEADY]);
        assert!(held_back_under(growing, |_| 13.4).is_empty());
    }
}
