//! ID: while nothing happens, nothing happens.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::Gcwatch;

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
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let began = Instant::now();
            Gcwatch::new(["-q"]).script("exit 0").run().exits(0);
            began.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[10] < Duration::from_millis(150), "{times:?}");
}
