//! Prints cycles as the Go runtime does: one piece for each `write(2)`.

use std::time::Duration;

use gcwatch::size::Size;
use gcwatch::trace::{Clock, Cpu, Cycle, Early, Heap, Scan};
use proptest::prelude::*;

/// The releases between which the line changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
    V1_0,
    V1_1,
    V1_3,
    V1_4,
    V1_5,
    V1_6,
    V1_18,
    V1_26,
}

/// A duration as the runtime prints milliseconds: cut, not rounded.
fn millis(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0 => "0".into(),
        1..100 => format!("0.{micros:03}"),
        100..1000 => format!("0.{:02}", micros / 10),
        1000..10_000 => format!("{}.{}", micros / 1000, micros / 100 % 10),
        _ => (micros / 1000).to_string(),
    }
}

fn mib(size: Size) -> String {
    (size.bytes() >> 20).to_string()
}

/// The pieces of a cycle's line.
pub(crate) fn writes(cycle: &Cycle, go: Go) -> Vec<Vec<u8>> {
    let pieces = match (cycle.at, cycle.clock, cycle.cpu) {
        (Some(at), Some(clock), Some(cpu)) => since_1_5(cycle, at, &clock, &cpu, go),
        _ => before_1_5(cycle, go),
    };
    pieces.into_iter().map(String::into_bytes).collect()
}

fn since_1_5(cycle: &Cycle, at: Duration, clock: &Clock, cpu: &Cpu, go: Go) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut put = |piece: &str| pieces.push(piece.into());
    put("gc ");
    put(&cycle.number.to_string());
    put(" @");
    put(&format!("{}.{:03}", at.as_secs(), at.subsec_millis()));
    put("s ");
    put(&cycle.gc_cpu_percent.unwrap_or_default().to_string());
    if go == Go::V1_26 {
        put("%");
        if cycle.leak_check {
            put(" (checking for goroutine leaks)");
        }
        put(": ");
    } else {
        put("%: ");
    }
    let phases =
        |early: Option<Early>| early.map_or(vec![], |early| vec![early.scan, early.install_wb]);
    put(&millis(clock.sweep_term));
    for phase in phases(clock.early)
        .into_iter()
        .chain([clock.mark, clock.mark_term])
    {
        put("+");
        put(&millis(phase));
    }
    put(" ms clock, ");
    put(&millis(cpu.sweep_term));
    for phase in phases(cpu.early) {
        put("+");
        put(&millis(phase));
    }
    for (mark, phase) in [
        ("+", cpu.assist),
        ("/", cpu.background),
        ("/", cpu.idle),
        ("+", cpu.mark_term),
    ] {
        put(mark);
        put(&millis(phase));
    }
    put(" ms cpu, ");
    put(&mib(cycle.heap.start));
    put("->");
    put(&mib(cycle.heap.end.unwrap_or_default()));
    put("->");
    put(&mib(cycle.heap.live.unwrap_or_default()));
    put(" MB, ");
    put(&mib(cycle.goal.unwrap_or_default()));
    put(" MB goal, ");
    if let Some(scan) = cycle.scan {
        put(&mib(scan.stacks));
        put(" MB stacks, ");
        put(&mib(scan.globals));
        put(" MB globals, ");
    }
    put(&cycle.procs.to_string());
    put(" P");
    if cycle.forced {
        put(" (forced)");
    }
    put("\n");
    pieces
}

fn before_1_5(cycle: &Cycle, go: Go) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    // Each number is a write of its own, and so is what stands between two.
    let mut put = |line: &str| {
        let is_number = |piece: &str| piece.ends_with(|last: char| last.is_ascii_digit());
        for char in line.chars() {
            match pieces.last_mut() {
                Some(piece) if is_number(piece) == char.is_ascii_digit() => piece.push(char),
                _ => pieces.push(char.into()),
            }
        }
    };
    put(&format!("gc{}({}): ", cycle.number, cycle.procs));
    let live = mib(cycle.heap.live.or(cycle.previous_live).unwrap_or_default());
    let start = mib(cycle.heap.start);
    let millis = cycle.stopped.as_millis();
    let micros = cycle.stopped.as_micros();
    let objects = "55/4/3 sweeps, ";
    let counters = "2(4) handoff, 0(0) steal, 16/1/0 yields\n";
    match go {
        Go::V1_0 => put(&format!(
            "{millis}+0+0 ms {start} -> {live} MB 283 -> 255 (2084-1829) objects 0 handoff\n"
        )),
        Go::V1_1 => put(&format!(
            "0+{millis}+0 ms, {start} -> {live} MB 283 -> 255 (2084-1829) objects, {counters}"
        )),
        Go::V1_3 => put(&format!(
            "0+{micros}+0+0 us, {live} -> {start} MB, 122 (135-13) objects, {objects}{counters}"
        )),
        _ => put(&format!(
            "0+{micros}+0+0 us, {live} -> {start} MB, 122 (135-13) objects, 5 goroutines, {objects}{counters}"
        )),
    }
    pieces
}

/// The line in one piece.
pub(crate) fn line(cycle: &Cycle, go: Go) -> Vec<u8> {
    writes(cycle, go).concat()
}

/// A time that the runtime prints without loss.
fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0_u64..100).prop_map(Duration::from_micros),
        (10_u64..100).prop_map(|tens| Duration::from_micros(tens * 10)),
        (10_u64..100).prop_map(|hundreds| Duration::from_micros(hundreds * 100)),
        (10_u64..20_000_000).prop_map(Duration::from_millis),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![4 => 0_u64..100_000, 1 => Just((1 << 44) - 1)]
        .prop_map(|mib| Size::from_bytes(mib << 20))
}

/// Any cycle that a release may print.
pub(crate) fn cycle() -> impl Strategy<Value = (Cycle, Go)> {
    let go = prop_oneof![
        1 => Just(Go::V1_0),
        1 => Just(Go::V1_1),
        1 => Just(Go::V1_3),
        1 => Just(Go::V1_4),
        3 => Just(Go::V1_5),
        3 => Just(Go::V1_6),
        3 => Just(Go::V1_18),
        3 => Just(Go::V1_26)
    ];
    let head = (
        any::<u32>(),
        0_u64..999_999_999_999,
        prop_oneof![8 => -5_i64..200, 1 => any::<i64>()],
        any::<bool>(),
        any::<bool>(),
        1_u32..513,
    );
    let sizes = (size(), size(), size(), size(), size(), size());
    (go, head, proptest::array::uniform12(time()), sizes).prop_map(
        |(go, head, t, (start, end, live, goal, stacks, globals))| {
            let early = |scan, install_wb| (go == Go::V1_5).then_some(Early { scan, install_wb });
            let (number, procs) = (head.0, head.5);
            let cycle = match go {
                Go::V1_0 | Go::V1_1 => Cycle {
                    number,
                    procs,
                    stopped: Duration::from_millis(head.1),
                    heap: Heap {
                        start,
                        live: Some(live),
                        end: None,
                    },
                    ..Cycle::default()
                },
                Go::V1_3 | Go::V1_4 => Cycle {
                    number,
                    procs,
                    stopped: Duration::from_micros(head.1),
                    heap: Heap {
                        start,
                        ..Heap::default()
                    },
                    previous_live: Some(live),
                    ..Cycle::default()
                },
                _ => Cycle {
                    number,
                    at: Some(Duration::from_millis(head.1)),
                    gc_cpu_percent: Some(head.2),
                    leak_check: head.3 && go == Go::V1_26,
                    clock: Some(Clock {
                        sweep_term: t[0],
                        early: early(t[1], t[2]),
                        mark: t[3],
                        mark_term: t[4],
                    }),
                    cpu: Some(Cpu {
                        sweep_term: t[5],
                        early: early(t[6], t[7]),
                        assist: t[8],
                        background: t[9],
                        idle: t[10],
                        mark_term: t[11],
                    }),
                    heap: Heap {
                        start,
                        end: Some(end),
                        live: Some(live),
                    },
                    goal: Some(goal),
                    scan: matches!(go, Go::V1_18 | Go::V1_26).then_some(Scan { stacks, globals }),
                    procs,
                    forced: head.4,
                    ..Cycle::default()
                },
            };
            (cycle, go)
        },
    )
}
