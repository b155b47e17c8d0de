//! What is held back: the writes in the order in which they came, until it is decided whose each is.

use std::collections::VecDeque;

/// How many bytes are held at most; what is torn wider is given up. A thread that writes a trace line may wait some ten
/// milliseconds for a processor, in which another logs megabytes.
const MOST_BYTES: usize = 4 << 20;

/// The number of a piece, counted over the whole stream.
pub(super) type PieceId = u64;

/// One write, or several of text.
#[derive(Clone, Copy, Debug)]
struct Piece {
    len: usize,
    /// Whether it belongs to a trace line that is whole.
    is_taken: bool,
    /// Whether no line can want it.
    is_text: bool,
}

/// Held writes.
#[derive(Debug, Default)]
pub(super) struct Window {
    bytes: VecDeque<u8>,
    pieces: VecDeque<Piece>,
    /// The number of the first piece.
    first: PieceId,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether so much is held that something has to be given up.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() > MOST_BYTES
    }

    /// Whether text waits behind what is held.
    pub(super) fn has_text(&self) -> bool {
        self.pieces.iter().any(|piece| piece.is_text)
    }

    /// The number that the next piece will have.
    pub(super) fn next(&self) -> PieceId {
        self.first + self.pieces.len() as PieceId
    }

    /// Holds a write that may belong to a line.
    pub(super) fn hold(&mut self, write: &[u8]) -> PieceId {
        let id = self.next();
        self.bytes.extend(write);
        self.pieces.push_back(Piece {
            len: write.len(),
            is_taken: false,
            is_text: false,
        });
        id
    }

    /// Holds text, or passes it on where nothing before it is held.
    pub(super) fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if self.is_empty() {
            out.extend_from_slice(text);
            return;
        }
        self.bytes.extend(text);
        match self.pieces.back_mut() {
            Some(piece) if piece.is_text => piece.len += text.len(),
            _ => self.pieces.push_back(Piece {
                len: text.len(),
                is_taken: false,
                is_text: true,
            }),
        }
    }

    /// The bytes of these pieces, which are in order.
    pub(super) fn line(&self, pieces: &[PieceId]) -> Vec<u8> {
        let mut line = Vec::with_capacity(256);
        let mut at = 0;
        let mut wanted = pieces.iter().peekable();
        for (id, piece) in (self.first..).zip(&self.pieces) {
            match wanted.peek() {
                None => break,
                Some(next) if **next == id => {
                    line.extend(self.bytes.range(at..at + piece.len));
                    wanted.next();
                }
                Some(_) => {}
            }
            at += piece.len;
        }
        line
    }

    /// These pieces are no text.
    pub(super) fn take(&mut self, pieces: &[PieceId]) {
        for id in pieces {
            let index = usize::try_from(id - self.first).ok();
            if let Some(piece) = index.and_then(|index| self.pieces.get_mut(index)) {
                piece.is_taken = true;
            }
        }
    }

    /// Passes on what lies before that piece.
    pub(super) fn flush(&mut self, before: PieceId, out: &mut Vec<u8>) {
        while self.first < before
            && let Some(piece) = self.pieces.pop_front()
        {
            let bytes = self.bytes.drain(..piece.len);
            if !piece.is_taken {
                out.extend(bytes);
            }
            self.first += 1;
        }
    }
}
