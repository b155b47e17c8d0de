//! Whether a run passes: the verdict against what the user asked for.

use crate::summary::{RunVerdict, Summary};

/// What a leak does to the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLeak {
    /// It is said, and the command runs and ends as it does.
    #[default]
    Report,
    /// The run fails at its end.
    Fail,
    /// The command is ended at once, and the run fails.
    Stop,
}

/// What an inconclusive run does where a leak fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInconclusive {
    /// It passes.
    #[default]
    Pass,
    /// It fails.
    Fail,
}

/// A rule that the run broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// No leak.
    Leak,
    /// A verdict, or at least one cycle to judge.
    Inconclusive,
}

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// What a leak does.
    pub on_leak: OnLeak,
    /// What an inconclusive run does.
    pub on_inconclusive: OnInconclusive,
}

impl Gate {
    /// The rule that a finished run broke, if any. A gate that measured nothing has not passed.
    pub fn check(&self, summary: &Summary) -> Option<Breach> {
        if self.on_leak == OnLeak::Report {
            return None;
        }
        match summary.verdict() {
            RunVerdict::Leak => Some(Breach::Leak),
            RunVerdict::Inconclusive
                if self.on_inconclusive == OnInconclusive::Fail || summary.cycles() == 0 =>
            {
                Some(Breach::Inconclusive)
            }
            RunVerdict::Inconclusive | RunVerdict::Clean => None,
        }
    }
}
