//! When something is due. While nothing is, no timer runs.

use std::time::{Duration, Instant};

/// So long bytes wait that may become a trace line: the runtime writes a line's forty pieces within one millisecond, unless
/// its thread has to wait for a processor.
const HOLD: Duration = Duration::from_millis(80);

/// When something is due.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// `--for`: ask the command to end.
    pub(super) stop: Option<Instant>,
    /// `--kill-after`: it did not.
    pub(super) kill: Option<Instant>,
    /// Give up what is held.
    pub(super) release: Hold,
    /// Give up waiting for the end of stderr.
    pub(super) drain: Option<Instant>,
    /// Give up waiting for somebody to read our own stderr.
    pub(super) abandon: Option<Instant>,
}

impl Deadlines {
    pub(super) fn next(&self) -> Option<Instant> {
        [
            self.stop,
            self.kill,
            self.release.due,
            self.drain,
            self.abandon,
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// Whether a deadline has come; if so, it is none any more.
pub(super) fn is_due(deadline: &mut Option<Instant>) -> bool {
    deadline
        .take_if(|deadline| *deadline <= Instant::now())
        .is_some()
}

/// How long the same bytes have been held back.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// What is held, since the deadline was set.
    holding: Option<u64>,
    pub(super) due: Option<Instant>,
}

impl Hold {
    /// Takes what is held now: other bytes get a time of their own.
    pub(super) fn update(&mut self, holding: Option<u64>) {
        if holding != self.holding || self.due.is_none() {
            self.holding = holding;
            self.due = holding.map(|_| Instant::now() + HOLD);
        }
    }
}
