//! Counts, sizes, times and rates as a reader wants them.

use std::fmt;
use std::time::Duration;

use crate::size::{MIB, Size};

/// A count as a number to reckon with.
#[expect(
    clippy::cast_precision_loss,
    reason = "above 2^53 the last digits do not matter"
)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// `1 cycle`, `2 cycles`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `3, 7, 14 MiB`, or `3 -> 14 MiB`: the unit once.
pub(crate) fn sizes(sizes: &[Size], between: &str) -> String {
    let sizes: Vec<String> = sizes.iter().map(Size::to_string).collect();
    let all = sizes.join(between);
    let bare = all.replace(" MiB", "");
    if sizes.is_empty() {
        bare
    } else {
        bare + " MiB"
    }
}

/// Bytes as MiB, with as many decimals as tell something.
pub(crate) fn mib(bytes: f64) -> String {
    let mib = bytes / real(MIB);
    if mib.abs() >= 10.0 {
        format!("{mib:.1}")
    } else {
        format!("{mib:.2}")
    }
}

/// A number with two decimals at most; whole ones without.
pub(crate) fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// A time in milliseconds, with two digits that count.
pub(crate) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis >= 10.0 {
        format!("{millis:.0}")
    } else {
        format!("{millis:.2}")
    }
}

/// `14 min (11 to 17)`: seconds, and the interval that they lie in, in one unit.
pub(crate) fn about(seconds: f64, soonest: f64, latest: f64) -> String {
    let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let (unit_millis, unit) = Rounded::unit(time(seconds));
    let in_unit = |seconds: f64| {
        let value = seconds * 1e3 / real(u64::try_from(unit_millis).unwrap_or(u64::MAX));
        if value < 10.0 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        }
    };
    format!(
        "{} {unit} ({} to {})",
        in_unit(seconds),
        in_unit(soonest),
        in_unit(latest)
    )
}

/// A time in the unit that fits, in tenths below ten. What was reached is rounded down and what is needed up, so that a
/// time that falls short never reads as enough.
pub(crate) struct Rounded {
    tenths: u128,
    unit: &'static str,
}

impl Rounded {
    pub(crate) fn down(time: Duration) -> Self {
        let (unit_millis, unit) = Self::unit(time);
        Self {
            tenths: time.as_millis() * 10 / unit_millis,
            unit,
        }
    }

    pub(crate) fn up(time: Duration) -> Self {
        let (unit_millis, unit) = Self::unit(time);
        let tenths = (time.as_millis() * 10).div_ceil(unit_millis);
        Self {
            // From ten on no tenths are shown.
            tenths: if tenths > 100 {
                tenths.next_multiple_of(10)
            } else {
                tenths
            },
            unit,
        }
    }

    /// A unit's milliseconds and its name.
    fn unit(time: Duration) -> (u128, &'static str) {
        match time.as_secs() {
            0..120 => (1_000, "s"),
            120..7_200 => (60_000, "min"),
            7_200..172_800 => (3_600_000, "h"),
            _ => (86_400_000, "days"),
        }
    }
}

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenths, unit } = self;
        match (tenths / 10, tenths % 10) {
            (whole @ 0..10, tenth @ 1..) => write!(f, "{whole}.{tenth} {unit}"),
            (whole, _) => write!(f, "{whole} {unit}"),
        }
    }
}

/// Bytes a second, in the unit that makes it at least one.
pub(crate) struct Rate(pub(crate) f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.0 / real(MIB);
        let (value, unit) = [
            (per_second, "s"),
            (per_second * 60.0, "min"),
            (per_second * 3_600.0, "h"),
        ]
        .into_iter()
        .find(|&(value, _)| value.abs() >= 1.0)
        .unwrap_or((per_second * 86_400.0, "day"));
        if value.abs() < 1.0 {
            write!(f, "{value:.2} MiB/{unit}")
        } else {
            write!(f, "{value:.1} MiB/{unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_share_their_unit() {
        let mib = |mib| Size::from_bytes(mib * MIB);
        assert_eq!(sizes(&[mib(3), mib(7), mib(14)], ", "), "3, 7, 14 MiB");
        assert_eq!(
            sizes(&[Size::from_bytes(MIB / 2), mib(7)], " -> "),
            "0.5 -> 7 MiB"
        );
        assert_eq!(sizes(&[], ", "), "");
    }

    #[test]
    fn an_interval_has_the_unit_of_its_middle() {
        assert_eq!(about(840.0, 660.0, 1020.0), "14 min (11 to 17)");
        assert_eq!(about(41.0, 34.4, 130.0), "41 s (34 to 130)");
        assert_eq!(about(9000.0, 7000.0, 12_000.0), "2.5 h (1.9 to 3.3)");
    }

    #[test]
    fn a_whole_number_has_no_decimals() {
        for (number, text) in [
            (-3.0, "-3"),
            (20.0, "20"),
            (0.5, "0.5"),
            (1.006, "1.01"),
            (0.001, "0"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(count(0, "cycle"), "0 cycles");
        assert_eq!(count(1, "cycle"), "1 cycle");
        assert_eq!(count(2, "cycle"), "2 cycles");
    }

    #[test]
    fn a_time_has_the_unit_that_fits() {
        for (millis, down, up) in [
            (0, "0 s", "0 s"),
            (970, "0.9 s", "1 s"),
            (20_000, "20 s", "20 s"),
            (39_999, "39 s", "40 s"),
            (150_000, "2.5 min", "2.5 min"),
            (7_200_000, "2 h", "2 h"),
            (1_000_000_000, "11 days", "12 days"),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!(Rounded::down(time).to_string(), down);
            assert_eq!(Rounded::up(time).to_string(), up);
        }
        assert!(Rounded::up(Duration::MAX).to_string().ends_with(" days"));
    }

    #[test]
    fn a_rate_has_the_unit_that_makes_it_at_least_one() {
        for (per_day, text) in [
            (0.5, "0.50 MiB/day"),
            (3.0, "3.0 MiB/day"),
            (48.0, "2.0 MiB/h"),
            (8_640.0, "6.0 MiB/min"),
            (172_800.0, "2.0 MiB/s"),
        ] {
            assert_eq!(Rate(per_day * real(MIB) / 86_400.0).to_string(), text);
        }
    }
}
