//! A test that fails leaves nothing behind that goes on running.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::Gcwatch;
use crate::support::leftovers::with_environment;

/// A job, and a daemon in a session of its own, whose parent has ended and which is stopped. None ends when it is asked to.
const SCRIPT: &str = "trap '' HUP INT TERM PIPE; sleep 1000 & \
                      (setsid sh -c 'sleep 1000 & kill -STOP $$' &); echo ready >&2; wait";

#[test]
fn what_was_started_before_a_panic_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mark = folder.path().to_str().expect("a plain path");
    let there = || with_environment("MARK", mark).len();
    let fails = || {
        let gcwatch = Gcwatch::new(["-q"]).env("MARK", mark).script(SCRIPT);
        gcwatch.start().wait_for("ready");
        // gcwatch, the shell and its job, the daemon and the job of that.
        let began = Instant::now();
        while there() < 5 {
            assert!(began.elapsed() < Duration::from_mins(1), "{}", there());
            thread::sleep(Duration::from_millis(1));
        }
        std::panic::panic_any("as in a test that fails");
    };
    let failed = thread::scope(|scope| scope.spawn(fails).join());
    let why = failed.expect_err("it panics");
    assert_eq!(why.downcast_ref(), Some(&"as in a test that fails"));
    assert_eq!(there(), 0);
}
