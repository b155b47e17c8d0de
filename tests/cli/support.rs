//! Runs gcwatch as a user would, on real programs.

#[path = "leftovers.rs"]
pub(crate) mod leftovers;

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// The oldest and the newest Go release that are tested with.
pub(crate) const RELEASES: [&str; 2] = ["1.19", "1.27"];

/// No options, or no arguments.
pub(crate) const NONE: [&str; 0] = [];

/// So long a test waits for something that should happen at once: the machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of `go` of that release, which is fetched first where it is missing.
pub(crate) fn toolchain(release: &str) -> PathBuf {
    let script = root().join("tests/go/toolchain");
    let go = Command::new(script).arg(release).output();
    let go = go.expect("tests/go/toolchain runs");
    let errors = String::from_utf8_lossy(&go.stderr);
    assert!(
        go.status.success(),
        "tests/go/toolchain {release} failed: {errors}"
    );
    String::from_utf8_lossy(&go.stdout).trim_end().into()
}

/// Builds a Go program of this repository with that release, getting the release first where it is missing.
pub(crate) fn go(release: &str, folder: &str) -> PathBuf {
    go_with(release, folder, "", &[])
}

/// Builds it with options of `go build`, under a name of its own.
pub(crate) fn go_with(release: &str, folder: &str, way: &str, options: &[&str]) -> PathBuf {
    let name = Path::new(folder)
        .file_name()
        .expect("a folder has a name")
        .to_string_lossy()
        .into_owned();
    let dash = if way.is_empty() { "" } else { "-" };
    let program = root().join(format!("target/go/bin/{name}-{release}{dash}{way}"));
    let mut build = Command::new(root().join("tests/go/build"));
    if options.contains(&"-tags=withcgo") {
        build.arg("--cgo");
    }
    let build = build
        .args([release, folder])
        .arg(&program)
        .args(options)
        .current_dir(root())
        .output();
    let build = build.expect("tests/go/build runs");
    let errors = String::from_utf8_lossy(&build.stderr);
    assert!(
        build.status.success(),
        "tests/go/build {release} {folder} failed: {errors}"
    );
    program
}

/// The Go program that does what a test needs.
pub(crate) fn probe(release: &str) -> PathBuf {
    go(release, "tests/go/probe")
}

/// A command as a user starts one. What is left of it when the test is over is killed. Whoever runs the tests may ignore signals, as nohup does; that is not to reach it, not
/// even for a moment, in which a signal that a test sends would be lost.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let (name, value) = leftovers::mark();
    command.env(name, value);
    // Nor is what tests do to be told to the job that runs them.
    command.env_remove("GITHUB_ACTIONS");
    let reset = || {
        for number in 1..=libc::SIGRTMAX() {
            #[expect(unsafe_code, reason = "nix knows no real-time signals")]
            // SAFETY: SIG_DFL runs no code of ours; numbers that cannot be set are refused.
            unsafe {
                libc::signal(number, libc::SIG_DFL);
            }
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "std resets SIGPIPE alone")]
    // SAFETY: signal(2) may be called between fork and exec.
    unsafe {
        command.pre_exec(reset);
    }
    command
}

/// A gcwatch command line.
pub(crate) struct Gcwatch {
    command: Command,
    input: Vec<u8>,
}

impl Gcwatch {
    /// `gcwatch` with these options, in an environment without settings of the user's.
    pub(crate) fn new<S: AsRef<OsStr>>(options: impl IntoIterator<Item = S>) -> Self {
        let mut command = command(env!("CARGO_BIN_EXE_gcwatch"));
        // A group of its own can be stopped, as long as the tests are of the same session.
        command.process_group(0);
        command.args(options).current_dir(root());
        let users = |name: &OsStr| {
            let begins = |start: &[u8]| name.as_encoded_bytes().starts_with(start);
            begins(b"GCWATCH_")
                || begins(b"GITHUB_")
                || ["GODEBUG", "GOMEMLIMIT", "GOGC", "NO_COLOR"]
                    .iter()
                    .any(|go| name == *go)
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| users(name)) {
            command.env_remove(name);
        }
        Self {
            command,
            input: Vec::new(),
        }
    }

    /// More options.
    pub(crate) fn options<S: AsRef<OsStr>>(mut self, options: impl IntoIterator<Item = S>) -> Self {
        self.command.args(options);
        self
    }

    /// The command to watch and its arguments.
    pub(crate) fn watch<S: AsRef<OsStr>>(
        mut self,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        self.command.arg("--").arg(program).args(arguments);
        self
    }

    /// A shell script to watch.
    pub(crate) fn script(self, script: &str) -> Self {
        self.watch("sh", ["-c", script])
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Where it is started, if not in the repository.
    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What it reads from stdin; nothing otherwise.
    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs to the end.
    pub(crate) fn run(self) -> Done {
        self.start().finish()
    }

    /// Starts it and collects what it writes.
    pub(crate) fn start(mut self) -> Running {
        let input = std::mem::take(&mut self.input);
        let (running, mut stdin) = self.start_fed();
        // Who does not read all of it need not.
        thread::spawn(move || stdin.write_all(&input));
        running
    }

    /// Starts it with a stdin that the test writes, as it likes.
    pub(crate) fn start_fed(mut self) -> (Running, ChildStdin) {
        self.command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("gcwatch starts");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = collect(child.stdout.take().expect("it is piped"));
        let stderr = collect(child.stderr.take().expect("it is piped"));
        let running = Running {
            child,
            stdout,
            stderr,
            seen: Vec::new(),
        };
        (running, stdin)
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(len @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer[..len].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A gcwatch that runs.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Running {
    /// Waits until stderr has said this.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let patience = Instant::now() + PATIENCE;
        while !contains(&self.seen, text) {
            let left = patience.saturating_duration_since(Instant::now());
            let Ok(more) = self.stderr.recv_timeout(left) else {
                panic!(
                    "{text:?} never came, only: {}",
                    String::from_utf8_lossy(&self.seen)
                );
            };
            self.seen.extend(more);
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a process number fits"))
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Done {
        let mut stderr = std::mem::take(&mut self.seen);
        stderr.extend(self.stderr.iter().flatten());
        let stdout = self.stdout.iter().flatten().collect();
        Done {
            status: self.child.wait().expect("gcwatch ends"),
            stdout,
            stderr,
        }
    }
}

/// A gcwatch that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Done {
    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "{:?}: {}",
            self.status,
            self.stderr()
        );
        self
    }

    /// It died of this signal.
    #[track_caller]
    pub(crate) fn dies_of(self, signal: Signal) -> Self {
        assert_eq!(
            self.status.signal(),
            Some(signal as i32),
            "{:?}: {}",
            self.status,
            self.stderr()
        );
        self
    }

    /// This is all it wrote to stderr.
    #[track_caller]
    pub(crate) fn says_only(self, text: &str) -> Self {
        assert_eq!(self.stderr().trim_end_matches('\n'), text);
        self
    }

    /// Its stderr has this in it.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            contains(&self.stderr, text),
            "no {text:?} in: {}",
            self.stderr()
        );
        self
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The last line of stderr.
    pub(crate) fn last_line(&self) -> String {
        self.stderr().lines().next_back().unwrap_or_default().into()
    }
}

pub(crate) fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// An option with a file for its value.
pub(crate) fn option(name: &str, file: &Path) -> OsString {
    let mut option = OsString::from(format!("--{name}="));
    option.push(file);
    option
}

/// A trace whose live heaps are these, MiB, a cycle each second.
pub(crate) fn trace(live: impl IntoIterator<Item = u64>) -> String {
    let cycle = |(index, live): (usize, u64)| {
        let (number, goal) = (index + 1, live * 2);
        format!(
            "gc {number} @{number}.000s 1%: 0.059+0.17+0.005 ms clock, 0.17+0/0.36/0.067+0.38 ms cpu, \
             {goal}->{goal}->{live} MB, {goal} MB goal, 0 MB stacks, 0 MB globals, 8 P\n"
        )
    };
    live.into_iter().enumerate().map(cycle).collect()
}
