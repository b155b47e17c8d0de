//! Sampling that was switched on from outside: what it may cost, and when it is off again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gcwatch::culprit::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Gcwatch, go, go_with, probe};

const LONG: Duration = Duration::from_mins(1);

/// A process that the test ends, also where it fails.
struct Ours(i32);

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0), Signal::SIGTERM);
    }
}

/// Waits for a process whose number a script writes into this file.
fn told(file: &Path) -> Ours {
    let mut found = None;
    wait_until("the script tells a process", || {
        let text = fs::read_to_string(file).unwrap_or_default();
        found = text.strip_suffix('\n').map(str::to_owned);
        found.is_some()
    });
    let found = found.unwrap_or_default();
    Ours(found.parse().expect("a number"))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}: not in {LONG:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes from one sample to the next; `None` where it cannot be told (yet).
fn rate(process: &Ours) -> Option<u64> {
    Program::open(process.0).ok()?.rate().ok()
}

/// 128 KiB to a sample, but for a program that would notice.
#[test]
fn a_program_that_allocates_much_is_sampled_more_coarsely() {
    let runs = [
        ("1.19", "trees", &[][..], true),
        ("1.22", "documents", &[], true),
        ("1.25", "hashes", &[], false),
        ("1.27", "trees", &["--sample-rate=128KiB"], false),
    ];
    let runs = runs.map(|(release, work, options, is_coarser)| {
        let running = Gcwatch::new(["--culprit=on"])
            .options(options)
            .watch(probe(release), ["sampling", work, "1"])
            .start();
        (release, work, is_coarser, running)
    });
    for (release, work, is_coarser, running) in runs {
        let said = running.finish().exits(0).stderr();
        let rate = said
            .split_once("bytes a round, ")
            .and_then(|(_, rest)| rest.split_once(" to a sample")?.0.parse::<u64>().ok());
        let rate = rate.unwrap_or_else(|| panic!("go{release} {work}: no rate in {said}"));
        assert_eq!(rate > 128 << 10, is_coarser, "go{release} {work}: {said}");
        assert!(rate >= 128 << 10, "go{release} {work}: {said}");
    }
}

/// The runtime never forgets a stack.
#[test]
fn sampling_ends_above_fifty_thousand_stacks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pid");
    let program = go_with("1.27", "tests/go/stacks", "stripped", &["-ldflags=-s -w"]);
    let running = Gcwatch::new(["--culprit=on", "--sample-rate=1KiB"])
        .script(&format!(
            "echo $$ >{}; exec {} 17 >/dev/null",
            file.display(),
            program.display()
        ))
        .start();
    let stacks = told(&file);
    wait_until("sampling is on", || rate(&stacks) == Some(1024));
    wait_until("sampling is off again", || rate(&stacks) == Some(0));
    drop(stacks);
    running.finish().dies_of(Signal::SIGTERM);
}

/// What the command started may outlive it, and gcwatch.
#[test]
fn sampling_ends_with_gcwatch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pid");
    let running = Gcwatch::new(["--culprit=on"])
        .script(&format!(
            "{} quiet >/dev/null 2>&1 & echo $! >{}; read -r line",
            go("1.27", "tests/go/shop").display(),
            file.display()
        ))
        .start_fed();
    let (running, input) = running;
    let shop = told(&file);
    wait_until("sampling is on", || rate(&shop) == Some(128 << 10));
    drop(input);
    running.finish().exits(1);
    assert_eq!(rate(&shop), Some(0));
}
