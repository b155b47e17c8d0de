//! Events folded: what is known of a run, at any time. Live, replayed and reported figures all come from here.

mod process;

use std::time::Duration;

pub use self::process::{Flag, ProcessSummary};
use crate::culprit::growth::Finding;
use crate::demux::ProcessId;
use crate::detector::Verdict;
use crate::exit::End;
use crate::session::Event;
use crate::size::Size;
use crate::trace::Cycle;

/// So many processes are kept one by one; of more, only the sums and the worst verdict.
const MOST_PROCESSES: usize = 256;

/// The verdict on a run, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunVerdict {
    /// No process leaks, as far as this run could show.
    Clean,
    /// This run cannot tell.
    Inconclusive,
    /// A process leaks.
    Leak,
}

impl RunVerdict {
    /// `leak`, `clean` or `inconclusive`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Inconclusive => "inconclusive",
            Self::Leak => "leak",
        }
    }

    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Leak(_) => Self::Leak,
            Verdict::Clean(_) => Self::Clean,
            Verdict::Inconclusive(_) => Self::Inconclusive,
        }
    }
}

/// A size that the heap must not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How much it is.
    pub size: Size,
    /// Who set it: `--limit`, `GOMEMLIMIT`, `memory.max`, …
    pub from: String,
}

/// What is known of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The command and its arguments, as typed; none for a saved log.
    pub command: Vec<String>,
    /// What the forecast counts down to.
    pub limit: Option<Limit>,
    /// Whether the command was started with GOGC=off.
    pub gogc_is_off: bool,
    /// How the command ended.
    pub end: Option<End>,
    /// How long the run took.
    pub wall: Option<Duration>,
    /// How many lines began like a cycle's and could not be read.
    pub unrecognised: u64,
    /// The processes, in order of appearance.
    pub processes: Vec<ProcessSummary>,
    /// How many processes more there were, of which only the sums are kept.
    pub dropped_processes: u64,
    cycles: u64,
    reassembled: u64,
    lost: u64,
    worst_dropped: Option<RunVerdict>,
}

impl Summary {
    /// Nothing is known yet but the limit.
    pub fn new(limit: Option<Limit>) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Takes one event.
    pub fn record(&mut self, event: &Event) {
        match event {
            Event::Started { command, .. } => self.command.clone_from(command),
            Event::Cycle {
                process,
                cycle,
                arrived,
                reassembled,
            } => self.cycle(*process, cycle, *arrived, *reassembled),
            Event::Identified { process, pid } => {
                if let Some(process) = self.process(*process) {
                    process.pid = Some(*pid);
                }
            }
            Event::Culprits { process, finding } => {
                if let Some(process) = self.process(*process) {
                    process.finding = finding.clone();
                }
            }
            Event::Flagged { process, rise } => {
                if let Some(process) = self.process(*process) {
                    process.first_flag.get_or_insert(rise.at);
                    process.flag(Flag::Leak(rise.clone()));
                }
            }
            Event::OverBudget {
                process,
                over_budget,
            } => {
                if let Some(process) = self.process(*process) {
                    process.first_flag.get_or_insert(over_budget.at);
                    process.flag(Flag::OverBudget(over_budget.clone()));
                }
            }
            Event::Withdrawn {
                process,
                withdrawal,
            } => {
                if let Some(process) = self.process(*process) {
                    process.finding = Finding::default();
                    process.flag(Flag::Withdrawn(withdrawal.clone()));
                }
            }
            Event::Judged { process, judgement } => {
                if let Some(process) = self.process(*process) {
                    process.judgement = Some(judgement.clone());
                }
                self.drop_one();
            }
            Event::HeldBack { .. } => {}
            Event::Drained { unrecognised } => self.unrecognised = *unrecognised,
            Event::Ended { end, wall } => {
                self.end = *end;
                self.wall = *wall;
            }
        }
    }

    fn cycle(
        &mut self,
        process: ProcessId,
        cycle: &Cycle,
        arrived: Option<Duration>,
        reassembled: bool,
    ) {
        self.cycles += 1;
        self.reassembled += u64::from(reassembled);
        let index = self
            .processes
            .iter()
            .position(|known| known.process == process)
            .unwrap_or_else(|| {
                self.processes.push(ProcessSummary::new(process, cycle));
                self.processes.len() - 1
            });
        let known = &mut self.processes[index];
        if known.cycles > 0 {
            self.lost += u64::from(
                cycle
                    .number
                    .saturating_sub(known.last.number)
                    .saturating_sub(1),
            );
        }
        known.record(cycle, arrived);
    }

    fn process(&mut self, process: ProcessId) -> Option<&mut ProcessSummary> {
        self.processes
            .iter_mut()
            .find(|known| known.process == process)
    }

    /// Keeps the list of processes bounded: the oldest one that is judged goes, a leaking one last.
    fn drop_one(&mut self) {
        if self.processes.len() <= MOST_PROCESSES {
            return;
        }
        let oldest = |leaking: bool| {
            let is_it = |process: &ProcessSummary| {
                process
                    .verdict()
                    .is_some_and(|verdict| (verdict == RunVerdict::Leak) == leaking)
            };
            self.processes.iter().position(is_it)
        };
        if let Some(index) = oldest(false).or_else(|| oldest(true)) {
            let dropped = self.processes.remove(index);
            self.dropped_processes += 1;
            if !dropped.has_too_few_cycles() {
                self.worst_dropped = self.worst_dropped.max(dropped.verdict());
            }
        }
    }

    /// How many cycles were seen in all.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }

    /// How many of them were torn and put together.
    pub fn reassembled(&self) -> u64 {
        self.reassembled
    }

    /// How many cycles are missing between those that were seen, by their numbers.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The process whose verdict is the run's: the worst judged one, of equals the one with the most cycles.
    pub fn decisive(&self) -> Option<&ProcessSummary> {
        let judged = |process: &&ProcessSummary| !process.has_too_few_cycles();
        self.processes
            .iter()
            .filter(judged)
            .max_by_key(|process| (process.verdict(), process.cycles))
            .or_else(|| self.processes.iter().max_by_key(|process| process.cycles))
    }

    /// The verdict on the run: the worst of its processes, where one with too few cycles counts only if all have too few.
    pub fn verdict(&self) -> RunVerdict {
        let kept = self.decisive().and_then(ProcessSummary::verdict);
        match (kept, self.worst_dropped) {
            (Some(kept), Some(dropped))
                if self
                    .decisive()
                    .is_some_and(|process| !process.has_too_few_cycles()) =>
            {
                kept.max(dropped)
            }
            (_, Some(dropped)) => dropped,
            (Some(kept), None) => kept,
            (None, None) => RunVerdict::Inconclusive,
        }
    }

    /// Why, in one sentence.
    pub fn reason(&self) -> String {
        let Some((process, judgement)) = self.decisive().and_then(|process| {
            process
                .judgement
                .as_ref()
                .map(|judgement| (process, judgement))
        }) else {
            let why = if self.gogc_is_off {
                "GOGC=off lets GC run at GOMEMLIMIT only, leave it out here"
            } else if self.command.is_empty() {
                "did the Go program run with GODEBUG=gctrace=1, and long enough?"
            } else {
                "is it a Go program, and did it run long enough?"
            };
            return format!("no GC cycle seen: {why}");
        };
        if self.verdict() != RunVerdict::of(&judgement.verdict) {
            return format!(
                "one of {} processes that have ended",
                self.dropped_processes
            );
        }
        let reason = judgement.verdict.reason();
        let count = self.dropped_processes + self.processes.len() as u64;
        if count == 1 {
            reason
        } else {
            format!("process {} of {count}: {reason}", process.process.0)
        }
    }
}
