//! What nearly every Go since 1.0 printed, against what is known to be in it: see `tests/traces/releases`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gcwatch::splitter::{Edges, Split, Splitter};
use gcwatch::trace::{Cycle, Sibling, Trace, parse};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/releases")
}

/// What the manifest says of each capture.
fn fixtures() -> Vec<Value> {
    let manifest = fs::read_to_string(folder().join("manifest.jsonl")).expect("the manifest");
    manifest
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a string")
}

fn split(log: &[u8]) -> Split {
    let mut splitter = Splitter::new(Edges::Lost);
    let mut out = Split::default();
    splitter.push(log, &mut out);
    splitter.finish(&mut out);
    out
}

/// How many lines of each kind were taken out.
fn siblings(trace: &[u8]) -> Value {
    let mut counts = serde_json::Map::new();
    for line in trace.split_inclusive(|byte| *byte == b'\n') {
        let Some(Trace::Sibling(sibling)) = parse(line) else {
            continue;
        };
        let line = String::from_utf8_lossy(line);
        let kind = match sibling {
            Sibling::Forced if line.starts_with("scvg") => "scvg-gc-forced",
            Sibling::Forced => "gc-forced",
            Sibling::Scavenger if line.contains("inuse") => "scvg-inuse",
            Sibling::Scavenger => "scvg-released",
            Sibling::ScanTotal => "scan-total",
            Sibling::ScanClass => "scan-class",
        };
        let count = counts.entry(kind).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or_default() + 1);
    }
    Value::Object(counts)
}

#[test]
fn every_release_is_read_and_its_torn_lines_are_put_together() {
    let fixtures = fixtures();
    assert_eq!(fixtures.len(), 116);
    for fixture in fixtures {
        let name = text(&fixture, "file");
        let log = fs::read(folder().join(name)).expect("the capture");
        let split = split(&log);
        let count = |key: &str| fixture[key].as_u64();
        let whole = count("gc_lines").expect("a count");
        let healed = count("gc_lines_healed").unwrap_or(whole);
        let found = split.cycles.len() as u64;
        // There 52 of 59 lines are torn, by a program that knows nothing else than to log right behind each cycle.
        let missed = if name == "go1.27.3-aftergc.log" { 2 } else { 0 };
        assert!(
            (healed - missed..=healed).contains(&found),
            "{name}: {found} cycles, {whole} whole, {healed} in all"
        );
        assert_eq!(siblings(&split.trace), fixture["sibling_lines"], "{name}");
        assert_eq!(split.text.len() + split.trace.len(), log.len(), "{name}");
        if fixture["torn"] != json!(true) && fixture["cut_at_end"] != json!(true) {
            let lines = split.text.split_inclusive(|byte| *byte == b'\n').count() as u64;
            assert_eq!(Some(lines), count("other_lines"), "{name}");
        }
    }
}

/// A sampled line, field by field, as the manifest writes it.
fn fields(cycle: &Cycle, era: &str) -> Value {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let mib = |size: gcwatch::size::Size| size.bytes() >> 20;
    let modern = cycle.clock.is_some();
    let wall = cycle.clock.map(|clock| {
        let mut wall = vec![clock.sweep_term];
        wall.extend(
            clock
                .early
                .into_iter()
                .flat_map(|early| [early.scan, early.install_wb]),
        );
        wall.extend([clock.mark, clock.mark_term]);
        wall.into_iter().map(millis).sum()
    });
    json!({
        "era": era,
        "gc": cycle.number,
        "start_s": cycle.at.map(|at| at.as_secs_f64()),
        "util_percent": cycle.gc_cpu_percent,
        "wall_ms": wall.unwrap_or_else(|| millis(cycle.stopped)),
        "cpu_ms": cycle.cpu.map(|cpu| {
            let early = cpu.early.map_or(Duration::ZERO, |early| early.scan + early.install_wb);
            millis(cpu.sweep_term + early + cpu.assist + cpu.background + cpu.idle + cpu.mark_term)
        }),
        "heap_start_mb": mib(cycle.heap.start),
        "heap_end_mb": cycle.heap.end.map(mib),
        "live_mb": cycle.heap.live.map(mib),
        "prev_live_mb": cycle.previous_live.map(mib),
        "goal_mb": cycle.goal.map(mib),
        "stacks_mb": cycle.scan.map(|scan| mib(scan.stacks)),
        "globals_mb": cycle.scan.map(|scan| mib(scan.globals)),
        "procs": cycle.procs,
        "forced": modern.then_some(cycle.forced),
        "leak_check": modern.then_some(cycle.leak_check),
    })
}

/// The sum of the numbers in an array or object; null stays.
fn sum(value: &Value) -> Value {
    let add = |numbers: &mut dyn Iterator<Item = &Value>| {
        json!(numbers.filter_map(Value::as_f64).sum::<f64>())
    };
    match value {
        Value::Array(numbers) => add(&mut numbers.iter()),
        Value::Object(numbers) => add(&mut numbers.values()),
        other => other.clone(),
    }
}

/// Whether both say the same, where numbers may differ by what a float cannot hold.
fn agree(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        _ => a == b,
    }
}

#[test]
fn sampled_lines_of_every_release_say_what_two_other_parsers_read() {
    let mut compared = 0;
    for fixture in fixtures() {
        for sample in fixture["expect"].as_array().expect("samples") {
            let line = format!("{}\n", text(sample, "text"));
            let Some(Trace::Cycle(cycle)) = parse(line.as_bytes()) else {
                panic!("{}: not read: {line}", text(&fixture, "file"));
            };
            let mut expected = sample["parse"].clone();
            expected["wall_ms"] = sum(&expected["wall_ms"]);
            expected["cpu_ms"] = sum(&expected["cpu_ms"]);
            let read = fields(&cycle, text(&expected, "era"));
            let expected = expected.as_object().expect("fields");
            assert_eq!(expected.len(), read.as_object().expect("fields").len());
            for (key, value) in expected {
                assert!(
                    agree(value, &read[key]),
                    "{key} is {}, not {value}: {line}",
                    read[key]
                );
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 380);
}
