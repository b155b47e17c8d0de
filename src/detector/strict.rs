//! The literal rule: the live heap of each of N cycles in a row is higher than the one before.

use std::collections::VecDeque;
use std::time::Duration;

use super::change::Rise;
use super::evidence::{Evidence, Seen};
use super::ladder::Window;
use super::stats::{self};
use super::verdict::{Clean, Inconclusive, Leak, Sight, Verdict};
use super::{TRACE_CLOCK, seconds};
use crate::size::{MIB, Size};
use crate::wording::real;

/// Counts cycles in a row whose live heap is higher than the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    previous: Option<Size>,
    /// How many rises in a row end with the last cycle.
    length: u64,
    /// The most rises in a row so far.
    pub(super) longest: u64,
}

impl Run {
    /// Takes one cycle. Returns how many rises in a row end with it.
    pub(super) fn observe(&mut self, live: Size) -> u64 {
        let rises = self.previous.is_some_and(|previous| previous < live);
        self.length = if rises { self.length + 1 } else { 0 };
        self.longest = self.longest.max(self.length);
        self.previous = Some(live);
        self.length
    }
}

/// The strict rule: flagged once is flagged, nothing takes it back.
#[derive(Clone, Debug)]
pub(super) struct StrictRule {
    /// How many rises in a row make a leak.
    rises: usize,
    /// The last cycles, one more than there are rises.
    cycles: VecDeque<(Duration, Size)>,
    /// What was flagged.
    pub(super) flagged: Option<Rise>,
}

impl StrictRule {
    /// A rule that flags so many rises in a row.
    pub(super) fn new(rises: usize) -> Self {
        Self {
            rises,
            cycles: VecDeque::with_capacity(rises + 2),
            flagged: None,
        }
    }

    /// Takes one cycle and how many rises in a row end with it. Returns the rise if it is flagged now.
    pub(super) fn observe(
        &mut self,
        number: u32,
        at: Duration,
        live: Size,
        in_a_row: u64,
    ) -> Option<Rise> {
        if self.flagged.is_some() {
            return None;
        }
        self.cycles.push_back((at, live));
        if self.cycles.len() > self.rises + 1 {
            self.cycles.pop_front();
        }
        if in_a_row < self.rises as u64 {
            return None;
        }
        let windows: Vec<_> = self
            .cycles
            .iter()
            .map(|&(at, live)| Window::of(seconds(at), live))
            .collect();
        let rise = Rise {
            cycle: number,
            at,
            window_cycles: 1,
            floors: windows.iter().map(|window| window.floor).collect(),
            span: at.saturating_sub(self.cycles[0].0),
            live,
            // The trace's steps of 1 MiB.
            growth: stats::growth(&windows, 1.0),
            evidence: Evidence {
                windows: windows.iter().map(Seen::from).collect(),
                findings: Vec::new(),
            },
        };
        self.flagged = Some(rise.clone());
        Some(rise)
    }

    /// The verdict after so many cycles over that time.
    pub(super) fn verdict(&self, cycles: u64, observed: Duration, run: &Run) -> Verdict {
        let needed = self.rises as u64 + 1;
        match &self.flagged {
            Some(rise) => Verdict::Leak(Leak::Strict(rise.clone())),
            None if cycles < needed => Verdict::Inconclusive(Inconclusive::TooFewCycles {
                seen: cycles,
                needed,
            }),
            None => Verdict::Clean(Clean {
                cycles,
                observed,
                // It takes one step of the trace in every cycle; less than that has ties.
                smallest_visible_leak: real(MIB) * real(cycles - 1)
                    / seconds(observed).max(TRACE_CLOCK),
                sight: Sight::Rises(run.longest),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(rises: usize, live: &[u64]) -> Vec<Rise> {
        let mut run = Run::default();
        let mut rule = StrictRule::new(rises);
        (1..)
            .zip(live)
            .filter_map(|(number, &live)| {
                let live = Size::from_bytes(live);
                let in_a_row = run.observe(live);
                rule.observe(
                    number,
                    Duration::from_millis(u64::from(number)),
                    live,
                    in_a_row,
                )
            })
            .collect()
    }

    #[test]
    fn so_many_rises_in_a_row_are_flagged_once() {
        let flags = flags(3, &[5, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4]);
        assert_eq!(flags.len(), 1);
        assert_eq!(flags[0].cycle, 5);
        assert_eq!(flags[0].floors, [4, 5, 6, 7].map(Size::from_bytes));
        assert_eq!(flags[0].span, Duration::from_millis(3));
    }

    #[test]
    fn one_tie_begins_the_count_again() {
        assert!(flags(3, &[4, 5, 6, 6, 7, 8]).is_empty());
    }

    #[test]
    fn the_longest_run_is_kept() {
        let mut run = Run::default();
        for live in [1, 2, 3, 3, 4, 1] {
            run.observe(Size::from_bytes(live));
        }
        assert_eq!(run.longest, 2);
    }
}
