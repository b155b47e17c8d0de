//! What the memory of running programs says of their cycles, to tell apart those that began together.

use std::collections::{HashMap, VecDeque};

use crate::culprit::Program;

/// So many programs are opened at most.
pub(super) const MOST: usize = 32;

/// So many cycles of each are remembered: a line may be heard long after the program wrote it, when this thread gets no
/// processor.
const MOST_CYCLES: usize = 64;

/// Programs of which any may be the one that is looked for.
#[derive(Default)]
pub(super) struct Suspects(HashMap<i32, Suspect>);

struct Suspect {
    program: Program,
    /// Cycles, and how many MiB were live after each, the last one last.
    seen: VecDeque<(u32, u64)>,
}

impl Suspects {
    /// Whether a program may have written a line with this number and this live heap, if its memory says anything of it. Looks
    /// there as well, and remembers what that says.
    pub(super) fn agrees(&mut self, pid: i32, number: u32, live_mib: u64) -> Option<bool> {
        let suspect = self.open(pid)?;
        // It counts the cycle before it writes the line.
        if suspect.look().is_some_and(|cycle| cycle < number) {
            return Some(false);
        }
        let said = suspect.seen.iter().find(|(cycle, _)| *cycle == number);
        said.map(|(_, live)| *live == live_mib)
    }

    /// It is no longer looked for.
    pub(super) fn forget(&mut self, pid: i32) {
        self.0.remove(&pid);
    }

    /// What a program said stays when it has ended.
    fn open(&mut self, pid: i32) -> Option<&mut Suspect> {
        let is_open = |suspect: &Suspect| suspect.program.gc_cycle().is_ok();
        if !self.0.get(&pid).is_some_and(is_open) {
            if self.0.len() >= MOST {
                self.0.retain(|_, suspect| is_open(suspect));
            }
            if let Ok(program) = Program::open(pid) {
                let seen = VecDeque::new();
                self.0.insert(pid, Suspect { program, seen });
            }
        }
        self.0.get_mut(&pid)
    }
}

impl Suspect {
    /// Which cycle was the last. Notes it with its live heap, if no other one came meanwhile.
    fn look(&mut self) -> Option<u32> {
        let before = self.program.gc_cycle().ok()?;
        let live = self.program.live_heap().ok()?;
        let is_known = self.seen.back().is_some_and(|(cycle, _)| *cycle == before);
        if !is_known && self.program.gc_cycle().ok()? == before {
            if self.seen.len() == MOST_CYCLES {
                self.seen.pop_front();
            }
            self.seen.push_back((before, live >> 20));
        }
        Some(before)
    }
}
