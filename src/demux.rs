//! Which Go process a cycle belongs to, where several write to one stream.
//!
//! A Go program hands GODEBUG and stderr on to its children, so the cycles of several processes may come mixed: `go build`,
//! a prefork server, a shell loop that starts a service again. Each has cycle numbers of its own and a start of its own:
//! when a cycle arrives, less its time since that process's start, less its own length.

use std::time::Duration;

use crate::size::{MIB, Size};
use crate::trace::Cycle;

/// A Go process on the stream, numbered from 1 by first appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// How far two estimates of one process's start may lie apart: a line waits in the pipe while its reader is busy, and the
/// thread that writes it may wait for a processor.
const SAME_START: Duration = Duration::from_secs(1);

/// How late a line may come on a busy machine: its thread or its reader waits for a processor.
const LATE: Duration = Duration::from_secs(10);

/// So many lines are the first.
const FIRST_LINES: u32 = 2;

/// How far a time may go back: where two processes print at the same moment, token by token, a line may be read with the
/// other's time.
const MIXED_UP: Duration = Duration::from_millis(100);

/// So many processes are told apart at once; beyond that the one longest silent is forgotten.
const MOST_PROCESSES: usize = 64;

/// What is known of one process.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: ProcessId,
    /// How many lines of it came.
    lines: u32,
    number: u32,
    at: Option<Duration>,
    /// When it started at the latest, on the clock of arrivals. A late line only makes the estimate later.
    start: Option<Duration>,
    live: Option<Size>,
}

impl Known {
    /// Whether a cycle that tells of this start may be its own.
    fn may_have_started(&self, start: Option<Duration>) -> bool {
        match (self.start, start) {
            (Some(known), Some(start)) => known.abs_diff(start) <= SAME_START,
            _ => true,
        }
    }

    /// Whether it is the next one by its number, and it came late, or the only lines before did.
    fn is_next_and_late(&self, cycle: &Cycle, start: Option<Duration>) -> bool {
        let (Some(known), Some(start)) = (self.start, start) else {
            return false;
        };
        cycle.number == self.number + 1
            && known.abs_diff(start) <= LATE
            && (start >= known || self.lines <= FIRST_LINES)
    }

    /// How far a cycle's heap is from what this process's last cycle left behind, in MiB: what was live then is still there
    /// when the next cycle starts, and the goal of that was set by it. It tells apart processes that started together.
    fn misses(&self, cycle: &Cycle) -> u64 {
        let (Some(live), true) = (self.live, cycle.number == self.number + 1) else {
            return 0;
        };
        let mib = |size: Size| size.bytes() / MIB;
        let lost = mib(live).saturating_sub(mib(cycle.heap.start));
        // GOGC is 100 mostly, and below 4 MiB the goal stays (`mgcpacer.go`, heapMinimum).
        let expected = (2 * mib(live)).max(4);
        lost + cycle.goal.map_or(0, |goal| mib(goal).abs_diff(expected))
    }
}

/// Tells the processes of one stream apart.
#[derive(Debug, Default)]
pub struct Demux {
    /// The longest silent first.
    known: Vec<Known>,
    last_id: u32,
}

/// Where a cycle belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Its process.
    pub process: ProcessId,
    /// Whether it is the first cycle of that process here.
    pub new: bool,
    /// The process that was forgotten for it: no later cycle will be given to that one.
    pub forgotten: Option<ProcessId>,
}

impl Demux {
    /// Finds the process of a cycle that came at `arrived`, on any clock that does not go back; `None` for a saved log,
    /// where only numbers and `@` times tell. Go 1.0 to 1.4 print no time: their numbers alone tell.
    pub fn assign(&mut self, cycle: &Cycle, arrived: Option<Duration>) -> Assigned {
        let start = arrived
            .zip(cycle.ended())
            .map(|(arrived, ended)| arrived.saturating_sub(ended));
        let follows = |known: &Known| {
            let is_later = match (cycle.at, known.at) {
                (Some(at), Some(known)) => at + MIXED_UP >= known,
                _ => true,
            };
            cycle.number > known.number && is_later
        };
        // The successor by number first, then the smallest gap, then the likeliest heap, then the nearest start, then who was
        // heard last.
        let find = |may_be: &dyn Fn(&Known) -> bool| {
            (0..self.known.len())
                .rev()
                .filter(|index| follows(&self.known[*index]) && may_be(&self.known[*index]))
                .min_by_key(|index| {
                    let known = &self.known[*index];
                    (
                        cycle.number - known.number,
                        known.misses(cycle),
                        known
                            .start
                            .unwrap_or_default()
                            .abs_diff(start.unwrap_or_default()),
                    )
                })
        };
        let found = find(&|known| known.may_have_started(start))
            .or_else(|| find(&|known| known.is_next_and_late(cycle, start)));
        let (id, lines, first) = if let Some(index) = found {
            let known = self.known.remove(index);
            let first = known.start.into_iter().chain(start).min();
            (known.id, known.lines.saturating_add(1), first)
        } else {
            self.last_id += 1;
            (ProcessId(self.last_id), 1, start)
        };
        self.known.push(Known {
            id,
            lines,
            number: cycle.number,
            at: cycle.at,
            start: first,
            live: cycle.heap.live,
        });
        let forgotten = (self.known.len() > MOST_PROCESSES).then(|| self.known.remove(0).id);
        Assigned {
            process: id,
            new: found.is_none(),
            forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Trace, parse};

    fn cycle(number: u32, at_millis: u64) -> Cycle {
        let line = format!(
            "gc {number} @{}.{:03}s 1%: 0+1.0+0 ms clock, 0+0/0/0+0 ms cpu, 4->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n",
            at_millis / 1000,
            at_millis % 1000
        );
        match parse(line.as_bytes()) {
            Some(Trace::Cycle(cycle)) => cycle,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    /// The processes of cycles `(number, at, arrived)`, in milliseconds.
    fn processes(cycles: &[(u32, u64, Option<u64>)]) -> Vec<u32> {
        let mut demux = Demux::default();
        let assign = |(number, at, arrived): &(u32, u64, Option<u64>)| {
            demux
                .assign(&cycle(*number, *at), arrived.map(Duration::from_millis))
                .process
                .0
        };
        cycles.iter().map(assign).collect()
    }

    #[test]
    fn one_process_stays_one_also_with_gaps() {
        assert_eq!(
            processes(&[(1, 10, None), (2, 20, None), (7, 300, None), (8, 300, None)]),
            [1, 1, 1, 1]
        );
    }

    #[test]
    fn numbers_that_begin_again_are_another_process() {
        assert_eq!(
            processes(&[(1, 10, None), (2, 20, None), (1, 5, None), (2, 9, None)]),
            [1, 1, 2, 2]
        );
    }

    #[test]
    fn of_processes_that_started_together_each_goes_on_where_its_heap_was() {
        let cycle = |number: u32, live: u32| {
            let (start, goal) = (live + live / 2, live * 2);
            let line = format!(
                "gc {number} @0.{number}00s 1%: 0+1.0+0 ms clock, 0+0/0/0+0 ms cpu, {start}->{start}->{live} MB, {goal} MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
            );
            match parse(line.as_bytes()) {
                Some(Trace::Cycle(cycle)) => cycle,
                other => panic!("{line:?} is {other:?}"),
            }
        };
        let mut demux = Demux::default();
        let mut own = [None; 4];
        for number in 1..=9 {
            // Another order each time.
            for turn in 0..4 {
                let which = (turn * (number % 2 * 2 + 1) + number) % 4;
                let live = [10, 20, 30, 40][which as usize];
                let arrived = Duration::from_millis(u64::from(number) * 100 + u64::from(turn));
                let process = demux.assign(&cycle(number, live), Some(arrived)).process;
                let own: &mut Option<ProcessId> = &mut own[which as usize];
                assert_eq!(*own.get_or_insert(process), process, "cycle {number}");
            }
        }
    }

    #[test]
    fn interleaved_processes_are_told_apart_by_number_and_time() {
        let cycles = [
            (5, 5000, None),
            (1, 10, None),
            (6, 5100, None),
            (2, 110, None),
            (7, 5200, None),
            (3, 210, None),
        ];
        assert_eq!(processes(&cycles), [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn processes_with_the_same_numbers_are_told_apart_by_their_start() {
        let cycles = [
            (1, 100, Some(100)),
            (1, 100, Some(5100)),
            (2, 5200, Some(5200)),
            (2, 300, Some(5300)),
            (3, 5400, Some(5400)),
            (3, 400, Some(5400)),
        ];
        assert_eq!(processes(&cycles), [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn a_restart_under_the_same_stderr_is_a_new_process() {
        let cycles = [
            (1, 100, Some(100)),
            (2, 200, Some(200)),
            (1, 100, Some(2200)),
            (2, 250, Some(2350)),
        ];
        assert_eq!(processes(&cycles), [1, 1, 2, 2]);
    }

    #[test]
    fn a_line_that_came_late_stays_with_its_process() {
        assert_eq!(
            processes(&[
                (1, 100, Some(100)),
                (2, 200, Some(900)),
                (3, 950, Some(951))
            ]),
            [1, 1, 1]
        );
    }

    #[test]
    fn a_first_line_that_came_very_late_makes_no_process_of_its_own() {
        let cycles = [
            (1, 100, Some(4100)),
            (2, 4150, Some(4151)),
            (3, 4200, Some(4201)),
        ];
        assert_eq!(processes(&cycles), [1, 1, 1]);
        // Nor does it take the next line of a process that started then.
        let cycles = [
            (1, 100, Some(1100)),
            (1, 100, Some(4100)),
            (2, 4150, Some(5151)),
            (2, 1150, Some(5151)),
        ];
        assert_eq!(processes(&cycles), [1, 2, 1, 2]);
    }

    #[test]
    fn a_line_that_came_very_late_stays_with_its_process() {
        let cycles = [
            (1, 100, Some(100)),
            (2, 200, Some(200)),
            (3, 300, Some(1900)),
            (4, 1950, Some(1951)),
            // A restart.
            (1, 100, Some(4000)),
            (2, 150, Some(4050)),
        ];
        assert_eq!(processes(&cycles), [1, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn a_line_read_with_the_time_of_another_makes_no_new_process() {
        let cycles = [
            (12, 99, Some(101)),
            (9, 100, Some(101)),
            // Each with the other's time.
            (13, 190, Some(191)),
            (10, 140, Some(191)),
            (14, 180, Some(181)),
            (11, 240, Some(241)),
        ];
        assert_eq!(processes(&cycles), [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn a_stream_of_short_processes_is_followed_in_bounded_memory() {
        let mut demux = Demux::default();
        let mut forgotten = 0;
        for start in 0..1000_u64 {
            let assigned = demux.assign(&cycle(1, 10), Some(Duration::from_secs(start * 10)));
            assert!(assigned.new);
            forgotten += usize::from(assigned.forgotten.is_some());
        }
        assert_eq!(demux.known.len(), MOST_PROCESSES);
        assert_eq!(forgotten, 1000 - MOST_PROCESSES);
    }
}
