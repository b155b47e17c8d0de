//! `--jsonl`, beside the summary of the same run.

use std::fs;

use serde::Deserialize;

use super::{End, Growth, summary};
use crate::support::{Gcwatch, RELEASES, option, probe, trace};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, tag = "type", rename_all = "snake_case")]
enum Line {
    Started {
        schema: String,
        command: Vec<String>,
        unix_seconds: Option<f64>,
    },
    Cycle(Box<Cycle>),
    Identified {
        process: u32,
        pid: i32,
    },
    Flagged {
        process: u32,
        cycle: u32,
        at_seconds: f64,
        window_cycles: u64,
        floors_bytes: Vec<u64>,
        rise_bytes: u64,
        span_seconds: f64,
        growth: Option<Growth>,
    },
    Withdrawn {
        process: u32,
        cycle: u32,
        at_seconds: f64,
        why: String,
        level_bytes: u64,
    },
    OverBudget {
        process: u32,
        cycle: u32,
        at_seconds: f64,
        live_heap_bytes: u64,
        budget_bytes: u64,
    },
    Ended {
        end: Option<End>,
        wall_seconds: Option<f64>,
        verdict: String,
        reason: String,
    },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the format")]
struct Cycle {
    process: u32,
    arrived_seconds: Option<f64>,
    cycle: u32,
    at_seconds: f64,
    gc_cpu_percent: i64,
    forced: bool,
    leak_check: bool,
    clock_seconds: Phases,
    cpu_seconds: Phases,
    heap_start_bytes: u64,
    heap_end_bytes: u64,
    live_heap_bytes: u64,
    heap_goal_bytes: u64,
    stacks_bytes: Option<u64>,
    globals_bytes: Option<u64>,
    procs: u32,
    reassembled: bool,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Phases {
    sweep_term: f64,
    scan: Option<f64>,
    install_wb: Option<f64>,
    mark: Option<f64>,
    assist: Option<f64>,
    background: Option<f64>,
    idle: Option<f64>,
    mark_term: f64,
}

fn lines(jsonl: &[u8]) -> Vec<Line> {
    let line =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    String::from_utf8_lossy(jsonl).lines().map(line).collect()
}

#[test]
fn events_come_as_they_happen_and_the_trace_can_be_judged_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    for release in RELEASES {
        let outputs = ["json", "jsonl", "trace-file"].map(|name| option(name, &file(name)));
        Gcwatch::new(outputs)
            .watch(probe(release), ["garbage", "2s"])
            .run()
            .exits(0);
        let live = summary(&fs::read(file("json")).expect("the summary"));
        let events = lines(&fs::read(file("jsonl")).expect("the events"));
        assert!(matches!(
            &events[0],
            Line::Started {
                unix_seconds: Some(_),
                ..
            }
        ));
        assert!(matches!(
            events.last(),
            Some(Line::Ended {
                end: Some(End::Code(0)),
                ..
            })
        ));
        let cycles: Vec<&Cycle> = events
            .iter()
            .filter_map(|line| {
                if let Line::Cycle(cycle) = line {
                    Some(&**cycle)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(cycles.len() as u64, live.trace.cycles);
        assert!(
            cycles
                .iter()
                .all(|cycle| cycle.arrived_seconds >= Some(cycle.at_seconds)
                    && cycle.stacks_bytes.is_some())
        );

        let log = option("from", &file("trace-file"));
        let mut again = summary(
            &Gcwatch::new([log, "-q".into(), "--json=-".into()])
                .run()
                .exits(0)
                .stdout,
        );
        assert_eq!(again.trace.reassembled, 0);
        // All but what only a live run has.
        again.trace.reassembled = live.trace.reassembled;
        again.command.clone_from(&live.command);
        again.end = Some(End::Code(0));
        again.wall_seconds = live.wall_seconds;
        assert!(live.processes[0].pid.is_some(), "{release}");
        again.processes[0].pid = live.processes[0].pid;
        assert_eq!(again, live, "{release}");
    }
}

#[test]
fn the_events_of_a_saved_log_tell_of_flags_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let jsonl = folder.path().join("jsonl");
    let heaps = [3, 4, 5, 6, 7, 8, 9, 70];
    let options = [
        "--from=-".into(),
        "-q".into(),
        "--rule=strict".into(),
        "--max-live=64MiB".into(),
        option("jsonl", &jsonl),
    ];
    Gcwatch::new(options).input(trace(heaps)).run().exits(0);
    let events = lines(&fs::read(jsonl).expect("the events"));
    assert!(events.iter().any(|line| matches!(
        line,
        Line::Flagged {
            process: 1,
            cycle: 7,
            window_cycles: 1,
            ..
        }
    )));
    assert!(
        events
            .iter()
            .any(|line| matches!(line, Line::OverBudget { cycle: 8, .. }))
    );
    let Some(Line::Ended {
        verdict,
        end: None,
        wall_seconds: None,
        ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
    assert_eq!(verdict, "leak");
}
