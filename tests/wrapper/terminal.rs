//! TT: terminals. Each test has a real one of its own, whose keys it presses.

mod keys;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, open};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;

use crate::bare::{GCWATCH, PATIENCE, as_bare, is_running, pid, pid_in, wait_until};
use crate::support::{command, contains};

/// The two ends of a new terminal of 33 rows and 111 columns. No other test's child inherits them, or it would not hang up.
fn open_terminal() -> (OwnedFd, OwnedFd) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a terminal");
    grantpt(&master).expect("a terminal");
    unlockpt(&master).expect("a terminal");
    let name = ptsname_r(&master).expect("its name");
    let slave = open(name.as_str(), flags, Mode::empty()).expect("its other end");
    resize(&slave, 33, 111);
    (master.into(), slave)
}

fn resize(slave: &OwnedFd, rows: u16, columns: u16) {
    let done = command("stty")
        .args(["rows", &rows.to_string(), "cols", &columns.to_string()])
        .stdin(slave.try_clone().expect("a copy"))
        .status();
    assert!(done.expect("stty runs").success());
}

/// A terminal and the program that leads its session.
struct Terminal {
    keys: File,
    told: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    child: Child,
    slave: OwnedFd,
}

impl Terminal {
    /// `program` leads a new session on a new terminal.
    fn start(program: &[&str]) -> Self {
        let (master, slave) = open_terminal();
        let end = || Stdio::from(slave.try_clone().expect("a copy"));
        let child = command("setsid")
            .args(["--ctty", "--wait"])
            .args(program)
            .env("GODEBUG", "gctrace=1")
            .env("PS1", "shell> ")
            .env("TERM", "dumb")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("setsid runs");
        let keys = File::from(master);
        let mut screen = keys.try_clone().expect("a copy");
        let (sender, told) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            keys,
            told,
            seen: Vec::new(),
            child,
            slave,
        }
    }

    /// gcwatch leads the session and watches a script.
    fn watch(options: &[&str], script: &str) -> Self {
        Self::start(&[&[GCWATCH, "-q"], options, &["--", "bash", "-c", script]].concat())
    }

    fn press(&mut self, keys: &str) {
        self.keys
            .write_all(keys.as_bytes())
            .expect("the terminal takes them");
    }

    /// Waits until the screen has shown this, and forgets all up to its end.
    #[track_caller]
    fn wait_for(&mut self, text: &str) -> String {
        let patience = Instant::now() + PATIENCE;
        while !contains(&self.seen, text) {
            let left = patience.saturating_duration_since(Instant::now());
            let Ok(more) = self.told.recv_timeout(left) else {
                panic!(
                    "{text:?} never came, only: {:?}",
                    String::from_utf8_lossy(&self.seen)
                );
            };
            self.seen.extend(more);
        }
        let end =
            memchr::memmem::find(&self.seen, text.as_bytes()).expect("it is there") + text.len();
        let shown = self.seen.drain(..end).collect::<Vec<u8>>();
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// The interactive shell here tells this exit status of what it ran, and ends.
    fn shell_tells(mut self, status: u8) {
        self.wait_for("shell> ");
        self.press("echo status $?\n");
        self.wait_for(&format!("status {status}"));
        self.press("exit\n");
        self.ends();
    }

    /// The exit code, and what was shown since the last wait.
    fn ends(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it ends").code();
        // The last of the terminal that is not the test's own.
        drop(self.slave);
        drop(self.keys);
        while let Ok(more) = self.told.recv_timeout(Duration::from_secs(5)) {
            self.seen.extend(more);
        }
        (code, String::from_utf8_lossy(&self.seen).into_owned())
    }
}

#[test]
fn tt_1_terminals_are_where_they_were() {
    for mask in 0..8 {
        let redirect = |bit: u8, text| if mask & (1 << bit) == 0 { text } else { "" };
        let script = format!(
            "$W bash -c 'for n in 0 1 2; do test -t $n && echo -n $n; done >$0; true' $F {} {} {}",
            redirect(0, "</dev/null"),
            redirect(1, ">/dev/null"),
            redirect(2, "2>/dev/null"),
        );
        let told = |wrapper: &str| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            let path = file.path().to_str().expect("a plain path");
            let terminal = Terminal::start(&[
                "env",
                &format!("W={wrapper}"),
                &format!("F={path}"),
                "bash",
                "-c",
                &script,
            ]);
            assert_eq!(terminal.ends().0, Some(0));
            std::fs::read_to_string(path).expect("the file")
        };
        assert_eq!(told(&format!("{GCWATCH} -q --")), told("env"), "{script}");
    }
}

#[test]
fn tt_1_stderr_is_what_the_option_says() {
    for (option, expected) in [("pipe", "no"), ("auto", "yes"), ("pty", "yes")] {
        let script = "test -t 2 && echo yes || echo no";
        let (code, shown) = Terminal::watch(&["--stderr", option], script).ends();
        assert_eq!((code, shown.trim_end()), (Some(0), expected), "{option}");
        let script = format!(
            "{GCWATCH} -q --stderr {option} -- sh -c 'test -t 2 && echo yes || echo no' 2>/dev/null"
        );
        let output = crate::bare::script(&script);
        let expected = if option == "pty" { "yes\n" } else { "no\n" };
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{option}"
        );
    }
}

#[test]
fn tt_2_a_newline_is_cooked_once_and_the_last_byte_comes() {
    for _ in 0..20 {
        let (code, shown) =
            Terminal::watch(&[], r"printf 'one\ntwo\r\n\033[1mthree\t.' >&2; exit 3").ends();
        assert_eq!(
            (code, shown.as_str()),
            (Some(3), "one\r\ntwo\r\r\n\x1b[1mthree\t.")
        );
    }
    let raw = "stty raw; $W sh -c 'printf \"a\\nb\" >&2'";
    let told = |wrapper: &str| {
        Terminal::start(&["env", &format!("W={wrapper}"), "bash", "-c", raw])
            .ends()
            .1
    };
    assert_eq!(told(&format!("{GCWATCH} -q --")), told("env"));
}

#[test]
fn tt_2_a_flood_comes_whole() {
    for _ in 0..5 {
        let (code, shown) = Terminal::watch(&[], "seq 20000 >&2; exit 3").ends();
        let expected = (1..=20_000).fold(String::new(), |all, n| all + &format!("{n}\r\n"));
        assert_eq!(code, Some(3));
        assert!(shown == expected, "{} of {}", shown.len(), expected.len());
    }
}

#[test]
fn tt_3_the_size_is_the_terminals_at_start_and_after_each_change() {
    // It waits for the signal itself: a handler would only note it, and one that comes just before a read would be forgotten.
    let python = "import os, signal\n\
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH, signal.SIGUSR1])\n\
        while True:\n \
            size = os.get_terminal_size(2)\n \
            os.write(2, b'%d %d\\n' % (size.lines, size.columns))\n \
            if signal.sigwait([signal.SIGWINCH, signal.SIGUSR1]) == signal.SIGUSR1: os._exit(4)";
    let mut terminal = Terminal::start(&[GCWATCH, "-q", "--", "python3", "-c", python]);
    terminal.wait_for("33 111\r\n");
    for (rows, columns) in [(20, 70), (21, 71), (50, 200)] {
        resize(&terminal.slave, rows, columns);
        terminal.wait_for(&format!("{rows} {columns}\r\n"));
    }
    kill(pid(&terminal.child), Signal::SIGUSR1).expect("gcwatch is there");
    assert_eq!(terminal.ends().0, Some(4));
}

#[test]
fn tt_4_the_modes_of_the_terminal_are_left_alone() {
    let script = "before=$(stty -g); $W true; test \"$(stty -g)\" = \"$before\" && echo same; $W stty -echo -icanon; \
                  stty -a | grep -o -e '-icanon' -e '-echo '";
    let told = |wrapper: &str| {
        Terminal::start(&["env", &format!("W={wrapper}"), "bash", "-c", script]).ends()
    };
    let watched = told(&format!("{GCWATCH} -q --"));
    assert_eq!(watched, told("env"));
    assert!(watched.1.starts_with("same\r\n"), "{}", watched.1);
}

#[test]
fn tt_5_prompts_show_and_stdin_works() {
    let mut terminal = Terminal::watch(
        &[],
        "read -p 'name: ' name; echo hello $name >&2; cat; exit 3",
    );
    terminal.wait_for("name: ");
    terminal.press("gopher\n");
    terminal.wait_for("hello gopher");
    terminal.press("line\n");
    terminal.wait_for("line");
    terminal.press("\x04");
    assert_eq!(terminal.ends().0, Some(3));
}

#[test]
fn tt_8_a_hangup_reaches_the_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let told = folder.path().join("told");
    let script = format!(
        "trap 'echo hup >{}; exit 3' HUP; echo pid $$ ready >&2; while :; do echo more >&2; sleep 0.02; done",
        told.display()
    );
    // gcwatch itself leads the session.
    let mut terminal = Terminal::watch(&[], &script);
    let command = pid_in(&terminal.wait_for("ready"));
    let Terminal {
        keys,
        told: screen,
        slave,
        mut child,
        ..
    } = terminal;
    drop(slave);
    drop(keys);
    drop(screen);
    wait_until("the command has heard of it", || told.exists());
    wait_until("it ends", || !is_running(command));
    child.wait().expect("gcwatch ends");
}

#[test]
fn tt_9_a_command_that_closes_the_terminal_makes_nobody_spin() {
    let script = "exec 2>&-; sleep 1; cut -d ' ' -f 14,15 /proc/$PPID/stat; exit 3";
    let (code, shown) = Terminal::watch(&[], script).ends();
    let ticks: u64 = shown
        .split_whitespace()
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum();
    assert!(ticks < 20, "{shown}");
    assert_eq!(code, Some(3));
}

#[test]
fn tt_9_a_survivor_of_a_terminal_is_not_harmed() {
    let script = "(trap '' HUP; sleep 0.5; echo late >&2 && echo fine >&2) & exit 3";
    let outer = format!("{GCWATCH} -q -- bash -c \"{script}\"; echo status $?; sleep 2");
    let mut terminal = Terminal::start(&["bash", "-c", &outer]);
    terminal.wait_for("status 3");
    terminal.wait_for("late\r\nfine\r\n");
    terminal.ends();
}

#[test]
fn tt_9_without_a_terminal_to_be_had_it_is_a_pipe() {
    // In a mount namespace without /dev/ptmx no pty can be made.
    let script = format!(
        "unshare --mount sh -c 'mount -t tmpfs none /dev && mknod /dev/null c 1 3 && exec {GCWATCH} -q --stderr pty -- \
         sh -c \"test -t 2 && echo terminal || echo pipe; echo text >&2\"' 2>&1"
    );
    let output = crate::bare::script(&script);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "pipe\ntext\n");
    as_bare("$W sh -c 'test -t 2 || echo none' 2>/dev/null");
}
