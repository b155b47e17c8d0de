//! Reading a program that runs on meanwhile.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::support::{Build, Running, build, marked, releases};

/// A number that the script sets higher.
fn setting(name: &str, default: u32) -> u32 {
    let setting = std::env::var(name);
    setting.map_or(default, |number| number.parse().expect("a number"))
}

/// Adds a line to the file that the script wants them in.
fn figures(line: &str) {
    if let Ok(path) = std::env::var("GCWATCH_FIGURES") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        writeln!(file.expect("a file for figures"), "{line}").expect("it is written");
    }
}

/// What this thread has worked.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.expect("every thread has such a clock").into()
}

/// A program that allocates without a pause, from 2^12 stacks.
#[test]
fn two_readings_in_one_cycle_are_the_same() {
    let twins = setting("GCWATCH_TWINS", 10);
    let bits = setting("GCWATCH_STACKS", 12);
    for release in releases() {
        let program = build(&release, "stacks", Build::Stripped);
        let mut running = Running::start(
            &program,
            &[&bits.to_string()],
            &[("GOMAXPROCS", "2"), ("GOGC", "2000")],
        );
        assert_eq!(running.line(), "ready");
        let mut program = running.open();
        // Only now: before, its start-up code could have switched it off again.
        assert!(program.arm(1024).expect("it can be armed"));
        // By then what it allocated in the first cycles since is published.
        let armed = program.gc_cycle().expect("a cycle");
        while program.gc_cycle().expect("a cycle") < armed + 4 {
            thread::sleep(Duration::from_millis(1));
        }
        let (mut pairs, mut times, mut cpu_times, mut buckets) = (0, Vec::new(), Vec::new(), 0);
        while pairs < twins {
            let (begin, cpu) = (Instant::now(), cpu_time());
            let first = program.snapshot().expect("a snapshot");
            times.push(begin.elapsed());
            cpu_times.push(cpu_time().saturating_sub(cpu));
            let second = program.snapshot().expect("a snapshot");
            buckets = first.buckets.len();
            if first.cycle == second.cycle {
                pairs += 1;
                assert!(first == second, "go{release}: cycle {}", first.cycle);
            }
        }
        assert!(buckets >= 1 << (bits - 1), "{buckets} buckets");
        times.sort_unstable();
        cpu_times.sort_unstable();
        figures(&format!(
            "go{release}: {buckets} buckets, {pairs} twins the same, {} readings: median {:.1?} and {:.1?} of CPU, longest {:.1?}",
            times.len(),
            times[times.len() / 2],
            cpu_times[times.len() / 2],
            times[times.len() - 1],
        ));
    }
}

#[test]
fn the_live_heap_is_that_of_the_trace_line() {
    for release in releases() {
        for way in [Build::Plain, Build::PieStripped] {
            let gctrace = [("GODEBUG", "gctrace=1")];
            let mut running = Running::ready(&build(&release, "shop", way), &[], &gctrace);
            let program = running.open();
            for _ in 0..5 {
                running.ask("step 100");
                // It waits for the next command now, and collects no garbage.
                let cycle = program.gc_cycle().expect("a cycle");
                let live = program.live_heap().expect("a size");
                let trace = running.trace_line(&format!("gc {cycle} @"));
                let sizes = trace.split(", ").find_map(|field| {
                    let (sizes, _) = field.split_once(" MB")?;
                    sizes.contains("->").then_some(sizes)
                });
                let traced = sizes.and_then(|sizes| sizes.rsplit("->").next()?.parse().ok());
                assert_eq!(
                    Some(live >> 20),
                    traced,
                    "go{release} {way:?}: {live} bytes, {trace}"
                );
            }
        }
    }
}

#[test]
fn goroutines_are_counted_by_the_line_that_started_them() {
    let line = marked("goroutines", "goroutine");
    for release in releases() {
        for way in [Build::Plain, Build::PieStripped] {
            let running = Running::ready(&build(&release, "goroutines", way), &[], &[]);
            let program = running.open();
            let sites = program.goroutines().expect("goroutines");
            let mut counts = sites.iter().filter(|(pc, _)| {
                let frames = program.frames(*pc);
                let mut frames = frames.iter();
                frames.any(|frame| {
                    frame.function == "main.hub.subscribe"
                        && frame.line == line.1
                        && frame.file.ends_with(&line.0)
                })
            });
            assert_eq!(
                counts.next().map(|(_, count)| *count),
                Some(300),
                "go{release} {way:?}"
            );
            assert_eq!(counts.next(), None);
            let all: u64 = sites.iter().map(|(_, count)| count).sum();
            assert!(
                all < 330,
                "100 have ended, and the runtime has a few: {all}"
            );
        }
    }
}
