//! The example service under gcwatch, in all its modes, with the oldest and the newest Go.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Gcwatch, NONE, RELEASES, go, option};

/// A leak must be flagged so soon.
const FLAGGED_WITHIN: Duration = Duration::from_secs(45);

/// All runs at once: they sleep most of the time.
#[test]
fn the_leak_is_flagged_in_time_and_the_healthy_modes_never() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let healthy = ["steady", "sawtooth", "warmup"];
    let mut leaking = Vec::new();
    let mut clean = Vec::new();
    for release in RELEASES {
        let leaky = go(release, "examples/leaky");
        let json = folder.path().join(format!("{release}-leak"));
        leaking.push((
            json.clone(),
            Gcwatch::new([option("json", &json), "--on-leak=stop".into()])
                .watch(&leaky, NONE)
                .start(),
        ));
        for mode in healthy {
            let json = folder.path().join(format!("{release}-{mode}"));
            let options = [
                option("json", &json),
                "--on-leak=fail".into(),
                "--for=60s".into(),
            ];
            clean.push((
                json.clone(),
                Gcwatch::new(options).watch(&leaky, ["-mode", mode]).start(),
            ));
        }
    }
    let read = |json| -> Value {
        serde_json::from_slice(&fs::read(json).expect("the summary")).expect("it is JSON")
    };
    for (json, running) in leaking {
        let done = running
            .finish()
            .exits(23)
            .says("gcwatch: leak: live heap rose across 6 windows of ");
        assert!(
            done.last_line()
                .starts_with("gcwatch: SUMMARY: leak: live heap +"),
            "{}",
            done.stderr()
        );
        let flagged = read(json)["processes"][0]["first_flag_seconds"]
            .as_f64()
            .expect("it was flagged");
        assert!(
            flagged <= FLAGGED_WITHIN.as_secs_f64(),
            "flagged only after {flagged} s"
        );
    }
    for (json, running) in clean {
        let done = running.finish().exits(0);
        let summary = read(json);
        assert_ne!(summary["verdict"], "leak", "{}", done.stderr());
        assert_eq!(
            summary["processes"][0]["flags"],
            Value::Array(Vec::new()),
            "{}",
            done.stderr()
        );
    }
}
