//! Growth by line against what the program counted itself.

use std::thread;
use std::time::Duration;

use gcwatch::culprit::{Program, Snapshot};

use crate::support::{Build, Running, build, marked, releases};

/// Sampled objects in use that a line allocated, of one size.
fn in_use(program: &Program, snapshot: &Snapshot, size: u64, line: &(String, u32)) -> u64 {
    let is_line = |pc: &u64| {
        let frames = program.frames(*pc);
        frames
            .iter()
            .any(|frame| frame.line == line.1 && frame.file.ends_with(&line.0))
    };
    let buckets = snapshot.buckets.iter().filter(|bucket| bucket.size == size);
    let buckets = buckets.filter(|bucket| bucket.stack.iter().any(is_line));
    buckets.map(gcwatch::culprit::Bucket::in_use).sum()
}

/// `NAME=SIZExCOUNT`, as the program says what it leaked.
fn truth(line: &str) -> Vec<(String, u64, u64)> {
    let leaks = line.split_whitespace().map(|leak| {
        let (name, rest) = leak.split_once('=').expect("name and counts");
        let (size, count) = rest.split_once('x').expect("size and count");
        (
            name.to_owned(),
            size.parse().expect("a size"),
            count.parse().expect("a count"),
        )
    });
    leaks.collect()
}

#[test]
fn growth_at_rate_one_is_what_the_program_counted() {
    for release in releases() {
        for way in Build::UNSAMPLED {
            let mut running = Running::start(&build(&release, "shop", way), &[], &[]);
            let mut program = running.open();
            assert_eq!(running.line(), "ready");
            // Its start-up code is through.
            while !program.arm(1).expect("it can be armed") {
                thread::sleep(Duration::from_millis(1));
            }
            let mut before = None;
            for steps in [100, 150] {
                let truth = truth(&running.ask(&format!("step {steps}")));
                assert_eq!(truth.len(), 6);
                let snapshot = program.snapshot().expect("a snapshot");
                assert_eq!(snapshot.rate, 1);
                let counts: Vec<u64> = truth
                    .iter()
                    .map(|(name, size, _)| {
                        in_use(&program, &snapshot, *size, &marked("shop", name))
                    })
                    .collect();
                if let Some(before) = before.replace(counts.clone()) {
                    for ((leak, now), before) in truth.iter().zip(&counts).zip(before) {
                        assert_eq!(now - before, steps, "go{release} {way:?}: {leak:?}");
                    }
                }
            }
            assert_eq!(program.disarm(), Ok(true));
            assert_eq!(program.rate(), Ok(0));
        }
    }
}
