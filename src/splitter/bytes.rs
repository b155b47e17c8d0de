//! Trace lines on a stream whose edges of writes are lost: a saved log, a terminal.
//!
//! Whole lines are always read. Torn ones are put together by a [`Search`], which begins where a line may begin. What is
//! done depends on the bytes alone, never on how they were cut into reads.

mod beginning;
mod habits;
mod last_text;
mod learning;
mod quotes;
mod recent;
mod relays;
mod search;
mod starts;
mod surprise;

use self::beginning::Beginning;
use self::habits::Habits;
use self::last_text::LastText;
use self::quotes::Quotes;
use self::recent::Told;
use self::relays::Relays;
use self::search::{Found, LOOKAHEAD, Search};
use self::starts::{first_start, may_be_start};
use super::{Split, Taken};
use crate::trace::{Place, Trace, parse};

/// So much of a read is looked at in one go.
const PIECE: usize = 16 << 10;
/// So many decided bytes are kept before the others, because they show what a text ends with.
const CONTEXT: usize = 8;

/// The state between two reads.
#[derive(Debug)]
pub(super) struct Bytes {
    /// In order, as they came.
    held: Vec<u8>,
    /// So many of them are decided.
    done: usize,
    /// So many of them the search has seen.
    at: usize,
    /// Where a trace line was taken out: another may begin here, as at the start of a line.
    behind_line: Option<usize>,
    search: Search,
    habits: Habits,
    relays: Relays,
    quotes: Quotes,
    /// How many bytes were forgotten.
    gone: u64,
    text: LastText,
    /// Where lines began like a cycle's, whose bytes are not decided yet.
    suspects: Vec<usize>,
    near_misses: u64,
    /// Whether it is known what the log is like.
    is_scouted: bool,
}

impl Bytes {
    pub(super) fn new() -> Self {
        Self {
            is_scouted: false,
            held: Vec::new(),
            done: 0,
            at: 0,
            behind_line: None,
            search: Search::new(),
            habits: Habits::new(),
            relays: Relays::default(),
            quotes: Quotes::default(),
            gone: 0,
            text: LastText::default(),
            suspects: Vec::new(),
            near_misses: 0,
        }
    }

    /// Takes some bytes.
    pub(super) fn push(&mut self, mut read: &[u8], out: &mut Split) {
        while !read.is_empty() {
            if !self.is_holding() {
                let text = first_start(read, 0, self.is_line_start(self.at), false);
                self.pass(&read[..text], out);
                read = &read[text..];
            }
            let (piece, rest) = read.split_at(read.len().min(PIECE));
            self.held.extend_from_slice(piece);
            read = rest;
            self.decide(false, out);
            self.forget();
        }
    }

    /// Whether bytes are held back.
    pub(super) fn is_holding(&self) -> bool {
        self.done < self.held.len()
    }

    /// No more bytes come, or none for a while: what is held is decided with what is there.
    pub(super) fn release(&mut self, out: &mut Split) {
        self.decide(true, out);
        self.forget();
    }

    /// See [`Splitter::near_misses`](super::Splitter::near_misses).
    pub(super) fn near_misses(&self) -> u64 {
        self.near_misses
    }

    /// Decides as many bytes as can be; all of them at the end.
    fn decide(&mut self, is_end: bool, out: &mut Split) {
        loop {
            if !self.search.is_live() {
                let start = first_start(&self.held, self.at, self.is_line_start(self.at), is_end);
                self.search.earn(start - self.at);
                self.at = start;
                self.emit(start, out);
                if start == self.held.len() {
                    return;
                }
            } else if !self.go_to_next_event(is_end, out) {
                if self.search.is_live() {
                    return;
                }
                continue;
            }
            let Some(begin) = self.begin(is_end, out) else {
                return;
            };
            match begin {
                Beginning::Taken => continue,
                Beginning::Line(begin, is_suspect) => {
                    if !self.search.is_live() && !self.prepare(is_end) {
                        return;
                    }
                    if is_suspect {
                        self.suspects.push(self.at);
                    }
                    self.search
                        .visit(&self.held, self.at, &self.habits, Some(begin));
                }
                Beginning::None { is_suspect } => {
                    if is_suspect {
                        self.suspects.push(self.at);
                    }
                    if self.search.is_live() {
                        self.search.visit(&self.held, self.at, &self.habits, None);
                    }
                }
            }
            self.at += 1;
        }
    }

    /// With a search under way: goes to the next position at which something may happen. False where there is none, because
    /// too few bytes are there or the search is over.
    fn go_to_next_event(&mut self, is_end: bool, out: &mut Split) -> bool {
        let limit = if is_end {
            self.held.len()
        } else {
            self.held.len().saturating_sub(LOOKAHEAD).max(self.at)
        };
        self.at = self.search.skip(&self.held, self.at, limit, may_be_start);
        if self.at < limit {
            if let Some(found) = self.search.settled(self.at) {
                self.accept(&found, out);
                return false;
            }
            return true;
        }
        if is_end {
            if let Some(found) = self.search.take() {
                self.accept(&found, out);
            } else {
                self.search.clear();
                self.at = self.held.len();
            }
        } else {
            self.search.prune(self.at);
            if let Some(start) = self.search.start() {
                self.emit(start, out);
            }
        }
        false
    }

    /// Whether so many bytes are there.
    fn is_in_sight(&self, len: usize) -> bool {
        self.held.len() - self.at >= len
    }

    /// Takes the whole line that stands here, if it counts.
    fn take_whole(&mut self, len: usize, place: Place, out: &mut Split) -> bool {
        let line = &self.held[self.at..self.at + len];
        let Some(trace) = parse(line).filter(|trace| self.habits.allows(trace)) else {
            return false;
        };
        if self.search.is_live() {
            let told = Told::read(line);
            let process = told
                .as_ref()
                .and_then(|told| self.habits.recent.whose(told));
            self.search.pass_line(self.at, told.is_some(), process);
        } else {
            self.habits
                .learn_between(self.text.first(), self.text.last());
            self.text.cut();
        }
        self.habits.learn_line(line, place);
        out.trace.extend_from_slice(line);
        push_cycle(trace, false, out);
        if self.done == self.at {
            self.search.earn(len);
            self.at += len;
            self.done = self.at;
        } else {
            self.held.drain(self.at..self.at + len);
        }
        self.behind_line = Some(self.at);
        true
    }

    /// Takes a line that the search has put together.
    fn accept(&mut self, found: &Found, out: &mut Split) {
        let line = found.line(&self.held);
        for tear in found.pieces.windows(2) {
            self.habits.learn_tear(&self.held, tear[0].1, tear[1].0);
        }
        self.habits.learn_found(&line, found);
        if let Some(trace) = parse(&line) {
            push_cycle(trace, found.pieces.len() > 1, out);
        }
        out.trace.extend_from_slice(&line);
        // The line goes out of the bytes, and what stood between its pieces moves together.
        let start = found.start();
        let mut to = start;
        for (index, (_, from)) in found.pieces.iter().enumerate() {
            let next = found
                .pieces
                .get(index + 1)
                .map_or(self.held.len(), |next| next.0);
            self.held.copy_within(*from..next, to);
            to += next - from;
        }
        let end = found.pieces.last().map_or(start, |last| last.1) - line.len();
        self.held.truncate(to);
        self.behind_line = Some(end);
        // Between its pieces may stand those of another process's line.
        let between = end - start;
        let again = first_start(&self.held[..end], start, false, true) < end
            && self.search.pay_for(between);
        self.at = if again { start } else { end };
        self.suspects.retain(|suspect| *suspect < start);
    }

    /// Text goes out, up to a position.
    fn emit(&mut self, to: usize, out: &mut Split) {
        let text = &self.held[self.done..to];
        out.text.extend_from_slice(text);
        self.text.push(text);
        self.done = to;
        let before = self.suspects.len();
        self.suspects.retain(|suspect| *suspect >= to);
        self.near_misses += (before - self.suspects.len()) as u64;
    }

    /// Text goes out that was never held.
    fn pass(&mut self, text: &[u8], out: &mut Split) {
        if text.is_empty() {
            return;
        }
        out.text.extend_from_slice(text);
        self.search.earn(text.len());
        self.text.push(text);
        self.held
            .extend_from_slice(&text[text.len().saturating_sub(CONTEXT)..]);
        self.done = self.held.len();
        self.at = self.done;
        self.forget();
    }

    /// Forgets decided bytes.
    fn forget(&mut self) {
        let gone = self.done.saturating_sub(CONTEXT);
        // Seldom, or moving the rest would cost more than it spares.
        if gone < PIECE && self.is_holding() {
            return;
        }
        self.held.drain(..gone);
        self.gone += gone as u64;
        self.done -= gone;
        self.at -= gone;
        self.behind_line = self.behind_line.and_then(|at| at.checked_sub(gone));
        self.search.shift(gone);
        for suspect in &mut self.suspects {
            *suspect -= gone;
        }
    }

    fn is_line_start(&self, at: usize) -> bool {
        at == 0 || self.behind_line == Some(at) || self.held[at - 1] == b'\n'
    }

    /// The last bytes of the unfinished line before the position.
    fn line_before(&self) -> Vec<u8> {
        let held = self.held[self.done..self.at].iter().rev();
        let line = held
            .chain(self.text.last().iter().rev())
            .take_while(|byte| **byte != b'\n');
        line.take(relays::MOST_BEFORE).copied().collect()
    }
}

fn push_cycle(trace: Trace, reassembled: bool, out: &mut Split) {
    if let Trace::Cycle(cycle) = trace {
        out.cycles.push(Taken { cycle, reassembled });
    }
}
