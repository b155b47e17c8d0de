//! What was seen of a process that shows no leak, in words.

use std::fmt;
use std::time::Duration;

use crate::size::Size;
use crate::wording::{Rate, Rounded, count};

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

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn mib(mib: u64) -> Size {
        Size::from_mib(mib).expect("small")
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
}
