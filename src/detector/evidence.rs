//! What the rule looked at and what it found: so that a reader can follow why a run was flagged, or was not.

use std::fmt;
use std::time::Duration;

use super::conditions::Condition;
use super::duration;
use super::ladder::Window;
use super::stretch::Stretch;
use crate::size::{MIB, Size};
use crate::wording::{Rate, Rounded, count, real, short, sizes};

/// In what a condition measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Steps from one window to the next.
    Steps,
    /// MiB.
    Mib,
    /// MiB a second.
    MibPerSecond,
    /// A factor.
    Times,
}

/// What a condition needs where there is nothing that it could compare with: it is met.
pub(super) const NOTHING_TO_COMPARE: f64 = f64::NEG_INFINITY;

/// How far a stretch meets a condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// What it has.
    pub has: f64,
    /// What it needs at least; minus infinity where there is nothing to compare with.
    pub needs: f64,
    /// In what both are.
    pub unit: Unit,
}

impl Margin {
    /// A margin in that unit.
    pub(super) fn new(has: f64, needs: f64, unit: Unit) -> Self {
        Self { has, needs, unit }
    }

    /// Whether the condition is met.
    pub fn is_met(&self) -> bool {
        self.has >= self.needs
    }

    /// Which share of what it needs it has, from 0 to 1: how near it is.
    pub fn share(&self) -> f64 {
        if self.is_met() {
            1.0
        } else if self.has > 0.0 && self.needs.is_finite() {
            self.has / self.needs
        } else {
            0.0
        }
    }
}

impl fmt::Display for Margin {
    /// `9.1 s, 20 s needed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { has, needs, unit } = *self;
        let rate = |rate: f64| Rate(rate * real(MIB)).to_string();
        let (has, needed) = match unit {
            Unit::Seconds => (
                Rounded::down(duration(has)).to_string(),
                // What is met reads so: both are rounded alike then.
                if self.is_met() {
                    Rounded::down(duration(needs)).to_string()
                } else {
                    Rounded::up(duration(needs)).to_string()
                },
            ),
            Unit::Steps => (format!("{has:.0} steps up"), format!("{needs:.0}")),
            Unit::Mib => (format!("{} MiB", short(has)), short(needs)),
            Unit::MibPerSecond => (rate(has), rate(needs)),
            Unit::Times => (format!("{} times", short(has)), short(needs)),
        };
        if needs == NOTHING_TO_COMPARE {
            write!(f, "{has}, nothing to compare with")
        } else {
            write!(f, "{has}, {needed} needed")
        }
    }
}

/// What a condition found in a stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The condition's name.
    pub condition: &'static str,
    /// Why it is asked.
    pub reason: &'static str,
    /// How far it is met.
    pub margin: Margin,
}

impl Finding {
    pub(super) fn of(condition: &Condition, stretch: &Stretch) -> Self {
        Self {
            condition: condition.name,
            reason: condition.reason,
            margin: condition.margin(stretch),
        }
    }
}

/// One of the windows that a rule looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The lowest live heap in it.
    pub floor: Size,
    /// The highest.
    pub ceiling: Size,
    /// When its first cycle began, since the program started.
    pub start: Duration,
    /// When its last cycle began.
    pub end: Duration,
}

impl From<&Window> for Seen {
    fn from(window: &Window) -> Self {
        Self {
            floor: window.floor,
            ceiling: window.ceiling,
            start: duration(window.start),
            end: duration(window.end),
        }
    }
}

/// The windows that a rule looked at, and what its conditions found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The windows, oldest first.
    pub windows: Vec<Seen>,
    /// What each condition found, as far as the rule went.
    pub findings: Vec<Finding>,
}

impl Evidence {
    /// What these conditions find in a stretch.
    pub(super) fn of(conditions: &[Condition], stretch: &Stretch) -> Self {
        let seen = stretch.groups().iter().map(Seen::from);
        let findings = conditions
            .iter()
            .map(|condition| Finding::of(condition, stretch));
        Self {
            windows: seen.collect(),
            findings: findings.collect(),
        }
    }

    /// The floors of the windows.
    pub fn floors(&self) -> Vec<Size> {
        self.windows.iter().map(|window| window.floor).collect()
    }
}

/// A rise that was not flagged: some windows, and the condition that they did not meet.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldBack {
    /// The number of the cycle that completed the windows.
    pub cycle: u32,
    /// When that cycle began, since the program started.
    pub at: Duration,
    /// How many cycles make a window.
    pub window_cycles: u64,
    /// The time from the begin of the first window to the end of the last.
    pub span: Duration,
    /// The windows, and what was found in them by the conditions that are met.
    pub evidence: Evidence,
    /// What held it back.
    pub by: Finding,
}

impl HeldBack {
    /// That stretch, which meets the conditions before the one at `unmet` and not that one.
    pub(super) fn of(
        conditions: &[Condition],
        unmet: usize,
        stretch: &Stretch,
        cycle: u32,
        at: Duration,
    ) -> Self {
        Self {
            cycle,
            at,
            window_cycles: stretch.window_cycles(),
            span: duration(stretch.lasted()),
            evidence: Evidence::of(&conditions[..unmet], stretch),
            by: Finding::of(&conditions[unmet], stretch),
        }
    }
}

impl fmt::Display for HeldBack {
    /// `6 windows of 12 cycles, 21, 24, … 37 MiB in 27 s: not "steady", 0.31 MiB/s, 0.52 MiB/s needed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.evidence.windows.len().saturating_sub(1) as u64;
        write!(
            f,
            "{} of {}, {} in {}: not \"{}\"",
            count(steps, "window"),
            count(self.window_cycles, "cycle"),
            sizes(&self.evidence.floors(), ", "),
            Rounded::down(self.span),
            self.by.condition,
        )?;
        write!(f, ", {}", self.by.margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_reads_so() {
        let margin = |has, needs| Margin::new(has, needs, Unit::Seconds).to_string();
        assert_eq!(margin(30.9, 30.2), "30 s, 30 s needed");
        assert_eq!(margin(29.9, 30.2), "29 s, 31 s needed");
    }
}
