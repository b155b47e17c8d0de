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
    /// Give up waiting for the watcher.
    pub(super) look: Option<Instant>,
    /// `--kill-after`: it did not.
    pub(super) kill: Option<Instant>,
    /// Give up what is held.
    pub(super) release: Hold,
    /// Give up waiting for the end of stderr.
    pub(super) drain: Option<Instant>,
    /// Stop with the command, shown or not what it wrote before.
    pub(super) flush: Option<Instant>,
    /// Give up waiting for somebody to read our own stderr.
    pub(super) abandon: Option<Instant>,
}

impl Deadlines {
    /// The next of them; what is held is given up only where it `may_read`, since what is there already may go with it.
    pub(super) fn next(&self, may_read: bool) -> Option<Instant> {
        [
            self.stop,
            self.look,
            self.kill,
            self.release.due.filter(|_| may_read),
            self.drain,
            self.flush,
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
    /// Whether its time is over.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Takes what is held now: other bytes get a time of their own.
    pub(super) fn update(&mut self, holding: Option<u64>) {
        if holding != self.holding || self.due.is_none() {
            self.holding = holding;
            self.due = holding.map(|_| Instant::now() + HOLD);
        }
    }
}
