//! `--while`: a command beside the command.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::support::{Gcwatch, RELEASES, probe, trace};

#[test]
fn its_end_is_the_end_of_a_server_which_has_not_failed() {
    for release in RELEASES {
        let done = Gcwatch::new(["--while", "echo load; sleep 0.3"])
            .watch(probe(release), ["server"])
            .run()
            .exits(0);
        let done = done.says("shutting down").says("load\n");
        assert!(
            done.last_line()
                .starts_with("gcwatch: SUMMARY: inconclusive: "),
            "{}",
            done.stderr()
        );
    }
}

#[test]
fn its_failure_comes_before_the_verdict() {
    // The command waits to be ended, and by then has leaked.
    let command = "printf %s \"$0\" >&2; exec sleep 100";
    let leak = trace((0..12).map(|cycle| 3 + cycle * 2));
    let run = |beside: &str| {
        let options = ["-q", "--rule", "strict", "--on-leak", "fail", "--while"];
        Gcwatch::new(options.into_iter().chain([beside]))
            .watch("sh", ["-c", command, &leak])
            .run()
    };
    run("sleep 0.3; exit 7").exits(7);
    run("sleep 0.3; kill -KILL $$").dies_of(Signal::SIGKILL);
    run("sleep 0.3").exits(23);
}

#[test]
fn a_command_that_fails_by_itself_comes_first_and_ends_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let told = folder.path().join("told");
    let beside = format!(
        "trap 'echo asked >{}; exit 9' TERM; echo ready >&2; while :; do sleep 0.02; done",
        told.display()
    );
    for code in [0, 5] {
        let (mut running, mut stdin) = Gcwatch::new(["-q", "--while", &beside])
            .script(&format!("read line; exit {code}"))
            .start_fed();
        running.wait_for("ready");
        std::io::Write::write_all(&mut stdin, b"go\n").expect("the command reads");
        running.finish().exits(code);
        // gcwatch has waited for it.
        let text = std::fs::read_to_string(&told).expect("it has told");
        assert_eq!(text, "asked\n");
        std::fs::remove_file(&told).expect("it is there");
    }
}

#[test]
fn one_that_does_not_end_is_killed() {
    Gcwatch::new([
        "-q",
        "--kill-after",
        "300ms",
        "--while",
        "trap '' TERM; while :; do sleep 0.02; done",
    ])
    .script("sleep 0.3; exit 4")
    .run()
    .exits(4);
}

#[test]
fn stdin_and_stdout_are_the_commands_alone() {
    let done = Gcwatch::new(["-q", "--while", "echo out; cat; echo end"])
        .input("text\n")
        .script("trap 'cat; exit' TERM; while :; do sleep 0.02; done")
        .run()
        .exits(0);
    assert_eq!(done.stdout(), "text\n");
    assert_eq!(done.stderr(), "out\nend\n");
}

#[test]
fn it_is_not_traced_and_dies_with_gcwatch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let told = folder.path().join("told");
    let beside = format!(
        "echo \"[$GODEBUG] $$\" >{}; echo ready >&2; exec sleep 100",
        told.display()
    );
    let mut running = Gcwatch::new(["-q", "--while", &beside])
        .script("exec sleep 100")
        .start();
    running.wait_for("ready");
    kill(running.pid(), Signal::SIGKILL).expect("gcwatch is there");
    running.finish().dies_of(Signal::SIGKILL);
    let text = std::fs::read_to_string(&told).expect("it has told");
    let (godebug, pid) = text.trim_end().split_once(' ').expect("two words");
    assert_eq!(godebug, "[]");
    let stat = format!("/proc/{pid}/stat");
    let patience = Instant::now() + Duration::from_mins(1);
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < patience, "it is left");
        std::thread::sleep(Duration::from_millis(1));
    }
}
