//! The tokens of a trace line, one for each `write(2)` of the runtime, and how each is read.
//!
//! Each is a nom parser that runs in both modes: streaming, to tell "not yet" from "no", and complete, on a whole line or a
//! whole write.

use nom::bytes::{tag, take_while_m_n};
use nom::combinator::{opt, recognize};
use nom::error::Error;
use nom::{Complete, Emit, OutputM, OutputMode, PResult, Parser};

/// One write of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// These very bytes.
    Text(&'static str),
    /// A number, and what it tells.
    Value(Form, Field),
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Digits.
    Whole,
    /// Digits, maybe behind a minus sign.
    Signed,
    /// Seconds with exactly three decimals.
    Seconds,
    /// Milliseconds, with or without decimals.
    Millis,
    /// `0x` and hexadecimal digits.
    Hex,
}

/// Where a number belongs in a [`Cycle`](super::Cycle).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Number,
    At,
    GcCpuPercent,
    ClockSweepTerm,
    ClockScan,
    ClockInstallWb,
    ClockMark,
    ClockMarkTerm,
    CpuSweepTerm,
    CpuScan,
    CpuInstallWb,
    CpuAssist,
    CpuBackground,
    CpuIdle,
    CpuMarkTerm,
    HeapStart,
    HeapEnd,
    HeapLive,
    Goal,
    Stacks,
    Globals,
    Procs,
    /// One phase of Go 1.0 to 1.4, all of which stop the world.
    StoppedMillis,
    StoppedMicros,
    /// The live heap of the cycle before.
    PreviousLive,
    /// A number that nobody asks for.
    Unread,
}

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
            Form::Hex => recognize((
                tag(&b"0x"[..]),
                take_while_m_n(1, 16, |byte: u8| byte.is_ascii_hexdigit()),
            ))
            .process::<OM>(input),
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
    pub(super) fn is_written_as(self, other: Token) -> bool {
        match (self, other) {
            (Token::Text(a), Token::Text(b)) => a == b,
            (Token::Value(a, _), Token::Value(b, _)) => a == b,
            _ => false,
        }
    }

    /// Whether a number is written as the runtime writes it: without leading zeros, and a time with as many decimals as its
    /// size asks for (`mgc.go`, `fmtNSAsMS`).
    pub(super) fn is_in_runtimes_form(self, number: &[u8]) -> bool {
        let Token::Value(form, _) = self else {
            return true;
        };
        match (form, number) {
            (
                Form::Millis,
                [b'0', b'.', b'0', _, _] | [b'0', b'.', b'1'..=b'9', _] | [b'1'..=b'9', b'.', _],
            )
            | (_, [b'0'])
            | (Form::Seconds, [b'0', b'.', ..])
            | (Form::Hex, _) => true,
            (Form::Millis, [b'1'..=b'9', _, ..]) => !number.contains(&b'.'),
            (Form::Millis, _) | (_, [b'0', ..] | [b'-', b'0', ..]) => false,
            _ => true,
        }
    }

    /// Longer literals first, so that `%: ` is tried before `%`; then numbers, the most particular first.
    pub(super) fn rank(self) -> usize {
        match self {
            Token::Text(text) => 100 - text.len(),
            Token::Value(Form::Hex, _) => 101,
            Token::Value(..) => 102,
        }
    }
}

/// The token at the head of `bytes`, of which no more will come, and what follows it.
pub(super) fn complete(mut next: Token, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (behind, taken) = next.process::<OutputM<Emit, Emit, Complete>>(bytes).ok()?;
    Some((taken, behind))
}
