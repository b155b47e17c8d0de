//! Which lines hold the heap: the runtime's own heap profile, read from outside.
//!
//! Any Go program keeps buckets of sampled allocations by stack (`runtime/mprof.go`), and a table that names the function,
//! file and line of each address. [`program::Program`] finds both in a running process and reads them through
//! `/proc/PID/mem`, without stopping it and without ptrace. Everything else here is pure: it reads a
//! [`memory::Memory`], whose bytes it does not trust.

pub mod addresses;
pub mod blame;
pub mod buckets;
pub mod buildinfo;
pub mod decode;
pub mod elf;
pub mod goroutines;
pub mod growth;
pub mod history;
pub mod locate;
pub mod memory;
pub mod pclntab;
pub mod pprof;
pub mod program;
pub mod version;

pub use program::Program;

/// The heap profile of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// How many GC cycles there had been: the number of the last one's trace line. The counts are those of the cycle before.
    pub cycle: u32,
    /// `runtime.MemProfileRate` then: bytes from one sample to the next on average; 1 samples all, 0 none.
    pub rate: u64,
    /// Each with another stack or size of objects.
    pub buckets: Vec<Bucket>,
}

impl Snapshot {
    /// How much that is.
    pub fn extent(&self) -> Extent {
        Extent {
            buckets: self.buckets.len(),
            // What a memory says may be anything.
            samples: (self.buckets.iter()).fold(0, |sum, bucket| sum.saturating_add(bucket.allocs)),
        }
    }
}

/// How much has been sampled. It can be told also where flushes leave no time for a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// How many stacks with different sizes of objects there are.
    pub buckets: usize,
    /// How many objects were sampled since the program started.
    pub samples: u64,
}

/// The sampled objects of one size that one stack allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The addresses behind the calls, the allocating one first. Up to Go 1.22 at most 32.
    pub stack: Vec<u64>,
    /// Of one object, in bytes.
    pub size: u64,
    /// Sampled objects allocated since the program started.
    pub allocs: u64,
    /// How many of those were freed.
    pub frees: u64,
}

impl Bucket {
    /// How many sampled objects are in use.
    pub fn in_use(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }

    /// How many objects in use the samples stand for, and their bytes.
    pub fn in_use_scaled(&self, rate: u64) -> (f64, f64) {
        scale(self.in_use(), self.size, rate)
    }
}

/// How many objects so many sampled ones of a size stand for, and their bytes: an object of that size is sampled with a chance
/// of `1 - exp(-size / rate)` (`runtime/pprof/protomem.go`, `scaleHeapSample`).
#[expect(
    clippy::cast_precision_loss,
    reason = "sampled counts are estimates, and exact ones stay far below 2^53"
)]
pub fn scale(objects: u64, size: u64, rate: u64) -> (f64, f64) {
    let (objects, size) = (objects as f64, size as f64);
    if objects == 0.0 || size == 0.0 {
        return (0.0, 0.0);
    }
    let stands_for = if rate <= 1 {
        1.0
    } else {
        1.0 / (1.0 - (-size / rate as f64).exp())
    };
    (objects * stands_for, objects * size * stands_for)
}

/// Whether a function is the runtime's own. Profiles begin a stack at the first that is not.
pub fn is_runtime(function: &str) -> bool {
    function.starts_with("runtime.") || function.starts_with("internal/runtime/")
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// With its package's path, such as `main.(*Cache).Put`.
    pub function: String,
    /// As the compiler was given it.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// Why a program's heap profile cannot be had. Each is one sentence with the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another language, or no program.
    #[error("it is no Go program; only of those the leaking lines can be named")]
    NotGo,
    /// Built for another machine than amd64.
    #[error(
        "it is not built for amd64, the only machine whose code is understood; build it for amd64, or read the profile that it serves itself (net/http/pprof)"
    )]
    Architecture,
    /// Neither build info of Go 1.18 or later, nor code that tells.
    #[error(
        "it does not say which Go version built it; build it with Go 1.19 or later, and keep the build info"
    )]
    NoVersion,
    /// A Go version that is not known.
    #[error(
        "it was built with {0}, and only Go 1.19 and 1.21 to 1.27 are known; build it with one of those, or read the profile that it serves itself (net/http/pprof)"
    )]
    Version(String),
    /// The kernel does not let us.
    #[error(
        "its memory cannot be read: it is another user's, or must not be looked into (set-user-ID, file capabilities, Yama); run gcwatch as its user, with the rights to trace it"
    )]
    Denied,
    /// Its start-up code has not been through yet: ask again in a moment.
    #[error("it has only just started; ask again in a moment")]
    Starting,
    /// It is no more, or became another program.
    #[error("it has ended, or become another program, and its profile with it; let it run longer")]
    Ended,
    /// Neither symbols nor code tell where something is.
    #[error(
        "the runtime's {0} was not found in it, as in programs both stripped and built without optimisation; build it with one of both"
    )]
    Missing(&'static str),
    /// The symbols tell where something is, and the code does not: good enough for reading, not for writing.
    #[error(
        "its code does not confirm where the runtime's {0} is, as in programs built without optimisation; build it with optimisation"
    )]
    Unconfirmed(&'static str),
    /// Symbols and code tell different places.
    #[error(
        "its symbols and its code do not agree on where the runtime's {0} is; build it with optimisation and an unchanged Go toolchain"
    )]
    Disagree(&'static str),
    /// What is there is not what was expected.
    #[error(
        "{0}; build it with an unchanged Go toolchain, or read the profile that it serves itself (net/http/pprof)"
    )]
    Layout(&'static str),
    /// A list without an end, or one that is too long.
    #[error(
        "it has too many {0} to read them all; read the profile that it serves itself (net/http/pprof)"
    )]
    TooMany(&'static str),
    /// No reading was undisturbed.
    #[error(
        "its profile changed whenever it was read; try again when it collects garbage less often"
    )]
    Busy,
    /// The kernel said something else.
    #[error("it cannot be read: {0}; is its process still there?")]
    Kernel(String),
}

impl From<memory::MemoryError> for Refusal {
    fn from(error: memory::MemoryError) -> Self {
        match error {
            memory::MemoryError::Hole(_) => {
                Self::Layout("a table of the runtime points where nothing is")
            }
            memory::MemoryError::Gone => Self::Ended,
        }
    }
}
