//! Prints cycles as the Go runtime does: one piece for each `write(2)`.

use std::time::Duration;

use gcwatch::size::Size;
use gcwatch::trace::{Clock, Cpu, Cycle, Early, Heap, Scan};
use proptest::prelude::*;

/// The releases between which the line changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Go {
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
    let mut pieces: Vec<String> = Vec::new();
    let mut put = |piece: &str| pieces.push(piece.into());
    put("gc ");
    put(&cycle.number.to_string());
    put(" @");
    put(&format!(
        "{}.{:03}",
        cycle.at.as_secs(),
        cycle.at.subsec_millis()
    ));
    put("s ");
    put(&cycle.gc_cpu_percent.to_string());
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
    put(&millis(cycle.clock.sweep_term));
    for phase in phases(cycle.clock.early)
        .into_iter()
        .chain([cycle.clock.mark, cycle.clock.mark_term])
    {
        put("+");
        put(&millis(phase));
    }
    put(" ms clock, ");
    put(&millis(cycle.cpu.sweep_term));
    for phase in phases(cycle.cpu.early) {
        put("+");
        put(&millis(phase));
    }
    for (mark, phase) in [
        ("+", cycle.cpu.assist),
        ("/", cycle.cpu.background),
        ("/", cycle.cpu.idle),
        ("+", cycle.cpu.mark_term),
    ] {
        put(mark);
        put(&millis(phase));
    }
    put(" ms cpu, ");
    put(&mib(cycle.heap.start));
    put("->");
    put(&mib(cycle.heap.end));
    put("->");
    put(&mib(cycle.heap.live));
    put(" MB, ");
    put(&mib(cycle.goal));
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
    pieces.into_iter().map(String::into_bytes).collect()
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
        Just(Go::V1_5),
        Just(Go::V1_6),
        Just(Go::V1_18),
        Just(Go::V1_26)
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
            let cycle = Cycle {
                number: head.0,
                at: Duration::from_millis(head.1),
                gc_cpu_percent: head.2,
                leak_check: head.3 && go == Go::V1_26,
                clock: Clock {
                    sweep_term: t[0],
                    early: early(t[1], t[2]),
                    mark: t[3],
                    mark_term: t[4],
                },
                cpu: Cpu {
                    sweep_term: t[5],
                    early: early(t[6], t[7]),
                    assist: t[8],
                    background: t[9],
                    idle: t[10],
                    mark_term: t[11],
                },
                heap: Heap { start, end, live },
                goal,
                scan: matches!(go, Go::V1_18 | Go::V1_26).then_some(Scan { stacks, globals }),
                procs: head.5,
                forced: head.4,
            };
            (cycle, go)
        },
    )
}
