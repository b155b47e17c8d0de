//! Kubernetes' own log files (the container runtime interface, CRI): `TIME STREAM TAG TEXT`.
//!
//! A runtime cuts long lines, and some of them also what a program writes piece by piece: `P` marks a part, of which the
//! next line of the same stream is the continuation, `F` the last one. Lines of the other stream may stand between.

use super::prefix::rfc3339;
use super::{LONGEST_TRACE, Taker, WINDOW, content, may_begin_trace, without_mark};

/// One line of such a file.
struct Line<'a> {
    stream: usize,
    partial: bool,
    text: &'a [u8],
}

const STREAMS: [&[u8]; 2] = [b"stdout ", b"stderr "];

impl<'a> Line<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let behind = rfc3339(without_mark(line))?.strip_prefix(b" ")?;
        let (stream, behind) = STREAMS
            .iter()
            .enumerate()
            .find_map(|(stream, name)| Some((stream, behind.strip_prefix(*name)?)))?;
        let (tags, text) = behind.split_at(memchr::memchr(b' ', behind)?);
        let partial = match tags {
            [b'P'] | [b'P', b':', ..] => true,
            [b'F'] | [b'F', b':', ..] => false,
            _ => return None,
        };
        let text = content(&text[1..]);
        Some(Self {
            stream,
            partial,
            text,
        })
    }
}

/// Whether a line has that form.
pub(super) fn is_line(line: &[u8]) -> bool {
    Line::parse(line).is_some()
}

/// Puts parts together, as long as they may be a trace line.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    streams: [Joined; STREAMS.len()],
    /// The lines since the first part that waits, as they stand in the log, and to which stream's parts they belong.
    waiting: Vec<(Option<usize>, Vec<u8>)>,
    /// How many bytes these are.
    bytes: usize,
}

/// The parts of a stream's line so far.
#[derive(Debug, Default)]
enum Joined {
    /// None.
    #[default]
    Nothing,
    /// They may be a trace line.
    Waiting(Vec<u8>),
    /// They are not.
    Text,
}

impl Joiner {
    /// Takes a line of the log.
    pub(super) fn line(&mut self, raw: &[u8], taker: &mut Taker, out: &mut Vec<u8>) {
        let Some(Line {
            stream,
            partial,
            text,
        }) = Line::parse(raw)
        else {
            return self.pass_on(raw, out);
        };
        let mut joined = match std::mem::take(&mut self.streams[stream]) {
            Joined::Nothing => Vec::new(),
            Joined::Waiting(joined) => joined,
            Joined::Text => {
                if partial {
                    self.streams[stream] = Joined::Text;
                }
                return self.pass_on(raw, out);
            }
        };
        joined.extend_from_slice(text);
        if !partial {
            let is_trace = taker.take(&joined, out);
            self.decide(stream, is_trace);
            if is_trace {
                self.pass_on(b"", out);
            } else {
                self.pass_on(raw, out);
            }
        } else if joined.len() > LONGEST_TRACE || !may_begin_trace(&joined) {
            self.decide(stream, false);
            self.streams[stream] = Joined::Text;
            self.pass_on(raw, out);
        } else {
            self.streams[stream] = Joined::Waiting(joined);
            self.wait(Some(stream), raw, out);
        }
    }

    /// Lets nothing wait any longer. What waits is a trace line if it is a whole one, without a last part.
    pub(super) fn settle(&mut self, taker: &mut Taker, out: &mut Vec<u8>) {
        for stream in 0..STREAMS.len() {
            let joined = &mut self.streams[stream];
            if let Joined::Waiting(parts) = joined {
                let is_trace = taker.take(parts, out);
                *joined = Joined::Text;
                self.decide(stream, is_trace);
            }
        }
        self.pass_on(b"", out);
    }

    /// Whether what waits of a stream was a trace line: then it is gone from the text.
    fn decide(&mut self, stream: usize, is_trace: bool) {
        if is_trace {
            self.waiting.retain(|(of, _)| *of != Some(stream));
        } else {
            let of_stream = self
                .waiting
                .iter_mut()
                .filter(|(of, _)| *of == Some(stream));
            of_stream.for_each(|(of, _)| *of = None);
        }
    }

    /// Passes a line of text on, behind what waits.
    fn pass_on(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        let waits = |joined: &Joined| matches!(joined, Joined::Waiting(_));
        if self.streams.iter().any(waits) {
            if !raw.is_empty() {
                self.wait(None, raw, out);
            }
        } else {
            self.bytes = 0;
            for (_, line) in self.waiting.drain(..) {
                out.extend_from_slice(&line);
            }
            out.extend_from_slice(raw);
        }
    }

    fn wait(&mut self, stream: Option<usize>, raw: &[u8], out: &mut Vec<u8>) {
        self.bytes += raw.len();
        self.waiting.push((stream, raw.to_vec()));
        if self.bytes > WINDOW {
            for joined in &mut self.streams {
                if matches!(joined, Joined::Waiting(_)) {
                    *joined = Joined::Text;
                }
            }
            self.pass_on(b"", out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CYCLE: &str = "gc 1 @0.009s 1%: 0.059+0.17+0.005 ms clock, 0.17+0/0.36/0.067+0.38 ms cpu, 5->5->3 MB, 4 MB goal, 8 P";

    fn join(lines: &[&str]) -> String {
        let (mut joiner, mut taker, mut out) = (Joiner::default(), Taker::default(), Vec::new());
        for line in lines {
            let line = format!("2026-11-22T13:00:00.123456789Z {line}\n");
            joiner.line(line.as_bytes(), &mut taker, &mut out);
        }
        joiner.settle(&mut taker, &mut out);
        let out = String::from_utf8(out).expect("text");
        out.replace("2026-11-22T13:00:00.123456789Z ", "")
    }

    #[test]
    fn parts_are_one_line() {
        let (head, tail) = CYCLE.split_at(20);
        let parts = [format!("stderr P {head}"), format!("stderr F {tail}")];
        assert_eq!(join(&[&parts[0], &parts[1]]), format!("{CYCLE}\n"));
        assert_eq!(
            join(&[&parts[0], "stdout F between", &parts[1]]),
            format!("{CYCLE}\nstdout F between\n")
        );
    }

    #[test]
    fn parts_that_are_no_trace_line_come_out_as_they_went_in() {
        let text = [
            "stderr P gc 1",
            "stdout P gc ",
            "stderr F  or not",
            "stdout P 2",
            "stderr F x",
            "stdout F  @",
        ];
        assert_eq!(join(&text), text.map(|line| format!("{line}\n")).concat());
    }

    #[test]
    fn a_line_in_the_middle_of_text_is_no_trace_line() {
        let last = format!("stderr F {CYCLE}");
        assert_eq!(
            join(&["stderr P text", &last]),
            format!("stderr P text\n{last}\n")
        );
    }

    #[test]
    fn what_waits_is_bounded() {
        let long = format!("stdout F {}", "x".repeat(WINDOW));
        let (head, tail) = CYCLE.split_at(20);
        let lines = [
            &format!("stderr P {head}"),
            &*long,
            &format!("stderr F {tail}"),
        ];
        assert_eq!(join(&lines), lines.map(|line| format!("{line}\n")).concat());
    }
}
