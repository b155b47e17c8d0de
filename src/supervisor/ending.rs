//! The end of a run: the command is asked for it, or has ended, and all is told that there is to tell.

use std::io;
use std::time::{Duration, Instant};

use super::beside::Beside;
use super::{Happening, Watch, signals};
use crate::exit::{Cause, End, Exit};

/// So long a last look at the command's memory may hold up its stop.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// So long what was seen may be thought over when the run has ended.
const HEAR_OUT: Duration = Duration::from_secs(2);

impl Watch<'_> {
    /// Asks the command to end.
    pub(super) fn stop(&mut self, why: &'static str) {
        if self.end.is_none() && self.cause == Cause::Itself {
            tracing::info!(why, "the command is asked to end");
            self.cause = Cause::Asked;
            self.deadlines.stop = None;
            // What its memory shows of the leak is gone with it.
            self.deadlines.look = Some(Instant::now() + LAST_LOOK);
            self.flow.watcher.look_over();
            if self.flow.watcher.is_over() {
                self.stop_now();
            }
        }
    }

    /// It was looked at for the last time.
    pub(super) fn stop_now(&mut self) {
        self.deadlines.look = None;
        if self.end.is_none() {
            self.deadlines.kill = Some(Instant::now() + self.config.kill_after);
            signals::terminate(self.command);
        }
    }

    /// Waits for what the watcher still has to say, but not long.
    pub(super) async fn hear_out(&mut self) -> io::Result<()> {
        self.flow.watcher.close();
        self.deadlines.look = Some(Instant::now() + HEAR_OUT);
        while !self.flow.watcher.is_over() && self.deadlines.look.is_some() && !self.abandoned {
            match self.next(None).await? {
                Happening::Signal(arrival) => self.signal(arrival, None),
                Happening::Seen(sighting) => self.seen(sighting),
                Happening::Deadline => self.deadline(),
                Happening::Readable | Happening::SinkChanged => {}
            }
        }
        self.deadlines.look = None;
        Ok(())
    }

    /// The command has ended and its stderr is read: judges, reports, and waits until all is written.
    pub(super) async fn finish(mut self) -> io::Result<Exit> {
        let cause = match (self.cause, self.end) {
            // It ended by itself just before it was killed.
            (Cause::Killed, Some(end)) if end != End::Signal(nix::libc::SIGKILL) => Cause::Asked,
            (cause, _) => cause,
        };
        let beside = self.beside.as_ref().and_then(Beside::failure);
        let exit = self.flow.finish(self.end, cause, beside);
        while self.is_awaited() {
            match self.next(None).await? {
                Happening::Signal(arrival) => self.signal(arrival, None),
                Happening::Deadline => self.deadline(),
                Happening::Readable | Happening::SinkChanged | Happening::Seen(_) => {}
            }
        }
        Ok(exit)
    }

    /// Whether something is not over yet although the command is: what our stderr has to take, or the command of `--while`.
    pub(super) fn is_awaited(&self) -> bool {
        let runs = self.beside.as_ref().and_then(Beside::running).is_some();
        runs || !(self.flow.sink.is_done() || self.abandoned)
    }
}
