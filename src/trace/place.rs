//! Where a trace line stands: whether bytes may still become one.
//!
//! All shapes are folded into one tree of tokens, so that a [`Place`] in a line is one number.

use std::sync::LazyLock;

use nom::{Emit, Err, Input, OutputM, Parser, Streaming};

use super::shapes::{SHAPES, Shape, before_1_5};
use super::token::{Field, Token, complete};

/// One place in the tree of all shapes.
#[derive(Default)]
struct Node {
    edges: Vec<(Token, Place)>,
    /// The shape that is whole here.
    shape: Option<&'static Shape>,
}

static TREE: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let mut tree = vec![Node::default()];
    for shape in SHAPES.iter().chain(&before_1_5::SHAPES) {
        let mut at = 0;
        for token in shape.tokens {
            let known = tree[at]
                .edges
                .iter()
                .find(|(known, _)| known.is_written_as(*token));
            at = if let Some((_, place)) = known {
                usize::from(place.0)
            } else {
                let next = tree.len();
                let place = u16::try_from(next).expect("the shapes have some 600 tokens in all");
                tree[at].edges.push((*token, Place(place)));
                tree[at].edges.sort_by_key(|(token, _)| token.rank());
                tree.push(Node::default());
                next
            };
        }
        tree[at].shape = Some(shape);
    }
    tree
});

/// A place between two tokens of a trace line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u16);

/// What the bytes at a [`Place`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next token, and where it leads.
    Took {
        /// How many bytes it has.
        len: usize,
        /// The place behind it.
        place: Place,
    },
    /// Too few bytes to tell.
    More,
    /// No token that may stand here.
    Dead,
}

impl Place {
    /// Before the first token of a line.
    pub const START: Place = Place(0);

    /// Whether the line is whole here.
    pub fn is_end(self) -> bool {
        self.node().shape.is_some()
    }

    /// Looks for the next token at the head of `bytes`, of which more may come.
    pub fn take(self, bytes: &[u8]) -> Step {
        for (token, place) in &self.node().edges {
            match { *token }.process::<OutputM<Emit, Emit, Streaming>>(bytes) {
                Ok((rest, _)) => {
                    return Step::Took {
                        len: bytes.len() - rest.input_len(),
                        place: *place,
                    };
                }
                Err(Err::Incomplete(_)) => return Step::More,
                Err(Err::Error(_) | Err::Failure(_)) => {}
            }
        }
        Step::Dead
    }

    /// Where one write of the runtime leads that is the next token and nothing else.
    pub fn take_write(self, write: &[u8]) -> Option<Place> {
        let is_it = |token: &Token| {
            matches!(complete(*token, write), Some((_, []))) && token.is_in_runtimes_form(write)
        };
        self.node()
            .edges
            .iter()
            .find(|(token, _)| is_it(token))
            .map(|(_, place)| *place)
    }

    /// What the number tells that comes next.
    pub(crate) fn field(self) -> Option<Field> {
        self.node().edges.iter().find_map(|(token, _)| match token {
            Token::Value(_, field) => Some(*field),
            Token::Text(_) => None,
        })
    }

    /// What is whole here.
    pub(super) fn shape(self) -> Option<&'static Shape> {
        self.node().shape
    }

    /// The token at the head of `bytes`, of which no more will come; with what follows it, and where it leads.
    pub(crate) fn take_whole(self, bytes: &[u8]) -> Option<(&[u8], &[u8], Place)> {
        self.node().edges.iter().find_map(|(token, next)| {
            complete(*token, bytes).map(|(taken, behind)| (taken, behind, *next))
        })
    }

    /// The place before the last token.
    pub(super) fn before(self) -> Option<Place> {
        let leads_here = |node: &Node| node.edges.iter().any(|(_, place)| *place == self);
        let index = TREE.iter().position(leads_here)?;
        Some(Place(u16::try_from(index).expect("places are numbered so")))
    }

    /// The tokens that may come next, and where each leads.
    pub(super) fn edges(self) -> &'static [(Token, Place)] {
        &self.node().edges
    }

    fn node(self) -> &'static Node {
        &TREE[usize::from(self.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::Form;
    use super::*;

    #[test]
    fn every_beginning_of_a_line_may_go_on_and_the_whole_is_an_end() {
        for shape in SHAPES.iter().chain(&before_1_5::SHAPES) {
            let mut place = Place::START;
            for token in shape.tokens {
                let written = match token {
                    Token::Text(text) => *text,
                    Token::Value(Form::Seconds, _) => "12.345",
                    Token::Value(Form::Millis, _) => "0.031",
                    Token::Value(Form::Hex, _) => "0x2f",
                    Token::Value(_, _) => "42",
                };
                for len in 0..written.len() {
                    let step = place.take(&written.as_bytes()[..len]);
                    // `%` is whole in one release and the beginning of `%: ` in another.
                    assert!(
                        step == Step::More || matches!(step, Step::Took { .. }),
                        "{:?} in {shape:?}",
                        &written[..len]
                    );
                }
                place = place.take_write(written.as_bytes()).expect("its own token");
            }
            assert!(place.is_end(), "{shape:?}");
        }
    }

    #[test]
    fn a_write_that_is_more_or_less_than_the_next_token_is_refused() {
        let place = Place::START.take_write(b"gc ").expect("the first token");
        for write in ["", "gc ", "1 ", "1 @", "x", "-1", "123456789012345678901"] {
            assert_eq!(place.take_write(write.as_bytes()), None, "{write:?}");
        }
        assert_eq!(Place::START.take_write(b"g"), None);
    }
}
