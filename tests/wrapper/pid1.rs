//! P1: the first process of a PID namespace, as the entry point of a container is.

use std::process::Output;

use crate::bare::GCWATCH;
use crate::support::command;

/// Runs a bash script whose `$W` stands for gcwatch as PID 1; `unshare` needs root, or user namespaces.
#[track_caller]
fn as_init(options: &str, watched: &str) -> Output {
    let script = format!("unshare {options} --pid --fork {watched}");
    let output = command("bash")
        .args(["-c", &script])
        .env("W", format!("{GCWATCH} -q --"))
        .output()
        .expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !said.contains("unshare: "),
        "these tests need PID namespaces: run them as root, or allow them: {said}"
    );
    output
}

#[track_caller]
fn ends(output: &Output, code: i32, stdout: &str) {
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        (output.status.code(), told.trim_end()),
        (Some(code), stdout),
        "{output:?}"
    );
}

#[test]
fn p1_1_exit_codes_are_mirrored_and_signals_as_128_and_more() {
    for code in [0, 1, 42, 255] {
        ends(
            &as_init("--mount-proc", &format!("$W sh -c 'exit {code}'")),
            code,
            "",
        );
    }
    for signal in [1, 2, 6, 9, 11, 15, 40] {
        let done = as_init("--mount-proc", &format!("$W bash -c 'kill -{signal} $$'"));
        ends(&done, 128 + signal, "");
    }
    ends(&as_init("--mount-proc", "$W no-such-program"), 127, "");
}

#[test]
fn p1_2_every_orphan_is_reaped() {
    let script = "for n in 1 2 3 4 5 6 7 8 9; do (sleep 0.1 & ) ; done; sleep 0.3; \
                  while ps -e -o stat= | grep -q Z; do sleep 0.01; done; echo none is left";
    ends(
        &as_init("--mount-proc", &format!("$W sh -c '{script}'")),
        0,
        "none is left",
    );
}

#[test]
fn p1_2_gcwatch_ends_with_the_command_and_not_with_the_orphans() {
    let began = std::time::Instant::now();
    let done = as_init(
        "--mount-proc",
        "$W sh -c '(sleep 60 >/dev/null 2>&1 &); (sleep 60 &); exit 3'",
    );
    ends(&done, 3, "");
    assert!(began.elapsed() < std::time::Duration::from_secs(30));
}

#[test]
fn p1_3_signals_are_forwarded() {
    // The shell around it is in the outer namespace and finds gcwatch by its parent.
    let script = "unshare --mount-proc --pid --fork $W sh -c 'trap \"echo got TERM; exit 6\" TERM; \
                  trap \"echo got HUP\" HUP; echo ready >&2; while :; do sleep 0.02; done' 2>ready & \
                  until grep -qs ready ready; do sleep 0.01; done; init=$(ps -o pid= --ppid $!); \
                  kill -HUP $init; sleep 0.2; kill -TERM $init; wait $!; echo $?";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = command("bash")
        .args(["-c", script])
        .env("W", format!("{GCWATCH} -q --"))
        .current_dir(folder.path())
        .output()
        .expect("bash runs");
    ends(&output, 0, "got HUP\ngot TERM\n6");
}

#[test]
fn p1_4_proc_need_not_be_there_or_match() {
    ends(&as_init("", "$W sh -c 'echo $PPID; exit 3'"), 3, "1");
    let hidden = "sh -c 'mount -t tmpfs none /proc && exec \"$0\" -q -- sh -c \"echo no proc; exit 4\"' ${W%% *}";
    ends(&as_init("--mount", hidden), 4, "no proc");
}

#[test]
fn p1_otherwise_gcwatch_takes_no_orphans_in() {
    let script = "sh -c 'sleep 0.2; ps -o ppid= -p $$ >\"$0\"' \"$1\" & exit 0";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let told = folder.path().join("told");
    let mut child = command(GCWATCH)
        .args(["-q", "--", "sh", "-c", script, "sh"])
        .arg(&told)
        .spawn()
        .expect("gcwatch starts");
    let gcwatch = child.id().to_string();
    child.wait().expect("it ends");
    crate::bare::wait_until("the orphan tells", || {
        std::fs::read_to_string(&told).is_ok_and(|told| told.ends_with('\n'))
    });
    let parent = std::fs::read_to_string(&told).expect("it told");
    assert_ne!(parent.trim(), gcwatch);
}
