//! Saved logs as collectors keep them: a prefix on each line, or each line as a JSON object.
//!
//! Collectors cut by lines, so what they add is taken off line by line, in front of the splitter:
//!
//! - **A line that is a whole trace line behind its prefix** comes out bare, as the runtime wrote it, whichever its line
//!   end. Its prefix goes with it.
//! - **Every other line** comes out as it stands in the log, prefix included. So text and trace lines with their prefixes
//!   are together the log. A trace line that was torn stays text then: its pieces stand in lines of their own, all of which
//!   are kept.
//! - **Docker's JSON objects** are no prefix: what comes out is the program's own text, unescaped.
//!
//! # Which wrapping a log has
//!
//! Its first lines that tell decide, for the whole log. Such a line is
//!
//! - a whole GC trace line directly behind one of the prefixes that [`Shape`] lists, or
//! - any line of a Kubernetes log file or of Docker's JSON: their form cannot be mistaken.
//!
//! [`AGREEING`] of them must agree, or as many as stand within [`WINDOW`] bytes from the first on, or before the log ends.
//! If two disagree, or one has no prefix at all, the log has none: when in doubt nothing is taken off. A log line that
//! quotes a trace line (`level=info msg="gc 1 @..."`) has it in the midst of a line and tells nothing.
//!
//! A line without the prefix in the middle of a wrapped log stays as it is. How a log is cut into reads changes nothing.

mod cri;
mod docker;
mod prefix;

use self::cri::Joiner;
pub use self::prefix::Shape;
use crate::trace::{Sibling, Trace, parse};

/// So many lines that tell must agree on a wrapping.
pub const AGREEING: usize = 3;

/// So many bytes are kept back until the wrapping is known.
pub const WINDOW: usize = 64 << 10;

/// A longer line is text. Docker cuts at 16 KiB, which escapes may make six times as long.
pub const LONGEST_LINE: usize = 256 << 10;

/// No trace line is longer, with every number as large as can be.
const LONGEST_TRACE: usize = 1 << 10;

/// What some programs put at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Takes off what a collector has added to a program's lines.
#[derive(Debug, Default)]
pub struct Unwrapper {
    /// `None` while it is not known.
    shape: Option<Shape>,
    telling: Telling,
    joiner: Joiner,
    taker: Taker,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The rest of this line is text.
    passing: bool,
}

/// What the lines so far tell of the wrapping.
#[derive(Debug, Default)]
struct Telling {
    shape: Option<Shape>,
    lines: usize,
    /// All lines from the first that tells.
    held: Vec<u8>,
}

impl Unwrapper {
    /// Nothing is known of the log yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the bytes of one read and appends the program's.
    pub fn push(&mut self, read: &[u8], out: &mut Vec<u8>) {
        for piece in lines(read) {
            let whole = piece.ends_with(b"\n");
            if self.passing {
                out.extend_from_slice(piece);
                self.passing = !whole;
            } else if self.line.len() + piece.len() > LONGEST_LINE {
                self.settle(out);
                out.append(&mut self.line);
                out.extend_from_slice(piece);
                self.passing = !whole;
            } else if whole && self.line.is_empty() {
                self.whole_line(piece, out);
            } else {
                self.line.extend_from_slice(piece);
                if whole {
                    self.buffered_line(out);
                } else if self.shape == Some(Shape::Bare) && !may_begin_trace(&self.line) {
                    out.append(&mut self.line);
                    self.passing = true;
                }
            }
        }
    }

    /// The log ended. A last trace line counts without its newline, if it is whole, and gets one.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        if !self.line.is_empty() {
            self.buffered_line(out);
        }
        self.settle(out);
    }

    fn buffered_line(&mut self, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.line);
        self.whole_line(&line, out);
        line.clear();
        self.line = line;
    }

    fn whole_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        match self.shape {
            Some(shape) => self.unwrap_line(shape, line, out),
            None => self.tell(line, out),
        }
    }

    /// A line of a log whose wrapping is not known.
    fn tell(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let telling = &mut self.telling;
        if telling.lines > 0 && telling.held.len() + line.len() > WINDOW {
            self.decide(out);
            return self.whole_line(line, out);
        }
        let shape = tells(line);
        if telling.lines == 0 && shape.is_none() {
            return out.extend_from_slice(line);
        }
        telling.held.extend_from_slice(line);
        match (telling.shape, shape) {
            (_, None) => return,
            (Some(before), Some(now)) if before != now => telling.shape = Some(Shape::Bare),
            (_, now) => telling.shape = now,
        }
        telling.lines += 1;
        if telling.lines == AGREEING || telling.shape == Some(Shape::Bare) {
            self.decide(out);
        }
    }

    /// Decides on what is known.
    fn decide(&mut self, out: &mut Vec<u8>) {
        let telling = std::mem::take(&mut self.telling);
        self.shape = telling.shape;
        for line in lines(&telling.held) {
            self.whole_line(line, out);
        }
    }

    /// Lets nothing wait any longer.
    fn settle(&mut self, out: &mut Vec<u8>) {
        if self.telling.lines > 0 {
            self.decide(out);
        }
        self.joiner.settle(&mut self.taker, out);
    }

    fn unwrap_line(&mut self, shape: Shape, line: &[u8], out: &mut Vec<u8>) {
        match shape {
            Shape::Docker => match docker::text(without_mark(line)) {
                // With a terminal Docker keeps its line ends.
                Some(text) if text.ends_with("\r\n") => {
                    if !self.taker.take(content(text.as_bytes()), out) {
                        out.extend_from_slice(text.as_bytes());
                    }
                }
                Some(text) => out.extend_from_slice(text.as_bytes()),
                None => self.bare_line(line, out),
            },
            Shape::Cri => self.joiner.line(line, &mut self.taker, out),
            Shape::Bare => self.bare_line(line, out),
            shape => match prefix::strip(shape, without_mark(line)) {
                Some(behind) if self.taker.take(content(behind), out) => {}
                Some(_) => out.extend_from_slice(line),
                None => self.bare_line(line, out),
            },
        }
    }

    /// A line without a prefix: the splitter reads it, unless its ends are not what the runtime writes.
    fn bare_line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let inner = content(without_mark(line));
        if line.strip_suffix(b"\n") == Some(inner) || !self.taker.take(inner, out) {
            out.extend_from_slice(line);
        }
    }
}

/// Knows which lines the splitter will take for trace.
#[derive(Debug, Default)]
struct Taker {
    /// Scan statistics come only behind a cycle.
    cycle_seen: bool,
    line: Vec<u8>,
}

impl Taker {
    /// Passes a trace line on as the runtime wrote it; false where it is none.
    fn take(&mut self, content: &[u8], out: &mut Vec<u8>) -> bool {
        match trace(content, &mut self.line) {
            Some(Trace::Cycle(_)) => self.cycle_seen = true,
            Some(Trace::Sibling(Sibling::Forced | Sibling::Scavenger)) => {}
            Some(Trace::Sibling(_)) if self.cycle_seen => {}
            _ => return false,
        }
        out.extend_from_slice(&self.line);
        true
    }
}

/// Reads a trace line whose line end is missing; `line` is room for it.
fn trace(content: &[u8], line: &mut Vec<u8>) -> Option<Trace> {
    if content.len() > LONGEST_TRACE || !may_begin_trace(content) {
        return None;
    }
    line.clear();
    line.extend_from_slice(content);
    line.push(b'\n');
    parse(line)
}

/// The wrapping that a line tells of.
fn tells(line: &[u8]) -> Option<Shape> {
    let line = without_mark(line);
    if docker::text(line).is_some() {
        return Some(Shape::Docker);
    }
    if cri::is_line(line) {
        return Some(Shape::Cri);
    }
    Shape::PREFIXES.into_iter().find(|shape| {
        prefix::strip(*shape, line)
            .and_then(|behind| trace(content(behind), &mut Vec::new()))
            .is_some_and(|trace| matches!(trace, Trace::Cycle(_)))
    })
}

/// Whether a line that begins like this may be a trace line.
fn may_begin_trace(line: &[u8]) -> bool {
    matches!(
        without_mark(line).first(),
        None | Some(b'g' | b'G' | b's' | b'f' | 0xEF)
    )
}

/// A line without its end, as Unix or Windows writes it.
fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
}

/// The lines of `bytes`, newlines included; the last may have none.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, behind) = rest.split_at(len);
        rest = behind;
        (!line.is_empty()).then_some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CYCLE: &str = "gc 1 @0.009s 1%: 0.059+0.17+0.005 ms clock, 0.17+0/0.36/0.067+0.38 ms cpu, 5->5->3 MB, 4 MB goal, 8 P";

    fn unwrap(log: &str) -> String {
        let mut unwrapper = Unwrapper::new();
        let mut out = Vec::new();
        unwrapper.push(log.as_bytes(), &mut out);
        unwrapper.finish(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_prefix_goes_with_its_trace_line_and_stays_with_text() {
        let log = format!("web-1  | up\nweb-1  | {CYCLE}\nweb-1  | down\n");
        assert_eq!(
            unwrap(&log),
            format!("web-1  | up\n{CYCLE}\nweb-1  | down\n")
        );
    }

    #[test]
    fn a_line_without_the_prefix_stays_as_it_is() {
        let log = format!("a | {CYCLE}\n{CYCLE}\nb\na | {CYCLE}\n");
        // The second line has no prefix: the three do not agree.
        assert_eq!(unwrap(&log), log);
        let log = format!("a | {CYCLE}\na | {CYCLE}\na | {CYCLE}\n{CYCLE}\nb\n");
        assert_eq!(
            unwrap(&log),
            format!("{CYCLE}\n{CYCLE}\n{CYCLE}\n{CYCLE}\nb\n")
        );
    }

    #[test]
    fn two_prefixes_that_disagree_are_none() {
        let log = format!("a | {CYCLE}\nNov 22 13:00:00 host app[1]: {CYCLE}\na | {CYCLE}\n");
        assert_eq!(unwrap(&log), log);
    }

    #[test]
    fn a_log_that_begins_with_a_bare_trace_line_has_no_prefix() {
        let log = format!("{CYCLE}\n{}", format!("a | {CYCLE}\n").repeat(5));
        assert_eq!(unwrap(&log), log);
    }

    #[test]
    fn a_quoted_trace_line_stays_text() {
        for line in [
            format!("level=info msg=\"{CYCLE}\"\n"),
            format!("{{\"level\":\"info\",\"msg\":\"{CYCLE}\"}}\n"),
            format!("{{\"log\":\"{CYCLE}\\n\",\"level\":\"info\"}}\n"),
            format!("child said: {CYCLE}\n"),
            format!("2026-11-22T13:00:00Z ERROR child: {CYCLE}\n"),
            format!("Nov 22 13:00:00 host app[1]: child said {CYCLE}\n"),
        ] {
            assert_eq!(unwrap(&line.repeat(5)), line.repeat(5));
        }
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_go_with_a_trace_line_and_stay_with_text() {
        let log = format!("\u{feff}{CYCLE}\r\ntext\r\n{CYCLE}\r\n{CYCLE}\n");
        assert_eq!(unwrap(&log), format!("{CYCLE}\ntext\r\n{CYCLE}\n{CYCLE}\n"));
        assert_eq!(unwrap("\u{feff}text\r\n"), "\u{feff}text\r\n");
    }

    #[test]
    fn a_last_trace_line_without_a_newline_counts_if_it_is_whole() {
        assert_eq!(unwrap(CYCLE), format!("{CYCLE}\n"));
        let unfinished = &CYCLE[..CYCLE.len() - 2];
        assert_eq!(unwrap(unfinished), unfinished);
        assert_eq!(unwrap("scan: total"), "scan: total");
    }

    #[test]
    fn the_prefix_decides_within_the_window() {
        let filler = "x".repeat(WINDOW) + "\n";
        let log = format!("a | {CYCLE}\n{filler}Nov 22 13:00:00 host app[1]: {CYCLE}\n");
        assert_eq!(
            unwrap(&log),
            format!("{CYCLE}\n{filler}Nov 22 13:00:00 host app[1]: {CYCLE}\n")
        );
    }

    #[test]
    fn a_line_longer_than_any_collectors_is_text_and_is_not_kept_back() {
        let mut unwrapper = Unwrapper::new();
        let mut out = Vec::new();
        for _ in 0..100 {
            unwrapper.push(&[b'x'; 10_000], &mut out);
        }
        assert_eq!(out.len(), 1_000_000);
        assert!(unwrapper.line.is_empty());
    }

    #[test]
    fn unfinished_text_of_a_bare_log_is_not_kept_back() {
        let mut unwrapper = Unwrapper::new();
        let mut out = Vec::new();
        unwrapper.push(format!("{CYCLE}\nPassword: ").as_bytes(), &mut out);
        assert_eq!(out, format!("{CYCLE}\nPassword: ").as_bytes());
    }
}
