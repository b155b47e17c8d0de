//! The summary for people.

use crate::support::{Gcwatch, trace};

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
