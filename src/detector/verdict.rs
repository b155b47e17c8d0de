//! What the detector says at the end, and why, in words.

mod clean;
mod inconclusive;
mod leak;

use std::fmt;

pub use clean::{Clean, Sight};
pub use inconclusive::Inconclusive;
pub use leak::Leak;

/// Does the process leak? Shown as its reason, one sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Yes, and at the end it still did. It may not have been flagged before: the end asks for less.
    Leak(Leak),
    /// No leak that this run could have shown.
    Clean(Clean),
    /// This run cannot tell.
    Inconclusive(Inconclusive),
}

impl Verdict {
    /// `leak`, `clean` or `inconclusive`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Leak(_) => "leak",
            Self::Clean(_) => "clean",
            Self::Inconclusive(_) => "inconclusive",
        }
    }

    /// The reason, one sentence without its full stop.
    pub fn reason(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leak(leak) => leak.fmt(f),
            Self::Clean(clean) => clean.fmt(f),
            Self::Inconclusive(inconclusive) => inconclusive.fmt(f),
        }
    }
}
