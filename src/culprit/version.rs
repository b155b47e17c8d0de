//! Which Go releases are known.

use super::Refusal;

/// A release whose runtime's tables are known, because the tests read programs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    minor: u32,
}

impl Version {
    /// From the build info, such as `go1.25.5` or `go1.25.5 X:boringcrypto`. What is not known is refused.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::Version(printable(text));
        let rest = text.strip_prefix("go1.").ok_or_else(unknown)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let minor = rest.get(..digits).and_then(|digits| digits.parse().ok());
        match minor {
            Some(minor @ (19 | 21..=27)) => Ok(Self {
                text: printable(text),
                minor,
            }),
            _ => Err(unknown()),
        }
    }

    /// As the program has it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 25 of `go1.25.5`.
    pub fn minor(&self) -> u32 {
        self.minor
    }
}

/// It comes out of a file that may say anything, and goes into a message.
fn printable(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.take(64).collect()
}
