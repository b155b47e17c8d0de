//! The reports, read back as a script would read them.

mod events;
mod people;

use std::fs;

use serde::Deserialize;

use crate::support::{Gcwatch, option, root};

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

fn summary(json: &[u8]) -> Summary {
    serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(json)))
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
