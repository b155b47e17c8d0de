//! Bytes in, text and cycles out: takes the trace lines out of a stream, also those that other writers tore apart.
//!
//! Since Go 1.5 the runtime writes a trace line while the program runs, in some forty `write(2)` calls, and other threads
//! log between them. Where the stream keeps the edges of writes (a packet pipe, see pipe(7)), a piece is either exactly
//! the next token of a line or somebody else's text (`writes`). Where it does not, the likeliest tears are looked for
//! (`bytes`).
//!
//! A byte is text or trace. What is given up goes out as it came, in order.

mod bytes;
mod writes;

use self::bytes::Bytes;
use self::writes::Writes;
use crate::trace::{Cycle, Place, Step};

/// Whether a stream tells where one write ended and the next began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// Each read is exactly one `write(2)` of at most 4096 bytes.
    Kept,
    /// A read is any number of bytes.
    Lost,
}

/// What came of the bytes so far. Reused: the caller clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The program's bytes, unchanged and in order.
    pub text: Vec<u8>,
    /// The trace lines, whole, as the runtime wrote them.
    pub trace: Vec<u8>,
    /// The cycles among the trace lines.
    pub cycles: Vec<Taken>,
}

impl Split {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.trace.clear();
        self.cycles.clear();
    }

    fn len(&self) -> usize {
        self.text.len() + self.trace.len()
    }
}

/// A cycle taken out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What its line says.
    pub cycle: Cycle,
    /// Whether the line was torn and had to be put together.
    pub reassembled: bool,
}

/// Takes the trace lines out of one stream.
#[derive(Debug)]
pub struct Splitter {
    edges: Edges,
    /// With edges: all there is to know.
    kept: Box<Writes>,
    /// With lost edges: the same.
    lost: Box<Bytes>,
    /// How many bytes have come out, as text or trace.
    taken: u64,
}

impl Splitter {
    /// A splitter for a stream of that kind.
    pub fn new(edges: Edges) -> Self {
        Self {
            edges,
            kept: Box::default(),
            lost: Box::new(Bytes::new()),
            taken: 0,
        }
    }

    /// Takes the bytes of one read.
    pub fn push(&mut self, read: &[u8], out: &mut Split) {
        let before = out.len();
        match self.edges {
            Edges::Kept => self.kept.push(read, out),
            Edges::Lost => self.lost.push(read, out),
        }
        self.taken += (out.len() - before) as u64;
    }

    /// Whether bytes are held back that may become a trace line. If so, how many bytes have been decided so far: while that
    /// stays the same, it is the same bytes that wait.
    pub fn holding(&self) -> Option<u64> {
        (self.kept.is_holding() || self.lost.is_holding()).then_some(self.taken)
    }

    /// The stream paused: what is held was text after all.
    ///
    /// With kept edges a line of which the runtime surely wrote the beginning stays, only the text around it goes out: the thread that
    /// writes it may wait for a processor.
    pub fn release(&mut self, out: &mut Split) {
        let before = out.len();
        self.lost.release(out);
        self.kept.release(out);
        self.taken += (out.len() - before) as u64;
    }

    /// The stream ended: everything left was text.
    pub fn finish(&mut self, out: &mut Split) {
        self.lost.release(out);
        self.kept.finish(out);
    }

    /// How many lines began like a trace line, `gc N @`, and were none: from a Go release that is not known here, maybe.
    pub fn near_misses(&self) -> u64 {
        self.kept.near_misses() + self.lost.near_misses()
    }
}

/// How far the bytes at the head of something agree with a trace line.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// The last token edge.
    place: Place,
    /// How many bytes lie before that edge.
    len: usize,
    /// How many tokens these are.
    tokens: usize,
    /// What comes behind the edge.
    ahead: Ahead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// Nothing: the line is whole.
    End,
    /// Bytes that may become the next token, or no bytes.
    More,
    /// Something else.
    Dead,
}

/// Follows a trace line from `place` as far as `bytes` agree with it.
fn walk(mut place: Place, bytes: &[u8]) -> Walk {
    let mut len = 0;
    let mut tokens = 0;
    let ahead = loop {
        if place.is_end() {
            break Ahead::End;
        }
        match place.take(&bytes[len..]) {
            Step::Took {
                len: more,
                place: next,
            } => {
                len += more;
                tokens += 1;
                place = next;
            }
            Step::More => break Ahead::More,
            Step::Dead => break Ahead::Dead,
        }
    };
    Walk {
        place,
        len,
        tokens,
        ahead,
    }
}

/// Whether a line that agreed for so many tokens began `gc N @`.
fn is_near_miss(tokens: usize) -> bool {
    tokens >= 3
}

/// Cuts a first line off, newline included; all where there is no newline.
fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1))
}
