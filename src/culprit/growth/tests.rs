use super::*;
use crate::culprit::{Bucket, Snapshot, scale};

const RATE: u64 = 128 << 10;

/// What is at the addresses of these tests' stacks.
fn frames(pc: u64) -> Vec<Frame> {
    let (function, file, line) = match pc {
        1 => ("main.(*Cache).Put", "/src/cache.go", 41),
        2 => ("main.handle", "/src/main.go", 88),
        3 => ("runtime.main", "/go/src/runtime/proc.go", 250),
        4 => ("main.(*saw).add", "/src/noise.go", 40),
        5 => ("main.(*ring).add", "/src/noise.go", 26),
        6 => ("main.newNode", "/src/inline.go", 10),
        7 => ("main.(*List).grow", "/src/inline.go", 16),
        8 => (
            "main.(*Stack[go.shape.struct { example.com/x.name [30]int64 }]).Push",
            "/src/generic.go",
            13,
        ),
        9 => ("bytes.growSlice", "/go/src/bytes/buffer.go", 240),
        10 => ("main.audit", "/src/stdlib.go", 14),
        11 => ("runtime.mallocgc", "/go/src/runtime/malloc.go", 1000),
        12 => ("runtime.malg", "/go/src/runtime/proc.go", 4900),
        13 => ("main.(*Hub).Subscribe", "/src/hub.go", 14),
        _ => return Vec::new(),
    };
    vec![Frame {
        function: function.into(),
        file: file.into(),
        line,
    }]
}

/// Sampled objects of 8 KiB in a profile.
fn bucket(stack: &[u64], allocs: u64, frees: u64) -> Bucket {
    Bucket {
        stack: stack.to_vec(),
        size: 8192,
        allocs,
        frees,
    }
}

/// A profile each second, with a GC cycle before it.
fn history(seconds: u64, buckets: impl Fn(u64) -> Vec<Bucket>) -> History {
    let mut history = History::default();
    for second in 1..=seconds {
        let snapshot = Snapshot {
            cycle: u32::try_from(second).expect("small"),
            rate: RATE,
            buckets: buckets(second),
        };
        history.push(Duration::from_secs(second), snapshot, None);
    }
    history
}

fn ranked(history: &History, began: u64) -> Vec<(String, u64)> {
    let ranking = rank(history, Duration::from_secs(began), None, frames);
    let percent = |culprit: &Culprit| whole((culprit.share * 100.0).round());
    ranking
        .culprits
        .iter()
        .map(|culprit| (culprit.site.to_string(), percent(culprit)))
        .collect()
}

#[test]
fn a_leak_comes_first_and_a_sawtooth_nowhere() {
    let history = history(30, |second| {
        // It climbs far, and falls back every seven seconds.
        let dropped = second / 7 * 7 * 40;
        vec![
            bucket(&[1, 2, 3], second * 5, 0),
            bucket(&[4, 3], second * 40, dropped),
        ]
    });
    assert_eq!(
        ranked(&history, 1),
        [("main.(*Cache).Put cache.go:41".to_owned(), 100)]
    );
}

#[test]
fn a_bounded_ring_that_turns_over_is_chance() {
    let ring = |second: u64| {
        // 32 samples on average, give or take some.
        let held =
            32 + [3, 0, 5, 2, 6, 1, 4][usize::try_from(second % 7).expect("small")] + second / 6;
        bucket(&[5, 3], second * 100 + held, second * 100)
    };
    let history = history(30, |second| {
        vec![bucket(&[1, 2, 3], second * 5, 0), ring(second)]
    });
    let sites = ranked(&history, 1);
    assert_eq!(sites.len(), 1, "{sites:?}");
    assert!(sites[0].0.starts_with("main.(*Cache).Put"), "{sites:?}");
}

#[test]
fn what_grew_before_the_rise_began_does_not_count() {
    let history = history(30, |second| {
        vec![
            bucket(&[1, 2, 3], second * 5, 0),
            bucket(&[5, 3], second.min(10) * 100, 0),
        ]
    });
    assert_eq!(ranked(&history, 1).len(), 2);
    assert_eq!(
        ranked(&history, 11),
        [("main.(*Cache).Put cache.go:41".to_owned(), 100)]
    );
}

#[test]
fn growth_at_a_site_that_holds_much_already_is_no_chance() {
    let history = history(30, |second| {
        vec![bucket(&[1, 2, 3], 10_000 + second * 5, 0)]
    });
    assert_eq!(ranked(&history, 1).len(), 1);
}

#[test]
fn inlined_generic_and_library_functions_are_blamed_on_a_line_of_the_program() {
    let history = history(30, |second| {
        vec![
            bucket(&[11, 6, 7, 3], second * 6, 0),
            bucket(&[8, 2, 3], second * 4, 0),
            bucket(&[11, 9, 10, 2, 3], second * 2, 0),
        ]
    });
    let sites = ranked(&history, 1);
    assert_eq!(
        sites,
        [
            ("main.newNode inline.go:10".to_owned(), 50),
            ("main.(*Stack[...]).Push generic.go:13".to_owned(), 33),
            (
                "main.audit stdlib.go:14, allocated in bytes.growSlice".to_owned(),
                17
            ),
        ]
    );
    let ranking = rank(&history, Duration::ZERO, None, frames);
    let path: Vec<String> = ranking.culprits[0]
        .site
        .path
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        path,
        [
            "main.newNode inline.go:10",
            "main.(*List).grow inline.go:16"
        ]
    );
}

#[test]
fn the_error_is_that_of_the_samples() {
    let history = history(4, |second| vec![bucket(&[1, 2, 3], second * 100, 0)]);
    let ranking = rank(&history, Duration::ZERO, None, frames);
    let [culprit] = &ranking.culprits[..] else {
        panic!("{ranking:?}")
    };
    // From the first second's 100 to the fourth one's 400, both thirds of one second.
    let Grown::Heap { samples, bytes } = culprit.grown else {
        panic!("{culprit:?}")
    };
    assert_eq!((samples, ranking.samples), (200, 200));
    assert!((culprit.share_error - 1.0 / 200f64.sqrt()).abs() < 1e-9);
    assert!((bytes - scale(200, 8192, RATE).1).abs() < 1.0);
}

#[test]
fn too_little_is_not_shown_and_shares_are_of_what_grew() {
    let history = history(30, |second| {
        vec![
            bucket(&[1, 2, 3], second * 100, 0),
            bucket(&[5, 3], second / 10, 0),
            bucket(&[4, 3], 4000, second * 100),
            bucket(&[6, 3], second * 2, 0),
        ]
    });
    // Three samples; less than nothing; two percent.
    assert_eq!(
        ranked(&history, 1),
        [("main.(*Cache).Put cache.go:41".to_owned(), 98)]
    );
}

#[test]
fn goroutines_are_counted_by_who_starts_them() {
    let mut history = History::default();
    for second in 1..=30u32 {
        let snapshot = Snapshot {
            cycle: second,
            rate: RATE,
            buckets: vec![bucket(&[12, 3], u64::from(second) * 10, 0)],
        };
        // Now and then they cannot be counted.
        let goroutines =
            (second % 7 != 2).then(|| vec![(13, u64::from(second) * 200), (2, 20), (99, 0)]);
        history.push(Duration::from_secs(second.into()), snapshot, goroutines);
    }
    let ranking = rank(&history, Duration::ZERO, None, frames);
    let [culprit] = &ranking.culprits[..] else {
        panic!("{ranking:?}")
    };
    assert_eq!(culprit.site.to_string(), "main.(*Hub).Subscribe hub.go:14");
    assert_eq!(culprit.grown, Grown::Goroutines(4000));
    assert!((culprit.share - 1.0).abs() < 1e-9);
}

#[test]
fn one_moment_is_too_few() {
    let history = history(1, |_| vec![bucket(&[1, 2, 3], 100, 0)]);
    let ranking = rank(&history, Duration::ZERO, None, frames);
    assert_eq!((ranking.moments, ranking.culprits.len()), (1, 0));
    assert!(
        rank(&History::default(), Duration::ZERO, None, frames)
            .culprits
            .is_empty()
    );
}

#[test]
fn at_rate_one_growth_is_exact() {
    let mut history = History::default();
    for second in 1..=3u32 {
        let snapshot = Snapshot {
            cycle: second,
            rate: 1,
            buckets: vec![bucket(&[1, 2, 3], u64::from(second) * 10, 0)],
        };
        history.push(Duration::from_secs(second.into()), snapshot, None);
    }
    let ranking = rank(&history, Duration::ZERO, None, frames);
    let expected = Grown::Heap {
        bytes: 20.0 * 8192.0,
        samples: 20,
    };
    assert_eq!(ranking.culprits[0].grown, expected);
    assert!(ranking.culprits[0].share_error.abs() < f64::EPSILON);
}
