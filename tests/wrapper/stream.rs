//! ST: the command's stderr, byte for byte, without the trace.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, ChildStdin, Stdio};
use std::time::{Duration, Instant};

use crate::bare::{GCWATCH, as_bare, as_bare_says, script};
use crate::support::{Gcwatch, command, trace};

/// What passes through a run of `cat` to stderr.
fn through(text: impl Into<Vec<u8>>) -> Vec<u8> {
    let done = Gcwatch::new(["-q"])
        .input(text)
        .script("cat >&2")
        .run()
        .exits(0);
    done.stderr
}

#[test]
fn st_1_bytes_that_are_no_text_pass() {
    let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    assert_eq!(through(all.clone()), all);
    for text in [
        "\r\n\x1b[31mred\r",
        "no end",
        "\n",
        "\n\n",
        "",
        "no end, gc 12 @0.1s",
        "g",
        "gc ",
    ] {
        assert_eq!(through(text), text.as_bytes());
    }
    as_bare(r"$W sh -c 'printf \000\377x >&2'");
}

#[test]
fn st_1_a_silent_success_is_silent() {
    let done = Gcwatch::new(["-q"]).script("true").run().exits(0);
    assert_eq!(
        (done.stdout(), done.stderr()),
        (String::new(), String::new())
    );
}

#[test]
fn st_2_a_line_without_end_passes_in_bounded_memory() {
    for begin in ["", "gc 777"] {
        let script = format!(
            "printf '{begin}' >&2; head -c 67108864 /dev/zero | tr '\\0' 7 >&2; grep VmHWM /proc/$PPID/status"
        );
        let done = Gcwatch::new(["-q"]).script(&script).run().exits(0);
        assert_eq!(done.stderr.len(), (64 << 20) + begin.len());
        let told = done.stdout();
        let kib: u64 = told
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a size");
        assert!(kib < 64 << 10, "{told}");
    }
}

#[test]
fn st_3_only_a_whole_line_of_the_grammar_is_a_trace() {
    let line = trace([4]);
    let mut text = String::new();
    for cut in 1..line.len() - 1 {
        text += &line[..cut];
        text += "\n";
    }
    for odd in ["[svc] ", "x", " "] {
        text.extend([odd, &line]);
    }
    text += &line.replace(" MB,", " MB;");
    text += &line.replace("0.059", "0.05x9");
    text += &line.replace("8 P\n", "8 P.\n");
    assert_eq!(String::from_utf8_lossy(&through(text.clone())), text);
}

#[test]
fn st_4_a_trace_line_goes_however_its_bytes_arrive() {
    let line = trace([4]);
    let perl = "$| = 1; local $/; my $t = <STDIN>; syswrite STDERR, \"before\\n\"; \
                for (my $i = 0; $i < length $t; $i += $ARGV[0]) { syswrite STDERR, substr $t, $i, $ARGV[0] } \
                syswrite STDERR, \"after\\n\"";
    // A piece of the size of the line and its newline is one write.
    for piece in [1, 2, 3, 7, 50, line.len() - 1, line.len()] {
        for stderr in ["pipe", "pty"] {
            let done = Gcwatch::new(["-q", "--stderr", stderr])
                .input(line.clone())
                .watch("perl", ["-e", perl, &piece.to_string()])
                .run()
                .exits(0);
            assert_eq!(
                done.stderr(),
                "before\nafter\n",
                "pieces of {piece}, {stderr}"
            );
        }
    }
}

#[test]
fn st_5_a_line_inside_a_trace_line_comes_out_whole() {
    // The runtime writes item by item; the log line comes behind each of the first ones in turn.
    let perl = "my @items = split /(?<=[^\\d.])(?=[\\d.])|(?<=[\\d.])(?=[^\\d.])|(?=\\n)/, <STDIN>; \
                for my $at (1 .. $#items) { for (0 .. $#items) { \
                syswrite STDERR, \"2026/11/22 log line $at\\n\" if $_ == $at; syswrite STDERR, $items[$_] } }";
    let line = trace([4]);
    let done = Gcwatch::new(["-q"])
        .input(line)
        .watch("perl", ["-e", perl])
        .run()
        .exits(0);
    let told = done.stderr();
    let expected = (1..=told.lines().count()).map(|at| format!("2026/11/22 log line {at}"));
    assert!(told.lines().eq(expected), "{told}");
    assert!(told.lines().count() > 30);
}

#[test]
fn st_5_a_trace_behind_a_prompt_goes() {
    let perl = "syswrite STDERR, 'Password: '; syswrite STDERR, $_ for split /(?<= )/, <STDIN>";
    let done = Gcwatch::new(["-q"])
        .input(trace([4]))
        .watch("perl", ["-e", perl])
        .run()
        .exits(0);
    assert_eq!(done.stderr(), "Password: ");
}

#[test]
fn st_6_a_prompt_is_shown_at_once_and_a_lone_g_soon() {
    let (mut running, mut stdin) = Gcwatch::new(["-q"])
        .script("printf 'Password: ' >&2; read x; printf g >&2; read y; exit 4")
        .start_fed();
    // The command waits for the answer, and would wait for ever.
    running.wait_for("Password: ");
    stdin.write_all(b"a\n").expect("it reads");
    running.wait_for("g");
    stdin.write_all(b"b\n").expect("it reads");
    let done = running.finish().exits(4);
    assert_eq!(done.stderr(), "Password: g");
}

/// A command that writes to stderr what it reads.
struct Echo {
    child: Child,
    stdin: ChildStdin,
    stderr: BufReader<ChildStderr>,
    times: Vec<Duration>,
}

impl Echo {
    fn under(wrapper: &[&str]) -> Self {
        let mut child = command(wrapper[0])
            .args(&wrapper[1..])
            .args(["perl", "-e", "syswrite STDERR, $_ while <STDIN>"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self {
            stdin: child.stdin.take().expect("it is piped"),
            stderr: BufReader::new(child.stderr.take().expect("it is piped")),
            child,
            times: Vec::new(),
        }
    }

    fn time(&mut self, line: &str) {
        let began = Instant::now();
        self.stdin.write_all(line.as_bytes()).expect("it reads");
        let mut told = String::new();
        self.stderr.read_line(&mut told).expect("a line");
        self.times.push(began.elapsed());
        assert_eq!(told, line);
    }

    fn ends(mut self) -> Vec<Duration> {
        drop(self.stdin);
        assert!(self.child.wait().expect("it ends").success());
        self.times.sort();
        self.times
    }
}

#[test]
fn st_6_lines_come_at_once() {
    // In turn, so that a busy machine is busy for both.
    let mut bare = Echo::under(&["env"]);
    let mut watched = Echo::under(&[GCWATCH, "-q", "--"]);
    for line in 0..101 {
        bare.time(&format!("line {line}\n"));
        watched.time(&format!("line {line}\n"));
    }
    let (bare, watched) = (bare.ends(), watched.ends());
    for (at, more) in [(50, 30), (100, 400)] {
        assert!(
            watched[at] < bare[at] + Duration::from_millis(more),
            "number {at}: {:?}, and {:?} without gcwatch",
            watched[at],
            bare[at]
        );
    }
}

#[test]
fn st_7_writes_that_lie_apart_stay_in_order() {
    let script = "$W sh -c 'for n in 1 2 3 4; do echo out $n; sleep 0.1; echo err $n >&2; sleep 0.1; done' 2>&1";
    as_bare(script);
}

#[test]
fn st_7_lines_of_many_writers_stay_whole() {
    let perl = "for my $w ('a' .. 'd') { next if fork; my $to = $w eq 'd' ? \\*STDOUT : \\*STDERR; \
                syswrite $to, $w x 900 . \"\\n\" for 1 .. 3000; exit } 1 while wait > 0";
    let output = script(&format!(
        "$W perl -e \"{}\" 2>&1",
        perl.replace('$', "\\$").replace('"', "\\\"")
    ));
    let told = String::from_utf8(output.stdout).expect("letters");
    assert_eq!(told.lines().count(), 12_000);
    for line in told.lines() {
        let first = line.chars().next().expect("no empty line");
        assert!(
            line.len() == 900 && line.chars().all(|letter| letter == first),
            "{line}"
        );
    }
}

#[test]
fn st_8_a_command_that_closes_its_stderr_is_waited_for() {
    as_bare_says("$W sh -c 'exec 2>&-; sleep 0.3; exit 6'; echo $?", "6");
    let spin = "$W sh -c 'exec 2>&-; sleep 1; cut -d \" \" -f 14,15 /proc/$PPID/stat'";
    let output = script(spin);
    let ticks: u64 = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum();
    assert!(ticks < 20, "{ticks} ticks of a hundredth of a second");
}

#[test]
fn st_8_exec_and_a_second_open_of_stderr_work() {
    as_bare("$W sh -c 'exec sh -c \"echo second >&2; exit 4\"'");
    as_bare("$W sh -c 'echo a >/dev/stderr; echo b >/proc/self/fd/2; echo c >&2' 2>&1 | cat");
}

#[test]
fn st_8_stderr_has_the_permissions_and_the_owner_of_the_one_it_stands_for() {
    as_bare("f=$(mktemp); chmod 622 $f; $W stat -L -c '%a %u %g' /dev/stderr 2>>$f; rm $f");
    as_bare("$W stat -L -c %a /dev/stderr 2>/dev/null");
    as_bare(
        "f=$(mktemp); chmod 666 $f; $W setpriv --reuid 65534 --clear-groups sh -c 'echo mine >/dev/stderr' 2>>$f; cat $f; rm $f",
    );
}

#[test]
fn st_9_stderr_may_be_anything() {
    as_bare("f=$(mktemp); echo first >$f; $W sh -c 'echo second >&2' 2>>$f; cat $f; rm $f");
    as_bare(
        "f=$(mktemp); echo 123456789 >$f; exec 4<>$f; head -c 3 >/dev/null <&4; $W sh -c 'printf X >&2' 2>&4; cat $f; rm $f",
    );
    as_bare(
        "f=$(mktemp); $W sh -c 'echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three' >$f 2>&1; cat $f; rm $f",
    );
    as_bare("$W sh -c 'echo x >&2; exit 3' 2>/dev/null");
    as_bare("$W sh -c 'printf x >&2 || true; exit 3' 2>/dev/full");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let status = command(GCWATCH)
        .args(["-q", "--", "sh", "-c", "echo to a socket >&2; exit 3"])
        .stderr(OwnedFd::from(theirs))
        .status();
    assert_eq!(status.expect("gcwatch runs").code(), Some(3));
    let mut told = String::new();
    ours.read_to_string(&mut told).expect("text");
    assert_eq!(told, "to a socket\n");
}
