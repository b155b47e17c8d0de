//! What a test has started ends with it, also where it panics. Killing its children would not do: gcwatch whose stderr nobody
//! reads lets its command run on, and a daemon is nobody's child.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What is killed ends within this, but for one that the kernel holds.
const PATIENCE: Duration = Duration::from_secs(10);

thread_local! {
    static STARTED: Started = Started::new();
}

/// What goes into the environment of each process that this thread starts, and so of all that these start: when the thread
/// ends, as a test's does at the end of the test, those that are left are killed.
pub(crate) fn mark() -> (&'static str, String) {
    STARTED.with(|started| (NAME, started.0.clone()))
}

const NAME: &str = "STARTED_BY_TEST";

/// All that one thread has started.
struct Started(String);

impl Started {
    fn new() -> Self {
        static THREADS: AtomicU32 = AtomicU32::new(0);
        let thread = THREADS.fetch_add(1, Ordering::Relaxed);
        Self(format!("{}.{thread}", std::process::id()))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let began = Instant::now();
        loop {
            // What was about to start another one has done so, or never will.
            let left = with_environment(NAME, &self.0);
            if left.is_empty() || began.elapsed() > PATIENCE {
                return;
            }
            for pid in left {
                // It may have ended meanwhile.
                let _ = kill(pid, Signal::SIGKILL);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The processes that have this in their environment; zombies have none.
pub(crate) fn with_environment(name: &str, value: &str) -> Vec<Pid> {
    let entry = format!("{name}={value}\0");
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|process| {
            fs::read(process.path().join("environ"))
                .is_ok_and(|environment| memmem::find(&environment, entry.as_bytes()).is_some())
        })
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw)
        .collect()
}
