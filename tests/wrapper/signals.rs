//! SG: signals reach the command, once.

use std::process::Stdio;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bare::{GCWATCH, as_bare, is_running, pid, pid_in, script, wait_until};
use crate::support::leftovers::with_environment;
use crate::support::{Gcwatch, Running, command};

/// Names each signal that comes, one line each, in one write; ends at SIGTERM.
const REPORTER: &str = "for my $s (grep { !/^(ZERO|KILL|STOP|CHLD|CLD|SEGV|BUS|FPE|ILL|TRAP|SYS|ABRT|IOT|NUM32|NUM33)$/ } \
    keys %SIG) { $SIG{$s} = sub { syswrite STDERR, \"got $_[0]\\n\"; exit 0 if $_[0] eq 'TERM' } } \
    syswrite STDERR, \"ready\\n\"; select undef, undef, undef, 0.05 while 1";

fn reporter() -> Running {
    let mut running = Gcwatch::new(["-q"]).watch("perl", ["-e", REPORTER]).start();
    running.wait_for("ready\n");
    running
}

/// kill(2) for real-time signals too.
fn send(pid: Pid, number: i32) {
    let done = command("kill")
        .args([format!("-{number}"), pid.to_string()])
        .status();
    assert!(done.expect("kill runs").success());
}

#[test]
fn sg_1_each_signal_that_is_sent_to_gcwatch_reaches_the_command_once() {
    use libc as c;
    let mut running = reporter();
    let named = [
        (c::SIGHUP, "HUP"),
        (c::SIGINT, "INT"),
        (c::SIGQUIT, "QUIT"),
        (c::SIGUSR1, "USR1"),
        (c::SIGUSR2, "USR2"),
        (c::SIGALRM, "ALRM"),
        (c::SIGPIPE, "PIPE"),
        (c::SIGWINCH, "WINCH"),
        (c::SIGCONT, "CONT"),
        (c::SIGURG, "URG"),
        (c::SIGIO, "IO"),
        (c::SIGPWR, "PWR"),
        (c::SIGPROF, "PROF"),
        (c::SIGVTALRM, "VTALRM"),
        (c::SIGSTKFLT, "STKFLT"),
        (c::SIGXCPU, "XCPU"),
        (c::SIGXFSZ, "XFSZ"),
    ];
    let real_time = (c::SIGRTMIN()..=c::SIGRTMAX()).map(|number| {
        let name = match number {
            _ if number == c::SIGRTMIN() => "RTMIN".into(),
            _ if number == c::SIGRTMAX() => "RTMAX".into(),
            _ => format!("NUM{number}"),
        };
        (number, name)
    });
    let sent: Vec<(i32, String)> = named
        .into_iter()
        .map(|(number, name)| (number, name.to_string()))
        .chain(real_time)
        .collect();
    for (number, name) in &sent {
        send(running.pid(), *number);
        running.wait_for(&format!("got {name}\n"));
    }
    running.signal(Signal::SIGTERM);
    let done = running.finish().exits(0);
    let told = done.stderr();
    for (_, name) in sent.iter().chain([&(c::SIGTERM, "TERM".into())]) {
        assert_eq!(told.matches(&format!("got {name}\n")).count(), 1, "{told}");
    }
    assert_eq!(told.lines().count(), sent.len() + 2, "{told}");
}

#[test]
fn sg_1_signals_that_queue_arrive_each_with_its_value() {
    let python = "import signal, sys\nseen = []\n\
        signal.pthread_sigmask(signal.SIG_BLOCK, [40])\n\
        print('ready', file=sys.stderr, flush=True)\n\
        for _ in range(5): print(signal.sigwaitinfo([40]).si_code, file=sys.stderr, flush=True)";
    let mut running = Gcwatch::new(["-q"])
        .watch("python3", ["-c", python])
        .start();
    running.wait_for("ready\n");
    for value in 1..=5 {
        let value = libc::sigval {
            sival_ptr: std::ptr::without_provenance_mut(value),
        };
        #[expect(unsafe_code, reason = "nix has no sigqueue")]
        // SAFETY: sigqueue(3) touches no memory; the value is a number.
        let sent = unsafe { libc::sigqueue(running.pid().as_raw(), 40, value) };
        assert_eq!(sent, 0);
    }
    // SI_QUEUE: what came was queued, not killed.
    let done = running.finish().exits(0);
    assert_eq!(done.stderr(), format!("ready\n{}", "-1\n".repeat(5)));
}

#[test]
fn sg_2_gcwatch_waits_for_a_graceful_shutdown() {
    let script = "trap 'echo shutting down >&2; sleep 1; echo done >&2; exit 7' TERM; echo ready >&2; while :; do sleep 0.02; done";
    let mut running = Gcwatch::new(["-q"]).script(script).start();
    running.wait_for("ready");
    running.signal(Signal::SIGTERM);
    running.wait_for("shutting down");
    running.signal(Signal::SIGTERM);
    running.finish().exits(7).says("done");
}

#[test]
fn sg_2_repeated_signals_are_all_forwarded() {
    let mut running = reporter();
    for count in 1..=20 {
        running.signal(Signal::SIGINT);
        running.wait_for(&"got INT\n".repeat(count));
    }
    running.signal(Signal::SIGTERM);
    running.finish().exits(0);
}

#[test]
fn sg_3_nothing_is_killed_unasked() {
    // Longer than any default grace would be expected to be by someone who presses Ctrl-C twice.
    let script = "trap '' TERM; trap 'exit 5' USR1; echo ready >&2; while :; do sleep 0.02; done";
    let mut running = Gcwatch::new(["-q"]).script(script).start();
    running.wait_for("ready");
    running.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_secs(12));
    running.signal(Signal::SIGUSR1);
    running.finish().exits(5);
}

#[test]
fn sg_4_signals_get_through_while_stderr_floods() {
    let perl = "my $n = 0; $SIG{USR1} = sub { $n++; syswrite STDOUT, \"got $n\\n\"; exit 8 if $n == 10 }; \
                syswrite STDOUT, \"ready\\n\"; syswrite STDERR, \"a line of text that nobody needs\\n\" while 1";
    let mut child = command(GCWATCH)
        .args(["-q", "--", "perl", "-e", perl])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("gcwatch starts");
    let gcwatch = pid(&child);
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    for count in 0..=10 {
        line.clear();
        let began = std::time::Instant::now();
        std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
        assert!(count == 0 || line == format!("got {count}\n"), "{line}");
        assert!(count == 0 || began.elapsed() < Duration::from_secs(1));
        if count < 10 {
            kill(gcwatch, Signal::SIGUSR1).expect("gcwatch is there");
        }
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(8));
}

#[test]
fn sg_5_a_signal_at_the_very_start_is_neither_lost_nor_leaves_an_orphan() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mark = folder.path().to_str().expect("a plain path");
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        for _ in 0..50 {
            let running = Gcwatch::new(["-q"])
                .env("MARK", mark)
                .script("exec sleep 100")
                .start();
            // Wherever gcwatch is now: before its own setup it dies of it, later the command does.
            running.signal(signal);
            running.finish().dies_of(signal);
            assert_eq!(with_environment("MARK", mark), [], "{signal}");
        }
    }
}

#[test]
fn sg_7_the_command_stays_in_the_group_and_session() {
    let script = "ps -o pgid=,sid=,tpgid= -p $$; ps -o pgid=,sid=,tpgid= -p $PPID";
    let done = Gcwatch::new(["-q"]).script(script).run().exits(0);
    let told = done.stdout();
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn sg_8_a_signal_of_the_commands_own_does_not_come_back() {
    let to_parent = "trap 'echo got USR1 >&2' USR1; kill -USR1 $PPID; sleep 0.3; exit 3";
    let done = Gcwatch::new(["-q"]).script(to_parent).run().exits(3);
    assert_eq!(done.stderr(), "");
    let perl = "$SIG{HUP} = sub { syswrite STDERR, \"got HUP\\n\" }; kill 'HUP', 0; select undef, undef, undef, 0.3; exit 3";
    let mut command = command("setsid");
    command.args(["--wait", GCWATCH, "-q", "--", "perl", "-e", perl]);
    let output = command.output().expect("setsid runs");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "got HUP\n");
}

#[test]
fn sg_8_an_alarm_that_was_set_before_reaches_the_command() {
    as_bare(
        "perl -e 'alarm 1; exec @ARGV' $W perl -e '$SIG{ALRM} = sub { print \"alarm\\n\"; exit 4 }; sleep 100'",
    );
}

#[test]
fn sg_9_the_command_dies_with_gcwatch() {
    let mut running = Gcwatch::new(["-q"])
        .script("echo pid $$ >&2; exec sleep 100")
        .start();
    running.wait_for("\n");
    running.signal(Signal::SIGKILL);
    let done = running.finish().dies_of(Signal::SIGKILL);
    let command = pid_in(&done.stderr());
    wait_until("the command dies", || !is_running(command));
}

#[test]
fn sg_9_the_command_lives_as_long_as_gcwatch_does() {
    // Threads that wait for work end after ten seconds in some libraries; the command must not be theirs. And gcwatch's own
    // parent may go at any time.
    let mut command = command("sh");
    command.args([
        "-c",
        "\"$0\" -q -- sh -c 'echo pid $$; exec sleep 100' & exit 0",
        GCWATCH,
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("sh starts");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    child.wait().expect("sh ends");
    let command = pid_in(&line);
    std::thread::sleep(Duration::from_millis(12_500));
    assert!(is_running(command));
    kill(command, Signal::SIGKILL).expect("it is there");
}

#[test]
fn sg_9_a_kill_at_any_moment_of_the_start_leaves_no_orphan() {
    for round in 0..60 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let told = folder.path().join("pid");
        let mut child = command(GCWATCH)
            .args([
                "-q",
                "--",
                "sh",
                "-c",
                "echo pid $$ >\"$0\"; exec sleep 100",
            ])
            .arg(&told)
            .stderr(Stdio::null())
            .spawn()
            .expect("gcwatch starts");
        std::thread::sleep(Duration::from_micros(round * 100));
        child.kill().expect("it is there");
        child.wait().expect("it ends");
        // Whoever got so far as to tell its number must be gone soon.
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        if text.ends_with('\n') {
            let command = pid_in(&text);
            wait_until("the command dies", || !is_running(command));
        }
    }
}

#[test]
fn sg_10_the_mask_and_the_ignored_set_are_those_gcwatch_was_started_with() {
    let show = "grep -E '^Sig(Blk|Ign):' /proc/self/status";
    for before in [
        "",
        "trap '' PIPE;",
        "trap '' HUP TERM USR1 CHLD;",
        "trap '' TSTP TTIN TTOU;",
    ] {
        as_bare(&format!("{before} $W {show}"));
    }
    for mask in ["SIGTERM, SIGHUP", "SIGCHLD", "SIGPIPE, SIGSEGV"] {
        as_bare(&format!(
            "perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new({mask})); exec @ARGV' $W {show}"
        ));
    }
    as_bare("trap '' PIPE; $W sh -c 'yes 2>/dev/null; echo $?' | head -n 1");
}

#[test]
fn sg_11_what_was_ignored_stays_ignored() {
    as_bare(
        "d=$(mktemp -d); mkfifo $d/go; (trap '' HUP INT TERM; exec $W sh -c 'echo ready >&2; read line <$0; exit 5' $d/go) 2>$d/err & \
         gc=$!; until grep -qs ready $d/err; do sleep 0.01; done; kill -HUP $gc; kill -INT $gc; kill -TERM $gc; sleep 0.2; \
         echo go >$d/go; wait $gc; echo $?; rm -r $d",
    );
    as_bare("nohup $W sh -c 'kill -HUP $$; echo alive >&2; exit 6'; echo $?");
}

#[test]
fn sg_11_what_was_ignored_is_not_forwarded() {
    let perl = "$SIG{HUP} = sub { syswrite STDERR, \"got HUP\n\" }; $SIG{TERM} = sub { exit 3 }; \
                syswrite STDERR, \"ready\n\"; select undef, undef, undef, 0.05 while 1";
    let output = script(&format!(
        "f=$(mktemp); (trap '' HUP; exec $W perl -e '{perl}') 2>$f & gc=$!; until grep -qs ready $f; do sleep 0.01; done; \
         kill -HUP $gc; kill -TERM $gc; wait $gc; echo $?; cat $f; rm $f"
    ));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "3\nready\n");
}
