//! Where the guesses are that are in the midst of a token: each at the position at which that ends.

use super::guess::Guess;

/// The guesses that have come to one of the next positions, as many as the longest token has bytes.
#[derive(Debug)]
pub(super) struct Ahead {
    /// A ring; `head` is the position that is next.
    slots: Vec<Vec<Guess>>,
    head: usize,
    /// How many guesses those are.
    coming: usize,
}

impl Ahead {
    pub(super) fn new(positions: usize) -> Self {
        Self {
            slots: vec![Vec::new(); positions],
            head: 0,
            coming: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.coming == 0
    }

    /// All guesses.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Guess> {
        self.slots.iter().flatten()
    }

    /// All guesses, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Guess> {
        self.slots.iter_mut().flatten()
    }

    /// Whether any has come to the position so many bytes ahead.
    pub(super) fn is_any_at(&self, bytes: usize) -> bool {
        self.coming > 0
            && bytes < self.slots.len()
            && !self.slots[(self.head + bytes) % self.slots.len()].is_empty()
    }

    /// A guess comes to a position so many bytes ahead. Of those at one place in a line only the best stays.
    pub(super) fn arrive(&mut self, guess: Guess, bytes: usize) {
        let slot = (self.head + bytes) % self.slots.len();
        let rivals = &mut self.slots[slot];
        match rivals.iter_mut().find(|rival| rival.place == guess.place) {
            Some(rival) if rival.score >= guess.score => {}
            Some(rival) => *rival = guess,
            None => {
                rivals.push(guess);
                self.coming += 1;
            }
        }
    }

    /// Takes the guesses at the next position.
    pub(super) fn take_here(&mut self) -> Vec<Guess> {
        let here = std::mem::take(&mut self.slots[self.head]);
        self.coming -= here.len();
        here
    }

    /// Goes so many positions ahead, at none of which a guess is.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.head = (self.head + bytes) % self.slots.len();
    }

    /// Gives up all guesses.
    pub(super) fn clear(&mut self) {
        self.slots.iter_mut().for_each(Vec::clear);
        self.coming = 0;
    }
}
