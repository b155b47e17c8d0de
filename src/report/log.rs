//! What the rule thinks, in gcwatch's own log: `GCWATCH_LOG=debug`.

use std::io;

use tracing::debug;

use super::Reporter;
use crate::session::Event;
use crate::summary::Summary;

/// Says which condition holds a rise back, when it is another one than before.
#[derive(Debug)]
pub struct Log;

impl Reporter for Log {
    fn event(&mut self, event: &Event, _summary: &Summary) -> io::Result<()> {
        if let Event::HeldBack { process, held_back } = event {
            debug!(
                process = process.0,
                cycle = held_back.cycle,
                at = held_back.at.as_secs_f64(),
                "no leak so far: {held_back}: {}",
                held_back.by.reason
            );
        }
        Ok(())
    }
}
