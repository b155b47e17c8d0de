//! The search for a torn line: where it was torn, and where it goes on.
//!
//! A line may be torn between any two tokens. At each such edge either the next token stands here, or another writer's text
//! begins and the line goes on at a later place. Each way to read the bytes so is a guess with a score: what tokens and
//! fitting numbers count for, less what tears cost, the more so where the text between does not begin and end as texts in
//! this log do. Of the guesses that have come to the same place in a line at the same byte only the best lives on (Viterbi),
//! so the work is bounded for each byte.

mod ahead;
mod guess;
mod waiting;

use std::ops::Range;
use std::sync::Arc;

use self::ahead::Ahead;
pub(super) use self::guess::{Begin, Found};
use self::guess::{Guess, Piece};
use self::waiting::AllWaiting;
use super::habits::Habits;
use super::surprise::{LONGEST, Surprise};
use crate::trace::{Field, Place, parse};

/// What a search sees of the bytes at a position: the longest token and the longest beginning of a text fit in.
pub(super) const LOOKAHEAD: usize = 40;

/// What a byte of a literal counts for.
const LITERAL: f64 = 1.5;
/// A guess below this is given up.
const LEAST: f64 = -20.0;
/// A line below this is none.
const ACCEPTED: f64 = 20.0;
/// How unusually a line may be torn at most: so much, and so much more for each tear; less where no process is known whose
/// next cycle it could tell.
const MOST_DOUBT: f64 = 5.0;
const DOUBT_PER_TEAR: f64 = 10.0;
const DOUBT_PER_TEAR_AT_FIRST: f64 = 2.0;
/// What is torn less unusually than this shows what to expect of other lines.
const CLEAR: f64 = 3.0;
/// When a line is whole, guesses that are no worse may go on so far.
const AFTER: usize = 4096;
/// How many steps a search may take for each byte, and how many it may save up: no log makes it slow.
const STEPS_PER_BYTE: usize = 64;
const MOST_STEPS: usize = 1 << 20;

/// Positions are indices into the bytes that the caller holds.
#[derive(Debug)]
pub(super) struct Search {
    ahead: Ahead,
    waiting: AllWaiting,
    found: Option<Found>,
    /// Where bytes look like the beginning of one line: no other goes on there.
    claimed: Range<usize>,
    /// How many steps may still be taken.
    steps: usize,
}

impl Search {
    pub(super) fn new() -> Self {
        Self {
            ahead: Ahead::new(LOOKAHEAD),
            waiting: AllWaiting::default(),
            found: None,
            claimed: 0..0,
            steps: MOST_STEPS,
        }
    }

    /// Whether any guess lives.
    pub(super) fn is_live(&self) -> bool {
        !self.ahead.is_empty() || !self.waiting.all.is_empty() || self.found.is_some()
    }

    /// The first byte that any guess needs.
    pub(super) fn start(&self) -> Option<usize> {
        let coming = self.ahead.iter().map(|guess| guess.start);
        let waiting = self.waiting.all.iter().map(|waiting| waiting.guess.start);
        let found = self.found.iter().map(Found::start);
        coming.chain(waiting).chain(found).min()
    }

    /// The first `bytes` bytes are gone: positions count from behind them.
    pub(super) fn shift(&mut self, bytes: usize) {
        for guess in self.ahead.iter_mut() {
            guess.start -= bytes;
        }
        for waiting in &mut self.waiting.all {
            waiting.guess.start -= bytes;
            waiting.since -= bytes;
        }
        for (from, to) in self.found.iter_mut().flat_map(|found| &mut found.pieces) {
            *from -= bytes;
            *to -= bytes;
        }
        let Range { start, end } = &mut self.claimed;
        *start = start.saturating_sub(bytes);
        *end = end.saturating_sub(bytes);
    }

    /// Gives up all guesses.
    pub(super) fn clear(&mut self) {
        self.ahead.clear();
        self.waiting.clear();
        self.found = None;
    }

    /// Forgets those that can no longer become a line, which changes nothing but what [`Search::start`] says.
    pub(super) fn prune(&mut self, at: usize) {
        self.waiting.prune(at, self.least());
    }

    fn least(&self) -> f64 {
        self.found.as_ref().map_or(LEAST, |found| found.score)
    }

    /// The line that was found, as soon as no guess can be better.
    pub(super) fn settled(&mut self, at: usize) -> Option<Found> {
        let found = self.found.as_ref()?;
        let score = found.score;
        let is_over = at > found.end() + AFTER;
        self.prune(at);
        let is_best =
            self.waiting.all.is_empty() && self.ahead.iter().all(|guess| guess.score < score);
        if is_over || is_best {
            self.take()
        } else {
            None
        }
    }

    /// The line that was found, if any; all else is given up.
    pub(super) fn take(&mut self) -> Option<Found> {
        let found = self.found.take();
        if found.is_some() {
            self.clear();
        }
        found
    }

    /// These bytes look like the beginning of one line.
    pub(super) fn claim(&mut self, bytes: Range<usize>) {
        self.claimed = bytes;
    }

    /// Whether a line may begin at a position: not when one is found already.
    pub(super) fn may_begin(&self) -> bool {
        self.found.is_none()
    }

    /// Passes over positions at which nothing happens, up to `limit`; says where something does.
    pub(super) fn skip(
        &mut self,
        bytes: &[u8],
        at: usize,
        limit: usize,
        starts: impl Fn(u8) -> bool,
    ) -> usize {
        let mut next = at;
        // A line that was found is decided there, however the bytes are cut into reads.
        let limit = match &self.found {
            Some(found) if at <= found.end() => limit.min(found.end()),
            Some(found) => limit.min(at.max(found.end() + AFTER + 1)),
            None => limit,
        };
        while next < limit {
            let byte = bytes[next];
            if self.ahead.is_any_at(next - at) || self.waiting.want(byte) || starts(byte) {
                break;
            }
            next += 1;
        }
        self.advance(next - at);
        next
    }

    /// Goes `bytes` positions ahead, at none of which a guess is.
    fn advance(&mut self, bytes: usize) {
        self.ahead.advance(bytes);
        self.earn(bytes);
    }

    /// A whole line was taken out here: another writer's text for the guesses of other processes, the end of those of the
    /// same, where it is a cycle's. `process`: whose next one, if that is known.
    pub(super) fn pass_line(&mut self, at: usize, is_cycle: bool, process: Option<usize>) {
        let lives = |guess: &Guess| match (guess.process, process) {
            (Some(one), Some(other)) if is_cycle => one != other,
            _ => !is_cycle,
        };
        let here = self.ahead.take_here();
        self.ahead.clear();
        self.waiting.all.retain(|waiting| lives(&waiting.guess));
        for guess in here.into_iter().filter(lives) {
            self.waiting.push(guess, at, Surprise::NONE, self.least());
        }
        self.waiting.weed(at, self.least());
    }

    /// Bytes that need no search allow it more steps later.
    pub(super) fn earn(&mut self, bytes: usize) {
        let steps = bytes.saturating_mul(STEPS_PER_BYTE);
        self.steps = self.steps.saturating_add(steps).min(MOST_STEPS);
    }

    /// Whether so many bytes may be searched once more; if so, their steps are taken off.
    pub(super) fn pay_for(&mut self, bytes: usize) -> bool {
        let left = self.steps.checked_sub(bytes * STEPS_PER_BYTE);
        self.steps = left.unwrap_or(self.steps);
        left.is_some()
    }

    /// Goes one position ahead with what `bytes` say there. `begin`: whether a line may begin.
    pub(super) fn visit(&mut self, bytes: &[u8], at: usize, habits: &Habits, begin: Option<Begin>) {
        let here = self.ahead.take_here();
        if let Some(begin) = begin {
            self.begin(bytes, at, habits, begin);
        }
        let is_claimed = self.claimed.start < at && at < self.claimed.end;
        if at < bytes.len() && self.waiting.want(bytes[at]) && !is_claimed {
            self.resume(bytes, at, habits);
        }
        if !here.is_empty() {
            self.go_on(bytes, at, habits, here);
        }
        if self.steps == 0 {
            self.waiting.clear();
            self.ahead.clear();
        }
        self.advance(1);
    }

    fn begin(&mut self, bytes: &[u8], at: usize, habits: &Habits, begin: Begin) {
        let guess = Guess {
            score: match begin {
                Begin::Line => 0.0,
                Begin::MidLine => -habits.end_surprise(bytes, at).of(LONGEST),
            },
            doubt: 0.0,
            place: Place::START,
            start: at,
            piece: 0,
            earlier: None,
            process: None,
            is_first: false,
            begin,
        };
        self.step(bytes, at, habits, &guess);
    }

    /// The guesses that wait and find their next token here.
    fn resume(&mut self, bytes: &[u8], at: usize, habits: &Habits) {
        let least = self.least();
        let mut waiting = std::mem::take(&mut self.waiting.all);
        let end_surprise = habits.end_surprise(bytes, at);
        waiting.retain(|waiting| {
            if waiting.is_over(at, least) {
                return false;
            }
            let len = at - waiting.since;
            let score = waiting.score_at(at) - end_surprise.of(len);
            if score >= LEAST && waiting.guess.place.may_go_on_with(bytes[at]) {
                let start = waiting.guess.start;
                let guess = Guess {
                    score,
                    doubt: waiting.guess.doubt + waiting.surprise.of(len) + end_surprise.of(len),
                    piece: at - start,
                    earlier: Some(Arc::new(Piece {
                        from: waiting.guess.piece,
                        to: waiting.since - start,
                        earlier: waiting.guess.earlier.clone(),
                    })),
                    ..waiting.guess.clone()
                };
                self.step(bytes, at, habits, &guess);
            }
            true
        });
        self.waiting.all = waiting;
        self.waiting.weed(at, self.least());
    }

    /// The guesses whose last token ended here.
    fn go_on(&mut self, bytes: &[u8], at: usize, habits: &Habits, here: Vec<Guess>) {
        let surprise = habits.begin_surprise(bytes, at);
        for guess in here {
            self.step(bytes, at, habits, &guess);
            self.waiting.push(guess, at, surprise, self.least());
        }
        self.waiting.weed(at, self.least());
    }

    /// Each way in which a guess goes on with a token here.
    fn step(&mut self, bytes: &[u8], at: usize, habits: &Habits, guess: &Guess) {
        guess.place.ways(&bytes[at..], |way| {
            self.steps = self.steps.saturating_sub(1);
            let token = &bytes[at..at + way.len];
            let (gain, process) = match way.field {
                None => (LITERAL * length(way.len), guess.process),
                Some(field) => habits.number(field, token, guess.process),
            };
            // A torn line is the next cycle of a process that is known, or its first; behind an unfinished line the next.
            let is_first = guess.is_first || way.field == Some(Field::Number) && token == b"1";
            let is_none = match (way.field, guess.begin) {
                (Some(Field::Number), Begin::MidLine) => process.is_none(),
                (Some(Field::Number), Begin::Line) => {
                    process.is_none() && !is_first && !habits.recent.is_empty()
                }
                (Some(Field::At), Begin::MidLine) => gain < 0.0,
                _ => false,
            };
            if is_none {
                return;
            }
            let score = guess.score + gain - habits.turn(guess.place, way.place);
            if score < LEAST {
                return;
            }
            let next = Guess {
                score,
                place: way.place,
                process,
                is_first,
                ..guess.clone()
            };
            if way.place.is_end() {
                self.end(bytes, at + way.len, habits, &next);
            } else {
                self.ahead.arrive(next, way.len);
            }
        });
    }

    /// A guess has come to the end of its line.
    fn end(&mut self, bytes: &[u8], at: usize, habits: &Habits, guess: &Guess) {
        if guess.score < ACCEPTED || guess.score <= self.least() {
            return;
        }
        let mut pieces = vec![(guess.start + guess.piece, at)];
        let mut earlier = guess.earlier.as_ref();
        while let Some(piece) = earlier {
            pieces.push((guess.start + piece.from, guess.start + piece.to));
            earlier = piece.earlier.as_ref();
        }
        let per_tear = match guess.process {
            Some(_) => DOUBT_PER_TEAR,
            None => DOUBT_PER_TEAR_AT_FIRST,
        };
        let most_doubt = MOST_DOUBT + per_tear * length(pieces.len() - 1);
        if guess.doubt > most_doubt {
            return;
        }
        pieces.reverse();
        let found = Found {
            pieces,
            place: guess.place,
            is_clear: guess.doubt <= CLEAR,
            process: guess.process,
            score: guess.score,
        };
        if parse(&found.line(bytes)).is_some_and(|trace| habits.allows(&trace)) {
            self.found = Some(found);
        }
    }
}

fn length(bytes: usize) -> f64 {
    u32::try_from(bytes).map_or(0.0, f64::from)
}
