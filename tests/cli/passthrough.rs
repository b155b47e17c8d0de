//! Every byte that is no trace comes out as it went in.

use std::io::Read;
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::support::{Gcwatch, NONE, RELEASES, contains, option, probe};

/// The nine ways in which the probe logs at full speed while it makes garbage.
const STYLES: [&str; 9] = [
    "date",
    "rfc3339",
    "json",
    "digits",
    "unfinished",
    "colours",
    "random",
    "long",
    "lookalike",
];

/// How often each is logged; some are long.
fn lines(style: &str) -> &'static str {
    match style {
        "long" => "1500",
        _ => "40000",
    }
}

fn sha256(bytes: &[u8]) -> String {
    use std::io::Write;
    let mut command = std::process::Command::new("sha256sum");
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("sha256sum runs");
    child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(bytes)
        .expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .into()
}

#[test]
fn a_busy_logger_loses_no_cycle_and_no_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("json");
    let mut torn = 0;
    for release in RELEASES {
        for style in STYLES {
            let gcwatch = Gcwatch::new(["-q".into(), option("json", &json)]);
            let done = gcwatch
                .watch(probe(release), ["logger", style, lines(style)])
                .run()
                .exits(0);
            let told: Value = serde_json::from_slice(&done.stdout).expect("the probe reports");
            let read: Value = serde_json::from_slice(&std::fs::read(&json).expect("the summary"))
                .expect("it is JSON");
            assert_eq!(
                read["trace"]["cycles"], told["num_gc"],
                "cycles, {release} {style}"
            );
            torn += read["trace"]["reassembled"].as_u64().expect("a count");
            assert_eq!(read["trace"]["lost"], 0, "{release} {style}");
            assert_eq!(told["bytes"], done.stderr.len(), "bytes, {release} {style}");
            assert_eq!(told["sha256"], sha256(&done.stderr), "{release} {style}");
        }
    }
    assert!(torn > 0, "no line was torn: the test has shown nothing");
}

#[test]
fn a_log_line_behind_each_forced_cycle_stays_whole() {
    for release in RELEASES {
        let done = Gcwatch::new(["-q"])
            .watch(probe(release), ["forced", "200"])
            .run()
            .exits(0);
        let stderr = done.stderr();
        let mut rest = stderr.as_str();
        for count in 1..=200 {
            let (line, behind) = rest.split_once('\n').expect("another line");
            assert!(
                line.ends_with(&format!(" collected {count}")),
                "{release}: {line:?}"
            );
            rest = behind;
        }
        // The program may end while its last cycle is being printed: the piece passes.
        assert!(
            rest.is_empty() || "gc 200 @".starts_with(rest) || rest.starts_with("gc 200 @"),
            "{release}: {rest:?}"
        );
    }
}

#[test]
fn stdin_and_stdout_are_the_commands_own() {
    let input: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for release in RELEASES {
        let done = Gcwatch::new(["-q"])
            .input(input.clone())
            .watch(probe(release), ["echo"])
            .run()
            .exits(0);
        assert!(done.stdout == input, "stdout differs, {release}");
        assert_eq!(done.stderr().trim_end(), sha256(&input));
    }
}

#[test]
fn a_panic_comes_out_whole() {
    for release in RELEASES {
        let done = Gcwatch::new(["-q"])
            .watch(probe(release), ["panic"])
            .run()
            .exits(2);
        let done = done.says("panic: ").says("goroutine ");
        assert!(!contains(&done.stderr, "gc 1 @"), "{}", done.stderr());
        assert!(
            done.stderr().ends_with("exit status 2\n")
                || done
                    .stderr()
                    .lines()
                    .last()
                    .is_some_and(|line| line.contains(".go:")),
            "{}",
            done.stderr()
        );
    }
}

#[test]
fn the_dump_of_a_thousand_goroutines_comes_out_whole() {
    for release in RELEASES {
        let mut running = Gcwatch::new(["-q"])
            .watch(probe(release), ["goroutines", "1000"])
            .start();
        running.wait_for("ready");
        running.signal(nix::sys::signal::Signal::SIGQUIT);
        let done = running.finish().exits(2);
        let dump = done.stderr();
        assert!(dump.contains("SIGQUIT: quit"), "{dump}");
        assert!(
            dump.matches("\ngoroutine ").count() >= 1000,
            "{} goroutines",
            dump.matches("\ngoroutine ").count()
        );
        // The last thing in it are the registers of the machine.
        assert!(
            dump.trim_end()
                .lines()
                .last()
                .is_some_and(|line| line.starts_with("gs ")),
            "{dump}"
        );
    }
}

#[test]
fn a_prompt_is_shown_at_once_and_a_lone_g_soon() {
    let mut running = Gcwatch::new(["-q"])
        .script("printf 'Password: ' >&2; read x; printf g >&2; read y; exit 4")
        .input("a\nb\n")
        .start();
    running.wait_for("Password: ");
    running.wait_for("g");
    let done = running.finish().exits(4);
    assert_eq!(done.stderr(), "Password: g");
}

#[test]
fn bytes_that_are_no_text_pass() {
    let script = r"printf '\000\377\033[31mred\r\nno end, gc 12 @0.1s' >&2";
    let done = Gcwatch::new(["-q"]).script(script).run().exits(0);
    assert_eq!(done.stderr, b"\0\xff\x1b[31mred\r\nno end, gc 12 @0.1s");
}

#[test]
fn godebug_is_merged_and_the_rest_of_the_environment_untouched() {
    let done = Gcwatch::new(["-q"])
        .env("GODEBUG", "madvdontneed=1")
        .env("X", "a\nb")
        .script("env")
        .run()
        .exits(0);
    let lines = done.stdout();
    assert!(
        lines.contains("GODEBUG=madvdontneed=1,gctrace=1\n") && lines.contains("X=a\nb\n"),
        "{lines}"
    );
    let bare = std::process::Command::new("env")
        .output()
        .expect("env runs");
    let watched = Gcwatch::new(["-q"]).watch("env", NONE).run().exits(0);
    let sorted = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        let mut lines: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with("GODEBUG="))
            .map(String::from)
            .collect();
        lines.sort();
        lines
    };
    // The harness takes the user's settings for gcwatch and Go away.
    let ours = |line: &String| {
        !["GCWATCH_", "GOGC=", "GOMEMLIMIT=", "NO_COLOR="]
            .iter()
            .any(|name| line.starts_with(name))
    };
    let bare: Vec<String> = sorted(&bare.stdout).into_iter().filter(ours).collect();
    assert_eq!(sorted(&watched.stdout), bare);
}

#[test]
fn gcwatch_in_gcwatch_leaves_no_trace_to_the_outer_one() {
    let inner = env!("CARGO_BIN_EXE_gcwatch");
    let program = probe("1.27");
    let program = program.to_str().expect("a plain path");
    let done = Gcwatch::new(NONE)
        .watch(inner, ["-q", "--", program, "exit", "7"])
        .run()
        .exits(7);
    done.says("gcwatch: ran ")
        .says(", 0 GC cycles (0 reassembled, 0 lost)");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_as_it_would_bare() {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gcwatch"));
    command.args([
        "-q",
        "--",
        "sh",
        "-c",
        "while :; do echo line >&2 || exit 9; done",
    ]);
    let mut child = command
        .stderr(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .expect("gcwatch starts");
    // The command's copy must be the only one left.
    drop(command);
    let mut first = [0; 5];
    ours.read_exact(&mut first).expect("a line");
    drop(ours);
    let status = child.wait().expect("gcwatch ends");
    let died_of_sigpipe =
        std::os::unix::process::ExitStatusExt::signal(&status) == Some(nix::libc::SIGPIPE);
    assert!(died_of_sigpipe || status.code() == Some(9), "{status:?}");
}

#[test]
fn a_command_that_closes_its_stderr_is_waited_for() {
    let done = Gcwatch::new(["-q"])
        .script("exec 2>&-; sleep 0.3; exit 6")
        .run()
        .exits(6);
    assert_eq!(done.stderr(), "");
}

#[test]
fn a_daemon_that_holds_stderr_does_not_hold_gcwatch() {
    let began = std::time::Instant::now();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gcwatch"));
    command
        .args(["-q", "--", "sh", "-c", "sleep 20 & exit 3"])
        .stdout(std::process::Stdio::null());
    assert_eq!(command.status().expect("gcwatch runs").code(), Some(3));
    assert!(began.elapsed() < std::time::Duration::from_secs(10));
}
