//! Each condition by itself, on made-up heaps.

use super::super::ladder::Ladder;
use super::super::stretch::Terms;
use super::*;

pub(super) const RISES: usize = 6;

pub(super) const TERMS: Terms = Terms {
    moment: Moment::Running,
    min_span: 20.0,
    resolution: 1.0,
    min_rise: 6.0,
    first_cycle: 0.0,
    longest_swing: 0.0,
};

pub(super) fn mib(mib: u64) -> Size {
    Size::from_mib(mib).expect("small")
}

/// What `of` says of the last groups of so many cycles, one cycle every `pace` seconds, while the program runs.
pub(super) fn on<T>(
    pace: f64,
    grouping: usize,
    steps: usize,
    live: &[u64],
    of: impl FnOnce(&Stretch) -> T,
) -> T {
    let mut ladder = Ladder::new(56);
    let mut at = 0.0;
    for &live in live {
        ladder.push(Window::of(at, mib(live)));
        at += pace;
    }
    let stretch = Stretch::latest(&ladder, 0, grouping, steps, TERMS);
    of(&stretch.expect("there are as many"))
}

/// The conditions that the last seven groups do not meet.
fn unmet(pace: f64, grouping: usize, live: &[u64]) -> Vec<&'static str> {
    on(pace, grouping, RISES, live, |stretch| {
        let is_unmet = |condition: &&Condition| !condition.margin(stretch).is_met();
        STEADY
            .iter()
            .filter(is_unmet)
            .map(|condition| condition.name)
            .collect()
    })
}

/// How far the heaps, a cycle every ten seconds, meet a condition.
fn margin(condition: &Condition, live: &[u64]) -> Margin {
    on(10.0, 1, live.len() - 1, live, |stretch| {
        condition.margin(stretch)
    })
}

fn is_met(condition: &Condition, live: &[u64]) -> bool {
    margin(condition, live).is_met()
}

/// The same once the run is over.
pub(super) fn at_last<T>(stretch: &Stretch, of: impl FnOnce(&Stretch) -> T) -> T {
    let mut ended = stretch.clone();
    ended.terms.moment = Moment::Ended;
    of(&ended)
}

#[test]
fn a_plain_rise_meets_every_condition() {
    assert!(unmet(7.0, 1, &[10, 12, 14, 16, 18, 20, 22]).is_empty());
}

#[test]
fn a_short_rise_is_held_back() {
    assert_eq!(
        unmet(3.0, 1, &[10, 12, 14, 16, 18, 20, 22]),
        ["long enough"]
    );
}

/// How long a rise between these floors must last: while the program runs, and once the run is over.
fn needed(from: u64, to: u64) -> (f64, f64) {
    let (floors, longest) = ([from, to], 0.0);
    needed_after(longest, &floors)
}

fn needed_after(longest_swing: f64, floors: &[u64]) -> (f64, f64) {
    on(10.0, 1, floors.len() - 1, floors, |stretch| {
        let mut stretch = stretch.clone();
        stretch.terms.longest_swing = longest_swing;
        let rounded = |seconds: f64| (seconds * 10.0).round() / 10.0;
        (
            rounded(needed_span(&stretch)),
            rounded(at_last(&stretch, needed_span)),
        )
    })
}

#[test]
fn the_more_of_the_heap_is_new_the_longer_the_rise_must_last_while_the_program_runs() {
    assert_eq!(needed(60, 66), (24.0, 20.0), "a tenth of the heap");
    assert_eq!(needed(60, 90), (40.0, 20.0), "half of it");
    assert_eq!(needed(60, 120), (60.0, 20.0));
    assert_eq!(needed(60, 600), (80.0, 20.0), "but no longer than this");
    assert_eq!(needed(1, 13), (40.0, 20.0), "from 1 as from 24 MiB");
}

#[test]
fn a_rise_must_outlast_what_the_process_gave_back() {
    assert_eq!(needed_after(30.0, &[60, 90]), (45.0, 45.0));
    assert_eq!(needed_after(2.0, &[60, 90]), (40.0, 20.0));
    let at_one_moment = |stretch: &Stretch| {
        let mut free = stretch.clone();
        free.terms.min_span = 0.0;
        LONG_ENOUGH.margin(&free).is_met()
    };
    assert!(!on(0.0, 1, 1, &[1, 9], at_one_moment), "no time is no rise");
    assert!(on(0.001, 1, 1, &[1, 9], at_one_moment));
}

#[test]
fn a_rise_lasts_to_the_end_of_its_last_window() {
    let live = [10, 10, 12, 12, 14, 14, 16, 16, 18, 18, 20, 20, 22, 22];
    let seconds = on(2.0, 2, RISES, &live, |stretch| {
        (stretch.span(), stretch.lasted())
    });
    assert_eq!(seconds, (24.0, 26.0));
}

#[test]
fn one_tie_is_rounding_and_two_are_held_back() {
    assert!(unmet(7.0, 1, &[10, 12, 12, 14, 16, 18, 20]).is_empty());
    assert_eq!(unmet(7.0, 1, &[10, 12, 12, 14, 14, 16, 18]), ["rising"]);
}

#[test]
fn once_the_run_is_over_one_step_in_three_may_be_no_rise() {
    let rising = |live: &[u64]| {
        on(6.0, 1, live.len() - 1, live, |stretch| {
            at_last(stretch, |ended| RISING.margin(ended).is_met())
        })
    };
    assert!(rising(&[10, 12, 12, 14, 14, 16, 18]));
    assert!(!rising(&[10, 12, 12, 14, 14, 14, 18]));
    assert!(rising(&[10, 12, 12, 14]), "and one of few");
    assert!(!rising(&[10, 12, 12, 12, 14]));
}

#[test]
fn the_first_floor_is_the_lowest_and_the_last_the_highest() {
    let rising = |floors: &[u64]| is_met(&RISING, floors);
    assert!(rising(&[1, 3, 2, 4]));
    assert!(!rising(&[1, 1, 2, 4]));
    assert!(!rising(&[1, 2, 4, 4]));
    assert!(!rising(&[1, 2, 5, 4]));
    assert!(!rising(&[2, 1, 3, 4]));
}

#[test]
fn whether_it_rises_is_what_its_margin_says() {
    for number in 0..4_096_u64 {
        let live: Vec<u64> = (0..6)
            .map(|digit| 1 + number / 4_u64.pow(digit) % 4)
            .collect();
        on(6.0, 1, 5, &live, |stretch| {
            let agrees = |stretch: &Stretch| RISING.margin(stretch).is_met() == is_rising(stretch);
            assert!(agrees(stretch), "{live:?}");
            assert!(at_last(stretch, agrees), "{live:?} at last");
        });
    }
}

#[test]
fn a_margin_says_how_near_it_is() {
    let told = |condition, live: &[u64]| {
        let margin = margin(condition, live);
        (margin.to_string(), (margin.share() * 100.0).round())
    };
    for (condition, live, text, share) in [
        (&RISING, &[1, 3, 2, 4, 3, 5], "3 steps up, 4 needed", 75.0),
        (&RISING, &[1, 2, 3, 4, 5, 6], "5 steps up, 4 needed", 100.0),
        (
            &LARGE_ENOUGH,
            &[20, 21, 22, 23, 24, 23],
            "3 MiB, 6 needed",
            50.0,
        ),
        (
            &LARGE_ENOUGH,
            &[20, 21, 22, 23, 24, 17],
            "-3 MiB, 6 needed",
            0.0,
        ),
        (
            &NOT_SLOWING,
            &[0, 10, 20, 30, 32, 33],
            "9.0 MiB/min, 30.0 MiB/min needed",
            30.0,
        ),
    ] {
        assert_eq!(told(condition, live), (text.to_owned(), share), "{live:?}");
    }
    assert_eq!(
        told(&NOT_SLOWER_THAN_BEFORE, &[1, 2]),
        ("6.0 MiB/min, nothing to compare with".into(), 100.0)
    );
}

#[test]
fn a_small_rise_is_held_back() {
    assert_eq!(
        unmet(6.0, 1, &[10, 11, 12, 12, 13, 14, 15]),
        ["large enough"]
    );
    let large = [200, 202, 205, 208, 212, 215, 219];
    assert_eq!(
        unmet(6.0, 1, &large),
        ["large enough"],
        "below 10 % of the heap"
    );
}

#[test]
fn a_rise_back_to_an_old_height_is_held_back() {
    let rise = [30, 30, 30, 30, 30, 30, 30, 30, 10, 13, 16, 19, 22, 25, 28];
    assert_eq!(unmet(9.0, 1, &rise), ["in new territory"]);
}

#[test]
fn a_floor_that_wanders_under_wide_noise_is_held_back() {
    let noisy = |ceiling| {
        [10, 12, 14, 16, 18, 20, 22]
            .map(|floor| [ceiling, floor])
            .concat()
    };
    assert!(unmet(4.0, 2, &noisy(60)).is_empty());
    assert_eq!(unmet(4.0, 2, &noisy(200)), ["clear of the noise"]);
}

#[test]
fn a_rise_that_slows_is_held_back() {
    let slowing = [10, 20, 28, 34, 38, 41, 44];
    assert_eq!(
        unmet(14.0, 1, &slowing),
        ["steady", "still rising at its end"]
    );
    on(14.0, 1, RISES, &slowing, |stretch| {
        at_last(stretch, |ended| {
            assert!(RISING_AT_THE_END.margin(ended).is_met());
            assert!(!NOT_SLOWING.margin(ended).is_met());
        });
    });
}

#[test]
fn a_plateau_at_the_very_end_is_held_back() {
    let rise = [100, 120, 140, 160, 220, 222, 224];
    assert_eq!(unmet(14.0, 1, &rise), ["still rising at its end"]);
    let slower = [100, 120, 140, 160, 190, 206, 210];
    on(14.0, 1, RISES, &slower, |stretch| {
        assert!(!RISING_AT_THE_END.margin(stretch).is_met());
        at_last(stretch, |ended| {
            assert!(
                RISING_AT_THE_END.margin(ended).is_met(),
                "no better moment comes"
            );
        });
    });
}

#[test]
fn the_later_part_of_a_warm_up_is_held_back() {
    let rise = [10, 25, 40, 50, 52, 54, 56, 58, 60, 62];
    assert_eq!(unmet(7.0, 1, &rise), ["as fast as before it"]);
}

#[test]
fn only_large_steps_are_doubling() {
    let doubling = |live: &[u64]| is_met(&NEARLY_DOUBLING, live);
    assert!(doubling(&[3, 7, 14, 29]));
    assert!(!doubling(&[3, 7, 10, 29]));
    assert!(!doubling(&[1, 2, 4, 8]), "from 1 to 2 may be rounding");
}
