//! How often a program is sampled that does not sample itself: so often that it costs no more than a hundredth of its CPU time.

use std::time::Duration;

use super::family::cpu_time;
use crate::culprit::{Program, Snapshot};

/// Bytes between samples, where nobody asked for another number.
pub(super) const FINE: u64 = 128 << 10;

/// The same where that makes too many samples: what Go itself has (`runtime/mprof.go`, `MemProfileRate`).
const COARSE: u64 = 512 << 10;

/// So many samples may come in a second of CPU time. One costs 2 to 7 us, nearly all of it the walk along the stack.
const MOST_A_SECOND: u32 = 1000;

/// In less CPU time a burst of samples would be taken for the pace.
const LEAST_CPU: Duration = Duration::from_millis(200);

/// How many samples there were after how much CPU time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    samples: u64,
    cpu: Duration,
}

impl Pace {
    /// Samples the program more coarsely if there were too many samples since the last look; says whether it did, after which
    /// there is nothing more to look for.
    pub(super) fn slow_down(&mut self, program: &mut Program, snapshot: &Snapshot) -> bool {
        let samples = snapshot.buckets.iter().map(|bucket| bucket.allocs).sum();
        let is_slower = cpu_time(program.pid()).is_some_and(|cpu| self.is_too_fast(samples, cpu))
            && matches!(program.rearm(COARSE), Ok(true));
        if is_slower {
            tracing::info!(
                pid = program.pid(),
                rate = COARSE,
                "sampling is coarser: it would cost over 1 %"
            );
        }
        is_slower
    }

    /// Whether there were too many since the last time that it could be told.
    fn is_too_fast(&mut self, samples: u64, cpu: Duration) -> bool {
        let spent = cpu.saturating_sub(self.cpu);
        if spent < LEAST_CPU {
            return false;
        }
        let more = samples.saturating_sub(self.samples);
        *self = Self { samples, cpu };
        Duration::from_secs(more) > spent * MOST_A_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_too_fast_where_there_are_over_a_thousand_samples_in_a_second_of_cpu() {
        let ms = Duration::from_millis;
        let mut pace = Pace::default();
        assert!(!pace.is_too_fast(500, ms(500)));
        // Much comes in little time, and more time tells that it was not much.
        assert!(!pace.is_too_fast(800, ms(600)));
        assert!(!pace.is_too_fast(900, ms(1000)));
        assert!(!pace.is_too_fast(5900, ms(6000)));
        assert!(pace.is_too_fast(6920, ms(7000)));
    }
}
