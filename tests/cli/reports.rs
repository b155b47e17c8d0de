//! The reports, read back as a script would read them.

use std::fs;

use serde::Deserialize;

use crate::support::{Gcwatch, RELEASES, option, probe, root, trace};

/// The summary: the fields are a contract, so an unknown one is an error here.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Summary {
    schema: String,
    gcwatch: String,
    command: Vec<String>,
    verdict: String,
    reason: String,
    end: Option<End>,
    exit_status: i32,
    wall_seconds: Option<f64>,
    trace: TraceCounts,
    processes: Vec<Process>,
    dropped_processes: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct TraceCounts {
    cycles: u64,
    reassembled: u64,
    lost: u64,
    unrecognised: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum End {
    Code(u8),
    Signal(i32),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the format")]
struct Process {
    process: u32,
    pid: Option<i32>,
    verdict: String,
    reason: String,
    cycles: u64,
    forced_cycles: u64,
    first_cycle: u32,
    last_cycle: u32,
    span_seconds: f64,
    longest_strict_run: u64,
    first_flag_seconds: Option<f64>,
    live_heap: LiveHeap,
    judged_in_steps_of_bytes: u64,
    gc_cpu_percent: i64,
    pause: Pause,
    flags: Vec<Flag>,
    growth: Option<Growth>,
    forecast: Option<Forecast>,
    smallest_visible_leak_bytes_per_second: Option<f64>,
    culprits: Vec<serde_json::Value>,
    culprit_note: Option<String>,
    profiles: Option<[String; 2]>,
    exact_live_heap: Option<serde_json::Value>,
    nearest_miss: Option<Miss>,
    trend: Option<Trend>,
    signs: Vec<Sign>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Trend {
    floor_bytes: u64,
    bytes_per_second: f64,
    low: f64,
    high: f64,
    bytes_per_cycle: f64,
    observed_seconds: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Sign {
    what: String,
    text: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Miss {
    cycle: u32,
    at_seconds: f64,
    window_cycles: u64,
    floors_bytes: Vec<u64>,
    span_seconds: f64,
    held_back_by: String,
    has: f64,
    needs: f64,
    text: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of the format")]
struct LiveHeap {
    first_bytes: u64,
    last_bytes: u64,
    peak_bytes: u64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Pause {
    longest_seconds: f64,
    total_seconds: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, tag = "what", rename_all = "snake_case")]
enum Flag {
    Leak {
        cycle: u32,
        at_seconds: f64,
        window_cycles: u64,
        floors_bytes: Vec<u64>,
        rise_bytes: u64,
        span_seconds: f64,
    },
    Withdrawn {
        cycle: u32,
        at_seconds: f64,
        why: String,
        level_bytes: u64,
    },
    OverBudget {
        cycle: u32,
        at_seconds: f64,
        live_heap_bytes: u64,
        budget_bytes: u64,
    },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Growth {
    bytes_per_second: f64,
    low: f64,
    high: f64,
    bytes_per_cycle: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Forecast {
    limit_bytes: u64,
    limit_from: String,
    seconds: f64,
    soonest: f64,
    latest: Option<f64>,
    goal_seconds: Option<f64>,
}

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

fn summary(json: &[u8]) -> Summary {
    serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)))
}

fn lines(jsonl: &[u8]) -> Vec<Line> {
    let line =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    String::from_utf8_lossy(jsonl).lines().map(line).collect()
}

#[test]
fn the_summary_of_a_leak_says_all() {
    let log = option(
        "from",
        &root().join("tests/traces/labelled/leak-goroutines.trace"),
    );
    let done = Gcwatch::new([
        log,
        "--json=-".into(),
        "-q".into(),
        "--limit=1GiB".into(),
        "--on-leak=fail".into(),
    ])
    .run()
    .exits(23);
    let summary = summary(&done.stdout);
    assert_eq!(
        (summary.schema.as_str(), summary.gcwatch.as_str()),
        ("gcwatch/1", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        (summary.verdict.as_str(), summary.exit_status),
        ("leak", 23)
    );
    assert_eq!(
        (summary.command.len(), &summary.end, summary.wall_seconds),
        (0, &None, None)
    );
    let process = &summary.processes[0];
    assert_eq!((process.process, process.verdict.as_str()), (1, "leak"));
    assert_eq!(
        (process.cycles, summary.trace.cycles),
        (u64::from(process.last_cycle), process.cycles)
    );
    let Flag::Leak {
        floors_bytes,
        rise_bytes,
        at_seconds,
        ..
    } = &process.flags[0]
    else {
        panic!("{:?}", process.flags)
    };
    assert_eq!(floors_bytes.len(), 7);
    assert_eq!(*rise_bytes, floors_bytes[6] - floors_bytes[0]);
    assert_eq!(process.first_flag_seconds, Some(*at_seconds));
    let growth = process.growth.as_ref().expect("it grows");
    assert!(growth.low < growth.bytes_per_second && growth.bytes_per_second < growth.high);
    let forecast = process.forecast.as_ref().expect("a limit was given");
    assert_eq!(
        (forecast.limit_bytes, forecast.limit_from.as_str()),
        (1 << 30, "--limit")
    );
    assert!(forecast.soonest < forecast.seconds);
    assert!(
        forecast
            .goal_seconds
            .is_some_and(|goal| goal < forecast.seconds),
        "GOGC was 100: {forecast:?}"
    );
    assert_eq!(process.nearest_miss, None, "it was flagged");
    let trend = process.trend.as_ref().expect("it has cycles enough");
    assert!(trend.low < trend.bytes_per_second && trend.bytes_per_second < trend.high);
    assert!(
        (10 << 20..13 << 20).contains(&trend.floor_bytes),
        "{trend:?}"
    );
    assert!((trend.observed_seconds - process.span_seconds).abs() < 1e-9);
    assert_eq!(process.signs, []);
    assert_eq!(process.smallest_visible_leak_bytes_per_second, None);
}

#[test]
fn the_summary_of_a_clean_run_says_what_it_would_have_seen() {
    let log = option(
        "from",
        &root().join("tests/traces/labelled/healthy-cache-fill.trace"),
    );
    let summary = summary(
        &Gcwatch::new([log, "--json=-".into(), "-q".into()])
            .run()
            .exits(0)
            .stdout,
    );
    assert_eq!(
        (
            summary.verdict.as_str(),
            summary.processes[0].verdict.as_str()
        ),
        ("clean", "clean")
    );
    assert!(
        summary.processes[0]
            .smallest_visible_leak_bytes_per_second
            .is_some_and(|leak| leak > 0.0)
    );
    assert_eq!(
        (&summary.processes[0].growth, &summary.processes[0].forecast),
        (&None, &None)
    );
    let nearest = summary.processes[0]
        .nearest_miss
        .as_ref()
        .expect("it came near");
    assert_eq!(nearest.floors_bytes.len(), 7);
    assert!(nearest.has < nearest.needs, "{nearest:?}");
    assert!(
        nearest
            .text
            .contains(&format!("not \"{}\"", nearest.held_back_by)),
        "{nearest:?}"
    );
}

#[test]
fn the_summary_tells_how_the_command_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("json");
    let run = |script: &str| {
        let done = Gcwatch::new(["-q".into(), option("json", &json)])
            .script(script)
            .run();
        (done, summary(&fs::read(&json).expect("the summary")))
    };
    let (done, told) = run("exit 7");
    done.exits(7);
    assert_eq!(
        (told.end, told.exit_status, told.command),
        (
            Some(End::Code(7)),
            7,
            vec!["sh".into(), "-c".into(), "exit 7".into()]
        )
    );
    assert!(told.wall_seconds.is_some_and(|wall| wall > 0.0));
    let (done, told) = run("kill -TERM $$");
    done.dies_of(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(
        (told.end, told.exit_status, told.verdict.as_str()),
        (Some(End::Signal(15)), 143, "inconclusive")
    );
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

#[test]
fn the_summary_for_people_has_eight_lines_at_most_and_the_verdict_last() {
    // Twelve processes that all begin at cycle 1.
    let log: String = (0..12).map(|_| trace([3, 4, 5])).collect();
    let done = Gcwatch::new(["--from", "-"]).input(log).run().exits(0);
    assert!(done.stderr().lines().count() <= 8, "{}", done.stderr());
    assert!(
        done.stderr()
            .lines()
            .all(|line| line.starts_with("gcwatch: ")),
        "{}",
        done.stderr()
    );
    let done = done.says("and 8 more");
    assert!(
        done.last_line()
            .starts_with("gcwatch: SUMMARY: inconclusive: process "),
        "{}",
        done.last_line()
    );
}

#[test]
fn lines_that_began_like_a_trace_and_were_none_are_counted() {
    let log = format!("gc 12 @0.1s new in Go 9\n{}", trace([3, 4]));
    let done = Gcwatch::new(["--from", "-"]).input(log).run().exits(0);
    done.says("gcwatch: 1 line began like a GC trace line and could not be read");
}
