//! How long this process's heap can rise and still come back: learnt from what it has given back so far.

/// A fall of this share of the rise gives it back.
const GIVEN_BACK: f64 = 0.5;

/// A rise below this share of the heap it began at is noise, not a swing.
const NOTABLE_SHARE: f64 = 0.1;

/// A moment: seconds, and the live heap in MiB.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: f64,
    live: f64,
}

/// Follows the live heap from its lowest point to the highest since, and notes how long the rises took that were
/// given back. Sawtooths and daily waves make these long, and a new rise has to outlast them.
#[derive(Clone, Debug)]
pub(super) struct Swing {
    /// A rise below this, in MiB, is noise.
    notable: f64,
    low_and_high: Option<(Moment, Moment)>,
    /// The longest rise that was given back, in seconds.
    pub(super) longest: f64,
}

impl Swing {
    /// No cycle seen. A swing counts from half the rise (in MiB) that would make a leak.
    pub(super) fn new(min_rise: f64) -> Self {
        Self {
            notable: min_rise / 2.0,
            low_and_high: None,
            longest: 0.0,
        }
    }

    /// Takes one cycle.
    pub(super) fn observe(&mut self, at: f64, live: f64) {
        let now = Moment { at, live };
        let (low, high) = self.low_and_high.get_or_insert((now, now));
        if live > high.live {
            *high = now;
        }
        let rise = high.live - low.live;
        let is_notable = rise >= self.notable.max(NOTABLE_SHARE * low.live);
        if is_notable && live <= high.live - GIVEN_BACK * rise {
            self.longest = self.longest.max(high.at - low.at);
            (*low, *high) = (now, now);
        } else if live <= low.live {
            (*low, *high) = (now, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(cycles: &[(f64, f64)]) -> f64 {
        let mut swing = Swing::new(6.0);
        for &(at, live) in cycles {
            swing.observe(at, live);
        }
        swing.longest
    }

    fn is(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn a_rise_counts_once_half_of_it_is_given_back() {
        let rise = [(0.0, 10.0), (5.0, 15.0), (9.0, 20.0)];
        assert!(is(longest(&rise), 0.0));
        assert!(is(longest(&[&rise[..], &[(10.0, 16.0)]].concat()), 0.0));
        assert!(is(longest(&[&rise[..], &[(10.0, 15.0)]].concat()), 9.0));
    }

    #[test]
    fn a_new_low_starts_the_rise_again() {
        assert!(is(
            longest(&[(0.0, 10.0), (5.0, 8.0), (9.0, 20.0), (10.0, 8.0)]),
            4.0
        ));
    }

    #[test]
    fn a_ripple_is_not_a_swing() {
        assert!(is(longest(&[(0.0, 10.0), (9.0, 12.0), (10.0, 10.0)]), 0.0));
        assert!(is(
            longest(&[(0.0, 100.0), (9.0, 109.0), (10.0, 100.0)]),
            0.0
        ));
    }

    #[test]
    fn the_longest_of_several_counts() {
        let mut cycles = Vec::new();
        for (start, length) in [(0.0, 3.0), (10.0, 7.0), (20.0, 5.0)] {
            cycles.extend([
                (start, 10.0),
                (start + length, 30.0),
                (start + length + 1.0, 10.0),
            ]);
        }
        assert!(is(longest(&cycles), 7.0));
    }
}
