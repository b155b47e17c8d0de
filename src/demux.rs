//! Which Go process a cycle belongs to, where several write to one stream.
//!
//! A Go program hands GODEBUG and stderr on to its children, so the cycles of several processes may come mixed: `go build`,
//! a prefork server, a shell loop that starts a service again. Each has cycle numbers of its own and a start of its own:
//! when a cycle arrives, less its time since that process's start, less its own length. And each goes on where its own heap was.
//! A busy machine makes lines late, and now and then one is lost, so none of these is asked for: a cycle goes to the process
//! where it surprises least, and only what can go on nowhere is a new process.

use std::time::Duration;

use crate::size::Size;
use crate::trace::Cycle;

/// A Go process on the stream, numbered from 1 by first appearance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// A line that is not the next one by its number may be so late: its thread or its reader waits for a processor.
const LATE: Duration = Duration::from_secs(10);

/// How late a line comes is counted in doublings from here: what is sooner is prompt.
const PROMPT: Duration = Duration::from_millis(5);

/// A line that was lost surprises as much as one that comes a third of a second late.
const LOST_LINE: f64 = 6.0;

/// A doubling of how far a heap is off surprises as much as so many of how late a line is: a busy machine makes lines late by
/// seconds, and leaves the heaps as they are.
const HEAP: f64 = 3.0;

/// Of a heap that is off so many doublings count at most: with GOGC=off its goal tells nothing.
const MOST_DOUBLINGS: f64 = 8.0;

/// How far a time may go back: where two processes print at the same moment, token by token, a line may be read with the
/// other's time.
const MIXED_UP: Duration = Duration::from_millis(100);

/// So many processes are told apart at once; beyond that the one longest silent is forgotten.
const MOST_PROCESSES: usize = 64;

/// What is known of one process.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: ProcessId,
    number: u32,
    at: Option<Duration>,
    /// When it started at the latest, on the clock of arrivals. A late line only makes the estimate later.
    start: Option<Duration>,
    live: Option<Size>,
    /// GOGC, as a share: by the goal of its first cycle, which is 4 MiB of it.
    gogc: f64,
}

/// When a line came.
#[derive(Clone, Copy, Debug)]
struct Came {
    at: Duration,
    /// Whether it is only what the lines before tell: the line itself may be later than that.
    is_saved: bool,
}

impl Came {
    /// When the process of a cycle started at the latest, where that was known to be so before.
    fn start(self, cycle: &Cycle, known: Option<Duration>) -> Option<Duration> {
        let start = self.at.saturating_sub(cycle.ended()?);
        Some(match known {
            Some(known) if self.is_saved => known,
            Some(known) => known.min(start),
            None => start,
        })
    }
}

impl Known {
    /// How far from its own time a cycle came. Earlier is as good as later: all lines before may have been late.
    fn off(&self, cycle: &Cycle, came: Came) -> Duration {
        let (Some(start), Some(ended)) = (self.start, cycle.ended()) else {
            return Duration::ZERO;
        };
        let own = start + ended;
        if came.is_saved {
            came.at.saturating_sub(own)
        } else {
            came.at.abs_diff(own)
        }
    }

    /// How much it surprises that a cycle is its next one, or a later one where lines were lost, in doublings of what would
    /// not: the less, the likelier. `None`: it is neither.
    fn surprise(&self, cycle: &Cycle, came: Came) -> Option<f64> {
        let lost = cycle.number.checked_sub(self.number)?.checked_sub(1)?;
        let is_later = match (cycle.at, self.at) {
            (Some(at), Some(known)) => at + MIXED_UP >= known,
            _ => true,
        };
        let off = self.off(cycle, came);
        if !is_later || (lost > 0 && !came.is_saved && off > LATE) {
            return None;
        }
        let late = (1.0 + off.as_secs_f64() / PROMPT.as_secs_f64()).log2();
        let heap = (1.0 + self.misses(cycle)).log2().min(MOST_DOUBLINGS);
        Some(LOST_LINE * f64::from(lost) + late + HEAP * heap)
    }

    /// How far a cycle's heap is from what this process's last cycle left behind, in MiB: what was live then is still there
    /// when the next cycle starts, and the goal of that was set by it. It tells apart processes that started together.
    fn misses(&self, cycle: &Cycle) -> f64 {
        let Some(live) = self.live else {
            return 0.0;
        };
        let lost = (live.mib() - cycle.heap.start.mib()).max(0.0);
        let expected = (live.mib() * (1.0 + self.gogc)).max(4.0 * self.gogc);
        lost + cycle.goal.map_or(0.0, |goal| (goal.mib() - expected).abs())
    }
}

/// Tells the processes of one stream apart.
#[derive(Debug, Default)]
pub struct Demux {
    /// The longest silent first.
    known: Vec<Known>,
    last_id: u32,
    /// On a saved log: when the last line came, by what the lines tell.
    clock: Duration,
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
        let came = Came {
            at: arrived.unwrap_or(self.clock),
            is_saved: arrived.is_none(),
        };
        // Of equals the one that was heard last.
        let found = (0..self.known.len())
            .rev()
            .filter_map(|index| Some((index, self.known[index].surprise(cycle, came)?)))
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        let before = found.map(|(index, _)| self.known.remove(index));
        let id = before.map_or_else(
            || {
                self.last_id += 1;
                ProcessId(self.last_id)
            },
            |known| known.id,
        );
        let start = came.start(cycle, before.and_then(|known| known.start));
        self.clock = start
            .zip(cycle.ended())
            .map_or(came.at, |(start, ended)| came.at.max(start + ended));
        let gogc = match (before, cycle.goal) {
            (Some(known), _) => known.gogc,
            (None, Some(goal)) if cycle.number == 1 => goal.mib() / 4.0,
            _ => 1.0,
        };
        self.known.push(Known {
            id,
            number: cycle.number,
            at: cycle.at,
            start,
            live: cycle.heap.live,
            gogc,
        });
        let forgotten = (self.known.len() > MOST_PROCESSES).then(|| self.known.remove(0).id);
        Assigned {
            process: id,
            new: before.is_none(),
            forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Trace, parse};

    fn parsed(line: &str) -> Cycle {
        match parse(line.as_bytes()) {
            Some(Trace::Cycle(cycle)) => cycle,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    fn cycle(number: u32, at_millis: u64) -> Cycle {
        parsed(&format!(
            "gc {number} @{}.{:03}s 1%: 0+1.0+0 ms clock, 0+0/0/0+0 ms cpu, 4->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n",
            at_millis / 1000,
            at_millis % 1000
        ))
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
    fn in_a_saved_log_a_restart_that_lives_longer_stays_one_process() {
        // GOGC=200: the goal tells nothing here.
        let cycle = |number: u32, at: u32, live: u32, goal: u32| {
            parsed(&format!(
                "gc {number} @{at}.000s 1%: 0+1.0+0 ms clock, 0+0/0/0+0 ms cpu, {goal}->{goal}->{live} MB, {goal} MB goal, 2 P\n"
            ))
        };
        let mut demux = Demux::default();
        for (process, cycles, pace) in [(1, 40, 1), (2, 90, 2), (3, 200, 3)] {
            let mut goal = 4;
            for number in 1..=cycles {
                let live = 20 + (number + process) * 7 % 11;
                let assigned = demux.assign(&cycle(number, number * pace, live, goal), None);
                assert_eq!(assigned.process, ProcessId(process), "cycle {number}");
                goal = live * 3;
            }
        }
    }

    #[test]
    fn of_processes_that_started_together_each_goes_on_where_its_heap_was() {
        let cycle = |number: u32, live: u32| {
            let (start, goal) = (live + live / 2, if number == 1 { 4 } else { live * 2 });
            parsed(&format!(
                "gc {number} @0.{number}00s 1%: 0+1.0+0 ms clock, 0+0/0/0+0 ms cpu, {start}->{start}->{live} MB, {goal} MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
            ))
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
