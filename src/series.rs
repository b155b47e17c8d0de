//! A time series of bounded size: when it is full it keeps every second value's place and goes on more coarsely.

/// The values of a run of any length, in at most `2 * MOST` pieces of equal width, each with its lowest value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    lows: Vec<u64>,
    /// How many values a finished piece stands for.
    stride: u64,
    /// How many values the last piece stands for so far.
    filled: u64,
}

/// Half of the pieces that are kept at most.
const MOST: usize = 256;

impl Default for Series {
    fn default() -> Self {
        Self {
            lows: Vec::new(),
            stride: 1,
            filled: 1,
        }
    }
}

impl Series {
    /// Adds a value.
    pub fn push(&mut self, value: u64) {
        if self.filled < self.stride {
            if let Some(low) = self.lows.last_mut() {
                *low = value.min(*low);
            }
            self.filled += 1;
            return;
        }
        if self.lows.len() == 2 * MOST {
            self.lows = self
                .lows
                .chunks(2)
                .map(|pair| pair.iter().copied().min().unwrap_or_default())
                .collect();
            self.stride *= 2;
        }
        self.lows.push(value);
        self.filled = 1;
    }

    /// The lowest values of `count` pieces of equal width at most, oldest first.
    pub fn lows(&self, count: usize) -> Vec<u64> {
        let pieces = count.min(self.lows.len());
        (0..pieces)
            .map(|piece| {
                let from = piece * self.lows.len() / pieces;
                let to = (piece + 1) * self.lows.len() / pieces;
                self.lows[from..to]
                    .iter()
                    .copied()
                    .min()
                    .unwrap_or_default()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_series_is_kept_whole() {
        let mut series = Series::default();
        for value in [5, 4, 7] {
            series.push(value);
        }
        assert_eq!(series.lows(12), [5, 4, 7]);
        assert_eq!(series.lows(1), [4]);
        assert_eq!(Series::default().lows(12), [0; 0]);
    }

    #[test]
    fn a_long_series_keeps_its_shape_in_bounded_memory() {
        let mut series = Series::default();
        for value in 0..1_000_000 {
            series.push(value);
        }
        assert!(series.lows.len() <= 2 * MOST);
        let lows = series.lows(4);
        for (low, expected) in lows.iter().zip([0_u64, 250_000, 500_000, 750_000]) {
            assert!(low.abs_diff(expected) < 10_000, "{lows:?}");
        }
    }
}
