//! What GitHub Actions shows of a run: annotations on the lines that leak, and a part of the step's summary.
//!
//! Both are written at the end: what was flagged before may have been withdrawn since.

mod annotations;
mod markdown;
mod step_summary;

use std::rc::Rc;

pub use self::annotations::Annotations;
pub use self::step_summary::StepSummary;
use crate::culprit::blame::Place;
use crate::detector::{Leak, Verdict};
use crate::gate::Gate;
use crate::summary::{Flag, ProcessSummary, RunVerdict, Summary};

/// Finds a source file, given as the compiler named it, in the checkout: its path there.
pub type InCheckout = Rc<dyn Fn(&str) -> Option<String>>;

/// Where a line of the program is, as far as it can be told.
enum Spot {
    /// In the checkout: the path there.
    Checkout(String),
    /// Elsewhere: in a dependency, or the program was built from other sources.
    Elsewhere,
}

impl Spot {
    fn of(place: &Place, in_checkout: &InCheckout) -> Self {
        in_checkout(&place.file).map_or(Self::Elsewhere, Self::Checkout)
    }
}

/// How loud an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Notice,
}

/// How loud the verdict is; `None` where there is nothing to say.
///
/// What fails the step is an error, and so is a leak. A budget that was passed is a warning where it does not fail the step.
/// A run that cannot tell, and one that ends clean after a leak was flagged, are told of.
fn level(summary: &Summary, gate: Gate) -> Option<Level> {
    if gate.check(summary).is_some() {
        return Some(Level::Error);
    }
    match summary.verdict() {
        RunVerdict::Leak if is_over_budget(summary) => Some(Level::Warning),
        RunVerdict::Leak => Some(Level::Error),
        RunVerdict::Inconclusive => Some(Level::Notice),
        RunVerdict::Clean => withdrawn(summary).map(|_| Level::Notice),
    }
}

fn is_over_budget(summary: &Summary) -> bool {
    let decisive = summary.decisive();
    let judgement = decisive.and_then(|process| process.judgement.as_ref());
    judgement
        .is_some_and(|judgement| matches!(judgement.verdict, Verdict::Leak(Leak::OverBudget(_))))
}

/// `leak`, `over budget`, `inconclusive` or `clean`.
fn word(summary: &Summary) -> &'static str {
    if is_over_budget(summary) {
        "over budget"
    } else {
        summary.verdict().word()
    }
}

/// What was flagged and withdrawn, in words.
fn withdrawn(summary: &Summary) -> Option<String> {
    let of_process = |process: &ProcessSummary| {
        process.flags.iter().rev().find_map(|flag| match flag {
            Flag::Withdrawn(withdrawal) => Some(format!(
                "a leak was flagged, and withdrawn {:.1} s after the start: {}",
                withdrawal.at.as_secs_f64(),
                withdrawal.why
            )),
            Flag::Leak(_) | Flag::OverBudget(_) => None,
        })
    };
    summary.processes.iter().find_map(of_process)
}

/// The processes that leak, the one that decides first.
fn leaking(summary: &Summary) -> Vec<&ProcessSummary> {
    let decisive = summary.decisive();
    let first = decisive.map(|process| process.process);
    let others = summary
        .processes
        .iter()
        .filter(|process| Some(process.process) != first);
    let leaks = |process: &&ProcessSummary| process.verdict() == Some(RunVerdict::Leak);
    decisive.into_iter().chain(others).filter(leaks).collect()
}
