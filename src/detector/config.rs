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
    /// The steps that live heaps come in: the trace's, or finer ones. What is left out of the rule's constants because the
    /// trace cannot show it is in proportion to them.
    pub resolution: Size,
}

/// How many steps of the live heap the least rise is made of: with fewer, each floor of N = 6 rises could not be above the one
/// before.
const STEPS_OF_LEAST_RISE: u64 = 6;

/// No steps are finer: half a page of the allocator's.
const FINEST: u64 = 4 << 10;

impl DetectorConfig {
    /// The same where live heaps are known to the byte, if that makes a difference: where rises are asked for that are smaller
    /// than steps of 1 MiB show.
    ///
    /// The steps stay in the proportion that they have by default, since a rule that takes every byte for a rise flags half as
    /// many healthy programs again.
    #[must_use]
    pub fn exact(&self) -> Option<Self> {
        let resolution =
            Size::from_bytes((self.min_rise.bytes() / STEPS_OF_LEAST_RISE).max(FINEST));
        (self.rule == Rule::Floor && resolution < self.resolution).then(|| Self {
            resolution,
            ..self.clone()
        })
    }
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
            resolution: Size::from_bytes(MIB),
        }
    }
}
