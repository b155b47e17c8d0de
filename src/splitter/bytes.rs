//! Trace lines on a stream whose edges of writes are lost: a saved log, a terminal.
//!
//! Whole lines are always read. A torn one is put together where the other writer wrote whole lines. What each step does
//! depends on the bytes alone, never on how they were cut into reads.

use super::writes::may_begin_trace;
use super::{Ahead, Split, Splitter, Walk, first_line, is_near_miss, walk};
use crate::trace::Place;

impl Splitter {
    /// Takes some bytes.
    pub(super) fn push_bytes(&mut self, read: &[u8], out: &mut Split) {
        if self.undecided.is_empty() {
            let left = self.decide(read, out);
            self.undecided.extend_from_slice(left);
        } else {
            let mut bytes = std::mem::take(&mut self.undecided);
            bytes.extend_from_slice(read);
            let left = self.decide(&bytes, out).len();
            bytes.drain(..bytes.len() - left);
            self.undecided = bytes;
        }
    }

    /// Decides as many bytes as can be, and gives back the rest.
    fn decide<'a>(&mut self, mut bytes: &'a [u8], out: &mut Split) -> &'a [u8] {
        while !bytes.is_empty() {
            let step = if self.at_line_start {
                self.line_start(bytes, out)
            } else {
                Some(self.mid_line(bytes, out))
            };
            match step {
                Some(len) => bytes = &bytes[len..],
                None => break,
            }
        }
        bytes
    }

    /// The rest of a line of text.
    fn mid_line(&mut self, bytes: &[u8], out: &mut Split) -> usize {
        let (mut line, _) = first_line(bytes);
        if let Some(room) = self.held.room() {
            line = &line[..line.len().min(room)];
        }
        self.text(line, out);
        if self.held.is_full() {
            self.near_misses += self.held.release(out, &mut self.at_line_start);
            self.at_line_start = line.ends_with(b"\n");
        }
        line.len()
    }

    /// A line's beginning: of text, of a trace line, or of what is still missing of a torn one. `None`: too few bytes.
    fn line_start(&mut self, bytes: &[u8], out: &mut Split) -> Option<usize> {
        for index in 0..self.held.candidates.len() {
            if let Some(len) = self.resume(index, bytes, out)? {
                return Some(len);
            }
        }
        if !may_begin_trace(bytes[0]) {
            return Some(self.mid_line(bytes, out));
        }
        let walked = walk(Place::START, bytes);
        match walked.ahead {
            Ahead::More => None,
            Ahead::End => {
                let line = &bytes[..walked.len];
                if !self.take_line(line, false, out) {
                    self.text(line, out);
                }
                Some(line.len())
            }
            Ahead::Dead => match tear(Place::START, &walked, bytes) {
                Tear::Undecided => None,
                Tear::At(len) if walked.tokens > 0 => {
                    self.held
                        .begin(&bytes[..len], &Walk { len, ..walked }, false);
                    self.at_line_start = false;
                    Some(len)
                }
                Tear::At(_) | Tear::Unclear => {
                    self.near_misses += u64::from(is_near_miss(walked.tokens));
                    Some(self.mid_line(bytes, out))
                }
            },
        }
    }

    /// Whether a torn line goes on here: how many bytes of it. The outer `None`: too few bytes to tell.
    #[expect(clippy::option_option, reason = "undecided and no are two answers")]
    fn resume(&mut self, index: usize, bytes: &[u8], out: &mut Split) -> Option<Option<usize>> {
        let place = self.held.candidates[index].place;
        let walked = walk(place, bytes);
        // A number alone is no evidence: a log line may begin with one.
        let convincing = walked.tokens >= 2 || (walked.tokens == 1 && !place.expects_number());
        let len = match walked.ahead {
            Ahead::More => return None,
            Ahead::End => walked.len,
            Ahead::Dead if convincing => match tear(place, &walked, bytes) {
                Tear::At(len) => len,
                Tear::Unclear => return Some(None),
                Tear::Undecided => return None,
            },
            Ahead::Dead => return Some(None),
        };
        self.held.extend(&[index], &bytes[..len]);
        let candidate = &mut self.held.candidates[index];
        candidate.advance(walked.place, candidate.tokens + walked.tokens);
        self.at_line_start = walked.ahead == Ahead::End;
        if walked.ahead == Ahead::End {
            self.close(index, out);
        }
        Some(Some(len))
    }
}

impl Splitter {
    fn close(&mut self, index: usize, out: &mut Split) {
        let candidate = &self.held.candidates[index];
        let (line, torn) = (candidate.line.clone(), candidate.is_torn());
        if self.take_line(&line, torn, out) {
            self.held.take(index, out);
        } else {
            self.held.give_up(index, out);
        }
    }
}

/// Where a line was torn.
enum Tear {
    /// Behind so many bytes.
    At(usize),
    /// Nobody can tell.
    Unclear,
    /// More bytes will tell.
    Undecided,
}

/// How many of the bytes that agree with a line surely belong to it.
///
/// Behind a number may stand digits of the text that tore the line. A time shows its own end by its form; of any other
/// number nobody can tell, so if what follows looks like the rest of a date or a decimal, the line is left alone.
fn tear(from: Place, walked: &Walk, bytes: &[u8]) -> Tear {
    let (last_start, last_place) = walked.last.unwrap_or((0, from));
    if walked.tokens == 0 || !last_place.expects_number() {
        return Tear::At(walked.len);
    }
    if let Some(len) = last_place.time_len(&bytes[last_start..walked.len]) {
        return Tear::At(last_start + len);
    }
    match &bytes[walked.len..] {
        [b'0'..=b'9', ..] | [b'.' | b',' | b':' | b'/' | b'-' | b'T', b'0'..=b'9', ..] => {
            Tear::Unclear
        }
        [_] => Tear::Undecided,
        _ => Tear::At(walked.len),
    }
}
