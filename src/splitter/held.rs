//! What is held back: bytes in the order in which they came, and the lines that some of them may belong to.

use std::collections::VecDeque;

use super::{Split, Walk, is_near_miss};
use crate::trace::Place;

/// A line with so many tokens, each a write of its own and in order, is the runtime's beyond doubt.
const CERTAIN: usize = 6;

/// How many bytes are held at most; a line torn wider is given up. A thread that writes a trace line may wait some ten
/// milliseconds for a processor, in which another logs megabytes.
const MOST_HELD: usize = 4 << 20;

/// How many lines are followed at once at most. There is one for each Go process that writes at this moment.
const MOST_CANDIDATES: usize = 8;

/// A line that may be a trace line, as far as it has come.
#[derive(Debug)]
pub(super) struct Candidate {
    id: u64,
    /// The bytes of the line.
    pub(super) line: Vec<u8>,
    /// The last token edge that they reached.
    pub(super) place: Place,
    /// How many tokens lie before it.
    pub(super) tokens: usize,
    /// How many bytes lie before it.
    pub(super) edge: usize,
    /// How many times other bytes came in between its pieces.
    pub(super) tears: usize,
    /// Whether other bytes came behind its last piece.
    is_interrupted: bool,
    /// The line that it was forked from, or itself.
    origin: u64,
    /// Whether each piece so far was exactly one token.
    pub(super) by_tokens: bool,
    /// Whether its bytes are no longer among the held ones, because the text around them had to go on.
    detached: bool,
}

impl Candidate {
    /// Other bytes came.
    fn interrupt(&mut self) {
        self.is_interrupted = true;
    }

    /// Whether other bytes came in between.
    pub(super) fn is_torn(&self) -> bool {
        self.tears > 0 || self.is_interrupted
    }

    /// The bytes that were added last reach a token edge.
    pub(super) fn advance(&mut self, place: Place, tokens: usize) {
        self.tears += usize::from(self.is_interrupted);
        self.is_interrupted = false;
        self.place = place;
        self.tokens = tokens;
        self.edge = self.line.len();
    }

    /// Whether it is the runtime's beyond doubt.
    fn is_certain(&self) -> bool {
        self.by_tokens && self.tokens >= CERTAIN
    }
}

/// Held bytes that came one behind the other and may belong to the same lines.
#[derive(Debug)]
struct Run {
    len: usize,
    /// The candidates; none for text.
    owners: Vec<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: VecDeque<u8>,
    runs: VecDeque<Run>,
    /// The oldest first.
    pub(super) candidates: Vec<Candidate>,
    next_id: u64,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether so much is held that something has to be given up.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() > MOST_HELD || self.candidates.len() > MOST_CANDIDATES
    }

    /// How many bytes of text may be held before that; `None` where text is not held.
    pub(super) fn room(&self) -> Option<usize> {
        (!self.is_empty()).then(|| (MOST_HELD + 1).saturating_sub(self.bytes.len()))
    }

    /// Text: goes out at once where nothing before it is held.
    pub(super) fn text(&mut self, text: &[u8], out: &mut Split) {
        self.candidates.iter_mut().for_each(Candidate::interrupt);
        if self.runs.is_empty() {
            out.text.extend_from_slice(text);
        } else {
            self.hold(text, &[]);
        }
    }

    /// A new line begins with `piece`.
    pub(super) fn begin(&mut self, piece: &[u8], walked: &Walk, by_tokens: bool) {
        self.next_id += 1;
        let id = self.next_id;
        self.candidates.iter_mut().for_each(Candidate::interrupt);
        self.hold(piece, &[id]);
        self.candidates.push(Candidate {
            id,
            line: piece.to_vec(),
            place: walked.place,
            tokens: walked.tokens,
            edge: walked.len,
            tears: 0,
            is_interrupted: false,
            origin: id,
            by_tokens,
            detached: false,
        });
    }

    /// The lines at these indices go on with `piece`.
    pub(super) fn extend(&mut self, indices: &[usize], piece: &[u8]) {
        let mut owners = Vec::new();
        for index in indices {
            let candidate = &mut self.candidates[*index];
            candidate.line.extend_from_slice(piece);
            if !candidate.detached {
                owners.push(candidate.id);
            }
        }
        if !owners.is_empty() {
            self.hold(piece, &owners);
        }
    }

    /// The line at that index is a trace line: its bytes are taken away, also from the lines that shared them, which are
    /// none then.
    pub(super) fn take(&mut self, index: usize, out: &mut Split) {
        let taken = self.candidates.remove(index);
        let rivals: Vec<u64> = self
            .runs
            .iter()
            .filter(|run| run.owners.contains(&taken.id))
            .flat_map(|run| run.owners.clone())
            .collect();
        self.remove(taken.id);
        // Whoever stalled so long ago was cut short for ever, and must not claim pieces of later lines.
        while let Some(loser) = self
            .candidates
            .iter()
            .position(|other| other.detached || rivals.contains(&other.id))
        {
            self.give_up(loser, out);
        }
        self.flush(out);
    }

    /// The line at that index is none: its bytes are text, where they came.
    pub(super) fn give_up(&mut self, index: usize, out: &mut Split) {
        let candidate = self.candidates.remove(index);
        if candidate.detached {
            self.text(&candidate.line, out);
        }
        self.flush(out);
    }

    /// Gives up every line but those that are the runtime's for sure; says how many began like a cycle's.
    pub(super) fn release(&mut self, out: &mut Split, at_line_start: &mut bool) -> u64 {
        let mut near_misses = 0;
        let mut given_up = Vec::new();
        let mut detached = Vec::new();
        for candidate in &mut self.candidates {
            // Of several forks the first goes on: half a line does not show which is the likeliest.
            if candidate.is_certain() && !detached.contains(&candidate.origin) {
                candidate.detached = true;
                detached.push(candidate.origin);
            } else {
                near_misses += u64::from(is_near_miss(candidate.tokens));
                given_up.push(candidate.id);
            }
        }
        if self
            .runs
            .back()
            .is_some_and(|run| run.owners.iter().any(|owner| given_up.contains(owner)))
        {
            *at_line_start = false;
        }
        self.candidates
            .retain(|candidate| !given_up.contains(&candidate.id));
        let detached: Vec<u64> = self
            .candidates
            .iter()
            .map(|candidate| candidate.id)
            .collect();
        for id in detached {
            self.remove(id);
        }
        self.flush(out);
        if self.candidates.len() > MOST_CANDIDATES {
            self.give_up(0, out);
        }
        near_misses
    }

    /// Gives up everything; says how many lines began like a cycle's and went on otherwise. One that the end of its process
    /// cut short is none of these.
    pub(super) fn finish(&mut self, out: &mut Split) -> u64 {
        let is_near_miss = |candidate: &&Candidate| {
            is_near_miss(candidate.tokens) && candidate.is_interrupted && !candidate.by_tokens
        };
        let near_misses = self.candidates.iter().filter(is_near_miss).count();
        while !self.candidates.is_empty() {
            self.give_up(0, out);
        }
        near_misses as u64
    }

    fn hold(&mut self, bytes: &[u8], owners: &[u64]) {
        self.bytes.extend(bytes);
        match self.runs.back_mut() {
            Some(run) if run.owners == owners => run.len += bytes.len(),
            _ => self.runs.push_back(Run {
                len: bytes.len(),
                owners: owners.to_vec(),
            }),
        }
    }

    /// Takes the bytes of a line out.
    fn remove(&mut self, id: u64) {
        let mut at = 0;
        let mut kept = VecDeque::with_capacity(self.bytes.len());
        for run in &self.runs {
            if !run.owners.contains(&id) {
                kept.extend(self.bytes.range(at..at + run.len));
            }
            at += run.len;
        }
        self.bytes = kept;
        self.runs.retain(|run| !run.owners.contains(&id));
    }

    /// Passes on what nothing before it holds back any more.
    fn flush(&mut self, out: &mut Split) {
        let lives = |owner: &u64| {
            self.candidates
                .iter()
                .any(|candidate| candidate.id == *owner)
        };
        while let Some(run) = self.runs.front() {
            if run.owners.iter().any(lives) {
                break;
            }
            out.text.extend(self.bytes.drain(..run.len));
            self.runs.pop_front();
        }
    }
}
