//! Trace lines on a stream that keeps the edges of writes.

use super::{Ahead, Split, Splitter, Walk, first_line, is_near_miss, walk};
use crate::size::{MIB, Size};
use crate::trace::{Cycle, Place, Trace, parse};

impl Splitter {
    /// Takes one write, or the first 4096 bytes of a longer one, or the next.
    pub(super) fn push_write(&mut self, write: &[u8], out: &mut Split) {
        let claims = self.held.claims(write);
        if !claims.is_empty() {
            self.next_token(&claims, write, out);
            return;
        }
        for index in 0..self.held.candidates.len() {
            if let Some(len) = self.go_on(index, write, out) {
                self.fresh(&write[len..], out);
                return;
            }
        }
        if self.held.fork(write) {
            return;
        }
        // Nobody's next token: foreign bytes in all of these lines, which they survive at a token edge only.
        for index in (0..self.held.candidates.len()).rev() {
            if !self.held.candidates[index].is_at_edge() {
                self.give_up(index, out);
            }
        }
        self.fresh(write, out);
        if self.held.is_full() {
            self.near_misses += self.held.release(out, &mut self.at_line_start);
        }
    }

    /// A write that is the next token of these lines.
    fn next_token(&mut self, claims: &[usize], write: &[u8], out: &mut Split) {
        self.held.extend(claims, write);
        for index in claims {
            let candidate = &mut self.held.candidates[*index];
            if let Some(place) = candidate.place.take_write(write) {
                candidate.advance(place, candidate.tokens + 1, Some(write.len()));
            }
        }
        let candidates = &self.held.candidates;
        let whole = claims
            .iter()
            .copied()
            .filter(|index| candidates[*index].place.is_end());
        let likeliest = whole.min_by_key(|index| {
            let candidate = &candidates[*index];
            // A writer that is interrupted seldom is so twice, and a lone digit is more often the log's than a long number.
            (
                self.surprise(&candidate.line),
                candidate.tears,
                std::cmp::Reverse(candidate.line.len()),
            )
        });
        if let Some(index) = likeliest {
            self.close(index, out);
        }
    }

    /// How far a line is from what the last cycle made expect. Only the order of two such numbers means anything.
    fn surprise(&self, line: &[u8]) -> u64 {
        let (Some(Trace::Cycle(cycle)), Some(last)) = (parse(line), &self.last) else {
            return 0;
        };
        let far = |a: Size, b: Size| (a.bytes().abs_diff(b.bytes()) / MIB).min(1000);
        let scan = |cycle: &Cycle| cycle.scan.unwrap_or_default();
        let numbers = 1000 * u64::from(cycle.number != last.number.wrapping_add(1))
            + 1000 * u64::from(cycle.procs != last.procs);
        let sizes = [
            far(cycle.heap.start, last.heap.start),
            far(
                cycle.heap.end.unwrap_or_default(),
                last.heap.end.unwrap_or_default(),
            ),
            far(cycle.newest_live(), last.newest_live()),
            far(
                cycle.goal.unwrap_or_default(),
                last.goal.unwrap_or_default(),
            ),
            far(scan(&cycle).stacks, scan(last).stacks),
            far(scan(&cycle).globals, scan(last).globals),
        ];
        numbers
            + cycle
                .gc_cpu_percent
                .unwrap_or_default()
                .abs_diff(last.gc_cpu_percent.unwrap_or_default())
                .min(1000)
            + sizes.iter().sum::<u64>()
    }

    /// Whether a line goes on with this write, though not with one whole token: how many of its bytes belong to the line.
    ///
    /// The line may come in other pieces than tokens: through a relay, or cut where a packet was full. It is walked from
    /// its beginning, because a number that seemed whole may go on.
    fn go_on(&mut self, index: usize, write: &[u8], out: &mut Split) -> Option<usize> {
        let candidate = &mut self.held.candidates[index];
        if candidate.is_torn() {
            return None;
        }
        let before = candidate.line.len();
        let mut line = candidate.line.clone();
        line.extend_from_slice(write);
        let walked = walk(Place::START, &line);
        let agrees = match walked.ahead {
            Ahead::End => walked.len > before,
            Ahead::More => true,
            Ahead::Dead => false,
        };
        // Behind two whole tokens a mere part of the third is somebody's blank or digit.
        let part = walked.tokens <= candidate.tokens;
        if !agrees || (candidate.by_tokens && candidate.tokens >= 2 && part) {
            return None;
        }
        candidate.place = walked.place;
        candidate.tokens = walked.tokens;
        candidate.by_tokens = false;
        let len = if walked.ahead == Ahead::End {
            walked.len
        } else {
            line.len()
        };
        candidate.edge = walked.len;
        self.held.extend(&[index], &write[..len - before]);
        self.close(index, out);
        Some(len - before)
    }

    /// Takes or gives up a line that is whole.
    pub(super) fn close(&mut self, index: usize, out: &mut Split) {
        let candidate = &self.held.candidates[index];
        if !candidate.place.is_end() {
            return;
        }
        let (line, torn) = (candidate.line.clone(), candidate.is_torn());
        if self.take_line(&line, torn, out) {
            self.held.take(index, out);
        } else {
            self.give_up(index, out);
        }
    }

    fn give_up(&mut self, index: usize, out: &mut Split) {
        self.near_misses += u64::from(is_near_miss(self.held.candidates[index].tokens));
        self.held.give_up(index, out);
    }

    /// Bytes that belong to no line that has begun: text, or new lines.
    fn fresh(&mut self, write: &[u8], out: &mut Split) {
        // A write that is the first token of a line begins one wherever it stands: behind a prompt, say.
        let Some(first) = write.first() else { return };
        if may_begin_trace(*first)
            && let Some(place) = Place::START.take_write(write)
        {
            let walked = Walk {
                place,
                len: write.len(),
                tokens: 1,
                last: None,
                ahead: Ahead::More,
            };
            self.held.begin(write, &walked, true);
            self.close(self.held.candidates.len() - 1, out);
            return;
        }
        let mut rest = write;
        // Text is passed on in one piece as far as it goes.
        let mut text_len = 0;
        while text_len < rest.len() {
            let at_line_start = if text_len == 0 {
                self.at_line_start
            } else {
                rest[text_len - 1] == b'\n'
            };
            if at_line_start && may_begin_trace(rest[text_len]) {
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
                        self.held.begin(here, &walked, false);
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
