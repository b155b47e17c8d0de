//! How often a program is sampled that does not sample itself: so often that it costs no more than a hundredth of its CPU time.

use std::time::Duration;

use super::family::cpu_time;
use crate::culprit::Program;
use crate::wording::real;

/// Bytes between samples to begin with, where nobody asked for another number.
pub(super) const FINE: u64 = 128 << 10;

/// So many samples may come in a second of CPU time. One costs 2 to 7 us, nearly all of it the walk along the stack.
const MOST_A_SECOND: f64 = 1000.0;

/// In less CPU time a burst of samples would be taken for the pace.
const LEAST_CPU: Duration = Duration::from_millis(200);

/// How many samples there were after how much CPU time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    samples: u64,
    cpu: Duration,
}

impl Pace {
    /// Samples the program more coarsely if there were too many samples since the last look.
    pub(super) fn slow_down(&mut self, program: &mut Program, samples: u64) {
        let cpu = cpu_time(program.pid());
        let excess = cpu.map_or(1, |cpu| self.excess(samples, cpu));
        if excess > 1
            && let Ok(rate) = program.rate()
            && program.rearm(rate.saturating_mul(excess)) == Ok(true)
        {
            tracing::info!(
                pid = program.pid(),
                rate = rate * excess,
                "it is sampled more coarsely"
            );
        }
    }

    /// How many times too many there were since the last time that it could be told, as a power of two.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is no less than 0, and a cast of floats saturates"
    )]
    fn excess(&mut self, samples: u64, cpu: Duration) -> u64 {
        let spent = cpu.saturating_sub(self.cpu);
        if spent < LEAST_CPU {
            return 1;
        }
        let more = real(samples.saturating_sub(self.samples));
        *self = Self { samples, cpu };
        let times = (more / spent.as_secs_f64() / MOST_A_SECOND).ceil() as u64;
        times.max(1).next_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_too_many_from_a_thousand_in_a_second_of_cpu_on() {
        let ms = Duration::from_millis;
        let mut pace = Pace::default();
        assert_eq!(pace.excess(500, ms(500)), 1);
        // Much comes in little time, and more time tells that it was not much.
        assert_eq!(pace.excess(800, ms(600)), 1);
        assert_eq!(pace.excess(900, ms(1000)), 1);
        assert_eq!(pace.excess(5900, ms(6000)), 1);
        assert_eq!(pace.excess(6920, ms(7000)), 2);
        assert_eq!(pace.excess(9620, ms(8000)), 4);
        assert_eq!(pace.excess(9620 + 7200, ms(9000)), 8);
    }
}
