//! Why a process leaks, in words.

use std::fmt;

use super::super::baseline::Regression;
use super::super::change::{OverBudget, Rise};
use crate::size::Size;
use crate::wording::{Rounded, count, sizes};

/// Why it leaks.
#[derive(Clone, Debug, PartialEq)]
pub enum Leak {
    /// The floor rose across windows.
    Floor(Rise),
    /// The live heap rose in cycles in a row.
    Strict(Rise),
    /// The live heap went over its budget.
    OverBudget(OverBudget),
    /// It is worse than the run that it was compared with.
    Regression(Regression),
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor(rise) => write!(
                f,
                "live heap rose across {} of {}, {} in {}",
                count(steps(rise), "window"),
                count(rise.window_cycles, "cycle"),
                from_to(rise),
                Rounded::down(rise.span),
            ),
            Self::Strict(rise) => write!(
                f,
                "live heap rose in {} in a row, {}",
                count(steps(rise), "cycle"),
                from_to(rise)
            ),
            Self::OverBudget(over) => over.fmt(f),
            Self::Regression(regression) => regression.fmt(f),
        }
    }
}

/// How many steps a rise has.
fn steps(rise: &Rise) -> u64 {
    rise.floors.len().saturating_sub(1) as u64
}

/// `21 to 37 MiB`.
fn from_to(rise: &Rise) -> String {
    let end = |floor: Option<&Size>| floor.copied().unwrap_or_default();
    sizes(&[end(rise.floors.first()), end(rise.floors.last())], " to ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::evidence::Evidence;
    use super::super::Verdict;
    use super::*;

    fn mib(mib: u64) -> Size {
        Size::from_mib(mib).expect("small")
    }

    fn rise(window_cycles: u64, floors: &[u64]) -> Rise {
        Rise {
            cycle: 97,
            at: Duration::from_secs(33),
            window_cycles,
            floors: floors.iter().copied().map(mib).collect(),
            span: Duration::from_millis(27_900),
            live: mib(40),
            growth: None,
            evidence: Evidence::default(),
        }
    }

    #[test]
    fn leaks_say_what_rose() {
        let floors = [21, 24, 26, 29, 31, 34, 37];
        for (leak, reason) in [
            (
                Leak::Floor(rise(12, &floors)),
                "live heap rose across 6 windows of 12 cycles, 21 to 37 MiB in 27 s",
            ),
            (
                Leak::Floor(rise(1, &[3, 29])),
                "live heap rose across 1 window of 1 cycle, 3 to 29 MiB in 27 s",
            ),
            (
                Leak::Strict(rise(1, &floors)),
                "live heap rose in 6 cycles in a row, 21 to 37 MiB",
            ),
            (
                Leak::OverBudget(OverBudget {
                    cycle: 12,
                    at: Duration::ZERO,
                    live: mib(70),
                    budget: mib(64),
                }),
                "live heap 70 MiB is over the budget of 64 MiB at cycle 12",
            ),
        ] {
            let verdict = Verdict::Leak(leak);
            assert_eq!(
                (verdict.word(), verdict.reason().as_str()),
                ("leak", reason)
            );
        }
    }
}
