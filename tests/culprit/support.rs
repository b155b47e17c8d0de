//! Builds Go programs in the ways that people build them, and runs them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gcwatch::culprit::{Program, Refusal};

use crate::leftovers;

/// A program that has only just started is asked again for this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// The Go releases that are tested with. `GCWATCH_RELEASES` names others, separated by commas.
pub(crate) fn releases() -> Vec<String> {
    let releases = std::env::var("GCWATCH_RELEASES");
    let releases = releases.as_deref().unwrap_or("1.19,1.22,1.25,1.27");
    releases.split(',').map(str::to_owned).collect()
}

/// The ways to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// As `go build` does by itself.
    Plain,
    /// Without symbols and DWARF.
    Stripped,
    /// That, and at no fixed address.
    PieStripped,
    /// With C code in it: dynamically linked, by the system's linker.
    Cgo,
    /// All of it.
    CgoPieStripped,
    /// With `runtime/pprof` in it.
    Pprof,
    /// With symbols, at no fixed address.
    Pie,
    /// With symbols, as debuggers want it.
    Unoptimised,
}

impl Build {
    /// Those in which nothing reads the profile, so that sampling is off.
    pub(crate) const UNSAMPLED: [Self; 5] = [
        Self::Plain,
        Self::Stripped,
        Self::PieStripped,
        Self::Cgo,
        Self::CgoPieStripped,
    ];

    fn options(self) -> (&'static str, &'static [&'static str]) {
        const STRIP: &str = "-ldflags=-s -w";
        const PIE: &str = "-buildmode=pie";
        match self {
            Self::Plain => ("plain", &[]),
            Self::Stripped => ("stripped", &[STRIP]),
            Self::PieStripped => ("pie-stripped", &[PIE, STRIP]),
            Self::Cgo => ("cgo", &["-tags=withcgo"]),
            Self::CgoPieStripped => ("cgo-pie-stripped", &["-tags=withcgo", PIE, STRIP]),
            Self::Pprof => ("pprof", &["-tags=pprof"]),
            Self::Pie => ("pie", &[PIE]),
            Self::Unoptimised => ("unoptimised", &["-gcflags=all=-N -l"]),
        }
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of `go` of a release.
pub(crate) fn toolchain(release: &str) -> PathBuf {
    let go = Command::new(root().join("tests/go/toolchain"))
        .arg(release)
        .output()
        .expect("tests/go/toolchain runs");
    assert!(
        go.status.success(),
        "{}",
        String::from_utf8_lossy(&go.stderr)
    );
    String::from_utf8(go.stdout)
        .expect("a path")
        .trim_end()
        .into()
}

/// Builds one of the programs in tests/go.
pub(crate) fn build(release: &str, name: &str, build: Build) -> PathBuf {
    let (way, options) = build.options();
    // Not the names of other tests, which may build otherwise what they call the same.
    let out = root().join(format!("target/go/bin/memory-{name}-{release}-{way}"));
    let mut command = Command::new(root().join("tests/go/build"));
    if matches!(build, Build::Cgo | Build::CgoPieStripped) {
        command.arg("--cgo");
    }
    let done = command
        .arg(release)
        .arg(format!("tests/go/{name}"))
        .arg(&out)
        .args(options)
        .current_dir(root())
        .output()
        .expect("tests/go/build runs");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{name} with Go {release}: {errors}");
    out
}

/// A running Go program. It is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    errors: BufReader<ChildStderr>,
}

impl Running {
    /// Starts it, without waiting for anything.
    pub(crate) fn start(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .env_remove("GODEBUG")
            .env_remove("GOGC")
            .env_remove("GOMEMLIMIT")
            .envs([leftovers::mark()])
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("a pipe")),
            errors: BufReader::new(child.stderr.take().expect("a pipe")),
            child,
        }
    }

    /// The same once it says that it is ready.
    pub(crate) fn ready(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut running = Self::start(program, arguments, environment);
        assert_eq!(running.line(), "ready");
        running
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    /// The next line of its standard error that begins so.
    pub(crate) fn trace_line(&mut self, begin: &str) -> String {
        let mut line = String::new();
        while !line.starts_with(begin) {
            line.clear();
            let length = self.errors.read_line(&mut line).expect("text");
            assert_ne!(length, 0, "no line begins with `{begin}`");
        }
        line
    }

    /// What it answers to a command.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        let input = self.input.as_mut().expect("its standard input is open");
        writeln!(input, "{command}").expect("it reads");
        self.line()
    }

    /// Ends its input, and it with that.
    pub(crate) fn end(&mut self) {
        self.input = None;
        self.child.wait().expect("it ends");
    }

    /// Opens it, asking again while it has only just started.
    pub(crate) fn open(&self) -> Program {
        let begin = Instant::now();
        loop {
            match Program::open(self.pid()) {
                Err(Refusal::Starting) if begin.elapsed() < PATIENCE => {
                    thread::sleep(Duration::from_millis(1));
                }
                program => return program.unwrap_or_else(|refusal| panic!("{refusal}")),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file and line in a Go program's folder that a comment marks.
pub(crate) fn marked(name: &str, mark: &str) -> (String, u32) {
    let folder = root().join("tests/go").join(name);
    let wanted = format!("// LEAK:{mark}");
    for file in std::fs::read_dir(&folder).expect("a folder of sources") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let line = text
            .lines()
            .position(|line| line.ends_with(&wanted) || line.contains(&format!("{wanted} ")));
        if let Some(line) = line {
            let line = u32::try_from(line + 1).expect("a short file");
            let file = path.file_name().expect("a name").to_string_lossy();
            return (format!("{name}/{file}"), line);
        }
    }
    panic!("{wanted} is nowhere in {}", folder.display());
}
