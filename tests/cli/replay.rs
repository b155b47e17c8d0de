//! Saved logs.

use std::fs;

use crate::support::{Done, Gcwatch, command, option, root, trace};

/// What a Go 1.5 program printed.
const GO_1_5: &str = "\
gc 1 @0.009s 1%: 0.059+0.17+0.005+0.24+0.12 ms clock, 0.17+0.17+0+0/0.36/0.067+0.38 ms cpu, 5->5->3 MB, 4 MB goal, 8 P
gc 2 @0.013s 2%: 0.060+0.19+0.004+0.41+0.13 ms clock, 0.42+0.19+0+0/0.62/0.11+0.91 ms cpu, 8->8->7 MB, 9 MB goal, 8 P
gc 3 @0.022s 2%: 0.051+0.21+0.006+0.93+0.12 ms clock, 0.35+0.21+0+0/1.1/0.31+0.84 ms cpu, 16->16->14 MB, 17 MB goal, 8 P
gc 4 @0.040s 3%: 0.055+0.25+0.004+1.9+0.14 ms clock, 0.38+0.25+0+0/2.0/0.44+0.98 ms cpu, 33->33->29 MB, 34 MB goal, 8 P
";

#[test]
fn four_lines_of_go_1_5_are_read_and_the_strict_rule_calls_them_a_leak() {
    let strict = [
        "--from",
        "-",
        "--rule",
        "strict",
        "--cycles",
        "3",
        "--on-leak",
        "fail",
    ];
    let done = Gcwatch::new(strict).input(GO_1_5).run().exits(23);
    let done = done.says("gcwatch: leak: live heap rose across 3 windows of 1 cycle: 3, 7, 14, 29 MiB in 0 s, and never came back\n");
    let done = done.says(
        "gcwatch: 4 GC cycles (0 reassembled, 0 lost), 3 % of CPU in GC, longest pause 0.20 ms\n",
    );
    let done = done.says("gcwatch: live heap 3 -> 29 MiB, peak 29 MiB, goal 34 MiB  ▁▂▄█\n");
    assert!(
        done.last_line()
            .starts_with("gcwatch: SUMMARY: leak: live heap +26 MiB in 4 cycles"),
        "{}",
        done.stderr()
    );
    Gcwatch::new(["--from", "-", "--rule", "strict", "--on-leak", "fail"])
        .input(GO_1_5)
        .run()
        .exits(0);
}

#[test]
fn the_floor_rule_wants_more_than_four_lines() {
    let done = Gcwatch::new(["--from", "-"]).input(GO_1_5).run().exits(0);
    let reason = "4 cycles seen, 14 needed: run longer, or set GOGC=50 for more cycles";
    assert_eq!(
        done.last_line(),
        format!("gcwatch: SUMMARY: inconclusive: {reason}")
    );
}

#[test]
fn echo_passes_the_text_on_and_nothing_else() {
    let log = format!(
        "first\n{}last, unfinished",
        trace([3, 4, 5]).replace("gc 2 ", "between\ngc 2 ")
    );
    let done = Gcwatch::new(["--from", "-", "--echo", "-q"])
        .input(log)
        .run()
        .exits(0);
    assert_eq!(done.stdout(), "first\nbetween\nlast, unfinished");
    let silent = Gcwatch::new(["--from", "-", "-q"])
        .input(GO_1_5)
        .run()
        .exits(0);
    assert_eq!(
        (silent.stdout(), silent.stderr()),
        (String::new(), String::new())
    );
}

#[test]
fn recorded_programs_are_judged_as_labelled() {
    let leaks = ["leak-goroutines", "leak-under-noise", "leak-in-bursts"];
    let healthy = [
        "healthy-sawtooth",
        "healthy-cache-fill",
        "healthy-etcd-long",
    ];
    for (names, code) in [(leaks, 23), (healthy, 0)] {
        for name in names {
            let log = option(
                "from",
                &root().join(format!("tests/traces/labelled/{name}.trace")),
            );
            Gcwatch::new([log, "--on-leak".into(), "fail".into()])
                .run()
                .exits(code);
        }
    }
}

#[test]
fn a_forecast_counts_down_to_the_limit_that_was_given() {
    let log = option(
        "from",
        &root().join("tests/traces/labelled/leak-goroutines.trace"),
    );
    // A saved log may come from another machine: only what is said on the command line counts.
    let bare = Gcwatch::new([log.clone()])
        .env("GOMEMLIMIT", "5GiB")
        .run()
        .exits(0);
    bare.says("; twice this in about ");
    Gcwatch::new([log, "--limit".into(), "1GiB".into()])
        .run()
        .exits(0)
        .says("; 1024 MiB (--limit) in about ");
}

#[test]
fn a_run_without_a_terminal_has_no_colours() {
    let with = |variables: &[&str]| {
        let gcwatch = Gcwatch::new(["--from", "-"]).input(GO_1_5);
        variables
            .iter()
            .fold(gcwatch, |gcwatch, name| gcwatch.env(name, "1"))
            .run()
    };
    let has_colours = |done: Done| done.stderr().contains('\u{1b}');
    assert!(!has_colours(with(&[])));
    assert!(has_colours(with(&["CLICOLOR_FORCE"])));
    assert!(!has_colours(with(&["CLICOLOR_FORCE", "NO_COLOR"])));
}

#[test]
fn the_echo_of_a_log_may_be_read_in_part() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log");
    fs::write(&log, "text\n".repeat(1_000_000)).expect("a file");
    let script = format!(
        "set -o pipefail; {} -q --echo --from {} | head -n 1",
        env!("CARGO_BIN_EXE_gcwatch"),
        log.display()
    );
    let shell = command("bash")
        .args(["-c", &script])
        .output()
        .expect("bash runs");
    assert_eq!(
        (shell.status.code(), &shell.stdout[..], &shell.stderr[..]),
        (Some(0), &b"text\n"[..], &b""[..])
    );
}
