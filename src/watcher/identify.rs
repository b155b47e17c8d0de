//! Which running program the cycles of one process come from: by when both began.

use std::time::Duration;

use super::family::Image;

/// A line may come so late: it waits in the pipe while its reader is busy.
const LATE: Duration = Duration::from_secs(1);

/// Of several lines the promptest comes so late at most.
const PROMPT: Duration = Duration::from_millis(60);

/// So many lines are several.
const SEVERAL: u32 = 3;

/// The kernel counts in hundredths of a second, the trace in thousandths, and the thread that counts starts a little before
/// the clock does.
const EARLY: Duration = Duration::from_millis(30);

/// A contradiction counts for so many cycles.
const RECENT: u32 = 12;

/// An image that others were excluded for must be the only one so often.
const SURE: u32 = 3;

/// So many cycles are compared with what memory says.
const PATIENT: u32 = 300;

/// After the first of these many cycles each is a reason to look, later only those whose count is a power of two.
const EAGER: u32 = 8;

/// What is known of a process whose program is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    /// When it started at the latest, since boot.
    start: Duration,
    cycles: u32,
    /// The only image that fitted, and when we looked, on the clock of arrivals.
    fits: Option<(Image, Duration)>,
    /// In how many looks in a row that one was the only one.
    streak: u32,
    /// Images that it seems not to be, though it began with them, and at which of its cycles that was seen.
    contradicted: Vec<(Image, u32)>,
}

impl Trail {
    pub(super) fn new() -> Self {
        Self {
            start: Duration::MAX,
            cycles: 0,
            fits: None,
            streak: 0,
            contradicted: Vec::new(),
        }
    }

    /// A cycle of it came at `arrived`; it started at `start` at the latest, since boot. Says which image it is once that is
    /// certain: only one fitted, and the process has written since we looked, so that it was among those that we saw.
    pub(super) fn cycle(&mut self, arrived: Duration, start: Duration) -> Option<Image> {
        self.cycles = self.cycles.saturating_add(1);
        self.start = self.start.min(start);
        let (image, looked) = self.fits?;
        let is_sure = self.contradicted.is_empty() || self.streak >= SURE;
        (is_sure && arrived > looked && self.may_be(&image, LATE)).then_some(image)
    }

    /// Whether this cycle is a reason to look at the images again.
    pub(super) fn wants_a_look(&self) -> bool {
        self.cycles <= EAGER || self.cycles.is_power_of_two()
    }

    /// Whether this cycle is one to compare with what the images' memory says.
    pub(super) fn wants_a_comparison(&self) -> bool {
        self.cycles <= PATIENT
    }

    /// Takes what a look showed, which was over at `looked`.
    pub(super) fn look(&mut self, images: &[Image], looked: Duration) {
        let only = |late| {
            let mut fitting = self.fitting(images, late);
            fitting.next().filter(|_| fitting.next().is_none())
        };
        let prompt = || only(PROMPT).filter(|_| self.cycles >= SEVERAL);
        let fits = only(LATE).or_else(prompt).copied();
        let is_same = fits.is_some() && fits == self.fits.map(|(image, _)| image);
        self.streak = if is_same { self.streak + 1 } else { 1 };
        self.fits = fits.map(|image| (image, looked));
    }

    /// The images that began when it did.
    pub(super) fn suspects(&self, images: &[Image]) -> impl Iterator<Item = Image> {
        let fits = |image: &&Image| self.may_be(image, LATE);
        images.iter().filter(fits).copied()
    }

    /// What these images' memory says is not what the last cycle's line says. For a while they count as excluded: not for
    /// ever, since of processes that print at the same moment a line may be taken for another's.
    pub(super) fn contradicted_by(&mut self, images: impl IntoIterator<Item = Image>) {
        let cycles = self.cycles;
        self.contradicted
            .retain(|(_, at)| cycles.saturating_sub(*at) < RECENT);
        for image in images {
            self.contradicted.retain(|(known, _)| *known != image);
            self.contradicted.push((image, cycles));
        }
    }

    fn fitting<'a>(
        &'a self,
        images: &'a [Image],
        late: Duration,
    ) -> impl Iterator<Item = &'a Image> {
        let fits = move |image: &&Image| {
            self.may_be(image, late) && self.contradicted.iter().all(|(known, _)| known != *image)
        };
        images.iter().filter(fits)
    }

    /// Whether it may be that image, where its promptest line came so late.
    fn may_be(&self, image: &Image, late: Duration) -> bool {
        image.began <= self.start + EARLY && self.start <= image.began + late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn image(pid: i32, began: u64) -> Image {
        Image {
            pid,
            began: millis(began),
            is_kin: true,
        }
    }

    /// The process of cycles that arrive at these times, each so late, where these images are seen after each.
    fn pid(started: u64, arrivals: &[(u64, u64)], images: &[Image]) -> Option<i32> {
        let mut trail = Trail::new();
        arrivals.iter().find_map(|&(arrived, late)| {
            let found = trail.cycle(millis(arrived), millis(started + late));
            trail.look(images, millis(arrived + 1));
            found.map(|image| image.pid)
        })
    }

    #[test]
    fn the_only_image_that_fits_is_taken_at_the_next_cycle() {
        let images = [image(7, 1000), image(8, 5000)];
        assert_eq!(pid(1008, &[(20, 3)], &images), None);
        assert_eq!(pid(1008, &[(20, 3), (30, 3)], &images), Some(7));
        assert_eq!(pid(1008, &[(20, 900), (30, 900)], &images), Some(7));
        assert_eq!(pid(5001, &[(20, 0), (30, 0)], &images), Some(8));
    }

    #[test]
    fn a_line_that_was_written_before_we_looked_proves_nothing() {
        let mut trail = Trail::new();
        assert_eq!(trail.cycle(millis(20), millis(1000)), None);
        trail.look(&[image(7, 1000)], millis(25));
        assert_eq!(trail.cycle(millis(22), millis(1000)), None);
        assert_eq!(trail.cycle(millis(26), millis(1000)), Some(image(7, 1000)));
    }

    #[test]
    fn images_that_began_together_are_not_told_apart() {
        let images = [image(7, 1000), image(8, 1010)];
        let cycles: Vec<(u64, u64)> = (1..50).map(|count| (count * 10, 2)).collect();
        assert_eq!(pid(1005, &cycles, &images), None);
    }

    /// The process of cycles of which one of two images that began together says something else, at these cycles.
    fn pid_with(contradictions: &[(u32, i32)], cycles: u32) -> Option<i32> {
        let images = [image(7, 1000), image(8, 1010)];
        let mut trail = Trail::new();
        (1..=cycles).find_map(|cycle| {
            let found = trail.cycle(millis(u64::from(cycle) * 10), millis(1005));
            let of_cycle = contradictions.iter().filter(|(at, _)| *at == cycle);
            let said =
                of_cycle.flat_map(|(_, pid)| images.iter().filter(|image| image.pid == *pid));
            trail.contradicted_by(said.copied().collect::<Vec<_>>());
            trail.look(&images, millis(u64::from(cycle) * 10 + 1));
            found.map(|image| image.pid)
        })
    }

    #[test]
    fn of_images_that_began_together_the_one_that_memory_does_not_contradict_is_taken() {
        assert_eq!(pid_with(&[(2, 7), (4, 7)], 10), Some(8));
        assert_eq!(pid_with(&[(2, 8), (3, 8), (4, 8), (5, 8)], 10), Some(7));
        // Not before it was the only one three times.
        assert_eq!(pid_with(&[(2, 7)], 4), None);
        // A line that was another's is forgotten, in time.
        let mixed_up = [(1, 7), (1, 8), (12, 7), (13, 7), (14, 7)];
        assert_eq!(pid_with(&mixed_up, 25), Some(8));
        // Both are contradicted again and again: the lines are mixed up.
        let both: Vec<(u32, i32)> = (1..100)
            .map(|cycle| (cycle, 7 + i32::from(cycle % 2 == 0)))
            .collect();
        assert_eq!(pid_with(&both, 100), None);
    }

    #[test]
    fn several_lines_tell_images_apart_that_began_one_after_the_other() {
        let images = [image(7, 1000), image(8, 1300)];
        let cycles: Vec<(u64, u64)> = (1..6).map(|count| (count * 10, count % 3)).collect();
        assert_eq!(pid(1305, &cycles, &images), Some(8));
        assert_eq!(pid(1000, &cycles, &images), Some(7));
    }

    #[test]
    fn what_began_later_or_long_before_is_nobody() {
        let cycles: Vec<(u64, u64)> = (1..6).map(|count| (count * 10, 0)).collect();
        assert_eq!(pid(1000, &cycles, &[image(7, 1500)]), None);
        assert_eq!(pid(5000, &cycles, &[image(7, 1500)]), None);
        assert_eq!(pid(5000, &cycles, &[]), None);
    }

    #[test]
    fn on_a_busy_machine_all_lines_may_be_late() {
        let cycles: Vec<(u64, u64)> = (1..6).map(|count| (count * 10, 400)).collect();
        assert_eq!(pid(1000, &cycles, &[image(7, 1000)]), Some(7));
        assert_eq!(pid(1000, &cycles, &[image(7, 1000), image(8, 1100)]), None);
    }

    #[test]
    fn looks_become_rare() {
        let mut trail = Trail::new();
        let looks = (0..1000).filter(|_| {
            trail.cycle(millis(1), millis(1));
            trail.wants_a_look()
        });
        assert_eq!(looks.count(), 8 + 6);
    }
}
