//! Which sites hold the growth: heap profiles of several moments, compared.
//!
//! What a site holds rises and falls; what it can no longer free is its floor. A site is ranked by how far its floor rose:
//! its least value in the last third of the rise, less the least one in the first third. A sawtooth and a cache that is full
//! go down to the same floor again, and so sink.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::blame::{Site, blame};
use super::history::{Count, History, Moment};
use super::{Frame, scale};
use crate::wording::real;

/// A site with fewer samples is not shown: four are their own doubled error.
const FEWEST_SAMPLES: f64 = 4.0;

/// A site with less of the growth is not shown.
const LEAST_SHARE: f64 = 0.03;

/// Fewer goroutines more are not shown.
const FEWEST_GOROUTINES: u64 = 20;

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
    let goroutines = thirds.goroutines(&mut names);
    let (mut culprits, samples) = heap(history, &thirds, main_module, &mut names);
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

fn heap(
    history: &History,
    thirds: &Thirds<'_>,
    main_module: Option<&str>,
    names: &mut Names<'_, impl Fn(u64) -> Vec<Frame>>,
) -> (Vec<Culprit>, u64) {
    let mut sites: Vec<Site> = Vec::new();
    let mut by_key: HashMap<(String, String, u32), usize> = HashMap::new();
    let mut site_of: HashMap<u32, usize> = HashMap::new();
    for count in thirds.all().flat_map(|moment| &moment.counts) {
        site_of.entry(count.bucket).or_insert_with(|| {
            let site = blame(&names.of(history.bucket(count).0), main_module);
            *by_key.entry(site.key()).or_insert_with(|| {
                sites.push(site);
                sites.len() - 1
            })
        });
    }
    let sums = |moments: &[Moment]| -> Vec<Vec<Sum>> {
        let sum = |moment: &Moment| {
            let mut sums = vec![Sum::default(); sites.len()];
            for count in &moment.counts {
                if let Some(site) = site_of.get(&count.bucket) {
                    sums[*site].add(count, history.bucket(count).1, moment.rate);
                }
            }
            sums
        };
        moments.iter().map(sum).collect()
    };
    let (early, late) = (sums(thirds.early), sums(thirds.late));
    let floor = |sums: &[Vec<Sum>], site: usize| {
        sums.iter()
            .map(|sums| sums[site])
            .min_by(|a, b| a.bytes.total_cmp(&b.bytes))
            .unwrap_or_default()
    };
    let rises: Vec<Rise> = (0..sites.len())
        .map(|site| Rise::between(floor(&early, site), floor(&late, site)))
        .collect();
    let total: f64 = rises.iter().map(|rise| rise.bytes.max(0.0)).sum();
    let samples = rises.iter().map(|rise| rise.samples.max(0.0)).sum::<f64>();
    let is_exact = thirds.all().all(|moment| moment.rate <= 1);
    let mut culprits: Vec<(Culprit, usize)> = rises
        .iter()
        .enumerate()
        .filter_map(|(site, rise)| {
            let culprit = rise.culprit(&sites[site], total, is_exact)?;
            Some((culprit, site))
        })
        .collect();
    culprits.sort_by(|(a, _), (b, _)| b.share.total_cmp(&a.share));
    for (culprit, site) in &mut culprits {
        if let Some(heaviest) =
            heaviest(history, thirds, |bucket| site_of.get(&bucket) == Some(site))
        {
            culprit.site = blame(&names.of(heaviest), main_module);
        }
    }
    let culprits = culprits.into_iter().map(|(culprit, _)| culprit).collect();
    (culprits, whole(samples))
}

/// Of the stacks of one site the one that holds most now: its path is shown.
fn heaviest<'a>(
    history: &'a History,
    thirds: &Thirds<'_>,
    is_of_site: impl Fn(u32) -> bool,
) -> Option<&'a [u64]> {
    let last = thirds.late.last()?;
    let held = |count: &&Count| {
        let size = history.bucket(count).1;
        scale(count.allocs.saturating_sub(count.frees), size, last.rate).1
    };
    let of_site = last.counts.iter().filter(|count| is_of_site(count.bucket));
    let heaviest = of_site.max_by(|a, b| held(a).total_cmp(&held(b)))?;
    Some(history.bucket(heaviest).0)
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

    /// Growth of goroutines by the place that started them: exact numbers.
    fn goroutines(&self, names: &mut Names<'_, impl Fn(u64) -> Vec<Frame>>) -> Vec<Culprit> {
        let count = |moment: &Moment, names: &mut Names<'_, _>| {
            let mut counts: BTreeMap<Site, u64> = BTreeMap::new();
            for (creation, count) in &moment.goroutines {
                *counts
                    .entry(Site::of_creation(&names.of(&[*creation])))
                    .or_default() += count;
            }
            counts
        };
        let early: Vec<_> = self
            .early
            .iter()
            .map(|moment| count(moment, names))
            .collect();
        let late: Vec<_> = self
            .late
            .iter()
            .map(|moment| count(moment, names))
            .collect();
        let floor = |counts: &[BTreeMap<Site, u64>], site: &Site| {
            let of_site = counts.iter().map(|counts| counts.get(site).copied());
            of_site
                .map(Option::unwrap_or_default)
                .min()
                .unwrap_or_default()
        };
        let sites = late.last().into_iter().flat_map(BTreeMap::keys);
        let rises: Vec<(&Site, u64, u64)> = sites
            .map(|site| {
                let (first, last) = (floor(&early, site), floor(&late, site));
                (site, first, last.saturating_sub(first))
            })
            .collect();
        let total: u64 = rises.iter().map(|(_, _, rise)| rise).sum();
        let mut culprits: Vec<Culprit> = rises
            .into_iter()
            .filter(|(_, first, rise)| *rise >= FEWEST_GOROUTINES && *rise >= first / 10)
            .map(|(site, _, rise)| Culprit {
                site: site.clone(),
                grown: Grown::Goroutines(rise),
                share: real(rise) / real(total),
                share_error: 0.0,
            })
            .filter(|culprit| culprit.share >= LEAST_SHARE)
            .collect();
        culprits.sort_by(|a, b| b.share.total_cmp(&a.share));
        culprits
    }
}

/// What a site holds at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    bytes: f64,
    allocs: u64,
    frees: u64,
}

impl Sum {
    fn add(&mut self, count: &Count, size: u64, rate: u64) {
        self.bytes += scale(count.allocs.saturating_sub(count.frees), size, rate).1;
        self.allocs = self.allocs.saturating_add(count.allocs);
        self.frees = self.frees.saturating_add(count.frees);
    }

    fn in_use(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }
}

/// From one floor of a site to another.
#[derive(Clone, Copy, Debug)]
struct Rise {
    bytes: f64,
    samples: f64,
    /// The variance of that number: each sample that came or went counts once, and those that came and went not at all. Where
    /// nothing was freed it is the number itself, and the relative error `1 / sqrt(samples)`.
    variance: f64,
}

impl Rise {
    fn between(first: Sum, last: Sum) -> Self {
        let came = last.allocs.saturating_sub(first.allocs).min(last.in_use());
        let went = last.frees.saturating_sub(first.frees).min(first.in_use());
        Self {
            bytes: last.bytes - first.bytes,
            samples: real(last.in_use()) - real(first.in_use()),
            variance: real(came) + real(went),
        }
    }

    /// `None` where it is too little, or may be chance.
    fn culprit(&self, site: &Site, total: f64, is_exact: bool) -> Option<Culprit> {
        let error = if is_exact {
            0.0
        } else {
            self.variance.sqrt() / self.samples
        };
        let share = self.bytes / total;
        (self.samples >= FEWEST_SAMPLES && error <= 0.5 && share >= LEAST_SHARE).then(|| Culprit {
            site: site.clone(),
            grown: Grown::Heap {
                bytes: self.bytes,
                samples: whole(self.samples),
            },
            share,
            share_error: share * error,
        })
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
mod tests {
    use super::*;
    use crate::culprit::{Bucket, Snapshot};

    const RATE: u64 = 128 << 10;

    /// What is at the addresses of these tests' stacks.
    fn frames(pc: u64) -> Vec<Frame> {
        let (function, file, line) = match pc {
            1 => ("main.(*Cache).Put", "/src/cache.go", 41),
            2 => ("main.handle", "/src/main.go", 88),
            3 => ("runtime.main", "/go/src/runtime/proc.go", 250),
            4 => ("main.(*saw).add", "/src/noise.go", 40),
            5 => ("main.(*ring).add", "/src/noise.go", 26),
            6 => ("main.newNode", "/src/inline.go", 10),
            7 => ("main.(*List).grow", "/src/inline.go", 16),
            8 => (
                "main.(*Stack[go.shape.struct { example.com/x.name [30]int64 }]).Push",
                "/src/generic.go",
                13,
            ),
            9 => ("bytes.growSlice", "/go/src/bytes/buffer.go", 240),
            10 => ("main.audit", "/src/stdlib.go", 14),
            11 => ("runtime.mallocgc", "/go/src/runtime/malloc.go", 1000),
            12 => ("runtime.malg", "/go/src/runtime/proc.go", 4900),
            13 => ("main.(*Hub).Subscribe", "/src/hub.go", 14),
            _ => return Vec::new(),
        };
        vec![Frame {
            function: function.into(),
            file: file.into(),
            line,
        }]
    }

    /// Sampled objects of 8 KiB in a profile.
    fn bucket(stack: &[u64], allocs: u64, frees: u64) -> Bucket {
        Bucket {
            stack: stack.to_vec(),
            size: 8192,
            allocs,
            frees,
        }
    }

    /// A profile each second, with a GC cycle before it.
    fn history(seconds: u64, buckets: impl Fn(u64) -> Vec<Bucket>) -> History {
        let mut history = History::default();
        for second in 1..=seconds {
            let snapshot = Snapshot {
                cycle: u32::try_from(second).expect("small"),
                rate: RATE,
                buckets: buckets(second),
            };
            history.push(Duration::from_secs(second), snapshot, Vec::new());
        }
        history
    }

    fn ranked(history: &History, began: u64) -> Vec<(String, u64)> {
        let ranking = rank(history, Duration::from_secs(began), None, frames);
        let percent = |culprit: &Culprit| whole((culprit.share * 100.0).round());
        ranking
            .culprits
            .iter()
            .map(|culprit| (culprit.site.to_string(), percent(culprit)))
            .collect()
    }

    #[test]
    fn a_leak_comes_first_and_a_sawtooth_nowhere() {
        let history = history(30, |second| {
            // It climbs far, and falls back every seven seconds.
            let dropped = second / 7 * 7 * 40;
            vec![
                bucket(&[1, 2, 3], second * 5, 0),
                bucket(&[4, 3], second * 40, dropped),
            ]
        });
        assert_eq!(
            ranked(&history, 1),
            [("main.(*Cache).Put cache.go:41".to_owned(), 100)]
        );
    }

    #[test]
    fn a_bounded_ring_that_turns_over_is_chance() {
        let ring = |second: u64| {
            // 32 samples on average, give or take some.
            let held = 32
                + [3, 0, 5, 2, 6, 1, 4][usize::try_from(second % 7).expect("small")]
                + second / 6;
            bucket(&[5, 3], second * 100 + held, second * 100)
        };
        let history = history(30, |second| {
            vec![bucket(&[1, 2, 3], second * 5, 0), ring(second)]
        });
        let sites = ranked(&history, 1);
        assert_eq!(sites.len(), 1, "{sites:?}");
        assert!(sites[0].0.starts_with("main.(*Cache).Put"), "{sites:?}");
    }

    #[test]
    fn what_grew_before_the_rise_began_does_not_count() {
        let history = history(30, |second| {
            vec![
                bucket(&[1, 2, 3], second * 5, 0),
                bucket(&[5, 3], second.min(10) * 100, 0),
            ]
        });
        assert_eq!(ranked(&history, 1).len(), 2);
        assert_eq!(
            ranked(&history, 11),
            [("main.(*Cache).Put cache.go:41".to_owned(), 100)]
        );
    }

    #[test]
    fn growth_at_a_site_that_holds_much_already_is_no_chance() {
        let history = history(30, |second| {
            vec![bucket(&[1, 2, 3], 10_000 + second * 5, 0)]
        });
        assert_eq!(ranked(&history, 1).len(), 1);
    }

    #[test]
    fn inlined_generic_and_library_functions_are_blamed_on_a_line_of_the_program() {
        let history = history(30, |second| {
            vec![
                bucket(&[11, 6, 7, 3], second * 6, 0),
                bucket(&[8, 2, 3], second * 4, 0),
                bucket(&[11, 9, 10, 2, 3], second * 2, 0),
            ]
        });
        let sites = ranked(&history, 1);
        assert_eq!(
            sites,
            [
                ("main.newNode inline.go:10".to_owned(), 50),
                ("main.(*Stack[...]).Push generic.go:13".to_owned(), 33),
                (
                    "main.audit stdlib.go:14, allocated in bytes.growSlice".to_owned(),
                    17
                ),
            ]
        );
        let ranking = rank(&history, Duration::ZERO, None, frames);
        let path: Vec<String> = ranking.culprits[0]
            .site
            .path
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            path,
            [
                "main.newNode inline.go:10",
                "main.(*List).grow inline.go:16"
            ]
        );
    }

    #[test]
    fn the_error_is_that_of_the_samples() {
        let history = history(4, |second| vec![bucket(&[1, 2, 3], second * 100, 0)]);
        let ranking = rank(&history, Duration::ZERO, None, frames);
        let [culprit] = &ranking.culprits[..] else {
            panic!("{ranking:?}")
        };
        // From the first second's 100 to the fourth one's 400, both thirds of one second.
        let Grown::Heap { samples, bytes } = culprit.grown else {
            panic!("{culprit:?}")
        };
        assert_eq!((samples, ranking.samples), (200, 200));
        assert!((culprit.share_error - 1.0 / 200f64.sqrt()).abs() < 1e-9);
        assert!((bytes - scale(200, 8192, RATE).1).abs() < 1.0);
    }

    #[test]
    fn too_little_is_not_shown_and_shares_are_of_what_grew() {
        let history = history(30, |second| {
            vec![
                bucket(&[1, 2, 3], second * 100, 0),
                bucket(&[5, 3], second / 10, 0),
                bucket(&[4, 3], 4000, second * 100),
                bucket(&[6, 3], second * 2, 0),
            ]
        });
        // Three samples; less than nothing; two percent.
        assert_eq!(
            ranked(&history, 1),
            [("main.(*Cache).Put cache.go:41".to_owned(), 98)]
        );
    }

    #[test]
    fn goroutines_are_counted_by_who_starts_them() {
        let mut history = History::default();
        for second in 1..=30u32 {
            let snapshot = Snapshot {
                cycle: second,
                rate: RATE,
                buckets: vec![bucket(&[12, 3], u64::from(second) * 10, 0)],
            };
            let goroutines = vec![(13, u64::from(second) * 200), (2, 20), (99, 0)];
            history.push(Duration::from_secs(second.into()), snapshot, goroutines);
        }
        let ranking = rank(&history, Duration::ZERO, None, frames);
        let [culprit] = &ranking.culprits[..] else {
            panic!("{ranking:?}")
        };
        assert_eq!(culprit.site.to_string(), "main.(*Hub).Subscribe hub.go:14");
        assert_eq!(culprit.grown, Grown::Goroutines(4000));
        assert!((culprit.share - 1.0).abs() < 1e-9);
    }

    #[test]
    fn one_moment_is_too_few() {
        let history = history(1, |_| vec![bucket(&[1, 2, 3], 100, 0)]);
        let ranking = rank(&history, Duration::ZERO, None, frames);
        assert_eq!((ranking.moments, ranking.culprits.len()), (1, 0));
        assert!(
            rank(&History::default(), Duration::ZERO, None, frames)
                .culprits
                .is_empty()
        );
    }

    #[test]
    fn at_rate_one_growth_is_exact() {
        let mut history = History::default();
        for second in 1..=3u32 {
            let snapshot = Snapshot {
                cycle: second,
                rate: 1,
                buckets: vec![bucket(&[1, 2, 3], u64::from(second) * 10, 0)],
            };
            history.push(Duration::from_secs(second.into()), snapshot, Vec::new());
        }
        let ranking = rank(&history, Duration::ZERO, None, frames);
        let expected = Grown::Heap {
            bytes: 20.0 * 8192.0,
            samples: 20,
        };
        assert_eq!(ranking.culprits[0].grown, expected);
        assert!(ranking.culprits[0].share_error.abs() < f64::EPSILON);
    }
}
