//! The yardstick: a script under gcwatch does what it does under `env`.

use std::fs;
use std::process::{Child, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Running, command};

/// The program.
pub(crate) const GCWATCH: &str = env!("CARGO_BIN_EXE_gcwatch");

/// So long a test waits for something that should happen at once: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Runs a bash script in which `$W` stands before a command.
fn script_with(wrapper: &str, script: &str) -> Output {
    let mut command = command("bash");
    command.args(["-c", script]).env("W", wrapper);
    // With the trace on already gcwatch leaves the environment alone, so both see the same.
    command
        .env("GODEBUG", "gctrace=1")
        .env_remove("GCWATCH_LOG");
    command.stdin(Stdio::null()).output().expect("bash runs")
}

/// Runs a bash script in which `$W` stands for gcwatch.
pub(crate) fn script(script: &str) -> Output {
    script_with(&format!("{GCWATCH} -q --"), script)
}

/// Runs it under both, and they do not differ.
#[track_caller]
pub(crate) fn as_bare(text: &str) -> Output {
    let bare = script_with("/usr/bin/env", text);
    let watched = script(text);
    let told = |output: &Output| {
        (
            output.status,
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(told(&watched), told(&bare), "{text}");
    watched
}

/// Runs it under both, they do not differ, and this is what they write to stdout.
#[track_caller]
pub(crate) fn as_bare_says(text: &str, stdout: &str) {
    let output = as_bare(text);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), stdout);
}

/// The state of a process as ps(1) shows it: `T` is stopped, `Z` a zombie; `None` where there is none.
pub(crate) fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

/// Whether a process is there and no zombie.
pub(crate) fn is_running(pid: Pid) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// Waits until this is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < patience, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Running {
    /// Sends gcwatch a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("gcwatch is there");
    }
}

/// The number of a process that a test started.
pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process number fits"))
}

/// How a process that a test started ends. One that does not end is killed, and the test fails.
#[track_caller]
pub(crate) fn end_of(child: &mut Child) -> ExitStatus {
    let patience = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("its state") {
            return status;
        }
        if Instant::now() > patience {
            let _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The number in a text that begins `pid N`.
pub(crate) fn pid_in(text: &str) -> Pid {
    let number = text.split("pid ").nth(1).expect("a process number");
    let number: String = number.chars().take_while(char::is_ascii_digit).collect();
    Pid::from_raw(number.parse().expect("a process number"))
}
