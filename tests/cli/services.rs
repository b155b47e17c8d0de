//! Small services, leaking and healthy ones, judged live.
//!
//! All of them with both releases: `tests/soak/services`. Here each runs with one, but for `leak-sawtooth`: under noise so
//! wide a minute does not always show a leak, and the verdict is then that it must run longer.

use crate::support::{Gcwatch, RELEASES, go};

/// So many seconds each runs.
const SECONDS: &str = "60";

const SERVICES: [&str; 27] = [
    "leak-append",
    "leak-bursts",
    "leak-cache",
    "leak-errors",
    "leak-goroutines",
    "leak-http-body",
    "leak-late",
    "leak-retention",
    "leak-slow",
    "leak-steps",
    "leak-subscribers",
    "leak-subslices",
    "ok-batch-load",
    "ok-bursts",
    "ok-connections",
    "ok-flat",
    "ok-forced",
    "ok-http",
    "ok-lru",
    "ok-map",
    "ok-memo",
    "ok-pool",
    "ok-sawtooth",
    "ok-sessions",
    "ok-stairs",
    "ok-suite",
    "ok-tables",
];

/// All runs at once: they sleep most of the time.
#[test]
fn leaking_services_are_found_and_healthy_ones_pass() {
    let mut running = Vec::new();
    for (index, service) in SERVICES.into_iter().enumerate() {
        let release = RELEASES[index % RELEASES.len()];
        let code = if service.starts_with("leak-") { 23 } else { 0 };
        let gcwatch = Gcwatch::new(["--on-leak=fail"])
            .watch(go(release, "tests/go/services"), [service, SECONDS]);
        running.push((service, release, code, gcwatch.start()));
    }
    let mut wrong = Vec::new();
    for (service, release, code, running) in running {
        let done = running.finish();
        if done.status.code() != Some(code) {
            wrong.push(format!(
                "{service} with Go {release}: {:?}: {}",
                done.status,
                done.stderr()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
