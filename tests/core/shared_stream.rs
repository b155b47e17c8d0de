//! Whose each cycle is, where several processes share a stream on a machine that makes all of them wait.

use std::time::Duration;

use gcwatch::demux::{Demux, ProcessId};
use gcwatch::size::{MIB, Size};
use gcwatch::trace::{Clock, Cycle, Heap};

/// So many runs of each kind.
const RUNS: u64 = 200;

/// Numbers that are the same in every run of the tests: Knuth's linear congruential generator.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        let factor = 6_364_136_223_846_793_005;
        self.0 = self.0.wrapping_mul(factor).wrapping_add(1);
        (self.0 >> 33) % limit.max(1)
    }
}

/// Something that happens once in `every`, and makes wait for up to `millis`.
#[derive(Clone, Copy)]
struct Wait {
    every: u64,
    millis: u64,
}

/// Five processes on one stream.
struct Machine {
    /// How long after the first one the last one may start, in ms.
    apart: u64,
    /// What GOGC is.
    gogc: u64,
    /// Whether it is known when a line came.
    is_live: bool,
    /// How a line waits for its thread, once in so many lines.
    writer: Wait,
    /// How all lines wait for their reader, once in so many ms.
    reader: Wait,
}

/// A cycle as it came: of which process, and when, in ms.
struct Line {
    process: u32,
    cycle: Cycle,
    arrived: u64,
}

impl Machine {
    /// All lines of one run, as they come.
    fn run(&self, chance: &mut Chance) -> Vec<Line> {
        let mut lines: Vec<Line> = (0..5_u32)
            .flat_map(|process| self.written(process, chance))
            .collect();
        lines.sort_by_key(|line| line.arrived);
        let (mut awake, mut next_sleep) = (0, chance.below(2 * self.reader.every));
        for line in &mut lines {
            while line.arrived.max(awake) >= next_sleep {
                awake = next_sleep + chance.below(self.reader.millis);
                next_sleep = awake + 1 + chance.below(2 * self.reader.every);
            }
            line.arrived = line.arrived.max(awake);
        }
        lines
    }

    /// What one process writes, and when: the more it keeps the longer it runs.
    fn written(&self, process: u32, chance: &mut Chance) -> Vec<Line> {
        let keeps = 4 * u64::from(process);
        let start = 1000 + chance.below(self.apart);
        let pace = 30 + chance.below(60);
        let mut now = start;
        let mut last_live = 0;
        let write = |number| {
            now += pace / 2 + chance.below(pace);
            let at = now - start;
            let mark = 1 + chance.below(10);
            let waits = chance.below(self.writer.every) == 0;
            now += mark + chance.below(if waits { self.writer.millis } else { 2 });
            let live = keeps.min(u64::from(number)) + chance.below(2);
            let growth = last_live + last_live * self.gogc / 100 + chance.below(2);
            let goal = growth.max(4 * self.gogc / 100);
            last_live = live;
            let mib = |count: u64| Size::from_bytes(count * MIB);
            let cycle = Cycle {
                number,
                at: Some(Duration::from_millis(at)),
                clock: Some(Clock {
                    mark: Duration::from_millis(mark),
                    ..Clock::default()
                }),
                heap: Heap {
                    start: mib(goal.max(live)),
                    end: Some(mib(goal.max(live))),
                    live: Some(mib(live)),
                },
                goal: Some(mib(goal)),
                procs: 2,
                ..Cycle::default()
            };
            Line {
                process,
                cycle,
                arrived: now,
            }
        };
        (1..=50 + 5 * process).map(write).collect()
    }

    /// In how many of all runs each process had as many cycles as it wrote, and its own last.
    fn told_apart(&self) -> u64 {
        let is_exact = |seed| {
            let mut demux = Demux::default();
            let (mut written, mut found) = (vec![(0, 0); 5], Vec::<(u32, u32)>::new());
            for line in self.run(&mut Chance(seed)) {
                let arrived = self.is_live.then(|| Duration::from_millis(line.arrived));
                let ProcessId(id) = demux.assign(&line.cycle, arrived).process;
                found.resize(found.len().max(id as usize), (0, 0));
                for (count, last) in [
                    &mut written[line.process as usize],
                    &mut found[id as usize - 1],
                ] {
                    *count += 1;
                    *last = line.process;
                }
            }
            written.sort_unstable();
            found.sort_unstable();
            written == found
        };
        (0..RUNS).map(|seed| u64::from(is_exact(seed))).sum()
    }
}

const NEVER: Wait = Wait {
    every: u64::MAX / 2,
    millis: 1,
};

/// Whether it is known when a line came, and GOGC.
const STREAMS: [(bool, u64); 5] = [
    (true, 100),
    (true, 200),
    (true, 50),
    (false, 100),
    (false, 200),
];

#[test]
fn processes_that_start_together_are_told_apart() {
    for (is_live, gogc) in STREAMS {
        let quiet = Machine {
            apart: 100,
            gogc,
            is_live,
            writer: NEVER,
            reader: NEVER,
        };
        assert_eq!(quiet.told_apart(), RUNS, "{is_live} {gogc}");
    }
}

#[test]
fn processes_are_told_apart_on_a_machine_that_makes_all_of_them_wait_for_seconds() {
    let waits = |every, millis| Wait { every, millis };
    for (is_live, gogc) in STREAMS {
        for apart in [100, 8000] {
            for (writer, reader) in [
                (waits(50, 5000), NEVER),
                (NEVER, waits(2000, 1000)),
                (NEVER, waits(2000, 3000)),
                (waits(20, 2000), waits(2000, 2000)),
            ] {
                let busy = Machine {
                    apart,
                    gogc,
                    is_live,
                    writer,
                    reader,
                };
                // Among the first cycles none may tell, since all heaps are small; and a saved log tells less.
                let least = if is_live { 190 } else { 160 };
                let told_apart = busy.told_apart();
                assert!(
                    told_apart >= least,
                    "{is_live} {gogc} {apart}: {told_apart} of {RUNS}"
                );
            }
        }
    }
}
