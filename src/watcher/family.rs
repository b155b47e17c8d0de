//! The command and what it has started, as /proc shows them: proc(5).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::file_id::FileId;

/// So many processes are looked at when new programs are looked for.
const MOST_KIN: usize = 1000;

/// What the kernel counts a process's start and CPU time in: `USER_HZ` is 100 wherever Go runs (`sysconf(_SC_CLK_TCK)`).
const TICK_MS: u64 = 10;

/// One running program: a process from one exec to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) pid: i32,
    /// When the program's first thread beside the main one started, since boot. The Go runtime starts one (sysmon) just before
    /// the moment that the trace counts its seconds from (`proc.go`, main), and an exec ends all threads but the main one.
    pub(super) began: Duration,
    /// Whether its line of parents leads to the command.
    pub(super) is_kin: bool,
}

/// How long this machine has run, sleep included: the clock of a process's start.
pub(super) fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// All images that may write the trace lines: started with the command or later, of more than one thread, and with that file
/// for their stderr as far as it can be seen. Of processes that are not the command's kin it must be seen.
pub(super) fn writers(command: i32, stderr: FileId) -> Vec<Image> {
    let processes: HashMap<i32, Stat> = all_pids()
        .filter_map(|pid| Some((pid, Stat::read(&format!("/proc/{pid}/stat"))?)))
        .collect();
    let Some(first) = processes.get(&command).map(|stat| stat.start) else {
        return Vec::new();
    };
    let image = |(&pid, stat): (&i32, &Stat)| {
        if stat.start < first {
            return None;
        }
        let is_kin = is_kin(pid, command, &processes);
        match FileId::at(format!("/proc/{pid}/fd/2")) {
            Ok(file) if file != stderr => return None,
            Err(_) if !is_kin => return None,
            // An error where it is not dumpable, or another user's.
            Ok(_) | Err(_) => {}
        }
        Some(Image {
            pid,
            began: began(pid)?,
            is_kin,
        })
    };
    processes.iter().filter_map(image).collect()
}

/// The command and its descendants, as far as the kernel lists them (`CONFIG_PROC_CHILDREN`, which distributions have on).
pub(super) fn kin(command: i32) -> Vec<i32> {
    let mut kin = vec![command];
    let mut next = 0;
    while next < kin.len().min(MOST_KIN) {
        let threads = fs::read_dir(format!("/proc/{}/task", kin[next]));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let new = children
                .split_ascii_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok());
            kin.extend(new);
        }
        next += 1;
    }
    kin
}

fn all_pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn is_kin(pid: i32, command: i32, processes: &HashMap<i32, Stat>) -> bool {
    let mut seen = HashSet::new();
    let mut at = pid;
    // While it is read, the list changes: the parents may even run in a circle.
    while at != command && seen.insert(at) {
        match processes.get(&at) {
            Some(stat) => at = stat.parent,
            None => return false,
        }
    }
    at == command
}

/// See [`Image::began`].
fn began(pid: i32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    threads
        .filter_map(|thread| thread.file_name().to_str()?.parse::<i32>().ok())
        .filter(|thread| *thread != pid)
        .filter_map(|thread| Stat::read(&format!("/proc/{pid}/task/{thread}/stat")))
        .map(|stat| stat.start)
        .min()
}

/// The CPU time of a process until now, of all its threads, in steps of 10 ms.
pub(super) fn cpu_time(pid: i32) -> Option<Duration> {
    Some(Stat::read(&format!("/proc/{pid}/stat"))?.cpu)
}

/// What we want to know of a process or a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    /// Of user and kernel.
    cpu: Duration,
    /// Since boot.
    start: Duration,
}

impl Stat {
    fn read(path: &str) -> Option<Self> {
        Self::parse(&fs::read(path).ok()?)
    }

    /// `PID (NAME) STATE PPID …`; the name may have anything in it, so the last parenthesis counts.
    fn parse(stat: &[u8]) -> Option<Self> {
        let behind_name = memchr::memrchr(b')', stat)? + 1;
        let mut fields = std::str::from_utf8(&stat[behind_name..])
            .ok()?
            .split_ascii_whitespace();
        // The first of these is field 3.
        let parent = fields.nth(4 - 3)?.parse().ok()?;
        let mut time = |skipped| {
            let ticks: u64 = fields.nth(skipped)?.parse().ok()?;
            Some(Duration::from_millis(ticks.checked_mul(TICK_MS)?))
        };
        Some(Self {
            parent,
            cpu: time(14 - 5)?.saturating_add(time(0)?),
            start: time(22 - 16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_anything_in_it() {
        let rest = "S 17 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 1234 5 6 7";
        let expected = Some(Stat {
            parent: 17,
            cpu: Duration::from_millis(110),
            start: Duration::from_millis(12_340),
        });
        for name in ["sh", "a) R 9 9", "", "\u{e9} ("] {
            assert_eq!(
                Stat::parse(format!("42 ({name}) {rest}").as_bytes()),
                expected
            );
        }
        assert_eq!(Stat::parse(b"42 (sh) S 17"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn this_test_is_kin_to_its_parents_and_to_nobody_else() {
        let processes = HashMap::from([(1, 0), (7, 1), (8, 7), (9, 8), (20, 21), (21, 20)].map(
            |(pid, parent)| {
                (
                    pid,
                    Stat {
                        parent,
                        cpu: Duration::ZERO,
                        start: Duration::ZERO,
                    },
                )
            },
        ));
        assert!(is_kin(9, 7, &processes));
        assert!(is_kin(7, 7, &processes));
        assert!(!is_kin(1, 7, &processes));
        assert!(!is_kin(20, 7, &processes));
    }
}
