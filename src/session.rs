//! Splitter, demux and detectors behind one door: bytes of one stream in; text, trace lines and events out.

use std::fmt;
use std::time::Duration;

use crate::culprit::growth::Finding;
use crate::demux::{Demux, ProcessId};
use crate::detector::{
    Change, Detector, DetectorConfig, HeldBack, Judgement, OverBudget, Rise, Withdrawal,
};
use crate::exit::End;
use crate::size::{MIB, Size};
use crate::splitter::{Edges, Split, Splitter};
use crate::trace::Cycle;

/// Something that happened in a run. All reports are made of these.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The command runs, or a saved log is opened.
    Started {
        /// The command and its arguments, as typed; none for a saved log.
        command: Vec<String>,
        /// When, in seconds since 1970; `None` for a saved log.
        unix_seconds: Option<f64>,
    },
    /// A GC cycle ended.
    Cycle {
        /// Whose.
        process: ProcessId,
        /// When its line came, since the run began; `None` for a saved log.
        arrived: Option<Duration>,
        /// What its line says.
        cycle: Cycle,
        /// Whether the line was torn and had to be put together.
        reassembled: bool,
    },
    /// It is known which process of the system that is.
    Identified {
        /// Whose cycles.
        process: ProcessId,
        /// Its number.
        pid: i32,
    },
    /// The live heap of a process rises: a leak.
    Flagged {
        /// Whose.
        process: ProcessId,
        /// The rise.
        rise: Rise,
    },
    /// The live heap of a process is above its budget.
    OverBudget {
        /// Whose.
        process: ProcessId,
        /// By how much, and when.
        over_budget: OverBudget,
    },
    /// It was looked which lines of a process hold the growth of its live heap. The last one of these counts.
    Culprits {
        /// Whose.
        process: ProcessId,
        /// What was found.
        finding: Finding,
    },
    /// The rise that was flagged last was none, or has ended.
    Withdrawn {
        /// Whose.
        process: ProcessId,
        /// Why.
        withdrawal: Withdrawal,
    },
    /// The live heap of a process rises, and that is no leak so far: another condition holds it back than before.
    HeldBack {
        /// Whose.
        process: ProcessId,
        /// What rose, and the condition.
        held_back: HeldBack,
    },
    /// No more cycles of a process will come: what is known of it in the end.
    Judged {
        /// Whose.
        process: ProcessId,
        /// The verdict and what goes with it.
        judgement: Judgement,
    },
    /// The stream ended.
    Drained {
        /// How many lines began `gc N @` and were no trace: from a Go release that is not known here, maybe.
        unrecognised: u64,
    },
    /// The run ended.
    Ended {
        /// How the command ended; `None` for a saved log.
        end: Option<End>,
        /// How long the run took; `None` for a saved log.
        wall: Option<Duration>,
    },
}

/// What came of one read. Reused: the caller clears it.
#[derive(Debug, Default)]
pub struct Batch {
    /// The program's bytes, unchanged and in order.
    pub text: Vec<u8>,
    /// The trace lines, whole, as the runtime wrote them.
    pub trace: Vec<u8>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

impl Batch {
    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.trace.clear();
        self.events.clear();
    }
}

/// Tells the live heap of one process to the byte: that of the cycle with this number, and `None` where it is another's by now.
pub struct Gauge(Box<dyn Fn(u32) -> Option<Size> + Send>);

impl Gauge {
    /// One that asks there.
    pub fn new(ask: impl Fn(u32) -> Option<Size> + Send + 'static) -> Self {
        Self(Box::new(ask))
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauge")
    }
}

/// One process and what judges it.
#[derive(Debug)]
struct Watched {
    process: ProcessId,
    detector: Detector,
    /// Where its live heap is known to the byte, and what judges it then: a detector that has not begun yet, until the gauge
    /// has told a first size.
    gauge: Option<(Gauge, Option<Detector>)>,
    /// The number and time of the last cycle, where its live heap is on the next one's line.
    awaiting: Option<(u32, Option<Duration>)>,
}

impl Watched {
    /// Takes a cycle that came at `arrived`. Where its line tells no time, its arrival stands in.
    fn observe(&mut self, cycle: &Cycle, arrived: Option<Duration>) -> Vec<Change> {
        let mut changes = Vec::new();
        let at = cycle.at.or(arrived);
        if let Some(live) = cycle.previous_live {
            let awaiting = self.awaiting.replace((cycle.number, at));
            if let Some((number, at)) =
                awaiting.filter(|(number, _)| number.checked_add(1) == Some(cycle.number))
            {
                changes = self.detector.observe(number, at, live, Size::default());
            }
        }
        if let Some(live) = cycle.heap.live.and_then(|live| self.live(cycle, live)) {
            changes.extend(
                self.detector
                    .observe(cycle.number, at, live, cycle.garbage()),
            );
        }
        changes
    }

    /// The live heap that is judged: the trace's, or to the byte from the first cycle on of which it is known so. Then a cycle of
    /// which it is not is left out, since a size that is cut down beside others that are not would be a fall.
    fn live(&mut self, cycle: &Cycle, traced: Size) -> Option<Size> {
        let Some((gauge, exact)) = &mut self.gauge else {
            return Some(traced);
        };
        let live = (gauge.0)(cycle.number);
        let live = live.filter(|live| live.bytes() / MIB == traced.bytes() / MIB);
        match (live, exact.take()) {
            (Some(live), Some(detector)) => {
                self.detector = detector;
                Some(live)
            }
            (None, Some(detector)) => {
                *exact = Some(detector);
                Some(traced)
            }
            (live, None) => live,
        }
    }
}

/// Watches one stream, which several Go processes may write to.
#[derive(Debug)]
pub struct Session {
    splitter: Splitter,
    demux: Demux,
    config: DetectorConfig,
    watched: Vec<Watched>,
    split: Split,
}

impl Session {
    /// A session on a stream of that kind.
    pub fn new(edges: Edges, config: DetectorConfig) -> Self {
        Self {
            splitter: Splitter::new(edges),
            demux: Demux::default(),
            config,
            watched: Vec::new(),
            split: Split::default(),
        }
    }

    /// Takes the bytes of one read, which came at `arrived` since the run began (`None` for a saved log).
    pub fn feed(&mut self, read: &[u8], arrived: Option<Duration>, out: &mut Batch) {
        self.split_into(out, arrived, |splitter, split| splitter.push(read, split));
    }

    /// From now on the live heap of that process can be known to the byte. It is judged so from its next cycle on, and anew, if
    /// that makes a difference ([`DetectorConfig::exact`]) and nothing of it is flagged yet.
    pub fn gauge(&mut self, process: ProcessId, gauge: Gauge) {
        let mut watched = self.watched.iter_mut();
        let watched = watched.find(|watched| watched.process == process);
        if let (Some(watched), Some(config)) = (watched, self.config.exact())
            && watched.detector.is_silent()
        {
            watched.gauge = Some((gauge, Some(Detector::new(&config))));
        }
    }

    /// Whether bytes are held back that may become a trace line: see [`Splitter::holding`].
    pub fn holding(&self) -> Option<u64> {
        self.splitter.holding()
    }

    /// The stream paused: what is held was text after all.
    pub fn release(&mut self, out: &mut Batch) {
        self.split_into(out, None, Splitter::release);
    }

    /// The stream ended.
    pub fn finish(mut self, out: &mut Batch) {
        self.split_into(out, None, Splitter::finish);
        self.judge_all(out);
    }

    /// The run ended and the stream goes on: judges what came, and leaves the splitter in the state in which it is, for
    /// somebody who only passes text on.
    pub fn leave(mut self, out: &mut Batch) -> Splitter {
        self.release(out);
        self.judge_all(out);
        self.splitter
    }

    fn judge_all(&self, out: &mut Batch) {
        for watched in &self.watched {
            out.events.push(Event::Judged {
                process: watched.process,
                judgement: watched.detector.judgement(),
            });
        }
        out.events.push(Event::Drained {
            unrecognised: self.splitter.near_misses(),
        });
    }

    /// Lets the splitter write behind what the batch has already, without a copy.
    fn split_into(
        &mut self,
        out: &mut Batch,
        arrived: Option<Duration>,
        work: impl FnOnce(&mut Splitter, &mut Split),
    ) {
        let mut split = std::mem::take(&mut self.split);
        std::mem::swap(&mut split.text, &mut out.text);
        std::mem::swap(&mut split.trace, &mut out.trace);
        work(&mut self.splitter, &mut split);
        std::mem::swap(&mut split.text, &mut out.text);
        std::mem::swap(&mut split.trace, &mut out.trace);
        for taken in split.cycles.drain(..) {
            self.judge(taken.cycle, taken.reassembled, arrived, out);
        }
        self.split = split;
    }

    fn judge(
        &mut self,
        cycle: Cycle,
        reassembled: bool,
        arrived: Option<Duration>,
        out: &mut Batch,
    ) {
        let assigned = self.demux.assign(&cycle, arrived);
        let process = assigned.process;
        if let Some(forgotten) = assigned.forgotten
            && let Some(index) = self
                .watched
                .iter()
                .position(|watched| watched.process == forgotten)
        {
            let judgement = self.watched.remove(index).detector.judgement();
            out.events.push(Event::Judged {
                process: forgotten,
                judgement,
            });
        }
        if assigned.new {
            self.watched.push(Watched {
                process,
                detector: Detector::new(&self.config),
                gauge: None,
                awaiting: None,
            });
        }
        let watched = self
            .watched
            .iter_mut()
            .find(|watched| watched.process == process);
        let changes = watched.map(|watched| watched.observe(&cycle, arrived));
        out.events.push(Event::Cycle {
            process,
            arrived,
            cycle,
            reassembled,
        });
        let to_event = |change| match change {
            Change::Flagged(rise) => Event::Flagged { process, rise },
            Change::Withdrawn(withdrawal) => Event::Withdrawn {
                process,
                withdrawal,
            },
            Change::OverBudget(over_budget) => Event::OverBudget {
                process,
                over_budget,
            },
            Change::HeldBack(held_back) => Event::HeldBack { process, held_back },
        };
        out.events
            .extend(changes.into_iter().flatten().map(to_event));
    }
}
