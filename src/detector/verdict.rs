//! What the detector says at the end, and why, in words.

use std::fmt;
use std::time::Duration;

use super::change::{OverBudget, Rise};
use crate::size::Size;

/// Does the process leak? Shown as its reason, one sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Yes, and at the end it still did.
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
            Self::OverBudget(over) => write!(
                f,
                "live heap {} is over the budget of {} at cycle {}",
                over.live, over.budget, over.cycle
            ),
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
            Self::StillRose { by } => {
                write!(f, "floor still rose by {by} in the last third: run longer")
            }
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
    let [first, last] =
        [rise.floors.first(), rise.floors.last()].map(|floor| floor.copied().unwrap_or_default());
    let first = first.to_string();
    format!("{} to {last}", first.trim_end_matches(" MiB"))
}

/// `1 cycle`, `2 cycles`.
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A time in the unit that fits, in tenths below ten. What was reached is rounded down and what is needed up, so that a
/// time that falls short never reads as enough.
struct Rounded {
    tenths: u128,
    unit: &'static str,
}

impl Rounded {
    fn down(time: Duration) -> Self {
        let (unit_millis, unit) = Self::unit(time);
        Self {
            tenths: time.as_millis() * 10 / unit_millis,
            unit,
        }
    }

    fn up(time: Duration) -> Self {
        let (unit_millis, unit) = Self::unit(time);
        let tenths = (time.as_millis() * 10).div_ceil(unit_millis);
        Self {
            // From ten on no tenths are shown.
            tenths: if tenths > 100 {
                tenths.next_multiple_of(10)
            } else {
                tenths
            },
            unit,
        }
    }

    /// A unit's milliseconds and its name.
    fn unit(time: Duration) -> (u128, &'static str) {
        match time.as_secs() {
            0..120 => (1_000, "s"),
            120..7_200 => (60_000, "min"),
            7_200..172_800 => (3_600_000, "h"),
            _ => (86_400_000, "days"),
        }
    }
}

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenths, unit } = self;
        match (tenths / 10, tenths % 10) {
            (whole @ 0..10, tenth @ 1..) => write!(f, "{whole}.{tenth} {unit}"),
            (whole, _) => write!(f, "{whole} {unit}"),
        }
    }
}

/// Bytes a second, in the unit that makes it at least one.
struct Rate(f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.0 / super::stats::real(crate::size::MIB);
        let (value, unit) = [
            (per_second, "s"),
            (per_second * 60.0, "min"),
            (per_second * 3_600.0, "h"),
        ]
        .into_iter()
        .find(|&(value, _)| value >= 1.0)
        .unwrap_or((per_second * 86_400.0, "day"));
        if value < 1.0 {
            write!(f, "{value:.2} MiB/{unit}")
        } else {
            write!(f, "{value:.1} MiB/{unit}")
        }
    }
}
