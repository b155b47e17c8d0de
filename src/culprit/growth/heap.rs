//! Growth of the heap by the line that allocated it: estimates from samples.

use std::collections::HashMap;

use super::super::blame::{Site, blame};
use super::super::history::{Count, History, Moment};
use super::super::{Frame, scale};
use super::{Culprit, Grown, LEAST_SHARE, Names, Thirds, whole};
use crate::wording::real;

/// A site with fewer samples is not shown: four are their own doubled error.
const FEWEST_SAMPLES: f64 = 4.0;

/// The sites whose floors rose, the largest first, and how many samples of growth there were in all.
pub(super) fn heap(
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
