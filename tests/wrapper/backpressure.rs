//! BP: our stderr is stuck, slow, closed or full.

use std::io::{Read, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};

use crate::bare::{GCWATCH, as_bare, as_bare_says, is_running, pid, pid_in, script, wait_until};
use crate::support::{command, trace};

/// A gcwatch whose stderr nobody reads yet, and the other end of that.
fn stuck(watched: &[&str]) -> (std::process::Child, std::io::PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    let child = command(GCWATCH)
        .args(["-q", "--"])
        .args(watched)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(writer)
        .spawn()
        .expect("gcwatch starts");
    (child, reader)
}

fn first_line(child: &mut std::process::Child) -> String {
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("it is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    line
}

#[test]
fn bp_1_a_reader_that_stalls_makes_the_command_wait() {
    // It writes until it has been blocked for a second, then says how much was taken.
    let perl = "$| = 1; my $sum = 0; $SIG{ALRM} = sub { print \"$sum\\n\"; exit 4 }; \
                while (1) { alarm 1; $sum += syswrite STDERR, 'x' x 4000 }";
    let (mut child, mut reader) = stuck(&["perl", "-e", perl]);
    let taken: u64 = first_line(&mut child).trim_end().parse().expect("a number");
    assert!(taken <= 8 << 20, "{taken} bytes were taken");
    let mut told = Vec::new();
    reader.read_to_end(&mut told).expect("the rest");
    // The write that was interrupted may have come as well.
    let all = told.len() as u64;
    assert!(all == taken || all == taken + 4000, "{all} came of {taken}");
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
}

#[test]
fn bp_2_trace_lines_do_not_wait_for_a_reader() {
    let line = trace([4]);
    let perl = "$| = 1; my $trace = <STDIN>; syswrite STDERR, 'x' x 4000 for 1 .. 100; \
                syswrite STDERR, \"\\n\"; syswrite STDERR, $trace for 1 .. 50000; print \"done\\n\"";
    let (mut child, mut reader) = stuck(&["perl", "-e", perl]);
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(line.as_bytes()).expect("it reads");
    drop(stdin);
    assert_eq!(first_line(&mut child), "done\n");
    let mut told = Vec::new();
    reader.read_to_end(&mut told).expect("the rest");
    assert_eq!(told.len(), 400_001);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn bp_3_a_stuck_stderr_does_not_make_gcwatch_immortal() {
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let script = "echo pid $$; head -c 300000 /dev/zero >&2; exit 3";
        let (mut child, reader) = stuck(&["sh", "-c", script]);
        let command = pid_in(&first_line(&mut child));
        wait_until("the command has ended", || !is_running(command));
        assert!(child.try_wait().expect("its state").is_none());
        kill(pid(&child), signal).expect("gcwatch is there");
        assert_eq!(child.wait().expect("it ends").code(), Some(3));
        drop(reader);
    }
}

#[test]
fn bp_3_a_slow_reader_still_gets_everything() {
    let script = "echo pid $$; head -c 300000 /dev/zero >&2; exit 3";
    let (mut child, mut reader) = stuck(&["sh", "-c", script]);
    let command = pid_in(&first_line(&mut child));
    wait_until("the command has ended", || !is_running(command));
    kill(pid(&child), Signal::SIGTERM).expect("gcwatch is there");
    let mut told = Vec::new();
    reader.read_to_end(&mut told).expect("the rest");
    assert_eq!(told.len(), 300_000);
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

#[test]
fn bp_4_a_reader_that_goes_away_ends_the_command() {
    as_bare_says(
        "{ $W sh -c 'while :; do echo line >&2; done'; echo $? >&3; } 3>&1 2>&1 >/dev/null | head -n 1",
        "line",
    );
    let flood = "{ timeout 60 $W sh -c 'trap \"\" PIPE; while :; do echo line >&2 || exit 9; done'; echo status $? >&3; } \
                 3>&1 2>&1 >/dev/null | { head -n 1; sleep 0.1; exec 0<&-; }";
    let output = script(&format!("{{ {flood}; }} 2>&1; true"));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("line"));
}

#[test]
fn bp_4_the_command_notices_at_its_very_next_write() {
    let piped = || {
        let (reader, writer) = pipe().expect("a pipe");
        (OwnedFd::from(reader), OwnedFd::from(writer))
    };
    let socket = || {
        let (reader, writer) = UnixStream::pair().expect("a pair of sockets");
        (OwnedFd::from(reader), OwnedFd::from(writer))
    };
    for (ignore, expected) in [("trap '' PIPE;", Some(9)), ("", None)] {
        for (reader, writer) in [piped(), socket()] {
            notices_at_its_next_write(reader, writer, ignore, expected);
        }
    }
}

#[track_caller]
fn notices_at_its_next_write(
    reader: OwnedFd,
    writer: OwnedFd,
    ignore: &str,
    expected: Option<i32>,
) {
    let script = format!("{ignore} read line; echo first >&2 || exit 9; echo second >&2; exit 1");
    let mut child = command(GCWATCH)
        .args(["-q", "--", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(writer)
        .spawn()
        .expect("gcwatch starts");
    let folder = format!("/proc/{}/fd", child.id());
    let count = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
    // Once its descriptors stay as they are, it has let go of what it was given, and waits.
    wait_until("gcwatch waits", || {
        crate::bare::state(pid(&child)) == Some('S')
            && std::fs::read_link(format!("{folder}/0")).is_ok_and(|to| to.ends_with("null"))
    });
    let before = count();
    drop(reader);
    wait_until("gcwatch lets go of the command's stderr", || {
        count() < before
    });
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"go\n").expect("the command reads");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), expected, "{status:?}");
    if expected.is_none() {
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(nix::libc::SIGPIPE));
    }
}

#[test]
fn bp_4_a_command_that_writes_no_more_is_not_affected() {
    let (mut child, reader) = stuck(&[
        "sh",
        "-c",
        "read line; sleep 1; cut -d ' ' -f 14,15 /proc/$PPID/stat; exit 3",
    ]);
    drop(reader);
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"go\n").expect("the command reads");
    let ticks: u64 = first_line(&mut child)
        .split_whitespace()
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum();
    assert!(ticks < 20, "it spins: {ticks} ticks");
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

#[test]
fn bp_5_a_full_disk_changes_nothing_else() {
    as_bare_says(
        "$W sh -c 'printf x >&2 || :; echo out; exit 7' 2>/dev/full; echo $?",
        "out\n7",
    );
    let limited = "f=$(mktemp); (ulimit -f 8; trap '' XFSZ; $W sh -c \
                   'head -c 100000 /dev/zero >&2; echo out; exit 7' 2>$f; echo $?); stat -c %s $f; rm $f";
    let output = script(limited);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "out\n7\n8192\n");
}

#[test]
fn bp_6_a_stderr_that_does_not_block_loses_nothing_and_stays_so() {
    let (mut reader, writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("its flag is set");
    let mut child = command(GCWATCH)
        .args(["-q", "--", "head", "-c", "3000000", "/dev/zero"])
        .stdout(Stdio::null())
        .stderr(writer.try_clone().expect("a copy"))
        .spawn()
        .expect("gcwatch starts");
    child.wait().expect("it ends");
    let mut child = command(GCWATCH)
        .args(["-q", "--", "sh", "-c", "head -c 3000000 /dev/zero >&2"])
        .stderr(writer.try_clone().expect("a copy"))
        .spawn()
        .expect("gcwatch starts");
    let mut left = 3_000_000;
    let mut buffer = vec![0; 100_000];
    while left > 0 {
        std::thread::sleep(Duration::from_millis(1));
        left -= reader.read(&mut buffer).expect("bytes");
    }
    assert!(child.wait().expect("it ends").success());
    let flags = OFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFL).expect("flags"));
    assert!(flags.contains(OFlag::O_NONBLOCK));
    // And one that blocks goes on blocking.
    let (_, writer) = pipe().expect("a pipe");
    let mut child = command(GCWATCH)
        .args(["-q", "--", "true"])
        .stderr(writer.try_clone().expect("a copy"))
        .spawn()
        .expect("gcwatch starts");
    child.wait().expect("it ends");
    let flags = OFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFL).expect("flags"));
    assert!(!flags.contains(OFlag::O_NONBLOCK));
}

#[test]
fn bp_7_standard_descriptors_may_be_closed() {
    for closed in ["<&-", ">&-", "<&- >&-"] {
        as_bare(&format!(
            "$W sh -c 'for n in 0 1; do test -e /proc/$$/fd/$n && echo $n is open >&2; done; exit 5' {closed}"
        ));
        as_bare(&format!(
            "{{ $W sh -c 'sleep 0.1; echo x' {closed}; }} 2>/dev/null; echo $?"
        ));
    }
    let output = script("$W sh -c 'echo out; echo err >&2; exit 4' 2>&-; echo $?");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "out\n4\n");
    as_bare("$W sh -c 'exit 4' <&- >&- 2>&-");
}
