//! Sizes in bytes: read as GOMEMLIMIT writes them, shown in MiB.

use std::fmt;
use std::str::FromStr;

/// One MiB in bytes. The trace's "MB" is this.
pub const MIB: u64 = 1 << 20;

/// A number of bytes.
///
/// The trace prints `bytes >> 20`, so a size that comes from it is a multiple of [`MIB`] and up to one MiB too low
/// (`mgc.go`, `gcMarkTermination`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// A size of that many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of that many MiB, or `None` where it does not fit 64 bits of bytes.
    pub const fn from_mib(mib: u64) -> Option<Self> {
        match mib.checked_mul(MIB) {
            Some(bytes) => Some(Self(bytes)),
            None => None,
        }
    }

    /// The size in whole steps, in bytes again: the trace does the same with steps of 1 MiB.
    #[must_use]
    pub(crate) fn down_to(self, step: Self) -> Self {
        Self(self.0 - self.0.checked_rem(step.0).unwrap_or_default())
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size in MiB, fractions kept.
    #[expect(
        clippy::cast_precision_loss,
        reason = "sizes above 2^53 bytes are shown, not counted with"
    )]
    pub fn mib(self) -> f64 {
        self.0 as f64 / MIB as f64
    }
}

impl fmt::Display for Size {
    /// `43 MiB`; with one decimal where it is not a whole number of MiB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(MIB) {
            write!(f, "{} MiB", self.0 / MIB)
        } else {
            write!(f, "{:.1} MiB", self.mib())
        }
    }
}

/// Why a text is not a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotASize;

impl fmt::Display for NotASize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size is a whole number with B, KiB, MiB, GiB or TiB behind it, like `64MiB`; bytes without")
    }
}

impl std::error::Error for NotASize {}

impl FromStr for Size {
    type Err = NotASize;

    /// Reads what GOMEMLIMIT reads: digits, then nothing, `B`, `KiB`, `MiB`, `GiB` or `TiB` (`runtime/string.go`,
    /// `parseByteCount`).
    fn from_str(text: &str) -> Result<Self, NotASize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(NotASize),
        };
        let number: u64 = number.parse().map_err(|_| NotASize)?;
        number.checked_mul(1 << shift).map(Self).ok_or(NotASize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_gomemlimit_reads_them() {
        for (text, bytes) in [
            ("1048576", MIB),
            ("12B", 12),
            ("3KiB", 3072),
            ("64MiB", 64 * MIB),
            ("1GiB", 1 << 30),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in [
            "",
            "MiB",
            "64MB",
            "64mib",
            "-1",
            "1.5GiB",
            " 1",
            "1 MiB",
            "off",
            "99999999TiB",
            "18446744073709551616",
        ] {
            assert_eq!(text.parse::<Size>(), Err(NotASize), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_mib() {
        assert_eq!(Size(43 * MIB).to_string(), "43 MiB");
        assert_eq!(Size(MIB + MIB / 2).to_string(), "1.5 MiB");
    }

    #[test]
    fn the_largest_goal_that_go_prints_fits() {
        // GOGC=off in Go 1.9 to 1.18: 2^44 - 1.
        assert!(Size::from_mib((1 << 44) - 1).is_some());
        assert_eq!(Size::from_mib(1 << 44), None);
    }
}
