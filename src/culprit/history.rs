//! The heap profiles of one process at several moments: few enough to keep for ever, and dense where it matters.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Bucket, Snapshot};

/// So many moments are kept: dense in the last seconds, ever sparser before.
const MOST_MOMENTS: usize = 40;

/// One bucket at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) bucket: u32,
    pub(super) allocs: u64,
    pub(super) frees: u64,
}

/// The profile of one moment.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    pub(super) at: Duration,
    cycle: u32,
    pub(super) rate: u64,
    pub(super) counts: Vec<Count>,
    /// `None` where they could not be counted.
    pub(super) goroutines: Option<Vec<(u64, u64)>>,
}

/// The profiles of one process, of bounded number.
#[derive(Debug, Default)]
pub struct History {
    moments: Vec<Moment>,
    /// Each stack with its size of objects once, however many moments there are.
    known: Vec<(Arc<[u64]>, u64)>,
    numbers: HashMap<(Arc<[u64]>, u64), u32>,
    /// The beginning of the rise that is flagged, which is kept.
    pinned: Option<Duration>,
}

impl History {
    /// Takes a profile, and the goroutines by who started them where they could be counted; `at` is when, since the program's
    /// start. One of a cycle that is known already says nothing new.
    pub fn push(&mut self, at: Duration, snapshot: Snapshot, goroutines: Option<Vec<(u64, u64)>>) {
        if self
            .moments
            .last()
            .is_some_and(|last| last.cycle >= snapshot.cycle || last.at >= at)
        {
            return;
        }
        // Samples of another rate stand for other sizes: what is compared has one rate.
        if self
            .moments
            .last()
            .is_some_and(|last| last.rate != snapshot.rate)
        {
            self.moments.clear();
        }
        let counts = snapshot
            .buckets
            .into_iter()
            .map(|bucket| Count {
                allocs: bucket.allocs,
                frees: bucket.frees,
                bucket: self.number(bucket),
            })
            .collect();
        self.moments.push(Moment {
            at,
            cycle: snapshot.cycle,
            rate: snapshot.rate,
            counts,
            goroutines,
        });
        if self.moments.len() > MOST_MOMENTS {
            self.thin_out(at);
        }
    }

    /// A rise that began at this time is flagged: its beginning stays.
    pub fn pin(&mut self, began: Duration) {
        self.pinned = Some(began);
    }

    /// How many moments there are.
    pub fn len(&self) -> usize {
        self.moments.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// The GC cycle of the last profile.
    pub fn last_cycle(&self) -> Option<u32> {
        self.moments.last().map(|moment| moment.cycle)
    }

    /// The profiles at the beginning of the rise, and now.
    pub fn first_and_last(&self, began: Duration) -> Option<(Snapshot, Snapshot)> {
        match self.since(began) {
            [first, .., last] => Some((self.snapshot(first), self.snapshot(last))),
            _ => None,
        }
    }

    fn number(&mut self, bucket: Bucket) -> u32 {
        let key = (Arc::from(bucket.stack), bucket.size);
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(key).or_insert_with_key(|key| {
            self.known.push(key.clone());
            next
        })
    }

    /// Lets the moment go without which the gap is smallest beside its age.
    fn thin_out(&mut self, now: Duration) {
        let pinned = self.pinned.and_then(|began| self.base(began));
        let gap = |index: &usize| {
            let [before, after] = [index - 1, index + 1].map(|index| self.moments[index].at);
            let gap = after.saturating_sub(before);
            let age = now.saturating_sub(self.moments[*index].at);
            gap.as_secs_f64() / (age.as_secs_f64() + 1.0)
        };
        let least = (1..self.moments.len() - 1)
            .filter(|index| Some(*index) != pinned)
            .min_by(|a, b| gap(a).total_cmp(&gap(b)));
        if let Some(least) = least {
            self.moments.remove(least);
        }
    }

    /// The last moment before the rise began, or the first one at all.
    fn base(&self, began: Duration) -> Option<usize> {
        let after = self.moments.partition_point(|moment| moment.at <= began);
        (!self.moments.is_empty()).then(|| after.saturating_sub(1))
    }

    /// The moments from the beginning of a rise on.
    pub(super) fn since(&self, began: Duration) -> &[Moment] {
        self.base(began).map_or(&[], |base| &self.moments[base..])
    }

    /// The stack and the size of objects of a bucket.
    pub(super) fn bucket(&self, count: &Count) -> (&[u64], u64) {
        let (stack, size) = &self.known[count.bucket as usize];
        (stack, *size)
    }

    fn snapshot(&self, moment: &Moment) -> Snapshot {
        let bucket = |count: &Count| {
            let (stack, size) = self.bucket(count);
            Bucket {
                stack: stack.to_vec(),
                size,
                allocs: count.allocs,
                frees: count.frees,
            }
        };
        Snapshot {
            cycle: moment.cycle,
            rate: moment.rate,
            buckets: moment.counts.iter().map(bucket).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(cycle: u32) -> Snapshot {
        let bucket = |size| Bucket {
            stack: vec![1, 2, 3],
            size,
            allocs: u64::from(cycle),
            frees: 1,
        };
        Snapshot {
            cycle,
            rate: 512 << 10,
            buckets: vec![bucket(16), bucket(32)],
        }
    }

    #[test]
    fn a_long_run_is_remembered_in_few_moments_the_last_of_them_densely() {
        let mut history = History::default();
        for cycle in 1..=10_000 {
            history.push(Duration::from_secs(3) * cycle, snapshot(cycle), None);
        }
        assert_eq!(history.len(), MOST_MOMENTS);
        assert_eq!(history.known.len(), 2);
        let last = Duration::from_secs(3) * 10_000;
        for (ago, at_least) in [(30, 6), (60, 8), (600, 14), (6000, 22)] {
            let moments = history
                .since(last.saturating_sub(Duration::from_secs(ago)))
                .len();
            assert!(moments >= at_least, "{moments} of the last {ago} s");
        }
        assert_eq!(history.moments[0].cycle, 1);
    }

    #[test]
    fn the_beginning_of_a_flagged_rise_stays() {
        let mut history = History::default();
        let at = |cycle| Duration::from_secs(3) * cycle;
        for cycle in 1..=5000 {
            history.push(at(cycle), snapshot(cycle), None);
            if cycle == 2000 {
                history.pin(at(1995));
            }
        }
        let (first, last) = history.first_and_last(at(1995)).expect("both");
        assert!((1990..=1995).contains(&first.cycle), "{}", first.cycle);
        assert_eq!(last, snapshot(5000));
    }

    #[test]
    fn profiles_of_two_rates_are_not_compared() {
        let mut history = History::default();
        for cycle in 1..=6 {
            let mut snapshot = snapshot(cycle);
            snapshot.rate = if cycle <= 3 { 128 << 10 } else { 512 << 10 };
            history.push(Duration::from_secs(1) * cycle, snapshot, None);
        }
        assert_eq!(
            history.first_and_last(Duration::ZERO),
            Some((snapshot(4), snapshot(6)))
        );
    }

    #[test]
    fn a_profile_comes_back_as_it_went_in() {
        let mut history = History::default();
        history.push(Duration::from_secs(1), snapshot(4), None);
        history.push(Duration::from_secs(2), snapshot(9), None);
        // The same cycle again says nothing new.
        history.push(Duration::from_secs(3), snapshot(9), None);
        assert_eq!(
            history.first_and_last(Duration::ZERO),
            Some((snapshot(4), snapshot(9)))
        );
        assert_eq!(history.first_and_last(Duration::from_secs(2)), None);
    }
}
