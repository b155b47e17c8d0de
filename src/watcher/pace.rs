//! How often a program is sampled that does not sample itself: so often that it costs no more than a hundredth of its CPU time,
//! or a thousandth of a processor.

use std::time::{Duration, Instant};

use super::family::cpu_time;
use crate::culprit::Program;
use crate::wording::real;

/// Bytes between samples to begin with, where nobody asked for another number.
pub(super) const FINE: u64 = 128 << 10;

/// So many samples may come in a second of CPU time. One costs 2 to 7 us, nearly all of it the walk along the stack.
const MOST_A_CPU_SECOND: f64 = 1000.0;

/// And so many in any second: what they cost a program that mostly waits, nobody notices, and fewer would name no lines.
const MOST_A_SECOND: f64 = 250.0;

/// In less CPU time a burst of samples would be taken for the pace.
const LEAST_CPU: Duration = Duration::from_millis(200);

/// How many samples there were after how much CPU time, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    samples: u64,
    cpu: Duration,
    at: Instant,
}

impl Pace {
    /// Of a program that has just started.
    pub(super) fn new() -> Self {
        Self {
            samples: 0,
            cpu: Duration::ZERO,
            at: Instant::now(),
        }
    }

    /// Samples the program more coarsely if there were too many samples since the last look.
    pub(super) fn slow_down(&mut self, program: &mut Program, samples: u64) {
        let cpu = cpu_time(program.pid());
        let excess = cpu.map_or(1, |cpu| self.excess(samples, cpu, Instant::now()));
        if excess == 1 {
            return;
        }
        let Ok(rate) = program.rate() else { return };
        let rate = rate.saturating_mul(excess);
        if program.rearm(rate) == Ok(true) {
            tracing::info!(pid = program.pid(), rate, "it is sampled more coarsely");
        }
    }

    /// How many times too many there were since the last time that it could be told, as a power of two.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is no less than 0, and a cast of floats saturates"
    )]
    fn excess(&mut self, samples: u64, cpu: Duration, now: Instant) -> u64 {
        let spent = cpu.saturating_sub(self.cpu);
        if spent < LEAST_CPU {
            return 1;
        }
        let more = real(samples.saturating_sub(self.samples));
        let most_while_it_worked = MOST_A_CPU_SECOND * spent.as_secs_f64();
        let most = most_while_it_worked.max(MOST_A_SECOND * (now - self.at).as_secs_f64());
        *self = Self {
            samples,
            cpu,
            at: now,
        };
        let times = (more / most).ceil() as u64;
        times.max(1).next_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a program that has worked so long, in so much time, each in milliseconds.
    fn excess(pace: &mut Pace, began: Instant, samples: u64, cpu: u64, time: u64) -> u64 {
        let ms = Duration::from_millis;
        pace.excess(samples, ms(cpu), began + ms(time))
    }

    #[test]
    fn there_are_too_many_from_a_thousand_in_a_second_of_cpu_on() {
        let mut pace = Pace::new();
        let began = pace.at;
        let mut after = |samples, cpu| excess(&mut pace, began, samples, cpu, cpu);
        assert_eq!(after(500, 500), 1);
        // Much comes in little time, and more time tells that it was not much.
        assert_eq!(after(800, 600), 1);
        assert_eq!(after(900, 1000), 1);
        assert_eq!(after(5900, 6000), 1);
        assert_eq!(after(6920, 7000), 2);
        assert_eq!(after(9620, 8000), 4);
        assert_eq!(after(9620 + 7200, 9000), 8);
    }

    #[test]
    fn a_program_that_mostly_waits_may_have_some_in_any_case() {
        let mut pace = Pace::new();
        let began = pace.at;
        assert_eq!(excess(&mut pace, began, 1000, 250, 5000), 1);
        assert_eq!(excess(&mut pace, began, 1000 + 1500, 500, 10_000), 2);
    }
}
