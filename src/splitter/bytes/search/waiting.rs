//! The guesses by which another writer's text stands here: each waits for the next token of its line.

use super::guess::Guess;
use crate::splitter::bytes::surprise::{LONGEST, Surprise};

/// What a tear costs.
const TEAR: f64 = 1.5;
/// So far behind the best guess about the same line one is given up.
const BEAM: f64 = 20.0;
/// How far apart the first and the last byte of a line may be.
const WINDOW: usize = 256 << 10;
/// What the bytes between cost: the more there are, the likelier one of them is the next token by chance. So much for each
/// time that they become e times as many, from so many on.
const DISTANCE: f64 = 0.4;
const NEAR: f64 = 100.0;

/// A guess by which another writer's text stands here.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) guess: Guess,
    /// Where that text began.
    pub(super) since: usize,
    /// How surprising it is that a text begins so.
    pub(super) surprise: Surprise,
}

impl Waiting {
    /// Its score where the text ends at a position.
    pub(super) fn score_at(&self, at: usize) -> f64 {
        let len = at - self.since;
        self.guess.score - distance(len) - self.surprise.of(len)
    }

    pub(super) fn is_over(&self, at: usize, least: f64) -> bool {
        let best = self.guess.score - distance(at - self.since) - self.surprise.least();
        at - self.guess.start > WINDOW || best < least
    }

    /// Its score where the text is a long one.
    pub(super) fn score_in_the_end(&self, at: usize) -> f64 {
        self.score_at(at + LONGEST)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a score need not be exact")]
fn distance(bytes: usize) -> f64 {
    DISTANCE * (bytes as f64 / NEAR).ln_1p()
}

/// All that wait.
#[derive(Debug)]
pub(super) struct AllWaiting {
    pub(super) all: Vec<Waiting>,
    /// Which bytes may begin what any of them waits for.
    wanted: Box<[bool; 256]>,
}

impl Default for AllWaiting {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            wanted: Box::new([false; 256]),
        }
    }
}

impl AllWaiting {
    /// Whether what any of them waits for may begin with this byte.
    pub(super) fn want(&self, byte: u8) -> bool {
        self.wanted[usize::from(byte)]
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.wanted.fill(false);
    }

    /// Forgets those that cannot come to a score any more.
    pub(super) fn prune(&mut self, at: usize, least: f64) {
        self.all.retain(|waiting| !waiting.is_over(at, least));
    }

    /// A guess waits from here on, unless a better one waits for the same.
    pub(super) fn push(&mut self, mut guess: Guess, at: usize, surprise: Surprise, least: f64) {
        guess.score -= TEAR;
        let waiting = Waiting {
            guess,
            since: at,
            surprise,
        };
        if waiting.is_over(at, least) {
            return;
        }
        let rival = self
            .all
            .iter_mut()
            .find(|rival| rival.guess.place == waiting.guess.place && !rival.is_over(at, least));
        match rival {
            Some(rival) if rival.score_in_the_end(at) >= waiting.score_in_the_end(at) => {}
            Some(rival) => *rival = waiting,
            None => self.all.push(waiting),
        }
    }

    /// Of the guesses about one line those that are far behind the best are given up; the others say what they wait for.
    pub(super) fn weed(&mut self, at: usize, least: f64) {
        self.prune(at, least);
        let mut best: Vec<(usize, f64)> = Vec::new();
        for waiting in &self.all {
            let score = waiting.guess.score - distance(at - waiting.since);
            match best
                .iter_mut()
                .find(|(start, _)| *start == waiting.guess.start)
            {
                Some((_, best)) => *best = best.max(score),
                None => best.push((waiting.guess.start, score)),
            }
        }
        self.all.retain(|waiting| {
            let known = best.iter().find(|(start, _)| *start == waiting.guess.start);
            let score = waiting.guess.score - distance(at - waiting.since);
            known.is_none_or(|(_, best)| score >= best - BEAM)
        });
        self.wanted.fill(false);
        for waiting in &self.all {
            waiting.guess.place.mark_beginnings(&mut self.wanted);
        }
    }
}
