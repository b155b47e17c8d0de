//! Which process of the system each process of the trace is.

use std::fs;
use std::thread;

use serde_json::Value;

use crate::support::{Gcwatch, RELEASES, option, probe};

/// What a shell script's `$PROBE` is traced as: each process's number in the system, where it is known; and what the script
/// printed.
fn pids(release: &str, script: &str) -> (Vec<Option<i64>>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("summary");
    let done = Gcwatch::new([option("json", &json)])
        .env("PROBE", probe(release))
        .script(script)
        .run()
        .exits(0);
    let summary: Value =
        serde_json::from_slice(&fs::read(json).expect("the summary")).expect("it is JSON");
    let processes = summary["processes"].as_array().expect("a list");
    let pids = processes.iter().map(|process| process["pid"].as_i64());
    (pids.collect(), done.stdout())
}

/// The numbers that a script printed.
fn printed(stdout: &str) -> Vec<Option<i64>> {
    stdout.lines().map(|line| line.parse().ok()).collect()
}

/// All at once: a busy machine gives each few cycles a second.
#[test]
fn a_program_is_found_also_behind_an_exec_and_below_a_shell() {
    let scripts = [
        "echo $$; exec $PROBE garbage 4s",
        // What the kernel calls the start of that process is long before the program's own.
        "echo $$; sleep 1.3; exec $PROBE garbage 4s",
        "$PROBE garbage 4s & echo $!; wait",
        "(sleep 0.1; sh -c 'echo $$; exec $PROBE garbage 4s'; true); true",
    ];
    let runs = RELEASES.map(|release| {
        scripts.map(|script| (script, thread::spawn(move || pids(release, script))))
    });
    for (script, run) in runs.into_iter().flatten() {
        let (pids, stdout) = run.join().expect("no panic");
        assert_eq!(pids, printed(&stdout), "{script}");
    }
}

#[test]
fn the_moment_when_it_is_known_is_an_event() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let jsonl = folder.path().join("events");
    let done = Gcwatch::new([option("jsonl", &jsonl)])
        .env("PROBE", probe(RELEASES[1]))
        .script("echo $$; exec $PROBE garbage 4s")
        .run()
        .exits(0);
    let line = format!(
        r#"{{"type":"identified","process":1,"pid":{}}}"#,
        done.stdout().trim()
    );
    let events = fs::read_to_string(jsonl).expect("the events");
    assert!(events.lines().any(|event| event == line), "{events}");
}

#[test]
fn programs_that_start_one_after_the_other_are_told_apart() {
    for release in RELEASES {
        let (pids, stdout) = pids(
            release,
            "$PROBE garbage 2s & echo $!; sleep 0.5; $PROBE garbage 1500ms & echo $!; wait",
        );
        let (mut pids, mut printed) = (pids, printed(&stdout));
        pids.sort_unstable();
        printed.sort_unstable();
        assert_eq!(pids, printed, "{release}");
    }
}

#[test]
fn a_daemon_that_left_the_family_is_not_taken_for_the_command() {
    for release in RELEASES {
        let (pids, stdout) = pids(
            release,
            "(sh -c 'echo $$; exec $PROBE garbage 2s' &); sleep 0.5; echo $$; exec $PROBE garbage 1500ms",
        );
        // Its parent is gone, but it holds the same stderr.
        assert_eq!(pids, printed(&stdout), "{release}");
    }
}
