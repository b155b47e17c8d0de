//! Whether the heap still rose late in the run: the whole run in at most 64 windows.

use super::ladder::{MOST_POINTS, Window};

/// More windows than this are joined in pairs.
const MOST: usize = 64;

/// The whole run, coarsely.
///
/// The ladder forgets the begin of long runs at its fine levels; this keeps all of it in equal windows, which double
/// their length when there are too many.
#[derive(Clone, Debug)]
pub(super) struct Thirds {
    windows: Vec<Window>,
    unfinished: Option<Window>,
    /// How many cycles make a window now.
    length: u64,
}

impl Thirds {
    /// No cycle seen.
    pub(super) fn new() -> Self {
        Self {
            windows: Vec::with_capacity(MOST + 1),
            unfinished: None,
            length: 1,
        }
    }

    /// Takes the window of one cycle.
    pub(super) fn push(&mut self, window: Window) {
        let window = self
            .unfinished
            .take()
            .map_or(window, |begun| begun.join(&window));
        if window.cycles < self.length {
            self.unfinished = Some(window);
            return;
        }
        self.windows.push(window);
        if self.windows.len() > MOST {
            self.halve();
        }
    }

    fn halve(&mut self) {
        let joined = self.windows.len().div_ceil(2);
        for pair in 0..joined {
            let first = self.windows[2 * pair];
            self.windows[pair] = self
                .windows
                .get(2 * pair + 1)
                .map_or(first, |second| first.join(second));
        }
        self.windows.truncate(joined);
        self.length = self.length.saturating_mul(2);
    }

    /// The middle and the last third of the time between `first` and `last`, in seconds, each as one window. `None`
    /// where a third has no cycle of its own.
    pub(super) fn late(&self, first: f64, last: f64) -> Option<(Window, Window)> {
        let third = (last - first) / 3.0;
        let (middle, end) = (first + third, first + 2.0 * third);
        let all = || self.windows.iter().chain(&self.unfinished).copied();
        let of_middle = all().filter(|window| window.end > middle && window.start < end);
        let of_end = all().filter(|window| window.start >= end);
        let join = |one: Window, next: Window| one.join(&next);
        Some((of_middle.reduce(join)?, of_end.reduce(join)?))
    }

    /// The last two thirds of the time between `first` and `last`, in seconds, in as many equal windows as a growth rate
    /// is drawn through.
    pub(super) fn late_windows(&self, first: f64, last: f64) -> Vec<Window> {
        let from = first + (last - first) / 3.0;
        let late: Vec<_> = self
            .windows
            .iter()
            .chain(&self.unfinished)
            .filter(|window| window.start >= from)
            .collect();
        let together = late.len().div_ceil(MOST_POINTS).max(1);
        // The newest ones count: what is left over is dropped at the begin.
        late[late.len() % together..]
            .chunks(together)
            .map(|group| {
                let (first, rest) = (group[0], &group[1..]);
                rest.iter()
                    .fold(*first, |joined, window| joined.join(window))
            })
            .collect()
    }
}

#[cfg(test)]
impl Thirds {
    /// How much it takes.
    pub(super) fn bytes(&self) -> usize {
        self.windows.capacity() * size_of::<Window>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Size;

    fn thirds(live: impl IntoIterator<Item = u64>) -> (Thirds, f64) {
        let mut thirds = Thirds::new();
        let mut at = 0.0;
        for live in live {
            thirds.push(Window::of(at, Size::from_mib(live).expect("small")));
            at += 1.0;
        }
        (thirds, at - 1.0)
    }

    /// Floor and ceiling of the middle and of the last third.
    fn late(live: impl IntoIterator<Item = u64>) -> Option<[u64; 4]> {
        let (thirds, last) = thirds(live);
        let (middle, end) = thirds.late(0.0, last)?;
        let sizes = [middle.floor, middle.ceiling, end.floor, end.ceiling];
        Some(sizes.map(|size| size.bytes() >> 20))
    }

    #[test]
    fn the_middle_and_the_last_third_have_a_floor_and_a_ceiling() {
        assert_eq!(late([1, 1, 9, 8, 7, 5, 6]), Some([8, 8, 5, 7]));
    }

    #[test]
    fn the_last_two_thirds_are_few_equal_windows() {
        let (thirds, last) = thirds(0..60);
        let windows = thirds.late_windows(0.0, last);
        assert_eq!(windows.len(), 13);
        assert!(windows.iter().all(|window| window.cycles == 3));
        assert!(windows[0].start >= last / 3.0);
        assert!((windows[12].end - last).abs() < 1e-9);
        assert!(Thirds::new().late_windows(0.0, 9.0).is_empty());
    }

    #[test]
    fn a_long_run_is_kept_whole_in_few_windows() {
        let (thirds, _) = thirds(0..100_000);
        assert!(thirds.windows.len() <= MOST);
        assert!(thirds.windows[0].start.abs() < 1e-9);
        let Some([middle, _, end, _]) = late(0..100_000) else {
            panic!("both thirds have cycles");
        };
        assert!((30_000..34_000).contains(&middle), "{middle}");
        assert!((66_000..69_000).contains(&end), "{end}");
    }

    #[test]
    fn a_third_without_a_cycle_is_none() {
        let mut thirds = Thirds::new();
        assert_eq!(thirds.late(0.0, 0.0), None);
        for at in [0.0, 1.0, 99.0] {
            thirds.push(Window::of(at, Size::default()));
        }
        assert_eq!(thirds.late(0.0, 99.0), None);
    }
}
