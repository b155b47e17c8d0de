//! What the detector is told before it starts.

use std::time::Duration;

use super::baseline::Baseline;
use crate::size::{MIB, Size};

/// What counts as a leak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The floor of the live heap rises across N windows in a row, long and far enough.
    #[default]
    Floor,
    /// The live heap of each of N cycles in a row is higher than the one before; nothing else is asked.
    Strict,
}

/// What a detector goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorConfig {
    /// What counts as a leak.
    pub rule: Rule,
    /// N, the rises in a row that make a leak: 2 to 100, other values are brought into that range.
    pub cycles: u32,
    /// [`Rule::Floor`]: a rise must last at least this long, from the begin of its first window to the end of its last;
    /// while the program runs up to four times as long, the longer the more of the heap it made.
    pub min_span: Duration,
    /// [`Rule::Floor`]: a rise must be at least this large, and 10 % of the floor that it began at.
    pub min_rise: Size,
    /// Cycles that began earlier than this after the program's start are not judged.
    pub warmup: Duration,
    /// A live heap above this is a leak, whatever the rule.
    pub max_live: Option<Size>,
    /// [`Rule::Floor`]: an earlier run; what is worse than that is a leak.
    pub baseline: Option<Baseline>,
}

impl Default for DetectorConfig {
    /// Chosen on recorded programs: fewer cycles or a shorter span flag more healthy ones, more find fewer leaks or
    /// find them later.
    fn default() -> Self {
        Self {
            rule: Rule::Floor,
            cycles: 6,
            min_span: Duration::from_secs(20),
            min_rise: Size::from_bytes(6 * MIB),
            warmup: Duration::ZERO,
            max_live: None,
            baseline: None,
        }
    }
}
