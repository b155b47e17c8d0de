//! What a log is like, learnt from what was read of it.

use std::collections::BTreeSet;

use memchr::memchr_iter;

use super::recent::{Recent, Told};
use super::search::Found;
use super::surprise::{LONGEST, Surprise, Usual};
use crate::trace::{Field, Place, Sibling, Trace};

/// So many bytes tell how a text ends.
const END: usize = 3;
/// How often texts are thought to end with a newline, before any was seen.
const NEWLINES: u32 = 10;
/// The greatest surprises at how a text begins, and how it ends.
const MOST_AT_BEGIN: f64 = 6.0;
const MOST_AT_END: f64 = 10.0;
/// So few texts say little of how they begin.
const FEW: u32 = 30;
/// So few cycles say little of a log.
const FEW_CYCLES: u64 = 3;
/// At most so many lines teach at once.
const MOST_LINES: usize = 50;
/// What it costs where a line goes on as none did before.
const TURN: f64 = 3.0;

/// What a log is like.
#[derive(Debug)]
pub(super) struct Habits {
    begins: Usual,
    ends: Usual,
    pub(super) recent: Recent,
    /// The places of the lines that were read: those of one Go release or a few.
    places: BTreeSet<Place>,
}

impl Habits {
    pub(super) fn new() -> Self {
        Self {
            begins: Usual::new(MOST_AT_BEGIN),
            ends: Usual::only(&[b'\n'; LONGEST], NEWLINES, MOST_AT_END),
            recent: Recent::default(),
            places: BTreeSet::new(),
        }
    }

    /// Takes over what somebody learnt who read ahead, if that is anything.
    pub(super) fn be_like(&mut self, scout: Self) {
        if scout.recent.heard() < FEW_CYCLES {
            return;
        }
        self.begins = scout.begins;
        self.ends = scout.ends;
        self.places.extend(scout.places);
        self.recent.expect(scout.recent);
    }

    /// Whether nothing is known yet of how texts begin.
    pub(super) fn is_new(&self) -> bool {
        self.begins.learnt() == 0
    }

    /// How surprising it is that another writer's text begins there.
    pub(super) fn begin_surprise(&self, bytes: &[u8], at: usize) -> Surprise {
        self.begins.surprise(bytes[at..].iter())
    }

    /// How surprising it is that another writer's text ends there.
    pub(super) fn end_surprise(&self, bytes: &[u8], at: usize) -> Surprise {
        self.ends.surprise(end(&bytes[..at]))
    }

    /// How surprising it is that a line goes on from one place to the next: releases do not change in a log.
    pub(super) fn turn(&self, from: Place, to: Place) -> f64 {
        let is_turn = self.places.contains(&from) && !self.places.contains(&to);
        if is_turn { TURN } else { 0.0 }
    }

    /// While few texts are known to begin where they do, the last lines of the text before a search stand for them.
    pub(super) fn learn_text(&mut self, text: &[u8]) {
        if self.begins.learnt() >= FEW {
            return;
        }
        let starts: Vec<usize> = line_starts(text).collect();
        for start in starts.iter().rev().take(MOST_LINES).rev() {
            self.begins.learn(text[*start..].iter());
        }
    }

    /// So do the lines of what follows, where nothing came before.
    pub(super) fn learn_text_ahead(&mut self, bytes: &[u8]) {
        for start in line_starts(bytes).filter(|start| !bytes[*start..].starts_with(b"gc")) {
            self.begins.learn(bytes[start..].iter());
        }
    }

    /// Whether such a line counts: scan statistics come only behind a cycle.
    pub(super) fn allows(&self, trace: &Trace) -> bool {
        let is_scan = matches!(
            trace,
            Trace::Sibling(Sibling::ScanTotal | Sibling::ScanClass)
        );
        !(is_scan && self.recent.is_empty())
    }

    /// Another writer's text stood between two tokens.
    pub(super) fn learn_tear(&mut self, bytes: &[u8], from: usize, to: usize) {
        self.begins.learn(bytes[from..to].iter());
        self.ends.learn(end(&bytes[from..to]));
    }

    /// Text stood between two whole lines: its first bytes, and all up to its last ones.
    pub(super) fn learn_between(&mut self, first: &[u8], text: &[u8]) {
        if !first.is_empty() {
            self.begins.learn(first.iter());
            self.ends.learn(end(text));
        }
    }

    /// A line was read.
    pub(super) fn learn_line(&mut self, line: &[u8], place: Place) {
        if !self.places.contains(&place) {
            self.places.extend(place.path());
        }
        if let Some(told) = Told::read(line) {
            self.recent.learn(told);
        }
    }

    /// A line was put together from pieces.
    pub(super) fn learn_found(&mut self, line: &[u8], found: &Found) {
        match (found.process, Told::read(line)) {
            (Some(process), Some(told)) => {
                self.recent.learn_torn(process, &told, found.is_clear);
                if found.is_clear {
                    self.places.extend(found.place.path());
                }
            }
            _ if found.is_clear => self.learn_line(line, found.place),
            _ => {}
        }
    }

    /// How well a number fits.
    pub(super) fn number(
        &self,
        field: Field,
        digits: &[u8],
        process: Option<usize>,
    ) -> (f64, Option<usize>) {
        if field == Field::Number {
            self.recent.number(digits)
        } else {
            (self.recent.gain(field, digits, process), process)
        }
    }
}

/// Where the lines begin that show how they do.
fn line_starts(text: &[u8]) -> impl Iterator<Item = usize> {
    memchr_iter(b'\n', text)
        .map(|at| at + 1)
        .filter(|start| start + LONGEST <= text.len())
}

/// The last bytes of a text, the last one first; of a text that ends with a newline nothing else counts.
fn end(text: &[u8]) -> impl Iterator<Item = &u8> {
    let is_line = text.last() == Some(&b'\n');
    let last = text.iter().rev().take(END);
    last.map(move |byte| if is_line { &b'\n' } else { byte })
}
