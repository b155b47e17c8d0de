//! Which sites hold the growth: heap profiles of several moments, compared.
//!
//! What a site holds rises and falls; what it can no longer free is its floor. A site is ranked by how far its floor rose:
//! its least value in the last third of the rise, less the least one in the first third. A sawtooth and a cache that is full
//! go down to the same floor again, and so sink.

mod goroutines;
mod heap;

use std::collections::HashMap;
use std::time::Duration;

use super::Frame;
use super::blame::Site;
use super::history::{History, Moment};
use crate::wording::real;

/// A site with less of the growth is not shown.
const LEAST_SHARE: f64 = 0.03;

/// What a goroutine takes at least (`runtime/stack.go`, `stackMin`).
const LEAST_STACK: f64 = 2048.0;

/// What grew at a site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grown {
    /// The heap that it allocated.
    Heap {
        /// An estimate, from the samples.
        bytes: f64,
        /// How many sampled objects more there are.
        samples: u64,
    },
    /// The goroutines that it started.
    Goroutines(u64),
}

/// A site that holds part of the growth.
#[derive(Clone, Debug, PartialEq)]
pub struct Culprit {
    /// The line that is blamed, the function that allocated for it, and the calls that lead there.
    pub site: Site,
    /// How much it is.
    pub grown: Grown,
    /// Its part of all that grew of this kind, at most 1.
    pub share: f64,
    /// The sampling error of that: one standard deviation.
    pub share_error: f64,
}

impl Culprit {
    /// What it holds at least.
    fn least_bytes(&self) -> f64 {
        match self.grown {
            Grown::Heap { bytes, .. } => bytes,
            Grown::Goroutines(count) => real(count) * LEAST_STACK,
        }
    }
}

/// The live heap of a GC cycle, to the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactLive {
    /// The cycle's number.
    pub cycle: u32,
    /// What it found live.
    pub bytes: u64,
}

/// What is known of the lines that hold the growth of one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// The sites, the largest first.
    pub culprits: Vec<Culprit>,
    /// Why there are none: one sentence with the way out.
    pub note: Option<String>,
    /// The files of two profiles, of the beginning of the rise and of its end.
    pub profiles: Option<[String; 2]>,
    /// The live heap that the program's memory told last, which the trace has in whole MiB only.
    pub live: Option<ExactLive>,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The sites, the largest first, those of the heap and those of goroutines each for themselves.
    pub culprits: Vec<Culprit>,
    /// How many moments were compared, each of another GC cycle.
    pub moments: usize,
    /// How many samples of heap growth there were in all.
    pub samples: u64,
}

/// Ranks the sites by how far their floors rose since then; `frames` says what is at an address of a stack, innermost first.
pub fn rank(
    history: &History,
    began: Duration,
    main_module: Option<&str>,
    frames: impl Fn(u64) -> Vec<Frame>,
) -> Ranking {
    let moments = history.since(began);
    let [first, .., last] = moments else {
        return Ranking {
            moments: moments.len(),
            ..Ranking::default()
        };
    };
    let third = last.at.saturating_sub(first.at) / 3;
    let early = moments.partition_point(|moment| moment.at <= first.at + third);
    let late = moments.partition_point(|moment| moment.at < last.at.saturating_sub(third));
    let thirds = Thirds {
        early: &moments[..early],
        late: &moments[late..],
    };
    let mut names = Names {
        frames: &frames,
        known: HashMap::new(),
    };
    let goroutines = goroutines::goroutines(&thirds, &mut names);
    let (mut culprits, samples) = heap::heap(history, &thirds, main_module, &mut names);
    if !goroutines.is_empty() {
        // Stacks and descriptors of goroutines: said better by who starts them.
        culprits.retain(|culprit| !culprit.site.is_runtime());
    }
    // Those whose stacks alone are more than what any line allocated come first.
    let heaviest = culprits.first().map_or(0.0, Culprit::least_bytes);
    let (heavy, light): (Vec<_>, Vec<_>) = goroutines
        .into_iter()
        .partition(|culprit| culprit.least_bytes() >= heaviest);
    culprits.splice(0..0, heavy);
    culprits.extend(light);
    Ranking {
        culprits,
        moments: moments.len(),
        samples,
    }
}
/// The moments of the first and of the last third of the time.
struct Thirds<'a> {
    early: &'a [Moment],
    late: &'a [Moment],
}

impl<'a> Thirds<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Moment> {
        self.early.iter().chain(self.late)
    }
}

/// What is at the addresses of stacks, each asked for once.
struct Names<'a, F> {
    frames: &'a F,
    known: HashMap<u64, Vec<Frame>>,
}

impl<F: Fn(u64) -> Vec<Frame>> Names<'_, F> {
    fn of(&mut self, stack: &[u64]) -> Vec<Frame> {
        let frames = stack.iter().flat_map(|pc| {
            let known = self.known.entry(*pc);
            known.or_insert_with(|| (self.frames)(*pc)).clone()
        });
        frames.collect()
    }
}
/// A count that is not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is a sum of counts"
)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

#[cfg(test)]
mod tests;
