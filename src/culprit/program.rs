//! A live Go program, read through `/proc`.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::buckets::{self, Counts, Reader, Reading};
use super::elf::Image;
use super::goroutines::{self, Layout};
use super::locate::{Linked, Located};
use super::memory::{Cached, Memory, MemoryError};
use super::{Extent, Frame, Refusal, Snapshot};
use crate::file_id::FileId;

/// What is kept of the program's file while it is watched.
const MOST_CACHED: usize = 16 << 20;
/// A reading into which a flush fell is repeated so often, after pauses that grow to the longest.
const TRIES: u32 = 100;
const SHORTEST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);
/// A table that makes no sense may be one that is being changed.
const STRANGE_TRIES: u32 = 5;
/// `AT_ENTRY` (`getauxval(3)`): where the program's first instruction was loaded.
const AT_ENTRY: u64 = 9;

/// Tells the live heap of a running program again and again: see [`Program::live_heap_of`].
pub struct LiveHeap {
    memory: ProcessMemory,
    cycle: u64,
    live: u64,
}

impl LiveHeap {
    /// The live heap after that GC cycle, in bytes; `None` where another one has come since, or the program is no more.
    pub fn of(&self, cycle: u32) -> Option<u64> {
        let is_last = || Some(self.memory.u32(self.cycle).ok()? >> 1 == cycle);
        let live = is_last()?.then(|| self.memory.u64(self.live).ok())??;
        is_last()?.then_some(live)
    }
}

/// `/proc/PID/mem`. It stays bound to the program that ran when it was opened: after an exec it reads and writes nothing.
struct ProcessMemory(File);

impl Memory for ProcessMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, address.wrapping_add(done as u64)) {
                Ok(0) => return Err(MemoryError::Gone),
                Ok(length) => done += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => {
                    return Err(MemoryError::Gone);
                }
                Err(_) => return Err(MemoryError::Hole(address)),
            }
        }
        Ok(())
    }
}

/// The program's file. It stays readable when the program has ended.
struct ProgramFile(File);

impl Memory for ProgramFile {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), MemoryError> {
        self.0
            .read_exact_at(into, address)
            .map_err(|_| MemoryError::Hole(address))
    }
}

/// One live Go process whose tables are located.
pub struct Program {
    pid: i32,
    image: Image<Cached<ProgramFile>>,
    memory: ProcessMemory,
    bias: u64,
    linked: Linked,
    located: Located,
    reader: RefCell<Reader>,
    armed: Option<u64>,
}

impl Program {
    /// Opens a process and finds the runtime's tables in it. Nothing is opened for writing, and no memory but a Go program's.
    pub fn open(pid: i32) -> Result<Self, Refusal> {
        let executable = PathBuf::from(format!("/proc/{pid}/exe"));
        let file = File::open(&executable).map_err(|error| refusal(&error))?;
        let opened = FileId::of(&file).ok();
        let image = Image::parse(Cached::new(ProgramFile(file), MOST_CACHED))?;
        let linked = Linked::read(&image)?;
        let memory = File::open(format!("/proc/{pid}/mem")).map_err(|error| refusal(&error))?;
        let memory = ProcessMemory(memory);
        let bias = entry(pid)?.wrapping_sub(image.entry);
        if FileId::at(&executable).ok() != opened {
            return Err(Refusal::Starting);
        }
        let located = linked.locate(&image, &memory, bias)?;
        Ok(Self {
            pid,
            image,
            memory,
            bias,
            linked,
            located,
            reader: RefCell::default(),
            armed: None,
        })
    }

    /// The process.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The Go release that built it, such as `go1.25.5`.
    pub fn go_version(&self) -> &str {
        self.located.version.text()
    }

    /// The path of its main module, where it was built from one.
    pub fn main_module(&self) -> Option<&str> {
        self.linked.main_module.as_deref()
    }

    /// Whether the program can read its own heap profile (`runtime.MemProfile` is in it): then sampling is its own affair,
    /// on unless its author switched it off.
    pub fn links_mem_profile(&self) -> bool {
        self.located.links_mem_profile
    }

    /// `runtime.MemProfileRate` as it is now: bytes from one sample to the next on average, 0 for none. In the first
    /// milliseconds of a program it may not be yet what it will be.
    pub fn rate(&self) -> Result<u64, Refusal> {
        Ok(self.memory.u64(self.located.addresses.rate)?)
    }

    /// Switches sampling on where the linker switched it off because nothing in the program reads the profile: sets
    /// `runtime.MemProfileRate`, one word, and says whether it did. It does not where the program can read its own profile,
    /// which is scaled by the rate that its author wants, and where there is a rate already.
    ///
    /// The start-up code may set the rate back to 0 in the first milliseconds: ask again then.
    pub fn arm(&mut self, rate: u64) -> Result<bool, Refusal> {
        // Linkers say with this byte that they switched sampling off: one more way to see that the place is right.
        let is_off = self
            .memory
            .array(self.located.addresses.disabled.clone()?)?
            == [1];
        if self.located.links_mem_profile || !is_off || self.rate()? != 0 {
            return Ok(false);
        }
        self.set_rate(rate)?;
        self.armed = Some(rate);
        Ok(true)
    }

    /// Sets another rate, if [`Program::arm`] switched sampling on and nobody has changed the rate since. Says whether it did.
    pub fn rearm(&mut self, rate: u64) -> Result<bool, Refusal> {
        let Some(armed) = self.armed else {
            return Ok(false);
        };
        let is_ours = self.rate()? == armed;
        if is_ours {
            self.set_rate(rate)?;
            self.armed = Some(rate);
        }
        Ok(is_ours)
    }

    /// Switches sampling off again, if [`Program::arm`] switched it on and nobody has changed the rate since. Says whether it
    /// did.
    pub fn disarm(&mut self) -> Result<bool, Refusal> {
        let was_ours = self.rearm(0);
        self.armed = None;
        was_ours
    }

    /// The only place that writes. The file is opened anew for it, and must be of the program that was located: another
    /// exec may have been since.
    fn set_rate(&self, rate: u64) -> Result<(), Refusal> {
        let address = self.located.addresses.writable_rate.clone()?;
        let path = format!("/proc/{}/mem", self.pid);
        let file = OpenOptions::new().write(true).open(path);
        let file = file.map_err(|error| refusal(&error))?;
        // The file that was opened first still reads: the program has not changed up to now, so both are of it.
        self.rate()?;
        let written = file.write_at(&rate.to_le_bytes(), address);
        match written {
            Ok(8) => Ok(()),
            Ok(_) => Err(Refusal::Ended),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// The number of the last GC cycle, as its trace line has it (`mProfCycle`).
    pub fn gc_cycle(&self) -> Result<u32, Refusal> {
        Ok(self.memory.u32(self.located.addresses.profile_cycle)? >> 1)
    }

    /// The live heap after the last GC cycle, in bytes (`work.heap2`): the trace line has it in MiB.
    pub fn live_heap(&self) -> Result<u64, Refusal> {
        Ok(self.memory.u64(self.located.addresses.live_heap.clone()?)?)
    }

    /// Something to ask for the live heap of each cycle, beside everything else that is read.
    pub fn live_heap_of(&self) -> Result<LiveHeap, Refusal> {
        let memory = self.memory.0.try_clone().map_err(|error| refusal(&error))?;
        Ok(LiveHeap {
            memory: ProcessMemory(memory),
            cycle: self.located.addresses.profile_cycle,
            live: self.located.addresses.live_heap.clone()?,
        })
    }

    /// The heap profile as of the end of the last GC cycle but one, as the program's own would be. It is read while the
    /// program runs, again if it was disturbed; at most about half a second goes into the pauses between.
    pub fn snapshot(&self) -> Result<Snapshot, Refusal> {
        let counts = self.counts();
        let mut strange = 0;
        for attempt in 0..TRIES {
            let mut reader = self.reader.borrow_mut();
            match reader.read(&self.memory, &self.located.addresses, counts) {
                Ok(Reading::Quiet(snapshot)) => return Ok(snapshot),
                Ok(Reading::Disturbed) => {}
                Err(Refusal::Layout(_)) if strange < STRANGE_TRIES => strange += 1,
                Err(refusal) => return Err(refusal),
            }
            thread::sleep(LONGEST_PAUSE.min(SHORTEST_PAUSE * attempt));
        }
        Err(Refusal::Busy)
    }

    /// How much has been sampled: see [`Extent`].
    pub fn extent(&self) -> Result<Extent, Refusal> {
        buckets::extent(&self.memory, &self.located.addresses, self.counts())
    }

    fn counts(&self) -> Counts {
        if self.located.version.minor() >= 27 {
            Counts::Two
        } else {
            Counts::Four
        }
    }

    /// What is at an address of a stack: the innermost inlined function first. The runtime keeps an address for each
    /// inlined function, so one address is one frame; none where it is in no Go function. Works on when the program has ended.
    pub fn frames(&self, pc: u64) -> Vec<Frame> {
        // It is where the call returns to: the call itself is before.
        let linked = pc.wrapping_sub(self.bias).wrapping_sub(1);
        let frame = self
            .linked
            .table
            .frame(&self.image, self.located.module, linked);
        frame.into_iter().collect()
    }

    /// The goroutines that have not ended: for each address behind a `go` statement, how many it started.
    pub fn goroutines(&self) -> Result<Vec<(u64, u64)>, Refusal> {
        let layout = Layout::of(self.located.version.minor());
        let layout = layout.ok_or_else(|| Refusal::Version(self.go_version().to_owned()))?;
        let text = self.located.module.text.wrapping_add(self.bias);
        let code: Range<u64> = text..text.saturating_add(1 << 32);
        let list = self.located.addresses.goroutines.clone()?;
        let count = || goroutines::count(&self.memory, list, layout, &code);
        // What makes no sense may be a list that was replaced by a longer one just now.
        (1..STRANGE_TRIES)
            .find_map(|_| count().ok())
            .map_or_else(count, Ok)
    }
}

/// Where the program's first instruction was loaded.
fn entry(pid: i32) -> Result<u64, Refusal> {
    let vector = fs::read(format!("/proc/{pid}/auxv")).map_err(|error| refusal(&error))?;
    let word = |bytes: &[u8], at| super::memory::word(bytes, at);
    let mut pairs = vector.chunks_exact(16);
    let entry = pairs.find(|pair| word(pair, 0) == Some(AT_ENTRY));
    // It is empty while an exec is under way.
    entry
        .and_then(|pair| word(pair, 8))
        .ok_or(Refusal::Starting)
}

/// What the kernel's error means.
fn refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Refusal::Denied,
        io::ErrorKind::NotFound => Refusal::Ended,
        _ if error.raw_os_error() == Some(nix::libc::ESRCH) => Refusal::Ended,
        _ => Refusal::Kernel(crate::error::reason(error)),
    }
}
