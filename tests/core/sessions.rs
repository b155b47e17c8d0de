//! A whole run through the core: bytes in, a summary out.

use std::time::Duration;

use gcwatch::demux::ProcessId;
use gcwatch::detector::{DetectorConfig, Rule};
use gcwatch::gate::{Breach, Gate, OnInconclusive, OnLeak};
use gcwatch::session::{Batch, Event, Gauge, Session};
use gcwatch::size::Size;
use gcwatch::splitter::Edges;
use gcwatch::summary::{Flag, RunVerdict, Summary};
use gcwatch::trace::{Clock, Cpu, Cycle, Heap};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::chance::cases;
use crate::runtime::{Go, line, writes};

/// A cycle that matters only by its number, its time and its live heap.
fn cycle(number: u32, at: Duration, live_mib: u64) -> Cycle {
    let live = Size::from_bytes(live_mib << 20);
    Cycle {
        number,
        at: Some(at),
        gc_cpu_percent: Some(1),
        clock: Some(Clock {
            mark: Duration::from_millis(1),
            ..Clock::default()
        }),
        cpu: Some(Cpu::default()),
        heap: Heap {
            start: live,
            end: Some(live),
            live: Some(live),
        },
        goal: Some(Size::from_bytes(live_mib << 21)),
        procs: 2,
        ..Cycle::default()
    }
}

/// One cycle a second.
fn process(live_mib: impl IntoIterator<Item = u64>) -> Vec<Cycle> {
    let cycle =
        |(number, live): (u32, u64)| cycle(number, Duration::from_secs(number.into()), live);
    (1..).zip(live_mib).map(cycle).collect()
}

/// What is known after these reads; with lost edges as a saved log, else as a command, each read on arrival.
fn summary<'a>(
    edges: Edges,
    config: &DetectorConfig,
    reads: impl IntoIterator<Item = (&'a [u8], Option<Duration>)>,
) -> (Summary, Vec<u8>) {
    let mut session = Session::new(edges, config.clone());
    let mut batch = Batch::default();
    let mut summary = Summary::default();
    let mut text = Vec::new();
    let mut take = |batch: &mut Batch| {
        batch.events.iter().for_each(|event| summary.record(event));
        text.extend_from_slice(&batch.text);
        batch.clear();
    };
    for (read, arrived) in reads {
        session.feed(read, arrived, &mut batch);
        take(&mut batch);
    }
    session.finish(&mut batch);
    take(&mut batch);
    (summary, text)
}

fn replayed(cycles: &[Cycle], config: &DetectorConfig) -> Summary {
    let log: Vec<u8> = cycles
        .iter()
        .flat_map(|cycle| line(cycle, Go::V1_6))
        .collect();
    summary(Edges::Lost, config, [(&log[..], None)]).0
}

fn strict() -> DetectorConfig {
    DetectorConfig {
        rule: Rule::Strict,
        ..DetectorConfig::default()
    }
}

#[test]
fn the_worst_process_decides_and_short_ones_do_not_count() {
    let flat = process(vec![10; 60]);
    let leaking = process((0..60).map(|second| 10 + second));
    let short = process([5; 3]);
    let verdict = |processes: &[&[Cycle]]| {
        replayed(&processes.concat(), &DetectorConfig::default()).verdict()
    };
    assert_eq!(verdict(&[&flat]), RunVerdict::Clean);
    assert_eq!(verdict(&[&leaking]), RunVerdict::Leak);
    assert_eq!(verdict(&[&short]), RunVerdict::Inconclusive);
    assert_eq!(verdict(&[]), RunVerdict::Inconclusive);
    assert_eq!(verdict(&[&flat, &short]), RunVerdict::Clean);
    assert_eq!(
        verdict(&[&short, &flat, &leaking, &short]),
        RunVerdict::Leak
    );
    assert_eq!(
        verdict(&[&flat, &process(vec![10; 30])]),
        RunVerdict::Inconclusive
    );
}

#[test]
fn a_run_of_several_processes_names_the_one_that_decides() {
    let cycles = [process([5; 3]), process((0..60).map(|second| 10 + second))].concat();
    let summary = replayed(&cycles, &DetectorConfig::default());
    assert!(
        summary
            .reason()
            .starts_with("process 2 of 2: live heap rose across 6 windows"),
        "{}",
        summary.reason()
    );
}

#[test]
fn cycles_that_are_missing_are_counted() {
    let mut cycles = process([5; 10]);
    cycles.remove(7);
    cycles.remove(3);
    cycles.remove(3);
    let summary = replayed(&cycles, &DetectorConfig::default());
    assert_eq!(
        (summary.cycles(), summary.lost(), summary.processes.len()),
        (7, 3, 1)
    );
}

#[test]
fn go_1_3_has_a_cycles_live_heap_on_the_next_line_and_times_only_by_arrival() {
    let cycle = |number: u32| Cycle {
        number,
        procs: 1,
        previous_live: Some(Size::from_bytes(u64::from(number - 1) << 20)),
        ..Cycle::default()
    };
    let lines: Vec<_> = (1..=60)
        .map(|number| line(&cycle(number), Go::V1_3))
        .collect();
    let seconds = Duration::from_secs;
    let live = |config: &DetectorConfig| {
        let reads = lines.iter().zip(1..);
        let reads = reads.map(|(line, second)| (&line[..], Some(seconds(second))));
        summary(Edges::Lost, config, reads).0
    };
    let judged = live(&DetectorConfig::default());
    assert_eq!(judged.verdict(), RunVerdict::Leak);
    assert_eq!(judged.processes[0].span(), seconds(59));

    // The first cycle's live heap is 1 MiB, as the second line says.
    let budget = DetectorConfig {
        max_live: Some(Size::from_bytes(4 << 20)),
        ..DetectorConfig::default()
    };
    let flags = &live(&budget).processes[0].flags;
    let [Flag::OverBudget(over), ..] = &flags[..] else {
        panic!("{flags:?}");
    };
    assert_eq!((over.cycle, over.at), (5, seconds(5)));

    let saved = lines.concat();
    let saved = summary(
        Edges::Lost,
        &DetectorConfig::default(),
        [(&saved[..], None)],
    )
    .0;
    assert_eq!(saved.verdict(), RunVerdict::Inconclusive);
    assert!(saved.reason().starts_with("Go 1.0 to 1.4 print no times"));
}

#[test]
fn a_summary_adds_up() {
    let mut cycles = process([3, 9, 7]);
    cycles[1].forced = true;
    cycles[2].clock = Some(Clock {
        sweep_term: Duration::from_micros(60),
        mark_term: Duration::from_micros(30),
        ..Clock::default()
    });
    let summary = replayed(&cycles, &strict());
    let [process] = &summary.processes[..] else {
        panic!("{summary:?}")
    };
    let mib = |mib: u64| Size::from_bytes(mib << 20);
    assert_eq!((process.cycles, process.forced_cycles), (3, 1));
    assert_eq!(
        (
            process.first.newest_live(),
            process.last.newest_live(),
            process.peak
        ),
        (mib(3), mib(7), mib(9))
    );
    assert_eq!(
        (process.longest_pause, process.total_pause),
        (Duration::from_micros(90), Duration::from_micros(90))
    );
    assert_eq!(
        (process.span(), process.live.lows(3)),
        (Duration::from_secs(2), vec![3 << 20, 9 << 20, 7 << 20])
    );
}

#[test]
fn thousands_of_processes_take_bounded_memory_and_keep_the_worst_verdict() {
    let mut cycles = process((0..60).map(|second| 10 + second));
    for _ in 0..2000 {
        cycles.extend(process([5, 6, 7]));
    }
    let summary = replayed(&cycles, &DetectorConfig::default());
    assert!(
        summary.processes.len() <= 320,
        "{} processes are kept",
        summary.processes.len()
    );
    assert_eq!(
        summary.dropped_processes + summary.processes.len() as u64,
        2001
    );
    assert_eq!(
        (summary.cycles(), summary.verdict()),
        (6060, RunVerdict::Leak)
    );
}

#[test]
fn the_gate_has_a_table() {
    let leak = replayed(
        &process((0..60).map(|second| 10 + second)),
        &DetectorConfig::default(),
    );
    let clean = replayed(&process(vec![10; 60]), &DetectorConfig::default());
    let short = replayed(&process([5; 3]), &DetectorConfig::default());
    let nothing = replayed(&[], &DetectorConfig::default());
    let check = |on_leak, on_inconclusive| {
        let gate = Gate {
            on_leak,
            on_inconclusive,
        };
        [&leak, &clean, &short, &nothing].map(|summary| gate.check(summary))
    };
    for on_inconclusive in [OnInconclusive::Pass, OnInconclusive::Fail] {
        assert_eq!(check(OnLeak::Report, on_inconclusive), [None; 4]);
    }
    let (leak, inconclusive) = (Some(Breach::Leak), Some(Breach::Inconclusive));
    for on_leak in [OnLeak::Fail, OnLeak::Stop] {
        assert_eq!(
            check(on_leak, OnInconclusive::Pass),
            [leak, None, None, inconclusive]
        );
        assert_eq!(
            check(on_leak, OnInconclusive::Fail),
            [leak, None, inconclusive, inconclusive]
        );
    }
}

/// The verdict on a process whose trace says 3 MiB in each of its cycles, and the steps that it was judged in.
fn judged_with(gauge: Option<Gauge>) -> (&'static str, u64) {
    let config = DetectorConfig {
        min_rise: Size::from_bytes(768 << 10),
        ..DetectorConfig::default()
    };
    let mut session = Session::new(Edges::Lost, config);
    let mut batch = Batch::default();
    let cycles = process([3; 66]);
    session.feed(&line(&cycles[0], Go::V1_6), None, &mut batch);
    if let Some(gauge) = gauge {
        session.gauge(ProcessId(1), gauge);
    }
    for cycle in &cycles[1..] {
        session.feed(&line(cycle, Go::V1_6), None, &mut batch);
    }
    session.finish(&mut batch);
    let judgements = batch.events.iter().filter_map(|event| match event {
        Event::Judged { judgement, .. } => Some(judgement),
        _ => None,
    });
    let judgements: Vec<_> = judgements.collect();
    let [judgement] = judgements[..] else {
        panic!("{judgements:?}")
    };
    (judgement.verdict.word(), judgement.resolution.bytes())
}

#[test]
fn a_leak_that_the_trace_cannot_show_is_found_where_the_live_heap_is_known_to_the_byte() {
    assert_eq!(judged_with(None), ("clean", 1 << 20));
    // From 3 to nearly 4 MiB. Of each fifth cycle it is too late to ask.
    let rising = |number: u32| Size::from_bytes((3 << 20) + u64::from(number) * 15_000);
    let exact = Gauge::new(move |number| (number % 5 != 0).then(|| rising(number)));
    assert_eq!(judged_with(Some(exact)), ("leak", 128 << 10));
    let flat = Gauge::new(|number| Some(Size::from_bytes((3 << 20) + u64::from(number % 3))));
    assert_eq!(judged_with(Some(flat)), ("clean", 128 << 10));
    // What contradicts the trace is not of that cycle.
    let another = Gauge::new(|number| Some(Size::from_bytes((9 << 20) + u64::from(number))));
    assert_eq!(judged_with(Some(another)), ("clean", 1 << 20));
    let never = Gauge::new(|_| None);
    assert_eq!(judged_with(Some(never)), ("clean", 1 << 20));
}

#[test]
fn each_event_follows_its_cycle() {
    let mut session = Session::new(
        Edges::Lost,
        DetectorConfig {
            max_live: Some(Size::from_bytes(12 << 20)),
            ..strict()
        },
    );
    let mut batch = Batch::default();
    for cycle in process([3, 5, 7, 9, 11, 13, 15, 17]) {
        session.feed(&line(&cycle, Go::V1_6), None, &mut batch);
    }
    session.finish(&mut batch);
    let names: Vec<String> = batch
        .events
        .iter()
        .map(|event| match event {
            Event::Cycle { cycle, .. } => cycle.number.to_string(),
            Event::Flagged { rise, .. } => format!("flagged {}", rise.cycle),
            Event::OverBudget { over_budget, .. } => format!("over {}", over_budget.cycle),
            Event::Judged { .. } => "judged".into(),
            Event::Drained { .. } => "drained".into(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        names,
        [
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "over 6",
            "7",
            "flagged 7",
            "8",
            "judged",
            "drained"
        ]
    );
}

/// A program's log lines and the cycles between them.
fn program() -> impl Strategy<Value = (Vec<u64>, Vec<String>)> {
    (
        vec(1_u64..200, 1..80),
        vec("[A-Z][a-z0-9 :]{0,40}\n", 0..40),
    )
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn live_and_replayed_a_program_is_the_same((heaps, log) in program()) {
        let cycles = process(heaps);
        let mut live: Vec<(Vec<u8>, Option<Duration>)> = Vec::new();
        for (index, cycle) in cycles.iter().enumerate() {
            if let Some(text) = log.get(index) {
                live.push((text.clone().into_bytes(), cycle.at));
            }
            live.extend(writes(cycle, Go::V1_6).into_iter().map(|write| (write, cycle.ended())));
        }
        let saved: Vec<u8> = live.iter().flat_map(|(write, _)| write.clone()).collect();
        let config = DetectorConfig { min_span: Duration::ZERO, ..DetectorConfig::default() };
        let (live, live_text) = summary(Edges::Kept, &config, live.iter().map(|(write, arrived)| (&write[..], *arrived)));
        let (saved, saved_text) = summary(Edges::Lost, &config, [(&saved[..], None)]);
        prop_assert_eq!(format!("{live:?}"), format!("{saved:?}"));
        prop_assert_eq!(live_text, saved_text);
    }
}
