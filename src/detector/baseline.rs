//! Comparing a run with an earlier one of the same program: more growth, or a higher floor, is a regression.
//!
//! A comparison with a good version finds what no trend of one run can tell, a larger heap that does not grow: R. Matias et
//! al., "A Systematic Differential Analysis for Fast and Robust Detection of Software Aging", SRDS 2014.

use std::fmt;
use std::time::Duration;

use super::change::Growth;
use super::seconds;
use crate::size::{MIB, Size};
use crate::wording::{Rounded, mib, real};

/// A run that is shorter than this share of the baseline's has not settled as much as that one had.
const COMPARABLE: f64 = 0.5;

/// How a run went on after its first third, in which programs settle: what a later run is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The lowest live heap of the last third.
    pub floor: Size,
    /// How fast the floor rose over the last two thirds; below zero where it fell.
    pub growth: Growth,
    /// The time from the first judged cycle to the last.
    pub observed: Duration,
}

/// An earlier run, and how much worse a later one may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// How it went.
    pub trend: Trend,
    /// In percent.
    pub max_regression: f64,
}

/// What came of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Compared {
    /// Not worse than is allowed.
    NotWorse,
    /// Worse.
    Worse(Regression),
    /// The run was too short for it.
    TooShort(TooShort),
}

/// How a run is worse than its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Regression {
    /// The floor of the live heap is higher.
    Floor {
        /// This run's.
        floor: Size,
        /// The baseline's.
        baseline: Size,
        /// How much higher it may be, in percent.
        max_regression: f64,
    },
    /// The live heap grows faster.
    Growth {
        /// This run's.
        growth: Growth,
        /// The baseline's.
        baseline: Growth,
    },
}

/// A run that is too short to be compared with its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort {
    /// How long it lasted.
    pub lasted: Duration,
    /// How long the baseline did.
    pub baseline: Duration,
}

impl Baseline {
    /// Compares a run with it; `min_rise` is the least rise that matters, in MiB.
    ///
    /// What must not count as worse: the trace cuts sizes down to whole MiB, so that two floors differ by one at any time,
    /// which is much of a small heap; and no two runs are alike. So a floor has to be higher by half of the least rise as
    /// well, as much as a floor may move in a clean run. A growth has to be larger with its whole interval, which rounding
    /// is part of, and to have made a difference that is a rise by itself.
    pub(super) fn compare(&self, trend: &Trend, min_rise: f64) -> Compared {
        let Self {
            trend: baseline,
            max_regression,
        } = *self;
        if seconds(trend.observed) < COMPARABLE * seconds(baseline.observed) {
            return Compared::TooShort(TooShort {
                lasted: trend.observed,
                baseline: baseline.observed,
            });
        }
        let share = max_regression / 100.0;
        let allowed = (share * baseline.floor.mib()).max(min_rise / 2.0);
        if trend.floor.mib() > baseline.floor.mib() + allowed {
            return Compared::Worse(Regression::Floor {
                floor: trend.floor,
                baseline: baseline.floor,
                max_regression,
            });
        }
        let before = baseline.growth.bytes_per_second.max(0.0);
        let more = trend.growth.bytes_per_second - before;
        let made = more * seconds(trend.observed) / real(MIB);
        if trend.growth.low > baseline.growth.high && more > share * before && made >= min_rise {
            return Compared::Worse(Regression::Growth {
                growth: trend.growth,
                baseline: baseline.growth,
            });
        }
        Compared::NotWorse
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |growth: &Growth| {
            let [rate, low, high] = [growth.bytes_per_second, growth.low, growth.high].map(mib);
            format!("{rate} MiB/s ({low} to {high})")
        };
        match self {
            Self::Floor {
                floor,
                baseline,
                max_regression,
            } => {
                write!(
                    f,
                    "the floor of the live heap is {floor}, the baseline's {baseline}"
                )?;
                let percent = 100.0 * (floor.mib() / baseline.mib() - 1.0);
                if percent.is_finite() {
                    write!(f, ": {percent:.0} % higher, {max_regression} % allowed")?;
                }
                Ok(())
            }
            Self::Growth { growth, baseline } => write!(
                f,
                "the floor of the live heap grows by {}, the baseline's by {}",
                rate(growth),
                rate(baseline)
            ),
        }
    }
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "lasted {}, the baseline {}: run it as long to compare them",
            Rounded::down(self.lasted),
            Rounded::down(self.baseline)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASELINE_SECONDS: u64 = 60;

    /// A trend with a floor in MiB and a growth in MiB a second, give or take.
    fn trend(floor: u64, growth: f64, or_take: f64, observed: u64) -> Trend {
        let bytes = |rate: f64| rate * real(MIB);
        Trend {
            floor: Size::from_bytes(floor * MIB),
            growth: Growth {
                bytes_per_second: bytes(growth),
                low: bytes(growth - or_take),
                high: bytes(growth + or_take),
                bytes_per_cycle: 1.0,
            },
            observed: Duration::from_secs(observed),
        }
    }

    fn compared(baseline: Trend, later: Trend) -> String {
        let baseline = Baseline {
            trend: baseline,
            max_regression: 10.0,
        };
        match baseline.compare(&later, 6.0) {
            Compared::NotWorse => String::new(),
            Compared::Worse(regression) => regression.to_string(),
            Compared::TooShort(short) => short.to_string(),
        }
    }

    fn flat(floor: u64) -> Trend {
        trend(floor, 0.0, 0.01, BASELINE_SECONDS)
    }

    #[test]
    fn a_floor_is_worse_by_the_percentage_and_by_some_mib() {
        assert_eq!(
            compared(flat(40), flat(45)),
            "the floor of the live heap is 45 MiB, the baseline's 40 MiB: 12 % higher, 10 % allowed"
        );
        assert_eq!(compared(flat(40), flat(44)), "");
        assert_eq!(compared(flat(40), flat(20)), "", "better is not worse");
        assert_eq!(compared(flat(2), flat(5)), "", "150 %, and 3 MiB");
        assert_eq!(
            compared(flat(0), flat(4)),
            "the floor of the live heap is 4 MiB, the baseline's 0 MiB"
        );
    }

    #[test]
    fn a_growth_is_worse_with_its_whole_interval_and_when_it_shows() {
        let grows = |growth, or_take| trend(40, growth, or_take, BASELINE_SECONDS);
        assert_eq!(
            compared(flat(40), grows(0.2, 0.05)),
            "the floor of the live heap grows by 0.20 MiB/s (0.15 to 0.25), the baseline's by 0.00 MiB/s (-0.01 to 0.01)"
        );
        assert_eq!(
            compared(flat(40), grows(0.2, 0.2)),
            "",
            "the intervals meet"
        );
        assert_eq!(
            compared(flat(40), grows(0.05, 0.01)),
            "",
            "3 MiB in a minute"
        );
        assert_eq!(
            compared(grows(0.2, 0.01), grows(0.21, 0.001)),
            "",
            "5 % more"
        );
        assert_eq!(
            compared(grows(-2.0, 0.01), flat(40)),
            "",
            "a fall is no promise"
        );
        assert_eq!(compared(grows(0.2, 0.01), flat(40)), "");
    }

    #[test]
    fn a_run_half_as_long_cannot_be_compared() {
        let short = trend(90, 0.0, 0.01, 29);
        assert_eq!(
            compared(flat(40), short),
            "lasted 29 s, the baseline 60 s: run it as long to compare them"
        );
        assert_ne!(compared(short, flat(100)), "", "a longer one can");
    }
}
