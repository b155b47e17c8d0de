//! A line that may be a trace line, as far as it has come, and one way to tell whose the held writes are.

use super::expected::{Cost, Said};
use super::window::PieceId;
use crate::trace::Place;

/// A line with so many tokens, each a write of its own and in order, is the runtime's beyond doubt: `gc `, a number, ` @`, a
/// time with three decimals.
const CERTAIN: usize = 4;

/// A line that may be a trace line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The number of its first piece, which no other line has.
    pub(super) id: PieceId,
    /// Its beginning, once that is no longer among the held writes because the text around it had to go on.
    pub(super) detached: Option<Vec<u8>>,
    /// The held writes that make it, or what came since.
    pub(super) pieces: Vec<PieceId>,
    /// The last token edge that they reached.
    pub(super) place: Place,
    /// How many tokens lie before it.
    pub(super) tokens: usize,
    /// Whether its bytes end there.
    pub(super) is_at_edge: bool,
    /// How many times other bytes came in between its pieces.
    tears: usize,
    /// Whether other bytes came behind its last piece.
    is_interrupted: bool,
    /// Whether each piece so far was exactly one token.
    by_tokens: bool,
    /// Where its last piece began, if that is one token; and whether other bytes came before it.
    last: Option<(Place, bool)>,
    /// What its numbers say.
    pub(super) said: Said,
    /// For how many other lines it was passed over since.
    pub(super) passed_over: usize,
}

impl Line {
    /// A line that begins with this piece.
    pub(super) fn new(piece: PieceId, place: Place, tokens: usize, is_at_edge: bool) -> Self {
        let by_tokens = tokens == 1 && is_at_edge;
        Self {
            id: piece,
            detached: None,
            pieces: vec![piece],
            place,
            tokens,
            is_at_edge,
            tears: 0,
            is_interrupted: false,
            by_tokens,
            last: by_tokens.then_some((Place::START, false)),
            said: Said::default(),
            passed_over: 0,
        }
    }

    /// Whether other bytes came in between.
    pub(super) fn is_torn(&self) -> bool {
        self.tears > 0 || self.is_interrupted
    }

    /// Other bytes came.
    pub(super) fn interrupt(&mut self) {
        self.is_interrupted = true;
    }

    /// Whether it is the runtime's beyond doubt.
    pub(super) fn is_certain(&self) -> bool {
        self.by_tokens && self.tokens >= CERTAIN
    }

    /// Whether it has come in tokens only, one a write.
    pub(super) fn is_by_tokens(&self) -> bool {
        self.by_tokens
    }

    /// Whether it stopped in the middle, though it went on in whole tokens until then: its process ended.
    pub(super) fn was_cut_short(&self) -> bool {
        self.by_tokens || !self.is_interrupted
    }

    /// It goes on with so many whole tokens.
    pub(super) fn advance(&mut self, place: Place, tokens: usize) {
        let one = tokens == 1 && self.is_at_edge;
        self.last = one.then_some((self.place, self.is_interrupted));
        self.tears += usize::from(self.is_interrupted);
        self.is_interrupted = false;
        self.by_tokens &= one;
        self.place = place;
        self.tokens += tokens;
        self.is_at_edge = true;
    }

    /// It goes on with a write that is no whole tokens; it has to be walked anew.
    pub(super) fn go_on(&mut self, piece: PieceId, place: Place, tokens: usize, is_at_edge: bool) {
        self.last = None;
        self.by_tokens = false;
        self.place = place;
        self.tokens = tokens;
        self.is_at_edge = is_at_edge;
        self.pieces.push(piece);
    }

    /// The same line with this write in the place of its last piece, where it may stand there as well.
    pub(super) fn with_last_replaced(&self, piece: PieceId, write: &[u8]) -> Option<Self> {
        let (before, behind_tear) = self.last?;
        if before == Place::START || !self.is_at_edge || self.detached.is_some() {
            return None;
        }
        let place = before.take_write(write)?;
        let mut other = self.clone();
        other.pieces.pop();
        other.pieces.push(piece);
        other.place = place;
        other.last = Some((before, true));
        other.tears += usize::from(!behind_tear);
        other.is_interrupted = false;
        Some(other)
    }
}

/// One way to tell whose the held writes are.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// How unlikely it is.
    pub(super) cost: Cost,
    /// The lines that are not whole yet, the oldest first.
    pub(super) open: Vec<Line>,
    /// Whole lines, in the order in which they became so, with the number of the piece behind each.
    pub(super) whole: Vec<(Line, PieceId)>,
    /// The first piece of the line that took the last write.
    pub(super) writing: Option<PieceId>,
}

impl Reading {
    /// Other bytes came: text.
    pub(super) fn interrupt(&mut self) {
        self.open.iter_mut().for_each(Line::interrupt);
        self.writing = None;
    }

    /// All that what comes can be compared with. Of readings that agree in this only the likeliest matters.
    pub(super) fn outlook(&self) -> Vec<(Place, bool, bool, Said)> {
        let mut outlook: Vec<_> = self
            .open
            .iter()
            .map(|line| {
                let is_writing = self.writing == Some(line.id);
                (line.place, line.is_at_edge, is_writing, line.said)
            })
            .collect();
        outlook.sort_unstable();
        outlook
    }

    /// The first held piece that a line of this reading has.
    pub(super) fn first_held(&self) -> Option<PieceId> {
        let whole = self.whole.iter().map(|(line, _)| line);
        self.open
            .iter()
            .chain(whole)
            .filter_map(|line| line.pieces.first().copied())
            .min()
    }

    /// Whether it has the same whole line.
    pub(super) fn has_whole(&self, line: &Line) -> bool {
        self.whole
            .iter()
            .any(|(own, _)| own.id == line.id && own.pieces == line.pieces)
    }
}
