//! A write that goes on with a line: as its next token, in the place of its last one, or as any part of it.

use super::Writes;
use super::expected::{Cost, Expected};
use super::line::{Line, Reading};
use super::window::PieceId;
use crate::splitter::{Ahead, walk};
use crate::trace::Place;

/// Another line goes on than the one that wrote last: a thread mostly writes several tokens before another one does.
const SWITCH: Cost = 1;
/// A write that may be a line's next token is none.
const FOREIGN: Cost = 8;
/// A line that was given up for text goes on after all.
const LATE: Cost = 2;

impl Writes {
    /// Where the write may be the next token of an open line: each reading in which it is, and each in which it is not.
    pub(super) fn next_tokens(&mut self, write: &[u8]) -> bool {
        let takers: Vec<Vec<usize>> = self
            .readings
            .iter()
            .map(|reading| takers(reading, write))
            .collect();
        if takers.iter().all(Vec::is_empty) {
            return false;
        }
        self.is_going_on = true;
        if let ([reading], [only]) = (&mut self.readings[..], &takers[..])
            && let [index] = only[..]
            && let line = &mut reading.open[index]
            && line.pieces.is_empty()
            && let Some(bytes) = &mut line.detached
        {
            // Nothing waits for it.
            bytes.extend_from_slice(write);
            let behind = self.window.next();
            advance(&self.expected, reading, index, write, behind);
            return true;
        }
        let piece = self.window.hold(write);
        let mut more = Vec::new();
        for (reading, takers) in self.readings.iter_mut().zip(takers) {
            let Some((last, others)) = takers.split_last() else {
                reading.interrupt();
                reading.cost += FOREIGN;
                continue;
            };
            for index in others {
                let mut other = reading.clone();
                other.open[*index].pieces.push(piece);
                advance(&self.expected, &mut other, *index, write, piece + 1);
                more.push(other);
            }
            reading.open[*last].pieces.push(piece);
            advance(&self.expected, reading, *last, write, piece + 1);
        }
        self.readings.append(&mut more);
        true
    }

    /// A write came a second time that may be the last token of a line: either may be the log's. Follows both ways, and says
    /// whether that is so.
    pub(super) fn replaced(&mut self, write: &[u8]) -> bool {
        let piece = self.window.next();
        let mut others = Vec::new();
        for reading in &self.readings {
            for (index, line) in reading.open.iter().enumerate() {
                if let Some(other) = line.with_last_replaced(piece, write) {
                    let mut reading = reading.clone();
                    reading.interrupt();
                    reading.open[index] = other;
                    reading.writing = Some(line.id);
                    reading.cost += FOREIGN;
                    others.push(reading);
                }
            }
        }
        if others.is_empty() {
            return false;
        }
        self.window.hold(write);
        for reading in &mut self.readings {
            reading.interrupt();
            reading.cost += FOREIGN;
        }
        self.readings.append(&mut others);
        true
    }

    /// Whether a line goes on with this write, though not with whole tokens: how many of its bytes belong to the line.
    ///
    /// The line may come in other pieces than tokens: through a relay, or cut where a packet was full. It is walked from
    /// its beginning, because a number that seemed whole may go on.
    pub(super) fn go_on(&mut self, write: &[u8]) -> Option<usize> {
        let [reading] = &mut self.readings[..] else {
            return None;
        };
        let line = reading.open.last_mut()?;
        if line.is_torn() || line.detached.is_some() {
            return None;
        }
        let mut bytes = self.window.line(&line.pieces);
        let before = bytes.len();
        bytes.extend_from_slice(write);
        let walked = walk(Place::START, &bytes);
        let len = match walked.ahead {
            Ahead::End if walked.len > before => walked.len,
            Ahead::More => bytes.len(),
            Ahead::End | Ahead::Dead => return None,
        };
        // Behind two whole tokens a mere part of the third is somebody's blank or digit; and behind `gc ` a number sign is,
        // which the releases that print one write with it.
        let is_sure = line.tokens >= 2 || bytes[..before] == *b"gc ";
        if line.is_by_tokens() && is_sure && walked.tokens <= line.tokens {
            return None;
        }
        // Nor does the runtime write more than the end of a line: that is a text that begins with a newline.
        if line.is_certain() && !self.is_relayed && len < bytes.len() {
            return None;
        }
        let piece = self.window.hold(&write[..len - before]);
        line.go_on(piece, walked.place, walked.tokens, walked.len == len);
        if walked.ahead == Ahead::End {
            let line = reading.open.pop()?;
            reading.whole.push((line, piece + 1));
        }
        Some(len - before)
    }
}

/// The open lines whose next token the write may be.
fn takers(reading: &Reading, write: &[u8]) -> Vec<usize> {
    let open = &reading.open;
    let mut takers: Vec<usize> = (0..open.len())
        .filter(|index| {
            let line = &open[*index];
            line.is_at_edge && take_writes(line.place, write).is_some()
        })
        .collect();
    // Lines that have only begun are all the same: the oldest stands for them.
    let is_alike = |a: usize, b: usize| {
        open[a].tokens == 1 && open[b].tokens == 1 && open[a].place == open[b].place
    };
    takers.dedup_by(|later, earlier| is_alike(*later, *earlier));
    takers
}

/// The write belongs to that line; `behind` is the number of the piece that comes next.
fn advance(
    expected: &Expected,
    reading: &mut Reading,
    index: usize,
    write: &[u8],
    behind: PieceId,
) {
    for (other, line) in reading.open.iter_mut().enumerate() {
        if other != index {
            line.interrupt();
        }
    }
    let line = &mut reading.open[index];
    if reading.writing != Some(line.id) {
        reading.cost += SWITCH;
    }
    if line.detached.is_some() {
        reading.cost += LATE;
    }
    let (mut place, mut rest, mut tokens) = (line.place, write, 0);
    while !rest.is_empty()
        && let Some((taken, behind, next)) = place.take_whole(rest)
    {
        if let Some(field) = place.field() {
            reading.cost += expected.cost(field, taken, &mut line.said);
        }
        (place, rest, tokens) = (next, behind, tokens + 1);
    }
    line.advance(place, tokens);
    reading.writing = Some(line.id);
    let process = line.said.process;
    let writes_of_it = |other: &&Line| process.is_some() && other.said.process == process;
    if place.is_end() {
        let line = reading.open.remove(index);
        reading.whole.push((line, behind));
        reading.writing = None;
    } else if reading.open.iter().filter(writes_of_it).count() > 1 {
        // One process writes one line at a time.
        reading.cost += FOREIGN;
    }
}

/// Where one write leads that is the next token or tokens and nothing else; a relay may have joined several.
fn take_writes(mut place: Place, write: &[u8]) -> Option<Place> {
    if let Some(place) = place.take_write(write) {
        return Some(place);
    }
    let mut rest = write;
    while !rest.is_empty() {
        let (taken, behind, _) = place.take_whole(rest)?;
        place = place.take_write(taken)?;
        rest = behind;
    }
    Some(place)
}
