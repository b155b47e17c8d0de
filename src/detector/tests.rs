//! The detector as a whole, on live heaps that are made up.

use super::*;
use crate::size::MIB;

/// What each cycle frees: the load is steady where the cycles are.
const GARBAGE: Size = Size::from_bytes(4 * MIB);

fn config() -> DetectorConfig {
    DetectorConfig::default()
}

/// What a detector says of live heaps in MiB, one cycle every `pace` milliseconds.
fn watch(
    config: &DetectorConfig,
    pace: u64,
    live: impl IntoIterator<Item = u64>,
) -> (Detector, Vec<Change>) {
    let mut detector = Detector::new(config);
    let mut changes = Vec::new();
    for (number, live) in (1..).zip(live) {
        let at = Duration::from_millis(u64::from(number - 1) * pace);
        changes.extend(detector.observe(number, Some(at), Size::from_bytes(live * MIB), GARBAGE));
    }
    // Those have tests of their own.
    changes.retain(|change| !matches!(change, Change::HeldBack(_)));
    (detector, changes)
}

fn reason(config: &DetectorConfig, pace: u64, live: impl IntoIterator<Item = u64>) -> String {
    watch(config, pace, live).0.judgement().verdict.reason()
}

#[test]
fn a_slow_leak_under_noise_is_flagged_once_and_stays() {
    let (detector, changes) = watch(
        &config(),
        100,
        (0..600).map(|cycle| 40 + cycle / 20 + cycle * 7 % 5),
    );
    let [Change::Flagged(rise)] = changes.as_slice() else {
        panic!("one flag, not {changes:?}");
    };
    assert!(rise.window_cycles > 1);
    assert_eq!(rise.floors.len(), 7);
    let judgement = detector.judgement();
    assert_eq!(judgement.verdict, Verdict::Leak(Leak::Floor(rise.clone())));
    let growth = judgement.growth.expect("a rate");
    let rate = growth.bytes_per_second / crate::wording::real(MIB);
    assert!((0.4..0.6).contains(&rate), "{rate}");
    assert!(growth.low < growth.bytes_per_second && growth.bytes_per_second < growth.high);
}

#[test]
fn a_heap_that_doubles_every_cycle_is_flagged_after_four() {
    let (_, changes) = watch(&config(), 22_000, [3, 7, 14, 29]);
    assert!(matches!(changes.as_slice(), [Change::Flagged(rise)] if rise.floors.len() == 4));
}

#[test]
fn a_cache_that_fills_is_flagged_at_most_for_a_while() {
    let fill = |base: u64| (0..400).map(move |cycle| base + (cycle / 2).min(40));
    let (detector, changes) = watch(&config(), 500, fill(20));
    assert!(changes.is_empty(), "what triples the heap is a start");
    assert_eq!(detector.judgement().verdict.word(), "clean");
    let (detector, changes) = watch(&config(), 500, fill(100));
    assert!(matches!(
        changes.as_slice(),
        [Change::Flagged(_), Change::Withdrawn(withdrawal)] if withdrawal.why == WithdrawnWhy::LevelledOff
    ));
    assert_eq!(detector.judgement().growth, None);
}

#[test]
fn a_leak_that_is_freed_is_withdrawn_and_found_again() {
    let leak = |from: u64, to: u64| (from..to).flat_map(|live| [live; 2]);
    let (_, changes) = watch(
        &config(),
        500,
        leak(80, 130).chain([82; 4]).chain(leak(82, 270)),
    );
    let [
        Change::Flagged(_),
        Change::Withdrawn(withdrawal),
        Change::Flagged(again),
    ] = changes.as_slice()
    else {
        panic!("not {changes:?}");
    };
    assert_eq!(withdrawal.why, WithdrawnWhy::GivenBack);
    assert!(
        again.span >= Duration::from_secs(73),
        "half as long again as what came back"
    );
}

#[test]
fn the_condition_that_holds_a_rise_back_is_told_once() {
    let mut detector = Detector::new(&config());
    let mut held_back = Vec::new();
    // A cache that fills ever more slowly.
    let cache = [10, 20, 28, 34, 37, 39, 41, 42, 42, 43, 43, 43, 43, 43];
    for (number, live) in (0..).zip(cache) {
        let at = Duration::from_secs(4 * u64::from(number));
        let live = Size::from_bytes(live * MIB);
        for change in detector.observe(number, Some(at), live, GARBAGE) {
            let Change::HeldBack(told) = change else {
                panic!("{change:?} at {number}");
            };
            assert!(!told.by.margin.is_met());
            assert!(
                told.evidence
                    .findings
                    .iter()
                    .all(|finding| finding.margin.is_met())
            );
            held_back.push(told.by.condition);
        }
    }
    assert!(!held_back.is_empty());
    assert!(
        held_back.windows(2).all(|pair| pair[0] != pair[1]),
        "{held_back:?}"
    );
}

#[test]
fn the_nearest_miss_is_kept_until_a_leak_is_flagged() {
    let nearest = |pace, live: &[u64]| {
        let (detector, _) = watch(&config(), pace, live.iter().copied());
        let nearest = detector.judgement().nearest?;
        Some((nearest.by.condition, nearest.evidence.floors().len()))
    };
    assert_eq!(nearest(4_000, &[10; 6]), None, "no seven windows");
    assert_eq!(nearest(4_000, &[10; 30]), Some(("rising", 7)));
    let rise = [10, 12, 14, 16, 18, 20, 22];
    assert_eq!(nearest(3_000, &rise), Some(("long enough", 7)));
    assert_eq!(nearest(4_000, &rise), None, "it is a leak");
    let rise_and_rest = [&rise[..], &[22; 20]].concat();
    assert_eq!(nearest(3_000, &rise_and_rest), Some(("long enough", 7)));
}

#[test]
fn without_a_cycle_nothing_is_known() {
    assert!(reason(&config(), 1_000, []).starts_with("no GC cycle seen"));
}

#[test]
fn without_a_least_span_a_few_lines_are_enough_but_not_without_time() {
    let config = DetectorConfig {
        min_span: Duration::ZERO,
        ..config()
    };
    assert_eq!(
        watch(&config, 10, (0..8).map(|cycle| 4 + 2 * cycle))
            .1
            .len(),
        1
    );
    let (detector, changes) = watch(&config, 0, (0..80).map(|cycle| 4 + 2 * cycle));
    assert!(changes.is_empty());
    assert_eq!(detector.judgement().verdict.word(), "inconclusive");
}

#[test]
fn cycles_of_the_warm_up_are_not_judged() {
    let config = DetectorConfig {
        warmup: Duration::from_secs(30),
        max_live: Some(Size::from_bytes(70 * MIB)),
        ..config()
    };
    let live = |cycle: u64| if cycle < 60 { 20 + cycle } else { 60 };
    let (detector, changes) = watch(&config, 500, (0..160).map(live));
    assert!(changes.is_empty());
    let judgement = detector.judgement();
    assert!(judgement.verdict.reason().starts_with("100 cycles in 49 s"));
    assert_eq!(judgement.longest_strict_run, 0);
    assert!(
        reason(&config, 500, [20; 9]).starts_with("no GC cycle seen after the warm-up of 30 s")
    );
}

#[test]
fn a_heap_over_its_budget_is_a_leak_for_good_with_both_rules() {
    for rule in [Rule::Floor, Rule::Strict] {
        let config = DetectorConfig {
            rule,
            max_live: Some(Size::from_bytes(64 * MIB)),
            ..config()
        };
        let (detector, changes) = watch(&config, 500, [10, 64, 70, 10, 80, 10]);
        let over_budget = OverBudget {
            cycle: 3,
            at: Duration::from_secs(1),
            live: Size::from_bytes(70 * MIB),
            budget: Size::from_bytes(64 * MIB),
        };
        assert_eq!(changes, [Change::OverBudget(over_budget.clone())]);
        let judgement = detector.judgement();
        assert_eq!(
            judgement.verdict,
            Verdict::Leak(Leak::OverBudget(over_budget))
        );
    }
}

#[test]
fn the_strict_rule_asks_for_nothing_but_rises() {
    let strict = DetectorConfig {
        rule: Rule::Strict,
        ..config()
    };
    let rise = [3, 5, 8, 9, 14, 20, 29, 3, 3];
    let (detector, changes) = watch(&strict, 1, rise);
    assert_eq!(changes.len(), 1);
    let judgement = detector.judgement();
    assert_eq!(judgement.verdict.word(), "leak");
    assert_eq!(
        judgement.verdict.reason(),
        "live heap rose in 6 cycles in a row, 3 to 29 MiB"
    );
    assert_eq!(judgement.longest_strict_run, 6);
    assert_eq!(
        reason(&strict, 1_000, [5, 6, 7, 7, 8, 9, 3]),
        "7 cycles in 6 s: at most 2 rises in a row; a leak above 1.0 MiB/s would have shown"
    );
    assert!(reason(&strict, 1_000, [5; 6]).starts_with("6 cycles seen, 7 needed"));
}

#[test]
fn a_log_without_times_cannot_be_judged_but_by_what_needs_none() {
    let budget = DetectorConfig {
        max_live: Some(Size::from_bytes(64 * MIB)),
        ..config()
    };
    let strict = DetectorConfig {
        rule: Rule::Strict,
        ..config()
    };
    for (config, word) in [
        (&config(), "inconclusive"),
        (&budget, "leak"),
        (&strict, "leak"),
    ] {
        let mut detector = Detector::new(config);
        for number in 1..100 {
            detector.observe(
                number,
                None,
                Size::from_bytes(u64::from(number) * MIB),
                GARBAGE,
            );
        }
        let verdict = detector.judgement().verdict;
        assert_eq!(verdict.word(), word, "{}", verdict.reason());
    }
}
