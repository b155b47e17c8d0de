//! How gcwatch ends.

use std::time::{Duration, Instant};

use crate::support::{Gcwatch, NONE, RELEASES, probe, trace};

#[test]
fn a_server_that_is_stopped_by_for_has_not_failed() {
    for release in RELEASES {
        let began = Instant::now();
        let done = Gcwatch::new(["--for", "5s"])
            .watch(probe(release), ["server"])
            .run()
            .exits(0);
        assert!(began.elapsed() >= Duration::from_secs(5));
        let done = done.says("shutting down");
        assert!(
            done.last_line()
                .starts_with("gcwatch: SUMMARY: inconclusive: "),
            "{}",
            done.stderr()
        );
    }
}

#[test]
fn a_server_that_does_not_stop_is_killed() {
    let options = ["--for", "1s", "--kill-after", "500ms", "-q"];
    Gcwatch::new(options)
        .watch(probe("1.27"), ["ignore-term"])
        .run()
        .exits(137);
}

#[test]
fn a_stopped_command_also_ends_when_asked_to() {
    Gcwatch::new(["--for", "500ms", "-q"])
        .script("kill -STOP $$; exit 9")
        .run()
        .exits(0);
}

#[test]
fn only_a_command_that_fails_of_itself_has_failed() {
    Gcwatch::new(["--for", "1h", "-q"])
        .script("exit 5")
        .run()
        .exits(5);
    Gcwatch::new(["--for", "500ms", "-q"])
        .script("trap 'exit 5' TERM; while :; do sleep 0.05; done")
        .run()
        .exits(0);
}

#[test]
fn the_gate_fails_a_leak_and_a_run_that_measured_nothing() {
    let leak = trace((0..12).map(|cycle| 3 + cycle * 2));
    let strict = |more: &[&str]| {
        Gcwatch::new(["--rule", "strict", "--from", "-"].iter().chain(more))
            .input(leak.clone())
            .run()
    };
    strict(&[]).exits(0);
    strict(&["--on-leak", "report", "--on-inconclusive", "fail"]).exits(0);
    strict(&["--on-leak", "fail"]).exits(23);
    strict(&["--on-leak", "stop"]).exits(23);
    strict(&["--on-leak", "fail", "--leak-exit-code", "99"]).exits(99);
    let short = |more: &[&str]| {
        Gcwatch::new(["--from", "-", "--on-leak", "fail"].iter().chain(more))
            .input(trace([3, 4]))
            .run()
    };
    short(&[]).exits(0);
    short(&["--on-inconclusive", "fail"])
        .exits(24)
        .says("SUMMARY: inconclusive: 2 cycles seen, 14 needed");
    for on_leak in ["fail", "stop"] {
        Gcwatch::new(["--on-leak", on_leak])
            .script("exit 0")
            .run()
            .exits(24)
            .says("no GC cycle seen");
    }
    Gcwatch::new(["--on-leak", "fail"])
        .script("exit 3")
        .run()
        .exits(3);
}

#[test]
fn a_budget_makes_a_leak_verdict() {
    let heaps = trace([10, 20, 40, 70, 30]);
    let budget = |more: &[&str]| {
        Gcwatch::new(["--from", "-", "--on-leak", "fail"].iter().chain(more))
            .input(heaps.clone())
            .run()
    };
    let done = budget(&["--max-live", "64MiB"]).exits(23);
    assert_eq!(
        done.last_line(),
        "gcwatch: SUMMARY: leak: live heap 70 MiB is over the budget of 64 MiB at cycle 4"
    );
    budget(&["--max-live", "70MiB"]).exits(0);
    budget(&["--max-live", "64MiB", "--warmup", "5s"]).exits(0);
}

#[test]
fn a_budget_stops_a_go_program_at_once() {
    let began = Instant::now();
    let options = ["--max-live", "1MiB", "--on-leak", "stop"];
    Gcwatch::new(options)
        .watch(crate::support::go("1.27", "examples/leaky"), NONE)
        .run()
        .exits(23);
    assert!(began.elapsed() < Duration::from_secs(20));
}
