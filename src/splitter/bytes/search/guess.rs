//! A way to read the bytes as a line, and the line that was found.

use std::sync::Arc;

use crate::trace::Place;

/// How a line is thought to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Begin {
    /// At the start of a line, or behind another trace line.
    Line,
    /// Behind an unfinished line.
    MidLine,
}

/// A part of a line without a tear in it. Offsets count from the line's first byte in the stream.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) earlier: Option<Arc<Piece>>,
}

/// One way to read the bytes.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    pub(super) score: f64,
    /// What of it was taken off for texts that begin and end unusually.
    pub(super) doubt: f64,
    pub(super) place: Place,
    /// Where the line begins.
    pub(super) start: usize,
    /// Where its last piece begins, counted from there.
    pub(super) piece: usize,
    pub(super) earlier: Option<Arc<Piece>>,
    /// The process whose next cycle it tells.
    pub(super) process: Option<usize>,
    /// Whether it tells the first cycle of a process.
    pub(super) is_first: bool,
    pub(super) begin: Begin,
}

/// A line that was found.
#[derive(Clone, Debug)]
pub(in super::super) struct Found {
    /// Its pieces in the stream, in order: from where to where.
    pub(in super::super) pieces: Vec<(usize, usize)>,
    /// Which line it is.
    pub(in super::super) place: Place,
    /// Whether little of it is in doubt, so that it may show what to expect of others.
    pub(in super::super) is_clear: bool,
    /// The process whose next cycle it tells, if that is known.
    pub(in super::super) process: Option<usize>,
    pub(super) score: f64,
}

impl Found {
    /// The bytes of the line.
    pub(in super::super) fn line(&self, bytes: &[u8]) -> Vec<u8> {
        let pieces = self.pieces.iter().map(|(from, to)| &bytes[*from..*to]);
        pieces.collect::<Vec<_>>().concat()
    }

    pub(in super::super) fn start(&self) -> usize {
        self.pieces[0].0
    }

    pub(super) fn end(&self) -> usize {
        self.pieces[self.pieces.len() - 1].1
    }
}
