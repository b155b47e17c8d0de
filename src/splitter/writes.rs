//! Trace lines on a stream that keeps the edges of writes.
//!
//! A write is exactly the next token of a line, or somebody else's text. Where a write may be the next token of several
//! lines, since several processes print at this moment, or a log writes what could be a token, all readings are followed
//! at once, and the likeliest is taken when it shows which that is.

mod expected;
mod going_on;
mod line;
mod window;

use std::collections::HashSet;

use self::expected::{Cost, Expected};
use self::line::{Line, Reading};
use self::window::{PieceId, Window};
use super::{Ahead, Split, Taken, first_line, is_near_miss, walk};
use crate::trace::{Place, Sibling, Trace, parse};

/// So many readings are followed at once at most.
const MOST_READINGS: usize = 64;
/// A reading that is so much less likely than the best is dropped.
const HOPELESS: Cost = 30;
/// The best reading is believed where all that disagree are so much less likely.
const CLEAR: Cost = 6;
/// And without that, when so many pieces have come since.
const LONG_AGO: PieceId = 300;

/// So many lines are followed at once at most. There is one for each Go process that writes at this moment.
const MOST_LINES: usize = 16;
/// A line that was detached and then passed over for so many others was cut short for ever.
const MOST_PASSED_OVER: usize = 16;

/// Takes the trace lines out of a stream of writes.
#[derive(Debug, Default)]
pub(super) struct Writes {
    window: Window,
    /// All ways to read what is held; none where no line has begun.
    readings: Vec<Reading>,
    expected: Expected,
    /// Whether the last byte of text was none of a newline.
    is_mid_line: bool,
    /// Whether a line went on since the stream was last said to pause.
    is_going_on: bool,
    /// Whether lines have come in other pieces than tokens: somebody stands between who reads and writes them again.
    is_relayed: bool,
    near_misses: u64,
}

impl Writes {
    /// Whether bytes are held back.
    pub(super) fn is_holding(&self) -> bool {
        !self.window.is_empty()
    }

    /// How many lines began like a trace line and were none.
    pub(super) fn near_misses(&self) -> u64 {
        self.near_misses
    }

    /// Takes one write, or the first 4096 bytes of a longer one, or the next.
    pub(super) fn push(&mut self, write: &[u8], out: &mut Split) {
        if self.readings.is_empty() {
            self.fresh(write, out);
            return;
        }
        if self.next_tokens(write) || self.replaced(write) {
            self.decide(out);
            return;
        }
        if let Some(len) = self.go_on(write) {
            self.decide(out);
            self.fresh(&write[len..], out);
            return;
        }
        // Nobody's next token: foreign bytes in all of these lines, which they survive at a token edge only.
        if self.drop_unfinished_tokens() {
            self.settle(out);
        }
        self.fresh(write, out);
        if self.window.is_full() || self.readings.iter().any(|one| one.open.len() > MOST_LINES) {
            self.let_go(out);
        }
    }

    /// Gives up the lines that ended in the middle of a token; says whether there were any.
    fn drop_unfinished_tokens(&mut self) -> bool {
        let is_unfinished = |line: &Line| !line.is_at_edge;
        let likeliest = self.readings.iter().min_by_key(|reading| reading.cost);
        let unfinished: Vec<Line> = likeliest
            .into_iter()
            .flat_map(|reading| reading.open.iter().filter(|line| is_unfinished(line)))
            .cloned()
            .collect();
        for line in &unfinished {
            self.give_up(line);
        }
        let mut dropped = false;
        for reading in &mut self.readings {
            let before = reading.open.len();
            reading.open.retain(|line| line.is_at_edge);
            dropped |= reading.open.len() < before;
        }
        dropped
    }

    /// Counts a line that is none after all; its pieces are text where they stand.
    fn give_up(&mut self, line: &Line) {
        self.near_misses += u64::from(is_near_miss(line.tokens));
        if line.detached.is_none() && line.pieces.last() == Some(&(self.window.next() - 1)) {
            self.is_mid_line = true;
        }
    }

    /// Drops readings that cannot be, and takes the lines that are whole in all that may be.
    fn decide(&mut self, out: &mut Split) {
        self.readings.sort_by_key(|reading| reading.cost);
        let Some(best) = self.readings.first().map(|reading| reading.cost) else {
            return;
        };
        if self.readings.len() > 1 {
            let mut seen = HashSet::new();
            self.readings.retain(|reading| {
                reading.cost <= best + HOPELESS && seen.insert(reading.outlook())
            });
            self.readings.truncate(MOST_READINGS);
        }
        self.readings
            .iter_mut()
            .for_each(|reading| reading.cost -= best);
        while let Some((line, behind)) = self.readings[0].whole.first().cloned() {
            let is_done = self.readings[0].open.is_empty();
            let is_clear = self
                .readings
                .iter()
                .all(|other| other.cost > CLEAR || other.has_whole(&line));
            if !is_done && !is_clear && self.window.next() - behind < LONG_AGO {
                break;
            }
            self.readings.retain(|reading| reading.has_whole(&line));
            for reading in &mut self.readings {
                reading.whole.retain(|(own, _)| own.id != line.id);
            }
            self.take(&line, out);
            self.pass_over(out);
        }
        self.settle(out);
    }

    /// Forgets readings that say nothing, and passes on what nothing holds back.
    fn settle(&mut self, out: &mut Split) {
        let says_nothing = |reading: &Reading| reading.open.is_empty() && reading.whole.is_empty();
        if self.readings.first().is_none_or(says_nothing) {
            self.readings.clear();
        }
        let first = self.readings.iter().filter_map(Reading::first_held).min();
        self.window
            .flush(first.unwrap_or(self.window.next()), &mut out.text);
    }

    /// A line is whole: takes it away, or leaves it where it came if it is none after all.
    fn take(&mut self, line: &Line, out: &mut Split) {
        let bytes = self.bytes(line);
        if self.take_line(&bytes, line.is_torn(), out) {
            self.is_relayed |= !line.is_by_tokens();
            self.window.take(&line.pieces);
        } else if line.detached.is_some() {
            self.put_back(line, out);
        }
    }

    /// All bytes of a line.
    fn bytes(&self, line: &Line) -> Vec<u8> {
        let mut bytes = line.detached.clone().unwrap_or_default();
        bytes.extend(self.window.line(&line.pieces));
        bytes
    }

    /// A line is none after all whose beginning is no longer where it came: its bytes go out together, late.
    fn put_back(&mut self, line: &Line, out: &mut Split) {
        let bytes = self.bytes(line);
        self.window.take(&line.pieces);
        self.window.text(&bytes, &mut out.text);
    }

    /// Whether a whole line counts here; if so it is taken.
    fn take_line(&mut self, line: &[u8], reassembled: bool, out: &mut Split) -> bool {
        let Some(trace) = parse(line) else {
            return false;
        };
        match trace {
            Trace::Cycle(cycle) => {
                self.expected.learn(&cycle);
                out.cycles.push(Taken { cycle, reassembled });
            }
            // Scan statistics come only behind a cycle.
            Trace::Sibling(Sibling::ScanTotal | Sibling::ScanClass) if self.expected.is_empty() => {
                return false;
            }
            Trace::Sibling(_) => {}
        }
        out.trace.extend_from_slice(line);
        true
    }

    /// Detached lines that others have overtaken for too long were cut short, and must not claim pieces of later lines.
    fn pass_over(&mut self, out: &mut Split) {
        for reading in &mut self.readings {
            for line in reading
                .open
                .iter_mut()
                .filter(|line| line.detached.is_some())
            {
                line.passed_over += 1;
            }
        }
        // Only the likeliest reading may give bytes away; a detached line is the same in all that have it.
        let Some(reading) = self.readings.first() else {
            return;
        };
        let stale: Vec<Line> = reading
            .open
            .iter()
            .filter(|line| line.passed_over > MOST_PASSED_OVER)
            .cloned()
            .collect();
        for line in stale {
            self.readings.truncate(1);
            self.readings[0].open.retain(|other| other.id != line.id);
            self.put_back(&line, out);
        }
    }

    /// The stream paused: text that waits goes on. Where none waits, and lines still go on, since several processes write
    /// them and wait for each other, nothing is decided before its time.
    pub(super) fn release(&mut self, out: &mut Split) {
        if !std::mem::take(&mut self.is_going_on) || self.window.has_text() {
            self.let_go(out);
        }
    }

    /// Believes the likeliest reading, and lets the text go on.
    fn let_go(&mut self, out: &mut Split) {
        self.believe(out);
        let Some(reading) = self.readings.first_mut() else {
            return;
        };
        let (mut kept, mut given_up) = (Vec::new(), Vec::new());
        for mut line in std::mem::take(&mut reading.open) {
            if (line.is_certain() || line.detached.is_some()) && kept.len() < MOST_LINES {
                let bytes = self.window.line(&line.pieces);
                line.detached.get_or_insert_default().extend(bytes);
                self.window.take(&line.pieces);
                line.pieces.clear();
                kept.push(line);
                continue;
            }
            given_up.push(line);
        }
        reading.open = kept;
        for line in &given_up {
            self.give_up(line);
            if line.detached.is_some() {
                self.put_back(line, out);
            }
        }
        self.settle(out);
    }

    /// The stream ended: everything that is not whole was text.
    pub(super) fn finish(&mut self, out: &mut Split) {
        self.believe(out);
        let open = self.readings.pop().map(|reading| reading.open);
        for line in open.into_iter().flatten() {
            // One that the end of its process cut short is nobody's riddle.
            self.near_misses += u64::from(is_near_miss(line.tokens) && !line.was_cut_short());
            if line.detached.is_some() {
                self.put_back(&line, out);
            }
        }
        self.readings.clear();
        self.settle(out);
    }

    /// Drops all readings but the likeliest, and takes its lines that are whole.
    fn believe(&mut self, out: &mut Split) {
        self.readings.sort_by_key(|reading| reading.cost);
        self.readings.truncate(1);
        let whole = self
            .readings
            .first_mut()
            .map(|reading| std::mem::take(&mut reading.whole));
        for (line, _) in whole.into_iter().flatten() {
            self.take(&line, out);
        }
    }

    /// Passes text on, behind what is held.
    fn text(&mut self, text: &[u8], out: &mut Split) {
        let Some(last) = text.last() else { return };
        self.is_mid_line = *last != b'\n';
        self.readings.iter_mut().for_each(Reading::interrupt);
        self.window.text(text, &mut out.text);
    }

    /// A line begins with this write, in all readings.
    fn begin(&mut self, write: &[u8], place: Place, tokens: usize, is_at_edge: bool) {
        let piece = self.window.hold(write);
        if self.readings.is_empty() {
            self.readings.push(Reading::default());
        }
        for reading in &mut self.readings {
            reading.interrupt();
            reading
                .open
                .push(Line::new(piece, place, tokens, is_at_edge));
            reading.writing = Some(piece);
        }
    }

    /// Bytes that belong to no line that has begun: text, or new lines.
    fn fresh(&mut self, write: &[u8], out: &mut Split) {
        // A write that is the first token of a line begins one wherever it stands: behind a prompt, say.
        let Some(first) = write.first() else { return };
        if may_begin_trace(*first)
            && let Some(place) = Place::START.take_write(write)
        {
            if place.is_end() {
                if !self.take_line(write, false, out) {
                    self.text(write, out);
                }
            } else {
                self.begin(write, place, 1, true);
            }
            return;
        }
        let mut rest = write;
        // Text is passed on in one piece as far as it goes.
        let mut text_len = 0;
        while text_len < rest.len() {
            let is_mid_line = if text_len == 0 {
                self.is_mid_line
            } else {
                rest[text_len - 1] != b'\n'
            };
            if !is_mid_line && may_begin_trace(rest[text_len]) {
                let here = &rest[text_len..];
                let walked = walk(Place::START, here);
                match walked.ahead {
                    Ahead::End => {
                        self.text(&rest[..text_len], out);
                        if self.take_line(&here[..walked.len], false, out) {
                            rest = &here[walked.len..];
                            text_len = 0;
                            continue;
                        }
                        rest = here;
                        text_len = 0;
                    }
                    Ahead::More => {
                        self.text(&rest[..text_len], out);
                        self.begin(here, walked.place, walked.tokens, walked.len == here.len());
                        return;
                    }
                    Ahead::Dead => self.near_misses += u64::from(is_near_miss(walked.tokens)),
                }
            }
            text_len += first_line(&rest[text_len..]).0.len();
        }
        self.text(rest, out);
    }
}

/// Whether a line that begins with this byte may be a trace line: `gc `, `GC forced`, `scvg`, `scan: `, `forced scvg`.
pub(super) fn may_begin_trace(byte: u8) -> bool {
    matches!(byte, b'g' | b'G' | b's' | b'f')
}
