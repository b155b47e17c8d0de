//! The grammar of trace lines: whether bytes may still become one, and what a whole one says.
//!
//! All shapes are folded into one tree of tokens, so that a [`Place`] in a line is one number. Each token is a nom parser
//! that runs in both modes: streaming, to tell "not yet" from "no", and complete, on a whole line or a whole write.

use std::sync::LazyLock;
use std::time::Duration;

use nom::bytes::{tag, take_while_m_n};
use nom::combinator::{opt, recognize};
use nom::error::Error;
use nom::{Complete, Emit, Err, Input, OutputM, OutputMode, PResult, Parser, Streaming};

use super::shapes::{Field, Form, Line, SHAPES, Shape, Token};
use super::{Clock, Cpu, Cycle, Heap, Trace};
use crate::size::Size;

/// The longest number that is read: 2^64 has 20 digits. Longer ones are text, so that a line cannot grow for ever.
const MOST_DIGITS: usize = 20;

fn digits<'a>(
    least: usize,
    most: usize,
) -> impl Parser<&'a [u8], Output = &'a [u8], Error = Error<&'a [u8]>> {
    take_while_m_n(least, most, |byte: u8| byte.is_ascii_digit())
}

impl<'a> Parser<&'a [u8]> for Form {
    type Output = &'a [u8];
    type Error = Error<&'a [u8]>;

    fn process<OM: OutputMode>(
        &mut self,
        input: &'a [u8],
    ) -> PResult<OM, &'a [u8], Self::Output, Self::Error> {
        match self {
            Form::Whole => digits(1, MOST_DIGITS).process::<OM>(input),
            Form::Signed => {
                recognize((opt(tag(&b"-"[..])), digits(1, MOST_DIGITS))).process::<OM>(input)
            }
            Form::Seconds => {
                recognize((digits(1, 9), tag(&b"."[..]), digits(3, 3))).process::<OM>(input)
            }
            Form::Millis => {
                recognize((digits(1, MOST_DIGITS), opt((tag(&b"."[..]), digits(1, 9)))))
                    .process::<OM>(input)
            }
        }
    }
}

impl<'a> Parser<&'a [u8]> for Token {
    type Output = &'a [u8];
    type Error = Error<&'a [u8]>;

    fn process<OM: OutputMode>(
        &mut self,
        input: &'a [u8],
    ) -> PResult<OM, &'a [u8], Self::Output, Self::Error> {
        match self {
            Token::Text(text) => tag(text.as_bytes()).process::<OM>(input),
            Token::Value(form, _) => form.process::<OM>(input),
        }
    }
}

impl Token {
    /// Whether both look alike in the stream, whatever their number means.
    fn is_written_as(self, other: Token) -> bool {
        match (self, other) {
            (Token::Text(a), Token::Text(b)) => a == b,
            (Token::Value(a, _), Token::Value(b, _)) => a == b,
            _ => false,
        }
    }

    /// Whether a number is written as the runtime writes it: without leading zeros, and a time with as many decimals as its
    /// size asks for (`mgc.go`, `fmtNSAsMS`).
    fn is_in_runtimes_form(self, number: &[u8]) -> bool {
        let Token::Value(form, _) = self else {
            return true;
        };
        match (form, number) {
            (
                Form::Millis,
                [b'0', b'.', b'0', _, _] | [b'0', b'.', b'1'..=b'9', _] | [b'1'..=b'9', b'.', _],
            )
            | (_, [b'0'])
            | (Form::Seconds, [b'0', b'.', ..]) => true,
            (Form::Millis, [b'1'..=b'9', _, ..]) => !number.contains(&b'.'),
            (Form::Millis, _) | (_, [b'0', ..] | [b'-', b'0', ..]) => false,
            _ => true,
        }
    }

    /// Longer literals first, so that `%: ` is tried before `%`.
    fn rank(self) -> usize {
        match self {
            Token::Text(text) => usize::MAX - text.len(),
            Token::Value(..) => usize::MAX,
        }
    }
}

/// One place in the tree of all shapes.
#[derive(Default)]
struct Node {
    edges: Vec<(Token, Place)>,
    /// The shape that is whole here.
    shape: Option<&'static Shape>,
}

static TREE: LazyLock<Vec<Node>> = LazyLock::new(|| {
    let mut tree = vec![Node::default()];
    for shape in &SHAPES {
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
                let place = u16::try_from(next).expect("the shapes have some 400 tokens in all");
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Whether a number comes next.
    pub fn expects_number(self) -> bool {
        self.node()
            .edges
            .iter()
            .any(|(token, _)| matches!(token, Token::Value(..)))
    }

    /// How many bytes of a number are a time as the runtime writes it; `None` where none is expected here.
    ///
    /// Below 100 microseconds three decimals, below one millisecond two, below ten one, and none above (`mgc.go`,
    /// `fmtNSAsMS`); seconds have three. So a time shows its end, even where digits of another writer follow.
    pub fn time_len(self, number: &[u8]) -> Option<usize> {
        match self.node().edges.first()?.0 {
            Token::Value(Form::Seconds, _) => Some(number.len()),
            Token::Value(Form::Millis, _) => match number {
                [b'0', b'.', b'0', _, _, ..] => Some(5),
                [b'0', b'.', _, _, ..] => Some(4),
                [b'0', ..] => Some(1),
                [_, b'.', _, ..] => Some(3),
                _ => None,
            },
            _ => None,
        }
    }

    fn node(self) -> &'static Node {
        &TREE[usize::from(self.0)]
    }
}

/// The token at the head of `bytes`, of which no more will come, and what follows it.
fn complete(mut next: Token, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (behind, taken) = next.process::<OutputM<Emit, Emit, Complete>>(bytes).ok()?;
    Some((taken, behind))
}

/// Reads a whole line, newline included; `None` where it is no trace line.
pub fn parse(line: &[u8]) -> Option<Trace> {
    let mut written: [&[u8]; 48] = [&[]; 48];
    let mut count = 0;
    let mut rest = line;
    let mut place = Place::START;
    while !place.is_end() {
        let (taken, behind, next) = place.node().edges.iter().find_map(|(token, next)| {
            complete(*token, rest).map(|(taken, behind)| (taken, behind, *next))
        })?;
        *written.get_mut(count)? = taken;
        count += 1;
        rest = behind;
        place = next;
    }
    if !rest.is_empty() {
        return None;
    }
    let shape = place.node().shape?;
    match shape.line {
        Line::Sibling(sibling) => Some(Trace::Sibling(sibling)),
        Line::Cycle { leak_check, forced } => {
            let mut cycle = Cycle {
                leak_check,
                forced,
                ..blank()
            };
            for (token, written) in shape.tokens.iter().zip(written) {
                if let Token::Value(_, field) = token {
                    cycle.set(*field, written)?;
                }
            }
            Some(Trace::Cycle(cycle))
        }
    }
}

/// A cycle of which nothing is read yet.
fn blank() -> Cycle {
    Cycle {
        number: 0,
        at: Duration::ZERO,
        gc_cpu_percent: 0,
        leak_check: false,
        clock: Clock::default(),
        cpu: Cpu::default(),
        heap: Heap::default(),
        goal: Size::default(),
        scan: None,
        procs: 0,
        forced: false,
    }
}

impl Cycle {
    /// Sets one field from its number as written; `None` where the number does not fit.
    fn set(&mut self, field: Field, written: &[u8]) -> Option<()> {
        match field {
            Field::Number => self.number = integer(written)?,
            Field::At => self.at = decimal(written, Duration::from_secs(1))?,
            Field::GcCpuPercent => self.gc_cpu_percent = integer(written)?,
            Field::Procs => self.procs = integer(written)?,
            Field::Unread => {}
            Field::HeapStart
            | Field::HeapEnd
            | Field::HeapLive
            | Field::Goal
            | Field::Stacks
            | Field::Globals => *self.size_of(field) = Size::from_mib(integer(written)?)?,
            _ => *self.time_of(field) = decimal(written, Duration::from_millis(1))?,
        }
        Some(())
    }

    fn size_of(&mut self, field: Field) -> &mut Size {
        match field {
            Field::HeapStart => &mut self.heap.start,
            Field::HeapEnd => &mut self.heap.end,
            Field::HeapLive => &mut self.heap.live,
            Field::Stacks => &mut self.scan.get_or_insert_default().stacks,
            Field::Globals => &mut self.scan.get_or_insert_default().globals,
            _ => &mut self.goal,
        }
    }

    fn time_of(&mut self, field: Field) -> &mut Duration {
        match field {
            Field::ClockSweepTerm => &mut self.clock.sweep_term,
            Field::ClockScan => &mut self.clock.early.get_or_insert_default().scan,
            Field::ClockInstallWb => &mut self.clock.early.get_or_insert_default().install_wb,
            Field::ClockMark => &mut self.clock.mark,
            Field::ClockMarkTerm => &mut self.clock.mark_term,
            Field::CpuSweepTerm => &mut self.cpu.sweep_term,
            Field::CpuScan => &mut self.cpu.early.get_or_insert_default().scan,
            Field::CpuInstallWb => &mut self.cpu.early.get_or_insert_default().install_wb,
            Field::CpuAssist => &mut self.cpu.assist,
            Field::CpuBackground => &mut self.cpu.background,
            Field::CpuIdle => &mut self.cpu.idle,
            _ => &mut self.cpu.mark_term,
        }
    }
}

fn integer<T: std::str::FromStr>(written: &[u8]) -> Option<T> {
    std::str::from_utf8(written).ok()?.parse().ok()
}

/// A decimal number of `unit`, exact to the nanosecond.
fn decimal(written: &[u8], unit: Duration) -> Option<Duration> {
    let point = memchr::memchr(b'.', written).unwrap_or(written.len());
    let whole: u128 = integer(&written[..point])?;
    let mut nanos = whole * unit.as_nanos();
    let mut place = unit.as_nanos();
    for digit in written.get(point + 1..).unwrap_or_default() {
        place /= 10;
        nanos += u128::from(digit - b'0') * place;
    }
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::super::Sibling;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn cycle(line: &str) -> Cycle {
        match parse(line.as_bytes()) {
            Some(Trace::Cycle(cycle)) => cycle,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_line_of_go_1_27_says_all() {
        let read = cycle(
            "gc 22 @0.125s 6%: 0.35+1.0+0.003 ms clock, 0.71+0/0.33/0+0.006 ms cpu, 10->12->5 MB, 11 MB goal, 1 MB stacks, 0 MB globals, 2 P (forced)\n",
        );
        let size = |mib| Size::from_bytes(mib * MIB);
        let clock = Clock {
            sweep_term: micros(350),
            early: None,
            mark: micros(1000),
            mark_term: micros(3),
        };
        assert_eq!(
            read,
            Cycle {
                number: 22,
                at: Duration::from_millis(125),
                gc_cpu_percent: 6,
                leak_check: false,
                clock,
                cpu: Cpu {
                    sweep_term: micros(710),
                    early: None,
                    assist: Duration::ZERO,
                    background: micros(330),
                    idle: Duration::ZERO,
                    mark_term: micros(6),
                },
                heap: Heap {
                    start: size(10),
                    end: size(12),
                    live: size(5)
                },
                goal: size(11),
                scan: Some(super::super::Scan {
                    stacks: size(1),
                    globals: size(0)
                }),
                procs: 2,
                forced: true,
            }
        );
        assert_eq!(read.pause(), micros(353));
        assert_eq!(read.ended(), micros(126_353));
    }

    #[test]
    fn a_line_of_go_1_5_has_five_phases() {
        let read = cycle(
            "gc 1 @0.009s 1%: 0.059+0.17+0.005+0.24+0.12 ms clock, 0.17+0.17+0+0/0.36/0.067+0.38 ms cpu, 5->5->3 MB, 4 MB goal, 8 P\n",
        );
        assert_eq!(
            read.clock.early,
            Some(super::super::Early {
                scan: micros(170),
                install_wb: micros(5)
            })
        );
        assert_eq!(read.clock.mark, micros(240));
        assert_eq!(read.cpu.idle, micros(67));
        assert_eq!(read.cpu.mark_term, micros(380));
        assert_eq!((read.scan, read.procs, read.forced), (None, 8, false));
        assert_eq!(read.heap.live, Size::from_bytes(3 * MIB));
    }

    #[test]
    fn odd_numbers_are_read() {
        let line = |percent: &str, clock: &str, goal: &str| {
            cycle(&format!(
                "gc 1 @3074.095s {percent}%: {clock} ms clock, 0+0/0/0+0 ms cpu, 1->1->1 MB, {goal} MB goal, 1 P\n"
            ))
        };
        assert_eq!(line("101", "0+0+0", "4").gc_cpu_percent, 101);
        assert_eq!(
            line("-9223372036854775808", "0+0+0", "4").gc_cpu_percent,
            i64::MIN
        );
        assert_eq!(
            line("0", "0+1447+0", "4").clock.mark,
            Duration::from_millis(1447)
        );
        assert_eq!(
            line("0", "0+18446744073709+0", "4").clock.mark.as_millis(),
            18_446_744_073_709
        );
        assert_eq!(
            line("0", "0+0+0", "17592186044415").goal.bytes(),
            u64::MAX - (MIB - 1)
        );
    }

    #[test]
    fn a_goroutine_leak_check_is_told() {
        let read = cycle(
            "gc 3 @0.018s 1% (checking for goroutine leaks): 0.024+0.5+0.01 ms clock, 0.04+0/0.5/0+0.02 ms cpu, 1->1->0 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)\n",
        );
        assert!(read.leak_check && read.forced);
    }

    #[test]
    fn sibling_lines_are_told_apart() {
        for (line, sibling) in [
            ("GC forced\n", Sibling::Forced),
            (
                "scvg0: inuse: 2, idle: 0, sys: 3, released: 0, consumed: 3 (MB)\n",
                Sibling::Scavenger,
            ),
            ("scvg-1: 9 MB released\n", Sibling::Scavenger),
            ("scvg: 8 MB released\n", Sibling::Scavenger),
            (
                "forced scvg: inuse: 0, idle: 63, sys: 63, released: 5, consumed: 58 (MB)\n",
                Sibling::Scavenger,
            ),
            (
                "scan: total 23+23+14=60 objs, 9+3=12 spans\n",
                Sibling::ScanTotal,
            ),
            (
                "scan: class L 2+0+0=2 objs, 0+0=0 spans\n",
                Sibling::ScanClass,
            ),
            (
                "scan: class 8B 7+0+0=7 objs, 0+0=0 spans\n",
                Sibling::ScanClass,
            ),
            ("scan: total 60 objs\n", Sibling::ScanTotal),
            ("scan: class 16B 5 objs\n", Sibling::ScanClass),
        ] {
            assert_eq!(
                parse(line.as_bytes()),
                Some(Trace::Sibling(sibling)),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_looks_alike_is_no_trace() {
        let whole = "gc 1 @0.009s 1%: 0.05+0.17+0 ms clock, 0.17+0/0.36/0.067+0.38 ms cpu, 5->5->3 MB, 4 MB goal, 8 P\n";
        assert!(parse(whole.as_bytes()).is_some());
        for line in [
            "gc 12 things happened\n",
            " gc 1 @0.009s 1%\n",
            "gc 1\n",
            "\n",
            "",
            "GC forced by me\n",
            "scvg: all\n",
            // Go 1.15 and later, GODEBUG=scavtrace=1: asked for by the user.
            "scav 1 0 KiB work, 0 KiB total, 0% util\n",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
        for (from, to) in [
            ("\n", " \n"),
            ("\n", ""),
            (" MB goal", "MB goal"),
            ("@0.009s", "@0.09s"),
            ("gc 1 ", "gc 4294967296 "),
        ] {
            assert_eq!(
                parse(whole.replacen(from, to, 1).as_bytes()),
                None,
                "{from:?} to {to:?}"
            );
        }
        assert_eq!(parse([whole, whole].concat().as_bytes()), None);
    }

    #[test]
    fn every_beginning_of_a_line_may_go_on_and_the_whole_is_an_end() {
        for shape in &SHAPES {
            let mut place = Place::START;
            for token in shape.tokens {
                let written = match token {
                    Token::Text(text) => *text,
                    Token::Value(Form::Seconds, _) => "12.345",
                    Token::Value(Form::Millis, _) => "0.031",
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
        assert_eq!(Place::START.take_write(b"gc"), None);
    }

    #[test]
    fn a_time_shows_its_own_end() {
        let mut place = Place::START;
        for write in ["gc ", "1", " @", "0.100", "s ", "3", "%: "] {
            place = place.take_write(write.as_bytes()).expect("the next token");
        }
        for (number, len) in [
            ("0.0032024", 5),
            ("0.312024", 4),
            ("0", 1),
            ("02024", 1),
            ("1.22024", 3),
        ] {
            assert_eq!(place.time_len(number.as_bytes()), Some(len), "{number}");
        }
        assert_eq!(place.time_len(b"122024"), None);
    }
}
