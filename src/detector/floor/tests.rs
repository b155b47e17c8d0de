//! The whole rule, on made-up heaps.

use super::*;

/// What the rule says in the end of live heaps in MiB, one cycle every `pace` milliseconds.
fn reason(pace: u64, live: impl IntoIterator<Item = u64>) -> String {
    watch(pace, live).verdict(None).reason()
}

fn watch(pace: u64, live: impl IntoIterator<Item = u64>) -> FloorRule {
    let mut rule = FloorRule::new(&DetectorConfig::default(), 6);
    for (number, live) in (0..).zip(live) {
        let at = Duration::from_millis(u64::from(number) * pace);
        rule.observe(number, at, Size::from_bytes(live * MIB), Size::default());
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
    assert!(watch(7_000, plain).climb.is_some());
    assert!(watch(4_000, noisy(60)).climb.is_some());
    let held_back: [(&str, u64, &[u64]); 10] = [
        ("too short", 3_000, &plain),
        (
            "too short for one that doubles the heap",
            6_000,
            &[20, 24, 28, 32, 36, 40, 44],
        ),
        (
            "shorter than a swing",
            7_000,
            &[10, 12, 14, 16, 18, 20, 10, 15, 20, 25, 30, 35, 40],
        ),
        ("two ties", 7_000, &[10, 12, 12, 14, 14, 16, 18]),
        ("too small", 7_000, &[10, 11, 12, 12, 13, 14, 15]),
        (
            "an old height",
            9_000,
            &[30, 30, 30, 30, 30, 30, 30, 30, 10, 13, 16, 19, 22, 25, 28],
        ),
        ("in the noise", 4_000, &noisy(200)),
        ("slowing", 14_000, &[10, 20, 28, 34, 38, 41, 44]),
        ("a plateau", 14_000, &[100, 120, 140, 160, 220, 222, 224]),
        (
            "slower than before",
            7_000,
            &[10, 25, 40, 50, 52, 54, 56, 58, 60, 62],
        ),
    ];
    for (why, pace, live) in held_back {
        assert!(watch(pace, live.iter().copied()).climb.is_none(), "{why}");
    }
    assert!(watch(22_000, [3, 7, 14, 29]).climb.is_some());
    assert!(
        watch(22_000, [3, 7, 10, 29]).climb.is_none(),
        "three cycles are enough only when they double"
    );
}

#[test]
fn a_rise_that_would_have_to_last_longer_is_a_leak_once_the_run_is_over() {
    let rule = watch(4_000, [20, 24, 28, 32, 36, 40, 44]);
    assert!(rule.climb.is_none());
    assert_eq!(
        rule.verdict(None).reason(),
        "live heap rose across 6 windows of 1 cycle, 20 to 44 MiB in 24 s"
    );
    assert!(rule.growth().is_some());
    assert!(rule.nearest().is_none(), "it is a leak");
    let told = rule.rise_at_last().expect("a leak").rise.evidence.findings;
    assert_eq!(told.last().map(|last| last.condition), Some(GOING_ON.name));
}

#[test]
fn the_state_stays_bounded() {
    let mut rule = FloorRule::new(&DetectorConfig::default(), 6);
    for number in 0..100_000 {
        let live = Size::from_bytes(u64::from(20 + number % 50 + number / 5_000) * MIB);
        rule.observe(
            number,
            Duration::from_secs(u64::from(number)),
            live,
            Size::default(),
        );
    }
    let of_levels: usize = (0..rule.ladder.levels())
        .map(|level| {
            rule.ladder.windows(level).capacity() * size_of::<Window>()
                + rule.ladder.bytes_of_floors(level)
        })
        .sum();
    // Twenty levels last for a million cycles, and one more for each time as many again.
    let of_a_million = 20 * of_levels / rule.ladder.levels() + rule.thirds.bytes();
    assert!(of_a_million < 96 << 10, "{of_a_million} bytes");
    let windows: usize = (0..rule.ladder.levels())
        .map(|level| rule.ladder.windows(level).len())
        .sum();
    assert!(
        rule.ladder.levels() == 17 && windows <= 17 * 56,
        "{windows}"
    );
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
        "rising across 6 windows for 6.5 s (a leak if it goes on to 20 s)"
    );
}

#[test]
fn a_heap_that_went_higher_late_is_not_clean() {
    let peaks = (0..99).map(|cycle| {
        if cycle % 2 == 0 {
            20
        } else {
            30 + cycle / 66 * 9
        }
    });
    assert_eq!(
        reason(500, peaks),
        "highest live heap still rose by 9 MiB in the last third: run longer"
    );
}

#[test]
fn a_rise_that_has_stopped_at_the_end_is_inconclusive() {
    let rise = (0..80).map(|cycle| 60 + cycle / 4).chain([80; 44]);
    assert_eq!(
        reason(500, rise),
        "rose by 20 MiB, had stopped when the run ended: run longer"
    );
}

#[test]
fn a_rise_that_stopped_just_before_the_end_is_not_clean() {
    let risen = |cycle: u64| (cycle.saturating_sub(140) / 4).min(10) + u64::from(cycle >= 192);
    let heap = |rises: bool| {
        (0..200).map(move |cycle| match (cycle % 2, rises) {
            (0, _) => 45,
            (_, true) => 20 + risen(cycle),
            (_, false) => 20,
        })
    };
    assert!(reason(500, heap(false)).contains("would have shown"));
    assert_eq!(
        reason(500, heap(true)),
        "rose by 10 MiB, had stopped when the run ended: run longer"
    );
}

#[test]
fn two_high_cycles_at_the_end_make_no_leak_of_a_rise_that_had_nearly_stopped() {
    let reason = |before, last| {
        let mut live = [20, 22, 24, 28, 42, before, last]
            .map(|floor| [floor; 4])
            .concat();
        live[26..].fill(50);
        reason(2_000, live)
    };
    assert!(reason(44, 47).starts_with("live heap rose across 6 windows of "));
    assert_eq!(
        reason(43, 44),
        "rose by 24 MiB, had stopped when the run ended: run longer"
    );
}

#[test]
fn a_rise_under_a_growing_load_is_neither_a_leak_nor_clean_at_the_end() {
    let reason = |garbage: fn(u64) -> u64| {
        let mut rule = FloorRule::new(&DetectorConfig::default(), 6);
        for cycle in 0..80 {
            rule.observe(
                u32::try_from(cycle).expect("small"),
                Duration::from_millis(500 * cycle),
                Size::from_bytes((20 + cycle / 2) * MIB),
                Size::from_bytes(garbage(cycle) * MIB),
            );
        }
        rule.verdict(None).reason()
    };
    assert!(reason(|_| 20).starts_with("live heap rose across 6 windows"));
    assert_eq!(
        reason(|cycle| 4 + cycle),
        "rose by 30 MiB while the load grew: run longer, under a steady load"
    );
}
