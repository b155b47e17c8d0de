//! What the detector makes of labelled traces of real Go programs, and of anything at all.

use std::time::Duration;

use gcwatch::detector::{Change, Detector, DetectorConfig, Judgement, Rule};
use gcwatch::size::{MIB, Size};

/// The first flag: the number of its cycle, the cycles of a window, and the floors in MiB.
type Flag = (u32, u64, &'static [u64]);

/// A trace, its verdict, its first flag, and why it was withdrawn, if it was.
type Expected = (
    &'static str,
    &'static str,
    Option<Flag>,
    Option<&'static str>,
);

#[rustfmt::skip]
const EXPECTED: [Expected; 18] = [
    ("healthy-cache-fill", "clean", None, None),
    ("healthy-connection-ramp", "inconclusive", None, None),
    ("healthy-etcd-long", "clean", Some((56, 8, &[2, 3, 4, 5, 6, 7, 8])), Some("levelled off")),
    ("healthy-etcd-short", "leak", Some((64, 8, &[3, 4, 5, 6, 7, 8, 9])), None),
    ("healthy-expiring-cache", "clean", None, None),
    ("healthy-forced-cycles", "clean", None, None),
    ("healthy-lru-fill", "clean", None, None),
    ("healthy-sawtooth", "inconclusive", None, None),
    ("leak-goroutines", "leak", Some((344, 48, &[4, 5, 6, 7, 8, 9, 10])), None),
    ("leak-in-bursts", "leak", None, None),
    ("leak-late", "leak", None, None),
    ("leak-prometheus-churn", "leak", Some((67, 5, &[51, 52, 63, 65, 57, 73, 79])), None),
    ("leak-pure-retention", "leak", None, None),
    ("leak-run-too-short", "inconclusive", None, None),
    ("leak-seen-at-last", "leak", None, None),
    ("leak-too-few-cycles", "inconclusive", None, None),
    ("leak-under-a-wave", "inconclusive", None, None),
    ("leak-under-noise", "leak", Some((55, 6, &[81, 83, 85, 86, 86, 88, 90])), None),
];

/// The number, the time, the live heap and the garbage of a trace line's cycle.
fn cycle(printed: &str) -> Option<(u32, Duration, Size, Size)> {
    let (number, rest) = printed.strip_prefix("gc ")?.split_once(" @")?;
    let (seconds, rest) = rest.split_once("s ")?;
    let (whole, millis) = seconds.split_once('.')?;
    let at = Duration::from_secs(whole.parse().ok()?) + Duration::from_millis(millis.parse().ok()?);
    let (sizes, _) = rest.split_once(" MB, ")?;
    let (rest, live) = sizes.rsplit_once("->")?;
    let (_, end) = rest.rsplit_once("->")?;
    let live: u64 = live.parse().ok()?;
    let garbage = end.parse::<u64>().ok()?.checked_sub(live)?;
    let (live, garbage) = (Size::from_mib(live)?, Size::from_mib(garbage)?);
    Some((number.parse().ok()?, at, live, garbage))
}

/// The changes that a trace of `tests/traces/labelled` brings, and the judgement at its end.
fn replay(name: &str, config: &DetectorConfig) -> (Vec<Change>, Judgement) {
    let path = format!(
        "{}/tests/traces/labelled/{name}.trace",
        env!("CARGO_MANIFEST_DIR")
    );
    let trace = std::fs::read_to_string(path).expect("the trace is there");
    let mut detector = Detector::new(config);
    let changes = trace
        .lines()
        .map(|line| cycle(line).expect("only trace lines"))
        .flat_map(|(number, at, live, garbage)| detector.observe(number, Some(at), live, garbage))
        .collect();
    (changes, detector.judgement())
}

#[test]
fn labelled_traces_get_their_verdicts() {
    for (name, verdict, flag, withdrawn) in EXPECTED {
        let (changes, judgement) = replay(name, &DetectorConfig::default());
        assert_eq!(
            judgement.verdict.word(),
            verdict,
            "{name}: {}",
            judgement.verdict
        );
        let first = changes.iter().find_map(|change| match change {
            Change::Flagged(rise) => Some(rise),
            _ => None,
        });
        let first = first.map(|rise| {
            let floors: Vec<_> = rise
                .floors
                .iter()
                .map(|floor| floor.bytes() / MIB)
                .collect();
            (rise.cycle, rise.window_cycles, floors)
        });
        let flag = flag.map(|(cycle, window, floors)| (cycle, window, floors.to_vec()));
        assert_eq!(first, flag, "{name}");
        let why = changes.iter().find_map(|change| match change {
            Change::Withdrawn(withdrawal) => Some(withdrawal.why.to_string()),
            _ => None,
        });
        assert_eq!(why.as_deref(), withdrawn, "{name}");
    }
}

#[test]
fn a_known_leak_is_never_called_clean() {
    for (name, ..) in EXPECTED {
        let (_, judgement) = replay(name, &DetectorConfig::default());
        assert!(
            name.starts_with("healthy") || judgement.verdict.word() != "clean",
            "{name}: {}",
            judgement.verdict
        );
    }
}

#[test]
fn the_growth_of_a_known_leak_holds_its_true_rate() {
    // Counted by the programs themselves, bytes a second.
    for (name, rate) in [("leak-goroutines", 222_973.0), ("leak-late", 1_847_253.0)] {
        let (_, judgement) = replay(name, &DetectorConfig::default());
        let growth = judgement.growth.expect("a leak has a rate");
        assert!(
            growth.low <= rate && rate <= growth.high,
            "{name}: {growth:?}"
        );
    }
}

/// Pseudo-random numbers (G. Marsaglia, "Xorshift RNGs", 2003): the same ones on every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn config(&mut self) -> DetectorConfig {
        DetectorConfig {
            rule: [Rule::Floor, Rule::Strict][usize::from(self.next(4) == 0)],
            cycles: u32::try_from(self.next(102)).expect("small"),
            min_span: [0, 1, 20_000, u64::MAX].map(Duration::from_millis)[self.index(4)],
            min_rise: [0, 1, 6 * MIB, u64::MAX].map(Size::from_bytes)[self.index(4)],
            warmup: Duration::from_secs([0, 30][self.index(2)]),
            max_live: [None, Some(Size::from_bytes(50 * MIB))][self.index(2)],
            baseline: None,
            resolution: [0, 1, MIB, u64::MAX].map(Size::from_bytes)[self.index(4)],
        }
    }

    fn index(&mut self, below: usize) -> usize {
        usize::try_from(self.next(below as u64)).expect("below a usize")
    }
}

#[test]
fn nothing_panics() {
    let mut numbers = Numbers(88_172_645_463_325_252);
    for _ in 0..200 {
        let mut detector = Detector::new(&numbers.config());
        let mut at = Duration::ZERO;
        for _ in 0..numbers.next(600) {
            at = match numbers.next(20) {
                0 => Duration::from_secs(numbers.next(100)),
                1 => Duration::MAX,
                2..6 => at,
                _ => at.saturating_add(Duration::from_millis(numbers.next(3_000))),
            };
            let live = match numbers.next(30) {
                0 => u64::MAX - numbers.next(2),
                1 => 0,
                _ => (at.as_secs() % 1_000 + numbers.next(5)) * MIB,
            };
            let number = u32::try_from(numbers.next(1 << 32)).expect("32 bits");
            let garbage = match numbers.next(30) {
                0 => u64::MAX,
                _ => numbers.next(9) * MIB,
            };
            let (live, garbage) = (Size::from_bytes(live), Size::from_bytes(garbage));
            detector.observe(number, Some(at), live, garbage);
            if numbers.next(10) == 0 {
                assert!(!detector.judgement().verdict.reason().is_empty());
            }
        }
    }
}

/// A heap a quarter as large, known in quarters of a MiB and judged by a quarter of the rise, is judged as the whole one is.
#[test]
fn a_small_heap_known_exactly_is_judged_as_a_large_one_is_by_the_trace() {
    let mut numbers = Numbers(362_436_069);
    let whole = DetectorConfig::default();
    let quarter = DetectorConfig {
        min_rise: Size::from_bytes(whole.min_rise.bytes() / 4),
        ..whole.clone()
    };
    let quarter = quarter.exact().expect("a rise below 6 MiB");
    assert_eq!(quarter.resolution, Size::from_bytes(MIB / 4));
    let (mut flags, mut verdicts) = (0, Vec::new());
    for _ in 0..60 {
        let detectors = [&whole, &quarter].map(Detector::new);
        let [mut whole, mut quarter] = detectors;
        let (slope, noise, top) = (
            numbers.next(8),
            1 + numbers.next(12),
            20 + numbers.next(200),
        );
        for second in 0..120 {
            let live = MIB * (40 + (second * slope / 4).min(top) + numbers.next(noise));
            let at = Some(Duration::from_secs(second));
            let number = u32::try_from(second).expect("small");
            let changes = |detector: &mut Detector, live: u64| {
                let changes = detector.observe(number, at, Size::from_bytes(live), Size::default());
                let kind = |change: &Change| std::mem::discriminant(change);
                changes.iter().map(kind).collect::<Vec<_>>()
            };
            // What the trace would cut off makes no difference.
            let quarters = live / 4 + numbers.next(MIB / 4);
            assert_eq!(changes(&mut whole, live), changes(&mut quarter, quarters));
        }
        let [whole, quarter] = [whole, quarter].map(|detector| detector.judgement());
        assert_eq!(whole.verdict.word(), quarter.verdict.word());
        if let (Some(whole), Some(quarter)) = (whole.growth, quarter.growth) {
            assert!(
                (whole.low / 4.0 - quarter.low).abs() < 1.0,
                "{whole:?} {quarter:?}"
            );
            flags += 1;
        }
        verdicts.push(whole.verdict.word());
    }
    assert!(flags > 5, "{flags}");
    for word in ["leak", "clean"] {
        assert!(verdicts.contains(&word), "{verdicts:?}");
    }
}

#[test]
fn finer_steps_make_no_difference_to_the_default_rise_nor_to_the_strict_rule() {
    let config = DetectorConfig::default();
    assert_eq!(config.exact(), None);
    let small = DetectorConfig {
        min_rise: Size::from_bytes(MIB),
        ..config
    };
    assert!(small.exact().is_some());
    let strict = DetectorConfig {
        rule: Rule::Strict,
        ..small
    };
    assert_eq!(strict.exact(), None);
}

#[test]
fn a_live_heap_that_never_rises_is_never_flagged() {
    let mut numbers = Numbers(2_463_534_242);
    for _ in 0..300 {
        let config = DetectorConfig {
            max_live: None,
            ..numbers.config()
        };
        let mut detector = Detector::new(&config);
        let mut at = Duration::ZERO;
        let mut live = 2_000 * MIB;
        for number in 0..300 {
            at += Duration::from_millis(numbers.next(2_000));
            live -= numbers.next(4) / 3 * numbers.next(6) * MIB;
            assert_eq!(
                detector.observe(
                    number,
                    Some(at),
                    Size::from_bytes(live),
                    Size::from_bytes(numbers.next(9) * MIB)
                ),
                []
            );
        }
        assert_ne!(detector.judgement().verdict.word(), "leak");
        assert_eq!(detector.judgement().longest_strict_run, 0);
    }
}

#[test]
fn what_rises_with_its_load_is_neither_a_leak_nor_clean() {
    let mut numbers = Numbers(521_288_629);
    for _ in 0..50 {
        let cycles = 100 + numbers.next(400);
        let garbage = 16 + numbers.next(20);
        // The load doubles every 15 to 24 s; the live heap rises evenly, for less than 80 s.
        let doubling = 15_000 + numbers.next(10) * 1_000;
        let watch = |grows: bool| {
            let mut detector = Detector::new(&DetectorConfig::default());
            let mut changes = Vec::new();
            for number in 0..cycles {
                let millis = number * 75_000 / cycles;
                let (doublings, into) = (millis / doubling, millis % doubling);
                let grown = (garbage << doublings) + (garbage << doublings) * into / doubling;
                changes.extend(detector.observe(
                    u32::try_from(number).expect("small"),
                    Some(Duration::from_millis(millis)),
                    Size::from_bytes((60 + 30 * number / cycles) * MIB),
                    Size::from_bytes(if grows { grown } else { garbage } * MIB),
                ));
            }
            let flagged = |change: &Change| matches!(change, Change::Flagged(_));
            (changes.iter().any(flagged), detector.judgement())
        };
        let (flagged, judgement) = watch(true);
        assert!(!flagged, "{}", judgement.verdict);
        assert_eq!(judgement.verdict.word(), "inconclusive");
        let reason = judgement.verdict.reason();
        assert!(reason.contains("while the load grew"), "{reason}");
        let (flagged, judgement) = watch(false);
        assert!(flagged, "{}", judgement.verdict);
        assert_eq!(judgement.verdict.word(), "leak");
    }
}

#[test]
fn a_steady_leak_is_found_at_any_pace() {
    // 100 KiB a second over noise, from 20 cycles a second to one in two seconds.
    for pace in [50, 200, 700, 2_000] {
        let mut numbers = Numbers(pace);
        let mut detector = Detector::new(&DetectorConfig::default());
        for number in 0..u32::try_from(300_000 / pace).expect("small") {
            let millis = u64::from(number) * pace;
            let live = 20 * MIB + millis * MIB / 10_000 + numbers.next(3 * MIB);
            // As the trace cuts it.
            let live = Size::from_bytes(live / MIB * MIB);
            let garbage = Size::from_bytes(numbers.next(9) * MIB);
            detector.observe(number, Some(Duration::from_millis(millis)), live, garbage);
        }
        let judgement = detector.judgement();
        assert_eq!(
            judgement.verdict.word(),
            "leak",
            "every {pace} ms: {}",
            judgement.verdict
        );
    }
}
