//! Why a run cannot tell, in words.

use std::fmt;
use std::time::Duration;

use super::super::baseline::TooShort;
use crate::size::Size;
use crate::wording::{Rounded, count};

/// Why a run cannot tell, and what would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inconclusive {
    /// No cycle was judged.
    NoCycle {
        /// Cycles before this were not.
        warmup: Duration,
    },
    /// The trace lines have no time: Go 1.0 to 1.4, and a log that was saved.
    NoTime,
    /// Too few cycles.
    TooFewCycles {
        /// How many there were.
        seen: u64,
        /// How many it takes.
        needed: u64,
    },
    /// The cycles lie too close together.
    TooShort {
        /// The time from the first cycle to the last.
        lasted: Duration,
        /// How long it has to be.
        needed: Duration,
        /// Cycles before this were not judged.
        warmup: Duration,
    },
    /// The floor rises, but not for long enough to call it a leak.
    Rising {
        /// Across how many windows.
        windows: usize,
        /// For how long.
        lasted: Duration,
        /// How long it takes.
        needed: Duration,
    },
    /// No rise was flagged, but the floor was not flat at the end.
    StillRose {
        /// How much higher the floor of the last third is than that of the middle third.
        by: Size,
    },
    /// It would be clean, but lasted too short to be compared with the run that it was to be compared with.
    NotComparable(TooShort),
    /// No rise was flagged, and the floor was flat at the end, but the live heap went higher than before.
    PeakStillRose {
        /// How much higher the highest live heap of the last third is than that of the middle third.
        by: Size,
    },
    /// The floor rose like that of a leak, flagged or not, and had stopped when the run ended, too late to tell more.
    Stopped {
        /// How far the floor had risen.
        rise: Size,
    },
    /// The floor rose like that of a leak when the run ended, but the load grew meanwhile.
    WithLoad {
        /// How far the floor had risen.
        rise: Size,
    },
}

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoCycle { warmup } => {
                f.write_str("no GC cycle seen")?;
                if !warmup.is_zero() {
                    write!(f, " after the warm-up of {}", Rounded::up(warmup))?;
                }
                f.write_str(": run longer, or set GOGC=50 for more cycles")
            }
            Self::NoTime => f.write_str(
                "Go 1.0 to 1.4 print no times, and a saved log has none: run it under gcwatch",
            ),
            Self::TooFewCycles { seen, needed } => write!(
                f,
                "{} seen, {needed} needed: run longer, or set GOGC=50 for more cycles",
                count(seen, "cycle")
            ),
            Self::TooShort {
                lasted,
                needed,
                warmup,
            } => {
                write!(f, "lasted {}", Rounded::down(lasted))?;
                if !warmup.is_zero() {
                    write!(f, " after the warm-up of {}", Rounded::up(warmup))?;
                }
                if needed.is_zero() {
                    return f.write_str(", too short to tell: run longer");
                }
                write!(
                    f,
                    ", {} needed: run longer, or ask for a shorter span",
                    Rounded::up(needed)
                )
            }
            Self::Rising {
                windows,
                lasted,
                needed,
            } => write!(
                f,
                "rising across {} for {} (a leak if it goes on to {})",
                count(windows as u64, "window"),
                Rounded::down(lasted),
                Rounded::up(needed)
            ),
            Self::NotComparable(short) => short.fmt(f),
            Self::StillRose { by } => {
                write!(f, "floor still rose by {by} in the last third: run longer")
            }
            Self::PeakStillRose { by } => write!(
                f,
                "highest live heap still rose by {by} in the last third: run longer"
            ),
            Self::Stopped { rise } => write!(
                f,
                "rose by {rise}, had stopped when the run ended: run longer"
            ),
            Self::WithLoad { rise } => write!(
                f,
                "rose by {rise} while the load grew: run longer, under a steady load"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn mib(mib: u64) -> Size {
        Size::from_mib(mib).expect("small")
    }

    #[test]
    fn inconclusive_says_what_to_do() {
        let seconds = Duration::from_secs;
        for (why, reason) in [
            (
                Inconclusive::NoTime,
                "Go 1.0 to 1.4 print no times, and a saved log has none: run it under gcwatch",
            ),
            (
                Inconclusive::NoCycle { warmup: seconds(0) },
                "no GC cycle seen: run longer, or set GOGC=50 for more cycles",
            ),
            (
                Inconclusive::NoCycle {
                    warmup: seconds(30),
                },
                "no GC cycle seen after the warm-up of 30 s: run longer, or set GOGC=50 for more cycles",
            ),
            (
                Inconclusive::TooFewCycles {
                    seen: 6,
                    needed: 14,
                },
                "6 cycles seen, 14 needed: run longer, or set GOGC=50 for more cycles",
            ),
            (
                Inconclusive::TooFewCycles {
                    seen: 1,
                    needed: 14,
                },
                "1 cycle seen, 14 needed: run longer, or set GOGC=50 for more cycles",
            ),
            (
                Inconclusive::TooShort {
                    lasted: Duration::from_millis(39_999),
                    needed: seconds(40),
                    warmup: seconds(0),
                },
                "lasted 39 s, 40 s needed: run longer, or ask for a shorter span",
            ),
            (
                Inconclusive::TooShort {
                    lasted: seconds(13),
                    needed: seconds(40),
                    warmup: seconds(30),
                },
                "lasted 13 s after the warm-up of 30 s, 40 s needed: run longer, or ask for a shorter span",
            ),
            (
                Inconclusive::TooShort {
                    lasted: seconds(0),
                    needed: seconds(0),
                    warmup: seconds(0),
                },
                "lasted 0 s, too short to tell: run longer",
            ),
            (
                Inconclusive::Rising {
                    windows: 6,
                    lasted: Duration::from_millis(9_970),
                    needed: Duration::from_millis(20_100),
                },
                "rising across 6 windows for 9.9 s (a leak if it goes on to 21 s)",
            ),
            (
                Inconclusive::PeakStillRose { by: mib(7) },
                "highest live heap still rose by 7 MiB in the last third: run longer",
            ),
            (
                Inconclusive::StillRose { by: mib(4) },
                "floor still rose by 4 MiB in the last third: run longer",
            ),
            (
                Inconclusive::Stopped { rise: mib(9) },
                "rose by 9 MiB, had stopped when the run ended: run longer",
            ),
            (
                Inconclusive::WithLoad { rise: mib(9) },
                "rose by 9 MiB while the load grew: run longer, under a steady load",
            ),
        ] {
            let verdict = Verdict::Inconclusive(why);
            assert_eq!(
                (verdict.word(), verdict.reason().as_str()),
                ("inconclusive", reason)
            );
        }
    }
}
