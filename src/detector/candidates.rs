//! Stretches that were no leak: the nearest one, and what holds the latest ones back.

use super::conditions::WHAT_A_RISE_IS;
use super::evidence::{HeldBack, Margin};

/// How near a stretch came: how many conditions it met before the first it did not, and which share of that one.
type Nearness = (usize, f64);

/// What became of the stretches that were not flagged.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    /// The one that came nearest, in the whole run.
    nearest: Option<(Nearness, HeldBack)>,
    /// How near the nearest rise of the latest cycle came; and itself, where that is news.
    latest: Option<(Nearness, Option<HeldBack>)>,
    /// The condition that was told of last.
    told: Option<&'static str>,
}

impl Candidates {
    /// Takes a stretch that does not meet the condition at `unmet`, of that name, by that margin. What is made of it is
    /// asked for only where it is needed.
    pub(super) fn consider(
        &mut self,
        unmet: usize,
        name: &'static str,
        margin: Margin,
        held_back: impl Fn() -> HeldBack,
    ) {
        let nearness = (unmet, margin.share());
        if is_nearer(nearness, self.nearest.as_ref()) {
            self.nearest = Some((nearness, held_back()));
        }
        if unmet >= WHAT_A_RISE_IS && is_nearer(nearness, self.latest.as_ref()) {
            let news = (self.told != Some(name)).then(held_back);
            self.latest = Some((nearness, news));
        }
    }

    /// What holds the rise back that came nearest with this cycle, where that is another condition than the one told of
    /// last. To be asked once a cycle.
    pub(super) fn latest_news(&mut self) -> Option<HeldBack> {
        let (_, latest) = self.latest.take()?;
        let latest = latest?;
        self.told = Some(latest.by.condition);
        Some(latest)
    }

    /// The stretch that came nearest, of those that were considered.
    pub(super) fn nearest(&self) -> Option<&HeldBack> {
        self.nearest.as_ref().map(|(_, nearest)| nearest)
    }
}

fn is_nearer<T>(one: Nearness, other: Option<&(Nearness, T)>) -> bool {
    other.is_none_or(|(other, _)| one > *other)
}
