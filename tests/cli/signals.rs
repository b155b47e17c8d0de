//! Signals reach the command, once.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Gcwatch, RELEASES, probe};

/// A shell that names each of these signals as it comes, and ends at the last.
const REPORTER: &str = "for s in HUP INT QUIT USR1 USR2 ALRM URG WINCH; do trap \"echo got $s >&2\" $s; done; \
    trap 'echo got TERM >&2; exit 0' TERM; echo ready >&2; while :; do sleep 0.02; done";

#[test]
fn each_signal_that_is_sent_to_gcwatch_reaches_the_command_once() {
    let mut running = Gcwatch::new(["-q"]).script(REPORTER).start();
    running.wait_for("ready");
    let sent = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGURG,
        Signal::SIGWINCH,
    ];
    let name = |signal: Signal| signal.as_str().trim_start_matches("SIG").to_string();
    for signal in sent {
        running.signal(signal);
        running.wait_for(&format!("got {}", name(signal)));
    }
    running.signal(Signal::SIGTERM);
    let done = running.finish().exits(0);
    for signal in sent.into_iter().chain([Signal::SIGTERM]) {
        assert_eq!(
            done.stderr()
                .matches(&format!("got {}\n", name(signal)))
                .count(),
            1,
            "{}",
            done.stderr()
        );
    }
}

#[test]
fn a_go_server_shuts_down_at_sigterm() {
    for release in RELEASES {
        let mut running = Gcwatch::new(["-q"])
            .watch(probe(release), ["server"])
            .start();
        running.wait_for("listening");
        running.signal(Signal::SIGTERM);
        running.finish().exits(0).says("shutting down");
    }
}

#[test]
fn a_command_that_dies_of_a_forwarded_signal_is_mirrored() {
    let mut running = Gcwatch::new(["-q"])
        .script("echo ready >&2; exec sleep 100")
        .start();
    running.wait_for("ready");
    running.signal(Signal::SIGTERM);
    running.finish().dies_of(Signal::SIGTERM);
}

#[test]
fn a_signal_at_the_very_start_is_not_lost() {
    for _ in 0..50 {
        let running = Gcwatch::new(["-q"]).script("exec sleep 100").start();
        // Wherever gcwatch is now: before its own setup it dies of it, later the command does.
        running.signal(Signal::SIGTERM);
        running.finish().dies_of(Signal::SIGTERM);
    }
}

#[test]
fn signals_get_through_while_stderr_floods() {
    let script = "trap 'exit 8' TERM; echo ready >&2; while :; do echo a line of text that nobody needs >&2; done";
    let mut running = Gcwatch::new(["-q"]).script(script).start();
    running.wait_for("ready");
    running.signal(Signal::SIGTERM);
    running.finish().exits(8);
}

#[test]
fn a_signal_that_the_command_sends_to_the_group_does_not_come_back() {
    let script = "trap 'echo got USR1 >&2' USR1; kill -USR1 $PPID; sleep 0.3; exit 3";
    let done = Gcwatch::new(["-q"]).script(script).run().exits(3);
    assert_eq!(done.stderr(), "");
}

#[test]
fn the_command_dies_with_gcwatch() {
    let mut running = Gcwatch::new(["-q"])
        .script("echo pid $$ >&2; exec sleep 100")
        .start();
    running.wait_for("\n");
    running.signal(Signal::SIGKILL);
    let done = running.finish().dies_of(Signal::SIGKILL);
    let stderr = done.stderr();
    let pid = stderr
        .trim()
        .strip_prefix("pid ")
        .and_then(|pid| pid.parse().ok())
        .expect("a process number");
    let patience = Instant::now() + Duration::from_secs(20);
    while is_running(pid) {
        assert!(Instant::now() < patience, "the command outlived gcwatch");
        std::thread::yield_now();
    }
}

/// Whether a process is there and no zombie.
fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    kill(Pid::from_raw(pid), None).is_ok() && !stat.contains(") Z ")
}

#[test]
fn stop_and_continue_reach_both() {
    let mut running = Gcwatch::new(["-q"])
        .script("echo pid $$ >&2; while :; do sleep 0.02; done")
        .start();
    running.wait_for("\n");
    let state = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
        stat.rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next())
            .expect("a state")
    };
    let wait_until = |pid: i32, stopped: bool| {
        let patience = Instant::now() + Duration::from_secs(20);
        while (state(pid) == 'T') != stopped {
            assert!(Instant::now() < patience, "process {pid} is {}", state(pid));
            std::thread::yield_now();
        }
    };
    running.signal(Signal::SIGTSTP);
    wait_until(running.pid().as_raw(), true);
    running.signal(Signal::SIGCONT);
    wait_until(running.pid().as_raw(), false);
    running.signal(Signal::SIGTERM);
    running.finish().dies_of(Signal::SIGTERM);
}

#[test]
fn the_commands_mask_and_ignored_signals_are_those_gcwatch_was_started_with() {
    let show = "grep -E '^Sig(Blk|Ign):' /proc/self/status";
    for script in ["", "trap '' PIPE;", "trap '' HUP CHLD;"] {
        let gcwatch = env!("CARGO_BIN_EXE_gcwatch");
        let shell = |command: String| {
            let output = std::process::Command::new("bash")
                .args(["-c", &command])
                .output()
                .expect("bash runs");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let bare = shell(format!("{script} env sh -c \"{show}\""));
        let watched = shell(format!("{script} {gcwatch} -q -- sh -c \"{show}\""));
        assert!(bare.contains("SigIgn"), "{bare}");
        assert_eq!(watched, bare, "{script}");
    }
}
