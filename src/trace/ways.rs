//! All the ways in which a line may go on where other bytes may stand between any two tokens.
//!
//! Behind a number may follow digits of another writer, so that each beginning of the digits may be the number. It is as
//! the runtime writes it: without leading zeros, and a time with as many decimals as its size asks for (`mgc.go`,
//! `fmtNSAsMS`).

use super::Place;
use super::token::{Field, Form, Token};

/// One way to take the next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// How many bytes the token has.
    pub(crate) len: usize,
    /// The place behind it.
    pub(crate) place: Place,
    /// What it tells, if it is a number.
    pub(crate) field: Option<Field>,
}

impl Place {
    /// Shows each way in which the next token may stand at the head of `bytes`, of which no more will come.
    pub(crate) fn ways(self, bytes: &[u8], mut show: impl FnMut(Way)) {
        for (token, place) in self.edges() {
            match *token {
                Token::Text(text) => {
                    if bytes.starts_with(text.as_bytes()) {
                        show(Way {
                            len: text.len(),
                            place: *place,
                            field: None,
                        });
                    }
                }
                Token::Value(form, field) => form.lengths(bytes, |len| {
                    show(Way {
                        len,
                        place: *place,
                        field: Some(field),
                    });
                }),
            }
        }
    }

    /// The places of a line up to this one.
    pub(crate) fn path(self) -> impl Iterator<Item = Place> {
        std::iter::successors(Some(self), |place| place.before())
    }

    /// Marks the bytes with which the next token may begin.
    pub(crate) fn mark_beginnings(self, marks: &mut [bool; 256]) {
        for (token, _) in self.edges() {
            match token {
                Token::Text(text) => marks[usize::from(text.as_bytes()[0])] = true,
                Token::Value(form, _) => {
                    marks[usize::from(b'0')..=usize::from(b'9')].fill(true);
                    marks[usize::from(b'-')] |= *form == Form::Signed;
                }
            }
        }
    }

    /// Whether the next token may begin with this byte.
    pub(crate) fn may_go_on_with(self, byte: u8) -> bool {
        self.edges().iter().any(|(token, _)| match token {
            Token::Text(text) => text.as_bytes()[0] == byte,
            Token::Value(Form::Signed, _) => byte.is_ascii_digit() || byte == b'-',
            Token::Value(..) => byte.is_ascii_digit(),
        })
    }
}

impl Form {
    /// Shows how long a number of this form at the head of `bytes` may be.
    fn lengths(self, bytes: &[u8], mut show: impl FnMut(usize)) {
        let run = |bytes: &[u8]| {
            let digit = |byte: &&u8| byte.is_ascii_digit();
            bytes.iter().take(MOST_DIGITS).take_while(digit).count()
        };
        let digits = run(bytes);
        match self {
            Form::Signed if bytes.first() == Some(&b'-') => {
                if bytes.get(1) != Some(&b'0') {
                    (2..=1 + run(&bytes[1..])).for_each(show);
                }
            }
            Form::Whole | Form::Signed => match bytes.first() {
                Some(b'0') => show(1),
                _ => (1..=digits).for_each(show),
            },
            Form::Seconds => {
                let decimals = bytes.get(digits + 1..).map_or(0, run);
                let leading_zero = digits > 1 && bytes[0] == b'0';
                if (1..10).contains(&digits)
                    && !leading_zero
                    && bytes.get(digits) == Some(&b'.')
                    && decimals >= 3
                {
                    show(digits + 4);
                }
            }
            Form::Hex => {
                let digit = |byte: &&u8| byte.is_ascii_hexdigit();
                let digits = bytes.strip_prefix(b"0x").map_or(0, |behind| {
                    behind
                        .iter()
                        .take(MOST_HEX_DIGITS)
                        .take_while(digit)
                        .count()
                });
                (3..3 + digits).for_each(show);
            }
            Form::Millis => {
                match bytes {
                    [b'0', b'.', b'0', b'0'..=b'9', b'0'..=b'9', ..] => show(5),
                    [b'0', b'.', b'1'..=b'9', b'0'..=b'9', ..] => show(4),
                    [b'1'..=b'9', b'.', b'0'..=b'9', ..] => show(3),
                    _ => {}
                }
                match bytes.first() {
                    Some(b'0') => show(1),
                    _ => (2..=digits).for_each(show),
                }
            }
        }
    }
}

/// The most digits that a number has: 2^64 has 20.
const MOST_DIGITS: usize = 20;

const MOST_HEX_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(form: Form, bytes: &str) -> Vec<usize> {
        let mut lengths = Vec::new();
        form.lengths(bytes.as_bytes(), |len| lengths.push(len));
        lengths
    }

    #[test]
    fn a_number_may_end_before_each_digit_that_is_not_surely_its_own() {
        assert_eq!(lengths(Form::Whole, "123/"), [1, 2, 3]);
        assert_eq!(lengths(Form::Whole, "0123"), [1]);
        assert_eq!(lengths(Form::Whole, "x"), [0; 0]);
        assert_eq!(lengths(Form::Whole, ""), [0; 0]);
        assert_eq!(lengths(Form::Whole, &"1".repeat(40)).len(), 20);
        assert_eq!(lengths(Form::Signed, "-12 "), [2, 3]);
        assert_eq!(lengths(Form::Signed, "-0"), [0; 0]);
        assert_eq!(lengths(Form::Signed, "-"), [0; 0]);
        assert_eq!(lengths(Form::Hex, "0x2fg"), [3, 4]);
        assert_eq!(lengths(Form::Hex, "0x"), [0; 0]);
    }

    #[test]
    fn seconds_have_three_decimals() {
        assert_eq!(lengths(Form::Seconds, "3.4562024"), [5]);
        assert_eq!(lengths(Form::Seconds, "0.001"), [5]);
        for odd in ["00.001", "3.45", "3.", "3", "1234567890.123", "3s"] {
            assert_eq!(lengths(Form::Seconds, odd), [0; 0], "{odd}");
        }
    }

    #[test]
    fn a_time_has_as_many_decimals_as_its_size_asks_for() {
        for (written, expected) in [
            ("0.0312024", &[5, 1][..]),
            ("0.312024", &[4, 1]),
            ("1.22024", &[3]),
            ("12.5", &[2]),
            ("1447 ", &[2, 3, 4]),
            ("0 ", &[1]),
            ("7 ", &[]),
            ("0.0", &[1]),
        ] {
            assert_eq!(lengths(Form::Millis, written), expected, "{written}");
        }
    }
}
