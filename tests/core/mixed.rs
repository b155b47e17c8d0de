//! Several runtimes that print at the same moment on one stream, token by token.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gcwatch::size::Size;
use gcwatch::splitter::{Edges, Split, Splitter};
use gcwatch::trace::{Clock, Cpu, Cycle, Heap, Scan};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::chance::cases;
use crate::runtime::{Go, writes};

fn split<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Split {
    let mut splitter = Splitter::new(Edges::Kept);
    let mut out = Split::default();
    for read in reads {
        splitter.push(read, &mut out);
    }
    splitter.finish(&mut out);
    out
}

/// How many runs of numbers one behind the other the cycles are.
fn runs(cycles: &[Cycle]) -> usize {
    let mut last: Vec<u32> = Vec::new();
    for cycle in cycles {
        match last.iter_mut().find(|last| **last + 1 == cycle.number) {
            Some(last) => *last = cycle.number,
            None => last.push(cycle.number),
        }
    }
    last.len()
}

/// Whether the phases that stop the world took their time of each processor, as far as the digits tell.
fn is_consistent(cycle: &Cycle) -> bool {
    let (Some(clock), Some(cpu)) = (cycle.clock, cycle.cpu) else {
        return false;
    };
    let agree = |clock: Duration, cpu: Duration| {
        let wanted = clock.as_secs_f64() * f64::from(cycle.procs);
        (cpu.as_secs_f64() - wanted).abs() <= 0.15 * wanted + 2e-6
    };
    agree(clock.sweep_term, cpu.sweep_term)
        && agree(clock.mark_term, cpu.mark_term)
        && Some(cycle.heap.start) <= cycle.heap.end
        && cycle.heap.live <= cycle.heap.end
}

#[test]
fn four_busy_processes_on_one_pipe_are_read_to_the_last_cycle() {
    for (name, count) in [("go1.19", 70), ("go1.27", 68)] {
        let path = format!("tests/traces/mixed/{name}-four-processes.writes");
        let recorded = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
        let recorded = recorded.expect("the recording");
        let writes: Vec<Vec<u8>> = recorded
            .lines()
            .map(|write| write.replace("\\n", "\n").into_bytes())
            .collect();
        let split = split(writes.iter().map(Vec::as_slice));
        assert_eq!(String::from_utf8_lossy(&split.text), "", "{name}");
        let cycles: Vec<Cycle> = split.cycles.into_iter().map(|taken| taken.cycle).collect();
        assert_eq!(cycles.len(), count, "{name}");
        assert_eq!(runs(&cycles), 4, "{name}");
        let odd = cycles.iter().filter(|cycle| !is_consistent(cycle)).count();
        assert!(odd <= 4, "{name}: {odd} cycles have another's numbers");
    }
}

/// The cycles of a process as a runtime may print them, from made-up figures.
fn process(first: u32, base: u64, figures: &[(u64, u64)]) -> Vec<Cycle> {
    let mib = |mib: u64| Size::from_bytes(mib << 20);
    let cycle = |(index, (stop, mark)): (usize, &(u64, u64))| {
        let number = first + u32::try_from(index).expect("few");
        let stop = Duration::from_micros(*stop);
        let mark = Duration::from_micros(*mark * 100);
        Cycle {
            number,
            at: Some(Duration::from_millis(base * 7 + u64::from(number) * 31)),
            gc_cpu_percent: Some(3 + i64::from(first % 5)),
            clock: Some(Clock {
                sweep_term: stop,
                mark,
                mark_term: stop / 2,
                early: None,
            }),
            cpu: Some(Cpu {
                sweep_term: stop * 2,
                background: mark,
                mark_term: stop / 2 * 2,
                ..Cpu::default()
            }),
            heap: Heap {
                start: mib(base),
                end: Some(mib(base + 1)),
                live: Some(mib(base / 2)),
            },
            goal: Some(mib(base + 1)),
            scan: Some(Scan::default()),
            procs: 2,
            ..Cycle::default()
        }
    };
    figures.iter().enumerate().map(cycle).collect()
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn lines_that_three_runtimes_mix_come_out_whole_but_for_one_at_most(
        processes in vec((1_u32..200, 4_u64..60, vec((1_u64..49, 10_u64..99), 3..6)), 3),
        turns in vec((0_usize..3, 1_usize..12), 400),
    ) {
        let cycles: Vec<Vec<Cycle>> = processes
            .iter()
            .map(|(first, base, figures)| process(*first, *base, figures))
            .collect();
        let mut left: Vec<std::collections::VecDeque<Vec<u8>>> = cycles
            .iter()
            .map(|cycles| cycles.iter().flat_map(|cycle| writes(cycle, Go::V1_26)).collect())
            .collect();
        let mut stream = Vec::new();
        for (process, tokens) in turns.iter().cycle() {
            if left.iter().all(std::collections::VecDeque::is_empty) {
                break;
            }
            let rest = &mut left[*process];
            stream.extend(rest.drain(..rest.len().min(*tokens)));
        }
        let split = split(stream.iter().map(Vec::as_slice));
        // Alike as these are, and torn at every token, some cannot be told apart.
        let printed = cycles.iter().map(Vec::len).sum::<usize>();
        prop_assert!(split.cycles.len() + 1 >= printed, "{} of {printed}", split.cycles.len());
        prop_assert_eq!(split.text.len() + split.trace.len(), stream.concat().len());
    }
}
