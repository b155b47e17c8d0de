//! SG-6: stop and continue.

use std::io::{Read, pipe};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::bare::{GCWATCH, is_running, pid, pid_in, state, wait_until};
use crate::support::command;

/// A gcwatch in a group of its own, whose parent is of the same session: such a group is not orphaned, so it can be stopped.
struct Job {
    child: Child,
    gcwatch: Pid,
    command: Pid,
}

impl Job {
    fn start(script: &str) -> Self {
        let mut child = command(GCWATCH)
            .args(["-q", "--", "sh", "-c", script])
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("gcwatch starts");
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
        std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
        Self {
            gcwatch: pid(&child),
            command: pid_in(&line),
            child,
        }
    }

    #[track_caller]
    fn are_stopped(&self) {
        for pid in [self.gcwatch, self.command] {
            wait_until(&format!("{pid} stops"), || state(pid) == Some('T'));
        }
    }

    #[track_caller]
    fn run(&self) {
        // Asleep again, gcwatch has dealt with all that came.
        wait_until("gcwatch runs", || state(self.gcwatch) == Some('S'));
        wait_until("the command runs", || state(self.command) != Some('T'));
    }

    fn ends(mut self) {
        kill(self.gcwatch, Signal::SIGTERM).expect("it is there");
        let status = self.child.wait().expect("it ends");
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(Signal::SIGTERM as i32), "{status:?}");
        assert!(!is_running(self.command));
    }
}

/// Not a shell's loop: while a shell forks, a stop of its child can keep it from stopping.
const IDLE: &str = "exec perl -e '$| = 1; print qq(pid $$\\n); sleep 100 while 1'";

#[test]
fn sg_6_stop_and_continue_reach_both_from_gcwatch_alone() {
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        let job = Job::start(IDLE);
        for _ in 0..3 {
            kill(job.gcwatch, signal).expect("it is there");
            job.are_stopped();
            kill(job.gcwatch, Signal::SIGCONT).expect("it is there");
            job.run();
        }
        job.ends();
    }
}

#[test]
fn sg_6_stop_and_continue_reach_both_as_a_group() {
    let job = Job::start(IDLE);
    for _ in 0..100 {
        killpg(job.gcwatch, Signal::SIGTSTP).expect("it is there");
        job.are_stopped();
        killpg(job.gcwatch, Signal::SIGCONT).expect("it is there");
        job.run();
    }
    job.ends();
}

#[test]
fn sg_6_a_shell_sees_the_same_signal() {
    let job = Job::start(IDLE);
    kill(job.gcwatch, Signal::SIGTTIN).expect("it is there");
    let stopped = waitpid(job.gcwatch, Some(WaitPidFlag::WUNTRACED)).expect("its state");
    assert_eq!(stopped, WaitStatus::Stopped(job.gcwatch, Signal::SIGTTIN));
    kill(job.gcwatch, Signal::SIGCONT).expect("it is there");
    job.run();
    job.ends();
}

#[test]
fn sg_6_a_command_that_ignores_the_stop_is_not_left_alone() {
    // Of signals that wait together the one with the lower number is looked at first: gcwatch may learn of the command's
    // end before it learns of the stop.
    for _ in 0..30 {
        let job = Job::start("trap '' TSTP; echo pid $$; exec sleep 100");
        killpg(job.gcwatch, Signal::SIGTSTP).expect("it is there");
        // A second signal that is answered shows that gcwatch runs.
        job.ends();
    }
}

#[test]
fn sg_6_sigstop_of_gcwatch_alone_only_delays() {
    let mut job = Job::start("trap 'exit 7' USR1; echo pid $$; while :; do sleep 0.02; done");
    kill(job.gcwatch, Signal::SIGSTOP).expect("it is there");
    wait_until("gcwatch stops", || state(job.gcwatch) == Some('T'));
    assert_ne!(state(job.command), Some('T'));
    kill(job.gcwatch, Signal::SIGUSR1).expect("it is there");
    kill(job.gcwatch, Signal::SIGCONT).expect("it is there");
    assert_eq!(job.child.wait().expect("it ends").code(), Some(7));
}

#[test]
fn tt_7_a_command_that_stops_itself_stops_gcwatch_too() {
    for signal in ["TSTP", "TTIN", "TTOU"] {
        let job = Job::start(&format!(
            "echo pid $$; kill -{signal} $$; while :; do sleep 0.02; done"
        ));
        job.are_stopped();
        kill(job.gcwatch, Signal::SIGCONT).expect("it is there");
        job.run();
        job.ends();
    }
    // A debugger's stop is the command's alone.
    let job = Job::start("echo pid $$; kill -STOP $$; while :; do sleep 0.02; done");
    wait_until("the command stops", || state(job.command) == Some('T'));
    assert_ne!(state(job.gcwatch), Some('T'));
    kill(job.gcwatch, Signal::SIGCONT).expect("it is there");
    job.run();
    job.ends();
}

#[test]
fn tt_7_what_was_written_before_the_stop_is_shown() {
    for _ in 0..20 {
        let (mut reader, writer) = pipe().expect("a pipe");
        let mut child = command(GCWATCH)
            .args(["-q", "--", "sh", "-c", "echo last words >&2; kill -TSTP $$"])
            .process_group(0)
            .stderr(writer)
            .spawn()
            .expect("gcwatch starts");
        wait_until("gcwatch stops", || state(pid(&child)) == Some('T'));
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("its flag is set");
        let mut told = [0; 11];
        reader.read_exact(&mut told).expect("it is there already");
        assert_eq!(&told, b"last words\n");
        kill(pid(&child), Signal::SIGCONT).expect("it is there");
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn sg_6_in_mid_spawn_a_stop_wedges_nothing() {
    for round in 0..40 {
        let mut child = command(GCWATCH)
            .args(["-q", "--", "sh", "-c", "exit 3"])
            .process_group(0)
            .spawn()
            .expect("gcwatch starts");
        let gcwatch = pid(&child);
        std::thread::sleep(std::time::Duration::from_micros(round * 150));
        let _ = killpg(gcwatch, Signal::SIGTSTP);
        let _ = killpg(gcwatch, Signal::SIGCONT);
        wait_until("gcwatch ends", || {
            let _ = killpg(gcwatch, Signal::SIGCONT);
            child.try_wait().expect("its state").is_some()
        });
    }
}
