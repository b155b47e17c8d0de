//! ID: while nothing happens, nothing happens.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::bare::GCWATCH;
use crate::support::{Gcwatch, command};

#[test]
fn id_1_nothing_runs_while_the_command_is_idle() {
    let mut running = Gcwatch::new(["-q"])
        .script("echo ready >&2; exec sleep 100")
        .start();
    running.wait_for("ready");
    let tasks = format!("/proc/{}/task", running.pid());
    let wakes = || -> u64 {
        let switches = |status: String| -> u64 {
            let counts = status.lines().filter_map(|line| {
                let count = line.strip_prefix("voluntary_ctxt_switches:")?;
                count.trim().parse::<u64>().ok()
            });
            counts.sum()
        };
        let tasks = fs::read_dir(&tasks).expect("its threads");
        tasks
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
            .map(switches)
            .sum()
    };
    // What is held of the last line is decided within this.
    std::thread::sleep(Duration::from_millis(300));
    let before = wakes();
    std::thread::sleep(Duration::from_secs(2));
    let woken = wakes() - before;
    assert!(woken <= 4, "woken {woken} times in two seconds");
    running.signal(Signal::SIGTERM);
    running.finish().dies_of(Signal::SIGTERM);
}

#[test]
fn id_1_the_end_is_noticed_at_once() {
    let took = |wrapper: &[&str]| {
        let began = Instant::now();
        let status = command(wrapper[0])
            .args(&wrapper[1..])
            .args(["sh", "-c", "exit 5"])
            .status();
        assert_eq!(status.expect("it runs").code(), Some(5));
        began.elapsed()
    };
    // In turn, so that a busy machine is busy for both.
    let (mut bare, mut watched) = (Vec::new(), Vec::new());
    for _ in 0..41 {
        bare.push(took(&["env"]));
        watched.push(took(&[GCWATCH, "-q", "--"]));
    }
    bare.sort();
    watched.sort();
    assert!(
        watched[20] < bare[20] + Duration::from_millis(150),
        "{watched:?}, and {bare:?} without gcwatch"
    );
}
