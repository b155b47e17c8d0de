//! What else the trace knows, of real Go programs that do it.

use crate::support::{Gcwatch, RELEASES, Running, go};

/// What the program does, in which environment, and what is said of it.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

/// A Go program that does one thing for some seconds, in that environment.
fn start(release: &str, mode: &str, environment: &[(&str, &str)]) -> Running {
    let gcwatch =
        Gcwatch::new(["--on-leak=fail"]).watch(go(release, "tests/go/signs"), [mode, "8"]);
    environment
        .iter()
        .fold(gcwatch, |gcwatch, (name, value)| gcwatch.env(name, value))
        .start()
}

/// All runs at once.
#[test]
fn what_a_program_does_to_its_collector_is_noted_and_no_alarm() {
    let cases: [Case; 7] = [
        ("stacks", &[], "gcwatch: note: stacks grew from "),
        (
            "churn",
            &[("GOGC", "5"), ("GOMAXPROCS", "1")],
            " % of the CPU: much garbage for so small a heap goal",
        ),
        (
            "assist",
            &[("GOMAXPROCS", "1")],
            "gcwatch: note: mark assists took ",
        ),
        (
            "forced",
            &[],
            " cycles in a row forced: something calls runtime.GC",
        ),
        (
            "steady",
            &[("GOMEMLIMIT", "24MiB")],
            " % of 24 MiB (GOMEMLIMIT): GC runs ever more often",
        ),
        (
            "steady",
            &[("GOGC", "off"), ("GOMEMLIMIT", "1GiB")],
            "no GC cycle seen: GOGC=off lets GC run at GOMEMLIMIT only",
        ),
        ("steady", &[], "gcwatch: SUMMARY: inconclusive: "),
    ];
    let mut running = Vec::new();
    for release in RELEASES {
        for (mode, environment, says) in cases {
            running.push((start(release, mode, environment), says));
        }
    }
    for (running, says) in running {
        let done = running.finish();
        // Without any cycle a gate has not passed.
        let code = if says.starts_with("no GC cycle") {
            24
        } else {
            0
        };
        let done = done.exits(code).says(says);
        let notes = done.stderr().matches("gcwatch: note: ").count();
        assert!(notes <= 2, "{}", done.stderr());
        assert!(done.stderr().lines().count() <= 8, "{}", done.stderr());
        if says.starts_with("gcwatch: SUMMARY") {
            assert_eq!(notes, 0, "nothing is worth a note: {}", done.stderr());
        }
    }
}
