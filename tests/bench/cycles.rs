//! What a cycle costs the detector, by hand: `cargo bench --bench cycles`.
//!
//! A million cycles of several shapes and paces; the average over all of them, and over the costliest thousand in a row.
//! It is CPU time, so that a busy machine does not matter much.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::time::Duration;

use gcwatch::detector::{Detector, DetectorConfig};
use gcwatch::size::{MIB, Size};
use nix::sys::resource::{UsageWho, getrusage};

const CYCLES: u32 = 1_000_000;
const CHUNK: u32 = 1_000;

/// A live heap in MiB by the number of the cycle.
type Shape = (&'static str, fn(u64) -> u64);

/// What each cycle frees.
const GARBAGE: Size = Size::from_bytes(20 * MIB);

const SHAPES: [Shape; 5] = [
    ("flat", |_| 40),
    ("noise", |cycle| 40 + cycle * 7_919 % 23),
    ("sawtooth", |cycle| 20 + cycle % 200),
    ("staircase", |cycle| 20 + cycle / 500 % 100),
    ("leak", |cycle| 20 + cycle / 100),
];

/// The CPU time of this process so far.
fn cpu_time() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel counts");
    [used.user_time(), used.system_time()]
        .iter()
        .map(|time| {
            let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
            Duration::from_micros(micros.try_into().expect("it is not negative"))
        })
        .sum()
}

fn main() {
    println!(
        "{:10} {:>8} {:>10} {:>16}",
        "shape", "pace", "ns a cycle", "costliest 1,000"
    );
    for (name, live) in SHAPES {
        for pace in [10, 100, 1_000, 10_000] {
            let mut detector = Detector::new(&DetectorConfig::default());
            let mut costliest = Duration::ZERO;
            let begun = cpu_time();
            for chunk in 0..CYCLES / CHUNK {
                let chunk_begun = cpu_time();
                for number in chunk * CHUNK..(chunk + 1) * CHUNK {
                    let at = Duration::from_millis(u64::from(number) * pace);
                    let live = Size::from_bytes(live(number.into()) * MIB);
                    std::hint::black_box(detector.observe(number, Some(at), live, GARBAGE));
                }
                costliest = costliest.max(cpu_time().saturating_sub(chunk_begun));
            }
            let each = cpu_time().saturating_sub(begun) / CYCLES;
            let costliest = costliest / CHUNK;
            println!(
                "{name:10} {:>5} ms {:>10} {:>16}",
                pace,
                each.as_nanos(),
                costliest.as_nanos()
            );
        }
    }
}
