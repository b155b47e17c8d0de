//! How a verdict came about: `--explain`, and gcwatch's own log.

use crate::support::{Done, Gcwatch, option, root, trace};

/// What `--explain` says of a labelled trace.
fn explained(name: &str) -> (Done, Vec<String>) {
    let log = root().join(format!("tests/traces/labelled/{name}.trace"));
    let done = Gcwatch::new(["--explain".into(), option("from", &log)])
        .run()
        .exits(0);
    let lines = done
        .stderr()
        .lines()
        .filter_map(|line| line.strip_prefix("gcwatch: explain: "))
        .map(str::to_owned)
        .collect();
    (done, lines)
}

#[track_caller]
fn in_order(lines: &[String], expected: &[&str]) {
    let mut lines = lines.iter();
    for text in expected {
        assert!(
            lines.any(|line| line.contains(text)),
            "no {text:?} where it should be"
        );
    }
}

#[test]
fn a_leak_is_explained_by_its_windows_and_by_every_condition() {
    let (done, lines) = explained("leak-goroutines");
    in_order(
        &lines,
        &[
            "flagged at cycle 344, 41.8 s after the start, in 7 windows of 48 cycles",
            "0.191 to    3.313 s: floor 4 MiB, highest 5 MiB",
            "32.990 to   41.830 s: floor 10 MiB, highest 13 MiB",
            "  rising: 6 steps up, 5 needed",
            "  large enough: 6 MiB, 6 needed",
            "  long enough: 41 s, 30 s needed",
            "  in new territory: ",
            "  clear of the noise: ",
            "  steady: ",
            "  as fast as before it: ",
            "  still rising at its end: ",
            "  under a steady load: ",
            "verdict leak: live heap rose across 6 windows of 48 cycles",
        ],
    );
    assert!(
        done.last_line().starts_with("gcwatch: SUMMARY: leak: "),
        "the summary stays last"
    );
}

#[test]
fn what_was_not_flagged_is_explained_by_the_nearest_miss_and_what_stopped_it() {
    in_order(
        &explained("healthy-lru-fill").1,
        &[
            "nothing was flagged; nearest to it at cycle 21, 86.9 s after the start, in 7 windows of 3 cycles",
            "  long enough: 86 s, 80 s needed",
            "MiB/s needed; a cache that fills rises ever more slowly, a leak goes on",
            "verdict clean: ",
        ],
    );
    in_order(
        &explained("leak-run-too-short").1,
        &["  not long enough: 19 s, 44 s needed; "],
    );
    in_order(
        &explained("leak-too-few-cycles").1,
        &["nothing was flagged: too few cycles for one comparison"],
    );
}

#[test]
fn a_flag_that_was_withdrawn_is_explained_with_what_came_after() {
    in_order(
        &explained("healthy-etcd-long").1,
        &[
            "flagged at cycle 56, ",
            "withdrawn at cycle 96, 106.6 s after the start: levelled off",
            "since then nearest to a flag at cycle 132, ",
            "  not rising: 2 steps up, 5 needed; ",
            "verdict clean: ",
        ],
    );
}

#[test]
fn a_leak_that_only_the_end_shows_is_explained_too() {
    let (done, lines) = explained("leak-seen-at-last");
    done.says("gcwatch: leak: live heap rose across 6 windows of 1 cycle: 27, ");
    in_order(
        &lines,
        &[
            "not flagged; found at the end at cycle 10, ",
            "  long enough: 50 s, 20 s needed",
            "  going on as the run ends: ",
            "verdict leak: ",
        ],
    );
}

#[test]
fn several_processes_are_explained_by_the_one_that_decides() {
    let log = [trace([3; 60]), trace((0..60).map(|live| 100 + live))].concat();
    let done = Gcwatch::new(["--from=-", "--explain"])
        .input(log)
        .run()
        .exits(0);
    done.says("gcwatch: explain: process 2: flagged at cycle ");
}

#[test]
fn the_log_says_which_condition_holds_a_rise_back() {
    let run = |level: &str| {
        Gcwatch::new(["--from=-", "-q"])
            .env("GCWATCH_LOG", level)
            .input(trace([10, 20, 28, 34, 37, 39, 41, 42, 42, 43]))
            .run()
            .exits(0)
    };
    run("debug").says("no leak so far: 6 windows of 1 cycle, 10, 20, 28, 34, 37, 39, 41 MiB in 6 s: not \"long enough\", 6 s, 72 s needed");
    run("info").says_only("");
}
