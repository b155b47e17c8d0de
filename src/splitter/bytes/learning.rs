//! What is to be known of a log before its torn lines can be put together.

use super::search::LOOKAHEAD;
use super::{Bytes, CONTEXT, PIECE};
use crate::splitter::Split;

/// Where a log begins with a torn line, so much of what follows shows how texts begin.
const AT_FIRST: usize = 16 << 10;
/// Before the first line that is not plain, so much of what follows is read for what the log is like.
const SCOUTED: usize = 4 << 20;

impl Bytes {
    /// Reads ahead, once, for what the log is like: of its first lines little can be told without knowing the others. False
    /// where more bytes must come first.
    fn scout(&mut self, is_end: bool) -> bool {
        if self.is_scouted {
            return true;
        }
        let ahead = &self.held[self.at..];
        if !is_end && !self.is_in_sight(SCOUTED) {
            return false;
        }
        let before = &self.held[self.at.saturating_sub(CONTEXT)..self.at];
        let mut scout = Self {
            held: before.to_vec(),
            done: before.len(),
            at: before.len(),
            text: self.text.behind(),
            is_scouted: true,
            ..Self::new()
        };
        let mut out = Split::default();
        for piece in ahead[..ahead.len().min(SCOUTED)].chunks(PIECE) {
            scout.push(piece, &mut out);
            out.clear();
        }
        scout.release(&mut out);
        self.habits.be_like(scout.habits);
        self.relays = scout.relays;
        self.quotes = scout.quotes.of_another_pass();
        self.is_scouted = true;
        true
    }

    /// Whether it is known what the log is like, and enough bytes are there for a search to look at.
    pub(super) fn is_ready(&mut self, is_end: bool) -> bool {
        self.scout(is_end) && (is_end || self.is_in_sight(LOOKAHEAD))
    }

    /// Before a search begins: learns from what was read. False where more bytes must come first.
    pub(super) fn prepare(&mut self, is_end: bool) -> bool {
        if !self.is_ready(is_end) {
            return false;
        }
        self.habits.learn_text(self.text.learn());
        if self.habits.is_new() {
            if !is_end && !self.is_in_sight(AT_FIRST) {
                return false;
            }
            let ahead = &self.held[self.at..];
            self.habits
                .learn_text_ahead(&ahead[..ahead.len().min(AT_FIRST)]);
        }
        true
    }
}
