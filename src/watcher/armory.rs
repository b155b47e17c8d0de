//! Switches sampling on in the command and in what it starts, as early as can be: what a program allocates before that is not
//! in its profile, and what replaces it later would look like growth.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::family::kin;
use crate::culprit::{Program, Refusal};
use crate::file_id::FileId;

/// In the first second programs start one another, later hardly any.
const FIRST: Duration = Duration::from_secs(1);
const OFTEN: Duration = Duration::from_millis(5);
const SELDOM: Duration = Duration::from_millis(250);

/// In the middle of an exec much is not there yet, and at its start a program's rate is not set for good.
const SETTLING: Duration = Duration::from_secs(2);

/// One process, as long as it is the same program.
struct Found {
    /// `None` where that cannot be seen.
    file: Option<FileId>,
    since: Instant,
    state: State,
}

enum State {
    /// It cannot be opened yet, or for good once it has had its time.
    Refused(Refusal),
    /// Opened, and armed where its rate was 0.
    Open(Box<Program>),
    /// Somebody else has it now.
    Taken,
}

/// The programs that were found so far.
pub(super) struct Armory {
    command: i32,
    rate: u64,
    began: Instant,
    found: HashMap<i32, Found>,
}

impl Armory {
    pub(super) fn new(command: i32, rate: u64) -> Self {
        Self {
            command,
            rate,
            began: Instant::now(),
            found: HashMap::new(),
        }
    }

    /// How long to wait until the next [`look`](Self::look).
    pub(super) fn interval(&self) -> Duration {
        if self.began.elapsed() < FIRST {
            OFTEN
        } else {
            SELDOM
        }
    }

    /// Looks for programs that are new, and at those whose start-up may have set the rate back.
    pub(super) fn look(&mut self) {
        let kin = kin(self.command);
        // Whoever outlives its parent is nobody's kin any more, and is to be disarmed in the end.
        self.found.retain(|pid, found| {
            kin.contains(pid) || (found.is_open() && file_of(*pid) == found.file)
        });
        for pid in kin {
            let file = file_of(pid);
            if file.is_none() {
                // Of a kernel's thread, of a process that has ended, or not ours to see, which opening it will say.
                self.refuse(pid);
                continue;
            }
            let known = self.found.get(&pid).filter(|found| found.file == file);
            if known.is_none() {
                let found = Found {
                    file,
                    since: Instant::now(),
                    state: open(pid, self.rate),
                };
                self.found.insert(pid, found);
            } else if let Some(found) = self.found.get_mut(&pid) {
                found.settle(pid, self.rate);
            }
        }
    }

    /// Hands a program over, or says why it cannot be had; `None` where it was not seen.
    pub(super) fn take(&mut self, pid: i32) -> Option<Result<Program, Refusal>> {
        let found = self.found.get_mut(&pid)?;
        match std::mem::replace(&mut found.state, State::Taken) {
            State::Open(program) => Some(Ok(*program)),
            State::Refused(refusal) => Some(Err(refusal)),
            State::Taken => None,
        }
    }

    /// Switches sampling off again in all that still run.
    pub(super) fn disarm(&mut self) {
        for found in self.found.values_mut() {
            if let State::Open(program) = &mut found.state {
                let _ = program.disarm();
            }
        }
    }

    fn refuse(&mut self, pid: i32) {
        self.found.entry(pid).or_insert_with(|| Found {
            file: None,
            since: Instant::now(),
            state: State::Refused(Refusal::Denied),
        });
    }
}

impl Found {
    fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    fn settle(&mut self, pid: i32, rate: u64) {
        if self.since.elapsed() > SETTLING {
            return;
        }
        match &mut self.state {
            State::Refused(Refusal::NotGo) | State::Taken => {}
            State::Refused(_) => self.state = open(pid, rate),
            State::Open(program) => arm(program, rate),
        }
    }
}

/// The file of a program that runs.
fn file_of(pid: i32) -> Option<FileId> {
    FileId::at(format!("/proc/{pid}/exe")).ok()
}

fn open(pid: i32, rate: u64) -> State {
    match Program::open(pid) {
        Ok(mut program) => {
            arm(&mut program, rate);
            State::Open(Box::new(program))
        }
        Err(refusal) => {
            tracing::debug!(pid, %refusal, "not opened");
            State::Refused(refusal)
        }
    }
}

fn arm(program: &mut Program, rate: u64) {
    match program.arm(rate) {
        Ok(true) => tracing::info!(pid = program.pid(), rate, "sampling is on"),
        Ok(false) => {}
        Err(refusal) => tracing::debug!(pid = program.pid(), %refusal, "not armed"),
    }
}
