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

/// An image that others were excluded for must be the only one so often, and its memory must have said what the lines say so
/// often, and that of each other one something else: a line may have been read with the numbers of another.
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
    /// When its last line came, on the clock of arrivals.
    last: Duration,
    fits: Option<Fit>,
    /// In how many looks in a row that one was the only one.
    streak: u32,
    /// What was compared with the memory of images that began with it.
    compared: Vec<Compared>,
}

/// What the memory of an image said of the lines.
#[derive(Clone, Copy, Debug)]
struct Compared {
    image: Image,
    /// How often the same, since it last said something else.
    agreed: u32,
    /// How often lately something else, and at which cycle last.
    contradicted: u32,
    at: u32,
}

impl Compared {
    /// How often it said something else that still counts at this cycle.
    fn contradictions(&self, cycle: u32) -> u32 {
        let is_recent = cycle.saturating_sub(self.at) < RECENT;
        if is_recent { self.contradicted } else { 0 }
    }
}

/// The only image that fitted.
#[derive(Clone, Copy, Debug)]
struct Fit {
    image: Image,
    /// When the images were listed, on the clock of arrivals.
    listed: Duration,
    /// Whether what was excluded was so for good.
    is_sure: bool,
}

impl Trail {
    pub(super) fn new() -> Self {
        Self {
            start: Duration::MAX,
            cycles: 0,
            last: Duration::ZERO,
            fits: None,
            streak: 0,
            compared: Vec::new(),
        }
    }

    /// A cycle of it came at `arrived`; it started at `start` at the latest, since boot.
    pub(super) fn cycle(&mut self, arrived: Duration, start: Duration) {
        self.cycles = self.cycles.saturating_add(1);
        self.start = self.start.min(start);
        self.last = arrived;
    }

    /// Which image it is, once that is certain: only one fitted, and the process has written since the images were listed, so
    /// that it was among them.
    pub(super) fn found(&self) -> Option<Image> {
        let fit = self.fits?;
        (fit.is_sure && self.last > fit.listed && self.may_be(&fit.image, LATE))
            .then_some(fit.image)
    }

    /// Whether this cycle is a reason to look at the images again.
    pub(super) fn wants_a_look(&self) -> bool {
        self.cycles <= EAGER || self.cycles.is_power_of_two()
    }

    /// Whether this cycle is one to compare with what the images' memory says.
    pub(super) fn wants_a_comparison(&self) -> bool {
        self.cycles <= PATIENT
    }

    /// Looks which of the images that were there at `listed` it may be.
    pub(super) fn look(&mut self, images: &[Image], listed: Duration) {
        let only = |late| {
            let mut fitting = self.fitting(images, late);
            fitting.next().filter(|_| fitting.next().is_none())
        };
        let prompt = || only(PROMPT).filter(|_| self.cycles >= SEVERAL);
        let fits = only(LATE).or_else(prompt).copied();
        let is_same = fits.is_some() && fits == self.fits.map(|fit| fit.image);
        self.streak = if is_same { self.streak + 1 } else { 1 };
        let is_left = self.suspects(images).take(2).count() == 1;
        let is_sure = |image: &Image| {
            let agreed = self.of(image).map_or(0, |compared| compared.agreed);
            !self.was_compared() || is_left && agreed > 0 || self.streak.min(agreed) >= SURE
        };
        self.fits = fits.map(|image| Fit {
            image,
            listed,
            is_sure: is_sure(&image),
        });
    }

    /// The images that began when it did.
    pub(super) fn suspects(&self, images: &[Image]) -> impl Iterator<Item = Image> {
        let fits = |image: &&Image| self.may_be(image, LATE);
        images.iter().filter(fits).copied()
    }

    /// Whether it was compared with the memory of any image.
    pub(super) fn was_compared(&self) -> bool {
        !self.compared.is_empty()
    }

    /// Whether these images' memory says what the last cycle's line says. Where it does not, they count as excluded for a
    /// while: not for ever, since of processes that print at the same moment a line may be taken for another's.
    pub(super) fn compared(&mut self, images: impl IntoIterator<Item = (Image, bool)>) {
        for (image, agrees) in images {
            let at = self.cycles;
            let known = self.compared.iter_mut().find(|known| known.image == image);
            match known {
                Some(known) if agrees => known.agreed += 1,
                Some(known) => {
                    known.contradicted = known.contradictions(at) + 1;
                    known.at = at;
                    known.agreed = 0;
                }
                None => self.compared.push(Compared {
                    image,
                    agreed: u32::from(agrees),
                    contradicted: u32::from(!agrees),
                    at,
                }),
            }
        }
    }

    /// That image is another process.
    pub(super) fn is_not(&mut self, image: &Image) {
        self.fits = self.fits.filter(|fit| fit.image != *image);
    }

    fn of(&self, image: &Image) -> Option<&Compared> {
        self.compared.iter().find(|known| known.image == *image)
    }

    fn is_excluded(&self, image: &Image) -> bool {
        self.of(image)
            .is_some_and(|known| known.contradictions(self.cycles) >= SURE)
    }

    fn fitting<'a>(
        &'a self,
        images: &'a [Image],
        late: Duration,
    ) -> impl Iterator<Item = &'a Image> {
        let fits = move |image: &&Image| self.may_be(image, late) && !self.is_excluded(image);
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
            trail.cycle(millis(arrived), millis(started + late));
            let found = trail.found();
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
        let mut found = |arrived| {
            trail.cycle(millis(arrived), millis(1000));
            let found = trail.found();
            trail.look(&[image(7, 1000)], millis(25));
            found
        };
        assert_eq!(found(20), None);
        assert_eq!(found(22), None);
        assert_eq!(found(26), Some(image(7, 1000)));
    }

    #[test]
    fn of_images_that_began_together_the_one_that_is_left_is_taken_without_another_line() {
        let mut images = vec![image(7, 1000), image(8, 1010)];
        let mut trail = Trail::new();
        for cycle in 1..5 {
            trail.cycle(millis(cycle * 10), millis(1005));
            trail.compared(images.iter().map(|image| (*image, true)));
            trail.look(&images, millis(15));
            assert_eq!(trail.found(), None);
        }
        let mut other = trail.clone();
        images.remove(0);
        trail.is_not(&image(7, 1000));
        trail.look(&images, millis(15));
        assert_eq!(trail.found(), Some(image(8, 1010)));
        other.compared([(images[0], false); 3]);
        other.look(&images, millis(15));
        assert_eq!(other.found(), None, "it is none of them");
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
            trail.cycle(millis(u64::from(cycle) * 10), millis(1005));
            let found = trail.found();
            let agrees = |pid| !contradictions.contains(&(cycle, pid));
            trail.compared(images.iter().map(|image| (*image, agrees(image.pid))));
            trail.look(&images, millis(u64::from(cycle) * 10 + 1));
            found.map(|image| image.pid)
        })
    }

    #[test]
    fn of_images_that_began_together_the_one_that_memory_does_not_contradict_is_taken() {
        assert_eq!(pid_with(&[(2, 7), (4, 7), (5, 7)], 10), Some(8));
        assert_eq!(pid_with(&[(2, 8), (3, 8), (4, 8), (5, 8)], 10), Some(7));
        // Not before it was the only one three times, and not for a line or two, which may be another's.
        assert_eq!(pid_with(&[(2, 7), (3, 7), (4, 7)], 6), None);
        assert_eq!(pid_with(&[(2, 7), (4, 7)], 100), None);
        // A line that was another's is forgotten, in time.
        let mixed_up = [(1, 7), (1, 8), (2, 8), (14, 7), (15, 7), (16, 7)];
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
