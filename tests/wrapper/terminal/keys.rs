//! TT-6 and TT-7: the keys that send signals, and job control.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use super::Terminal;
use crate::bare::{GCWATCH, pid_in, state, wait_until};

#[test]
fn tt_6_keys_reach_the_command_once() {
    let perl = "$| = 1; for my $s ('INT', 'QUIT') { $SIG{$s} = sub { syswrite STDERR, \"got $s.\" } } \
                $SIG{USR1} = sub { exit 6 }; syswrite STDERR, \"pid $$ ready\\n\"; select undef, undef, undef, 0.02 while 1";
    let mut terminal = Terminal::start(&[GCWATCH, "-q", "--", "perl", "-e", perl]);
    let command = pid_in(&terminal.wait_for("ready"));
    for _ in 0..2 {
        for (key, name) in [("\x03", "got INT."), ("\x1c", "got QUIT.")] {
            terminal.press(key);
            terminal.wait_for(name);
        }
    }
    // What came twice would have come by now.
    std::thread::sleep(Duration::from_millis(300));
    kill(command, Signal::SIGUSR1).expect("it is there");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(6));
    assert!(!shown.contains("got"), "{shown}");
}

#[test]
fn tt_6_a_command_that_dies_of_the_key_is_mirrored() {
    for (key, expected) in [("\x03", "130"), ("\x1c", "131")] {
        let script = format!(
            "trap : INT QUIT; {GCWATCH} -q -- sh -c 'echo ready >&2; exec sleep 100'; echo status $?"
        );
        let mut terminal = Terminal::start(&["bash", "-c", &script]);
        terminal.wait_for("ready");
        terminal.press(key);
        terminal.wait_for(&format!("status {expected}"));
        terminal.ends();
    }
}

#[test]
fn tt_7_the_key_that_stops_and_fg_work() {
    for stderr in ["pty", "pipe"] {
        let mut terminal = Terminal::start(&["bash", "--norc", "--noprofile", "-i"]);
        terminal.wait_for("shell> ");
        // One process: another that stops later could still read what is meant for the shell.
        let perl = "$| = 1; syswrite STDERR, qq(pid $$ ready\\n); print while <STDIN>; exit 3";
        terminal.press(&format!(
            "{GCWATCH} -q --stderr {stderr} -- perl -e '{perl}'\n"
        ));
        terminal.wait_for("exit 3'\r\n");
        let command = pid_in(&terminal.wait_for("ready\r\n"));
        for _ in 0..3 {
            terminal.press("\x1a");
            terminal.wait_for("Stopped");
            terminal.wait_for("shell> ");
            wait_until("the command is stopped", || state(command) == Some('T'));
            terminal.press("fg\n");
            terminal.wait_for("exit 3'\r\n");
            wait_until("the command runs", || state(command) != Some('T'));
            terminal.press("hello\n");
            terminal.wait_for("hello\r\nhello\r\n");
        }
        terminal.press("\x04");
        terminal.shell_tells(3);
    }
}

#[test]
fn tt_7_a_background_job_does_not_take_the_terminal() {
    let mut terminal = Terminal::start(&["bash", "--norc", "--noprofile", "-i"]);
    terminal.wait_for("shell> ");
    terminal.press(&format!(
        "{GCWATCH} -q -- sh -c 'echo begun >&2; sleep 0.2; read x; echo got $x >&2; exit 4' &\n"
    ));
    terminal.wait_for("begun\r\n");
    // The shell still has the keyboard; the job stops when it wants to read.
    terminal.press("until jobs | grep -q Stop; do sleep 0.05; done; echo shell $((40 + 2))\n");
    terminal.wait_for("shell 42");
    terminal.press("fg\n");
    terminal.wait_for("exit 4'");
    terminal.press("line\n");
    terminal.wait_for("got line");
    terminal.shell_tells(4);
}

#[test]
fn tt_7_a_background_job_that_may_not_write_stops() {
    for stderr in ["pty", "pipe"] {
        let mut terminal = Terminal::start(&["bash", "--norc", "--noprofile", "-i"]);
        terminal.wait_for("shell> ");
        terminal.press("stty tostop\n");
        terminal.wait_for("shell> ");
        terminal.press(&format!(
            "{GCWATCH} -q --stderr {stderr} -- sh -c 'echo be''gun >&2; exit 4' &\n"
        ));
        terminal.wait_for("shell> ");
        terminal.press("until jobs | grep -q Stop; do sleep 0.05; done; echo shell $((40 + 2))\n");
        let shown = terminal.wait_for("shell 42");
        assert!(!shown.contains("begun"), "{shown}");
        terminal.wait_for("shell> ");
        terminal.press("fg\n");
        terminal.wait_for("begun\r\n");
        terminal.shell_tells(4);
    }
}

#[test]
fn tt_7_an_interactive_shell_keeps_job_control_on_a_pipe() {
    let mut terminal = Terminal::start(&["bash", "--norc", "--noprofile", "-i"]);
    terminal.wait_for("shell> ");
    terminal.press(&format!(
        "PS1='inner> ' {GCWATCH} -q --stderr pipe -- bash --norc --noprofile -i\n"
    ));
    terminal.wait_for("\ninner> ");
    terminal.press("sh -c 'echo be''gun; exec sleep 100'\n");
    terminal.wait_for("begun\r\n");
    terminal.press("\x1a");
    terminal.wait_for("Stopped");
    terminal.wait_for("inner> ");
    terminal.press("kill -KILL %1; exec sh -c 'exit 5'\n");
    terminal.shell_tells(5);
}
