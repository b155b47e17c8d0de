//! GO: real Go programs, an old release and a new one.

use std::ffi::OsString;

use serde_json::Value;

use nix::sys::signal::Signal;

use crate::support::{self, Done, Gcwatch, RELEASES, contains, option, probe};

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

/// Lets the probe log in that style, and says what came out, what the probe reports and what was read of its trace.
fn logged(release: &str, style: &str, options: &[&str]) -> (Done, Value, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("json");
    let options = options.iter().map(OsString::from);
    let done = Gcwatch::new(options.chain([option("json", &json)]))
        .watch(probe(release), ["logger", style, lines(style)])
        .run()
        .exits(0);
    let told = serde_json::from_slice(&done.stdout).expect("the probe reports");
    let read: Value =
        serde_json::from_slice(&std::fs::read(&json).expect("the summary")).expect("it is JSON");
    let trace = read["trace"].clone();
    (done, told, trace)
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

/// Where this differs from the log as it is without gcwatch and without a trace: it is the same in every run.
fn difference(release: &str, style: &str, seen: &[u8]) -> String {
    let bare = support::command(probe(release))
        .args(["logger", style, lines(style)])
        .env_remove("GODEBUG")
        .output()
        .expect("the probe runs")
        .stderr;
    let at = bare.iter().zip(seen).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let end = bytes.len().min(at + 200);
        bytes[at.saturating_sub(40).min(end)..end]
            .escape_ascii()
            .to_string()
    };
    format!(
        "{} and {} bytes, the first that differs is {at}:\n{}\n{}",
        bare.len(),
        seen.len(),
        around(&bare),
        around(seen)
    )
}

#[test]
fn go_1_a_log_line_behind_each_forced_cycle_stays_whole() {
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
fn go_1_stdin_and_stdout_are_the_commands_own() {
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
fn go_2_a_busy_logger_loses_no_cycle_and_no_byte() {
    for style in STYLES {
        let mut torn = 0;
        // Go 1.22 writes the same tokens as 1.19 and is scheduled otherwise.
        for release in ["1.19", "1.22", "1.27"] {
            let (done, told, read) = logged(release, style, &["-q"]);
            assert_eq!(read["cycles"], told["num_gc"], "cycles, {release} {style}");
            torn += read["reassembled"].as_u64().expect("a count");
            assert_eq!(read["lost"], 0, "{release} {style}");
            assert_eq!(told["bytes"], done.stderr.len(), "bytes, {release} {style}");
            assert!(
                told["sha256"] == sha256(&done.stderr),
                "{release} {style}: {}",
                difference(release, style, &done.stderr)
            );
        }
        assert!(
            torn > 0,
            "{style}: no line was torn, so nothing has been shown"
        );
    }
}

/// A terminal keeps no edges of writes: what is torn there is put together by what is likely.
#[test]
fn go_2_on_a_terminal_hardly_a_cycle_of_a_busy_logger_is_lost() {
    let (mut cycles, mut printed, mut torn) = (0, 0, 0);
    for style in ["date", "json", "colours", "unfinished"] {
        for release in RELEASES {
            let (done, told, read) = logged(release, style, &["-q", "--stderr=pty"]);
            cycles += read["cycles"].as_u64().expect("a count");
            torn += read["reassembled"].as_u64().expect("a count");
            printed += told["num_gc"].as_u64().expect("a count");
            // A line that was not found is text.
            let bytes = told["bytes"].as_u64().expect("a count");
            assert!(
                bytes.abs_diff(done.stderr.len() as u64) < 3000,
                "{release} {style}: {} of {bytes} bytes",
                done.stderr.len()
            );
        }
    }
    assert!(torn > 0, "no line was torn, so nothing has been shown");
    assert!(
        cycles * 100 >= printed * 97,
        "{cycles} of {printed} cycles, {torn} torn"
    );
}

#[test]
fn go_3_a_panic_comes_out_whole() {
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
fn go_3_the_dump_of_a_thousand_goroutines_comes_out_whole() {
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
fn go_3_a_go_server_shuts_down_at_sigterm() {
    for release in RELEASES {
        let mut running = Gcwatch::new(["-q"])
            .watch(probe(release), ["server"])
            .start();
        running.wait_for("listening");
        running.signal(Signal::SIGTERM);
        running.finish().exits(0).says("shutting down");
    }
}
