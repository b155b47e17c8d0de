//! What the detector says at the end, and why, in words.

use std::fmt;
use std::time::Duration;

use super::baseline::{Regression, TooShort};
use super::change::{OverBudget, Rise};
use crate::size::Size;
use crate::wording::{Rate, Rounded, count, sizes};

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

/// What was seen of a process that shows no leak.
#[derive(Clone, Debug, PartialEq)]
pub struct Clean {
    /// How many cycles were judged.
    pub cycles: u64,
    /// The time from the first of them to the last.
    pub observed: Duration,
    /// A leak faster than this would have been flagged; bytes a second.
    pub smallest_visible_leak: f64,
    /// What the rule saw.
    pub sight: Sight,
}

/// What a rule saw of a process that shows no leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The floors of the middle and of the last third of the run; `None` where a third had no cycle of its own.
    Floors(Option<(Size, Size)>),
    /// The most rises in a row.
    Rises(u64),
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {}: ",
            count(self.cycles, "cycle"),
            Rounded::down(self.observed)
        )?;
        match self.sight {
            Sight::Floors(Some((middle, end))) => {
                write!(f, "floor {middle} -> {end} over the last two thirds")?;
            }
            Sight::Floors(None) => f.write_str("no rise that lasted")?,
            Sight::Rises(most) => write!(f, "at most {} in a row", count(most, "rise"))?,
        }
        write!(
            f,
            "; a leak above {} would have shown",
            Rate(self.smallest_visible_leak)
        )
    }
}

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
    /// A rise was flagged and had stopped when the run ended, too late to be withdrawn.
    Stopped {
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
            Self::TooShort { lasted, needed } if needed.is_zero() => {
                write!(
                    f,
                    "lasted {}, too short to tell: run longer",
                    Rounded::down(lasted)
                )
            }
            Self::TooShort { lasted, needed } => write!(
                f,
                "lasted {}, {} needed: run longer, or ask for a shorter span",
                Rounded::down(lasted),
                Rounded::up(needed)
            ),
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
    use super::super::evidence::Evidence;
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

    #[test]
    fn clean_says_what_it_would_have_seen() {
        let clean = |observed, smallest_visible_leak, sight| {
            let verdict = Verdict::Clean(Clean {
                cycles: 214,
                observed: Duration::from_secs(observed),
                smallest_visible_leak,
                sight,
            });
            assert_eq!(verdict.word(), "clean");
            verdict.reason()
        };
        assert_eq!(
            clean(61, 104_857.6, Sight::Floors(Some((mib(5), mib(5))))),
            "214 cycles in 61 s: floor 5 MiB -> 5 MiB over the last two thirds; a leak above 6.0 MiB/min would have shown"
        );
        assert_eq!(
            clean(90_000, 10.0, Sight::Floors(None)),
            "214 cycles in 25 h: no rise that lasted; a leak above 0.82 MiB/day would have shown"
        );
        assert_eq!(
            clean(300, 2e6, Sight::Rises(1)),
            "214 cycles in 5 min: at most 1 rise in a row; a leak above 1.9 MiB/s would have shown"
        );
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
                },
                "lasted 39 s, 40 s needed: run longer, or ask for a shorter span",
            ),
            (
                Inconclusive::TooShort {
                    lasted: seconds(0),
                    needed: seconds(0),
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
        ] {
            let verdict = Verdict::Inconclusive(why);
            assert_eq!(
                (verdict.word(), verdict.reason().as_str()),
                ("inconclusive", reason)
            );
        }
    }
}
