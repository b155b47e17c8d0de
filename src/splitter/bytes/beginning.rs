//! What begins at a position: a whole line, one that may be torn, or nothing.

use super::Bytes;
use super::recent::Told;
use super::search::Begin;
use super::starts::{Start, start_at};
use crate::splitter::{Ahead, Split, is_near_miss, walk};
use crate::trace::Place;

/// What begins at a position.
#[derive(Clone, Copy, Debug)]
pub(super) enum Beginning {
    /// A whole line was taken, or one that was found before.
    Taken,
    /// A line may begin here that is torn; whether it is one that began like a cycle's.
    Line(Begin, bool),
    /// None.
    None { is_suspect: bool },
}

impl Bytes {
    /// Whether a line begins here; a whole one is taken. `None`: too few bytes to tell.
    pub(super) fn begin(&mut self, is_end: bool, out: &mut Split) -> Option<Beginning> {
        let no = Some(Beginning::None { is_suspect: false });
        let is_line_start = self.is_line_start(self.at);
        match start_at(&self.held[self.at..], is_line_start) {
            Start::No => return no,
            Start::Incomplete if is_end => return no,
            Start::Incomplete => return None,
            Start::Yes => {}
        }
        // In the middle of a line what stands before it is learnt from, and that must not be done twice.
        if !is_line_start && !self.is_ready(is_end) {
            return None;
        }
        let walked = walk(Place::START, &self.held[self.at..]);
        if is_near_miss(walked.tokens) {
            self.search.claim(self.at..self.at + walked.len);
        }
        let mut is_suspect = false;
        match walked.ahead {
            Ahead::More if !is_end => return None,
            Ahead::More => {}
            Ahead::End => {
                if is_line_start || self.goes_on_mid_line(walked.len, b"") {
                    if let Some(found) = self.search.take() {
                        self.accept(&found, out);
                        return Some(Beginning::Taken);
                    }
                    if self.take_whole(walked.len, walked.place, out) {
                        return Some(Beginning::Taken);
                    }
                }
                return Some(Beginning::None {
                    is_suspect: is_line_start && is_near_miss(walked.tokens),
                });
            }
            Ahead::Dead => {
                is_suspect = is_line_start && is_near_miss(walked.tokens);
                // A whole line but for its newline: quoted, if it is not this log's own that was torn there.
                if !is_line_start
                    && walked.place.take_write(b"\n").is_some_and(Place::is_end)
                    && !self.goes_on_mid_line(walked.len, b"\n")
                {
                    return no;
                }
            }
        }
        let here = &self.held[self.at..self.at + walked.len];
        if self.quotes.is_quote(here, self.gone + self.at as u64) {
            return Some(Beginning::None { is_suspect });
        }
        let may_begin = self.search.may_begin()
            && (is_line_start
                || !(self.habits.recent.is_empty() || self.relays.are_behind(&self.line_before())));
        Some(if may_begin {
            let begin = if is_line_start {
                Begin::Line
            } else {
                Begin::MidLine
            };
            Beginning::Line(begin, is_suspect)
        } else {
            Beginning::None { is_suspect }
        })
    }

    /// Whether a whole line behind an unfinished one is this log's own, and not one that it relays or quotes.
    ///
    /// It has `len` bytes here, and `end` is what it lacks.
    fn goes_on_mid_line(&mut self, len: usize, end: &[u8]) -> bool {
        let line = [&self.held[self.at..self.at + len], end].concat();
        let Some(told) = Told::read(&line) else {
            return false;
        };
        let before = self.line_before();
        self.relays.is_own(&before, told, &self.habits.recent)
    }
}
