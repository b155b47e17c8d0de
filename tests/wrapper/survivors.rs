//! SV: the command has ended, and something still holds its stderr.

use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::bare::{GCWATCH, end_of, is_running, pid_in, state, wait_until};
use crate::support::leftovers::with_environment;
use crate::support::{command, trace};

/// Runs a command that leaves a daemon behind; the daemon goes on when a line comes through a named pipe, its descriptor 9.
///
/// It has both ends of that pipe open: one that opened it for each line could meet a writer that has not closed it yet, and
/// take that for the next one's end.
struct Left {
    told: BufReader<std::io::PipeReader>,
    folder: tempfile::TempDir,
}

impl Left {
    #[track_caller]
    fn behind(stderr: &str, daemon: &str) -> Self {
        Self::behind_wrapper(&[GCWATCH, "-q", "--stderr", stderr, "--"], daemon)
    }

    #[track_caller]
    fn behind_wrapper(wrapper: &[&str], daemon: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (reader, writer) = pipe().expect("a pipe");
        let script = format!(
            "mkfifo go; exec 9<>go; {{ {daemon}; }} </dev/null >/dev/null & echo bye >&2; exit 3"
        );
        let mut child = command(wrapper[0])
            .args(&wrapper[1..])
            .args(["bash", "-c", &script])
            .current_dir(folder.path())
            .env("MARK", folder.path())
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .expect("it starts");
        assert_eq!(end_of(&mut child).code(), Some(3));
        Self {
            told: BufReader::new(reader),
            folder,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("a line");
        line
    }

    fn go(&self) {
        go(self.folder.path());
    }

    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.told.read_to_string(&mut rest).expect("text");
        rest
    }
}

/// Tells the daemon to go on. One that has died does not make the test wait for it.
fn go(folder: &Path) {
    let mut pipe = std::fs::File::options()
        .write(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(folder.join("go"))
        .expect("the daemon is there");
    pipe.write_all(b"go\n").expect("the daemon reads");
}

#[test]
fn sv_1_gcwatch_ends_at_once_although_a_job_holds_stderr() {
    let took = |wrapper: &[&str]| {
        let began = Instant::now();
        let left = Left::behind_wrapper(wrapper, "read x <&9");
        let took = began.elapsed();
        left.go();
        assert_eq!(left.rest(), "bye\n");
        took
    };
    for stderr in ["pipe", "pty"] {
        let bare = took(&["env"]);
        let watched = took(&[GCWATCH, "-q", "--stderr", stderr, "--"]);
        assert!(
            watched < bare + Duration::from_millis(1500),
            "{watched:?}, and {bare:?} without gcwatch"
        );
    }
}

#[test]
fn sv_2_a_survivor_goes_on_writing_and_its_trace_is_taken_out() {
    for stderr in ["pipe", "pty"] {
        let line = trace([4]);
        let daemon = format!(
            "read x <&9; echo one >&2; printf %s '{line}' >&2; echo two >&2; read x <&9; echo three >&2"
        );
        let mut left = Left::behind(stderr, &daemon);
        assert_eq!(left.line(), "bye\n");
        left.go();
        assert_eq!(left.line(), "one\n", "{stderr}");
        assert_eq!(left.line(), "two\n", "{stderr}");
        left.go();
        // To the end of the file: the relay has gone as well.
        assert_eq!(left.rest(), "three\n", "{stderr}");
    }
}

#[test]
fn sv_2_a_trace_line_that_is_torn_by_the_end_is_taken_out() {
    let line = trace([4]);
    let (begin, rest) = line.split_at(40);
    let script = format!(
        "mkfifo go; exec 9<>go; perl -e 'syswrite STDERR, $_ for split /(?<=[ :])/, $ARGV[0]' '{begin}'; \
         {{ read x <&9; perl -e 'syswrite STDERR, $_ for split /(?<= )/, $ARGV[0]' '{rest}'; echo text >&2; }} >/dev/null & exit 0"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut child = command(GCWATCH)
        .args(["-q", "--", "bash", "-c", &script])
        .current_dir(folder.path())
        .stderr(writer)
        .spawn()
        .expect("gcwatch starts");
    assert!(end_of(&mut child).success());
    go(folder.path());
    let mut told = String::new();
    reader.read_to_string(&mut told).expect("text");
    assert!(told.ends_with("text\n"), "{told}");
}

#[test]
fn sv_2_a_survivor_notices_that_the_reader_has_gone() {
    let daemon =
        "trap '' PIPE; read x <&9; while echo more >&2; do sleep 0.01; done; echo gone >told";
    let left = Left::behind("pipe", daemon);
    let folder = left.folder;
    drop(left.told);
    go(folder.path());
    wait_until("the daemon's write fails", || {
        folder.path().join("told").exists()
    });
}

#[test]
fn sv_2_no_process_stays_behind_the_last_survivor() {
    let left = Left::behind("pipe", "read x <&9");
    let mark = left.folder.path().to_str().expect("a plain path");
    let relays = || -> Vec<Pid> {
        let is_relay = |pid: &Pid| {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name == "gcwatch-relay\n")
        };
        with_environment("MARK", mark)
            .into_iter()
            .filter(is_relay)
            .collect()
    };
    // It takes its name a moment after gcwatch has ended.
    wait_until("a relay is there", || !relays().is_empty());
    let found = relays();
    let [relay] = found[..] else {
        panic!("one relay, not {found:?}");
    };
    left.go();
    // The end of the file comes when the relay lets go of stderr.
    assert_eq!(left.rest(), "bye\n");
    wait_until("the relay ends", || !is_running(relay));
}

#[test]
fn sv_3_a_daemon_that_leaves_the_session_does_not_hold_gcwatch() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = command(GCWATCH)
        .args(["-q", "--", "bash", "-c"])
        .arg("setsid sh -c 'echo pid $$ >pid; exec sleep 60' & until test -s pid; do sleep 0.01; done; exit 4")
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("gcwatch starts");
    assert_eq!(end_of(&mut child).code(), Some(4));
    let daemon = pid_in(&std::fs::read_to_string(folder.path().join("pid")).expect("a file"));
    assert!(
        state(daemon).is_some_and(|state| state != 'Z'),
        "the daemon is harmed"
    );
    nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL).expect("it is there");
}
