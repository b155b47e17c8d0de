//! Comparing a run with an earlier one.

use std::fs;
use std::path::Path;

use crate::support::{Gcwatch, option, trace};

/// A heap in MiB that breathes, a cycle a second, for so long.
fn heap(level: u64, growth_per_minute: u64, seconds: u64) -> String {
    trace((0..seconds).map(move |second| level + second * growth_per_minute / 60 + second % 3))
}

/// Judges a trace, with more options.
fn judge(log: &str, options: &[&str]) -> Gcwatch {
    Gcwatch::new(["--from=-", "--on-leak=fail"].iter().chain(options)).input(log)
}

/// Writes the summary of a trace.
fn baseline(file: &Path, log: &str) {
    Gcwatch::new(["--from=-".into(), "-q".into(), option("json", file)])
        .input(log)
        .run()
        .exits(0);
}

#[test]
fn a_higher_floor_or_more_growth_than_the_baselines_is_a_leak() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("main.json");
    baseline(&file, &heap(40, 0, 90));
    let option = option("baseline", &file);
    let option = option.to_str().expect("it is text");

    judge(&heap(40, 0, 90), &[option])
        .run()
        .exits(0)
        .says("SUMMARY: clean: 90 cycles in 89 s");
    judge(&heap(46, 0, 90), &[option])
        .run()
        .exits(23)
        .says("SUMMARY: leak: the floor of the live heap is 46 MiB, the baseline's 40 MiB: 15 % higher, 10 % allowed");
    judge(&heap(46, 0, 90), &[option, "--max-regression=20"])
        .run()
        .exits(0);
    // Below 10 % of the heap, the rule itself does not mind.
    baseline(&file, &heap(80, 0, 90));
    let slow = heap(80, 5, 90);
    judge(&slow, &[]).run().exits(0).says("SUMMARY: clean: ");
    judge(&slow, &[option])
        .run()
        .exits(23)
        .says("SUMMARY: leak: the floor of the live heap grows by 0.08 MiB/s");
    judge(&heap(80, 0, 44), &[option])
        .run()
        .exits(0)
        .says("SUMMARY: inconclusive: lasted 43 s, the baseline 89 s");
}

#[test]
fn rounding_is_no_regression() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("main.json");
    baseline(&file, &heap(2, 0, 90));
    let option = option("baseline", &file);
    let option = option.to_str().expect("it is text");
    // Half as much again, and no more than rounding and chance make.
    judge(&heap(3, 0, 90), &[option, "--max-regression=0"])
        .run()
        .exits(0)
        .says("SUMMARY: clean");
}

#[test]
fn what_is_no_baseline_is_said_before_the_command_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).expect("a file");
        file
    };
    let short = folder.path().join("short");
    baseline(&short, &heap(40, 0, 5));
    let cases = [
        (folder.path().join("none"), "no such file or directory"),
        (folder.path().to_path_buf(), "is a directory"),
        (
            file("text", "gc 1 @0.1s"),
            "it is no summary of gcwatch (expected value at line 1 column 1)",
        ),
        (
            file("foreign", r#"{"verdict": "leak"}"#),
            "it is no summary of gcwatch (it has no schema)",
        ),
        (file("array", "[1, 2]"), "it is no summary of gcwatch ("),
        (
            file(
                "wrong",
                r#"{"schema": "gcwatch/1", "processes": [{"cycles": "x"}]}"#,
            ),
            "it is no summary of gcwatch (",
        ),
        (
            file("new", r#"{"schema": "gcwatch/2", "processes": []}"#),
            "its schema is `gcwatch/2`, and this gcwatch knows `gcwatch/1`",
        ),
        (
            file("empty", r#"{"schema": "gcwatch/1", "processes": []}"#),
            "its run had no GC cycle",
        ),
        (
            file(
                "old",
                r#"{"schema": "gcwatch/1", "processes": [{"cycles": 99}]}"#,
            ),
            "its run has no trend: 99 cycles",
        ),
        (short, "its run has no trend: 5 cycles"),
    ];
    let started = folder.path().join("started");
    for (file, why) in cases {
        let done = Gcwatch::new([option("baseline", &file)])
            .watch("touch", [&started])
            .run()
            .exits(125);
        let expected = format!("gcwatch: cannot compare with `{}`: {why}", file.display());
        let told = done.stderr();
        assert!(told.starts_with(&expected), "{told}");
        assert!(
            told.ends_with("`--baseline` wants what an earlier run wrote with `--json`\n"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    assert!(!started.exists(), "the command must not have run");
    Gcwatch::new(["--from=-", "--baseline=x", "--rule=strict"])
        .run()
        .exits(125)
        .says("`--baseline` compares floors, which `--rule strict` has none of");
}
