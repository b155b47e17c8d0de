//! What one cycle can change: a leak flagged or withdrawn, a budget exceeded.

use std::fmt;
use std::time::Duration;

use super::evidence::{Evidence, HeldBack};
use crate::size::Size;

/// What changed with a cycle.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A leak was found.
    Flagged(Rise),
    /// The leak that was flagged last was none, or has ended.
    Withdrawn(Withdrawal),
    /// The live heap went over its budget for the first time.
    OverBudget(OverBudget),
    /// Windows rise, and far enough, and are no leak: another condition than the one before holds them back.
    HeldBack(HeldBack),
}

/// The rise of the live heap that was flagged as a leak.
#[derive(Clone, Debug, PartialEq)]
pub struct Rise {
    /// The number of the cycle that completed it.
    pub cycle: u32,
    /// When that cycle began, since the program started.
    pub at: Duration,
    /// How many cycles make one of its windows; 1 with the strict rule.
    pub window_cycles: u64,
    /// The lowest live heap of each window, oldest first. There is one more than there are steps.
    pub floors: Vec<Size>,
    /// The time from the begin of the first window to the end of the last.
    pub span: Duration,
    /// The live heap of the cycle that completed it.
    pub live: Size,
    /// How fast the floor rose, where enough windows show it.
    pub growth: Option<Growth>,
    /// The windows, and how far they met each condition.
    pub evidence: Evidence,
}

impl Rise {
    /// How much higher the last floor is than the first.
    pub fn rise(&self) -> Size {
        let bytes = |floor: Option<&Size>| floor.map_or(0, |size| size.bytes());
        Size::from_bytes(bytes(self.floors.last()).saturating_sub(bytes(self.floors.first())))
    }
}

/// Why a flagged leak is one no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawnWhy {
    /// The live heap fell back by at least half of the rise.
    GivenBack,
    /// No new floor came for as long as the rise had lasted.
    LevelledOff,
}

impl fmt::Display for WithdrawnWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GivenBack => "given back",
            Self::LevelledOff => "levelled off",
        })
    }
}

/// The end of a flagged rise.
#[derive(Clone, Debug, PartialEq)]
pub struct Withdrawal {
    /// The number of the cycle that showed it.
    pub cycle: u32,
    /// When that cycle began, since the program started.
    pub at: Duration,
    /// What happened.
    pub why: WithdrawnWhy,
    /// Where the heap is now: its live heap where it was given back, the floor it settled at where it levelled off.
    pub level: Size,
    /// Levelled off: for how long there was no new floor. Zero where it was given back.
    pub quiet: Duration,
}

/// A live heap above its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// The number of the cycle.
    pub cycle: u32,
    /// When the cycle began, since the program started.
    pub at: Duration,
    /// Its live heap.
    pub live: Size,
    /// What it is allowed to be.
    pub budget: Size,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cycle,
            live,
            budget,
            ..
        } = self;
        write!(
            f,
            "live heap {live} is over the budget of {budget} at cycle {cycle}"
        )
    }
}

/// How fast the floor of the live heap rises, with an interval that holds the true rate about 19 times in 20.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Bytes a second.
    pub bytes_per_second: f64,
    /// The low end of the interval, in bytes a second; may be below zero.
    pub low: f64,
    /// The high end of the interval, in bytes a second.
    pub high: f64,
    /// Bytes a cycle, at the cycles' own pace. It drifts: the larger the heap, the rarer the cycles.
    pub bytes_per_cycle: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_is_what_lies_between_its_first_and_its_last_floor() {
        let rise = |floors: &[u64]| Rise {
            cycle: 1,
            at: Duration::ZERO,
            window_cycles: 1,
            floors: floors.iter().copied().map(Size::from_bytes).collect(),
            span: Duration::ZERO,
            live: Size::default(),
            growth: None,
            evidence: Evidence::default(),
        };
        assert_eq!(rise(&[3, 9, 30]).rise().bytes(), 27);
        assert_eq!(rise(&[]).rise().bytes(), 0);
    }

    #[test]
    fn the_reasons_of_a_withdrawal_have_words() {
        assert_eq!(WithdrawnWhy::GivenBack.to_string(), "given back");
        assert_eq!(WithdrawnWhy::LevelledOff.to_string(), "levelled off");
    }
}
