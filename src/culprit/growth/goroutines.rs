//! Growth of goroutines by the line that started them: exact numbers.

use std::collections::BTreeMap;

use super::super::Frame;
use super::super::blame::Site;
use super::super::history::Moment;
use super::{Culprit, Grown, LEAST_SHARE, Names, Thirds};
use crate::wording::real;

/// Fewer goroutines more are not shown.
const FEWEST_GOROUTINES: u64 = 20;

/// Growth of goroutines by the place that started them: exact numbers.
pub(super) fn goroutines(
    thirds: &Thirds<'_>,
    names: &mut Names<'_, impl Fn(u64) -> Vec<Frame>>,
) -> Vec<Culprit> {
    let mut count = |moment: &Moment| {
        let mut counts: BTreeMap<Site, u64> = BTreeMap::new();
        for (creation, count) in moment.goroutines.as_ref()? {
            *counts
                .entry(Site::of_creation(&names.of(&[*creation])))
                .or_default() += count;
        }
        Some(counts)
    };
    let early: Vec<_> = thirds.early.iter().filter_map(&mut count).collect();
    let late: Vec<_> = thirds.late.iter().filter_map(&mut count).collect();
    if early.is_empty() {
        return Vec::new();
    }
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
