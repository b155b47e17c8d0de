//! Saved logs as collectors keep them: judged like the bare stderr they were made from.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Done, Gcwatch, option, root, trace};

/// What a recorded program printed, with a line of text before every fifth line.
fn recorded(name: &str) -> String {
    let path = root().join(format!("tests/traces/labelled/{name}.trace"));
    let trace = fs::read_to_string(path).expect("a recorded trace");
    let mut log = String::from("listening on :8080\n");
    for (index, line) in trace.lines().enumerate() {
        if index % 5 == 0 {
            log.push_str("level=info msg=\"gc 1 @ 15% <done>\" user=\"\u{e4}\\t\"\n");
        }
        log.push_str(line);
        log.push('\n');
    }
    log
}

fn judge(log: impl Into<Vec<u8>>) -> Done {
    Gcwatch::new(["--from", "-", "--echo", "--on-leak", "fail"])
        .input(log)
        .run()
}

/// A log wrapped by `wrap`, line by line, is judged like the bare one. Text comes out with its prefix where `keeps`, else bare.
#[track_caller]
fn is_judged_like_the_bare_log(keeps: bool, wrap: impl Fn(usize, &str) -> String) {
    for (name, code) in [("leak-under-noise", 23), ("healthy-sawtooth", 0)] {
        let bare = recorded(name);
        let (mut log, mut text) = (String::new(), String::new());
        for (number, line) in bare.lines().enumerate() {
            let wrapped = wrap(number, line);
            if !line.starts_with("gc ") {
                text.push_str(if keeps { &wrapped } else { line });
                text.push_str(if keeps { "" } else { "\n" });
            }
            log.push_str(&wrapped);
        }
        let expected = judge(bare).exits(code);
        let done = judge(log).exits(code);
        assert_eq!(done.stderr(), expected.stderr());
        assert_eq!(done.stdout(), text);
    }
}

/// What Docker and Kubernetes put in front of a line with that number.
fn stamp(number: usize) -> String {
    let (minute, second) = (number / 60 % 60, number % 60);
    format!("2026-11-22T13:{minute:02}:{second:02}.123456789Z")
}

fn docker_entry(stream: &str, text: &str) -> String {
    let text = serde_json::to_string(text).expect("a string");
    let time = stamp(0);
    format!("{{\"log\":{text},\"stream\":\"{stream}\",\"time\":\"{time}\"}}\n")
}

#[test]
fn docker_logs_with_time_stamps() {
    is_judged_like_the_bare_log(true, |number, line| format!("{} {line}\n", stamp(number)));
}

#[test]
fn docker_compose_logs() {
    is_judged_like_the_bare_log(true, |_, line| format!("web-1  | {line}\n"));
    is_judged_like_the_bare_log(true, |number, line| {
        format!("web-1  | {} {line}\n", stamp(number))
    });
}

#[test]
fn dockers_own_log_files() {
    is_judged_like_the_bare_log(false, |number, line| {
        let stream = if line.starts_with("gc ") || number == 0 {
            "stderr"
        } else {
            "stdout"
        };
        docker_entry(stream, &format!("{line}\n"))
    });
}

#[test]
fn dockers_own_log_files_of_a_container_with_a_terminal() {
    let bare = recorded("leak-under-noise");
    let log: String = bare
        .lines()
        .map(|line| docker_entry("stdout", &format!("{line}\r\n")))
        .collect();
    let done = judge(log).exits(23);
    assert_eq!(done.stderr(), judge(bare).stderr());
    assert!(done.stdout().starts_with("listening on :8080\r\nlevel="));
}

#[test]
fn kubernetes_log_files() {
    is_judged_like_the_bare_log(true, |number, line| {
        format!("{} stderr F {line}\n", stamp(number))
    });
}

#[test]
fn kubernetes_log_files_with_lines_in_parts_between_those_of_the_other_stream() {
    is_judged_like_the_bare_log(true, |number, line| {
        let stamp = stamp(number);
        let (head, rest) = line.split_at(9);
        let (middle, tail) = rest.split_at(number % 5);
        let part = |tag: &str, text: &str| format!("{stamp} stderr {tag} {text}\n");
        part("P", head) + &part("P", middle) + &part("F", tail)
    });
    let parts = |line: &str| {
        let (head, tail) = line.split_at(20);
        let stamp = stamp(0);
        format!("{stamp} stderr P {head}\n{stamp} stdout F GET /\n{stamp} stderr F {tail}\n")
    };
    let bare = trace([3, 4, 5, 6, 7]);
    let done = judge(bare.lines().map(parts).collect::<String>());
    assert_eq!(
        done.stdout(),
        format!("{} stdout F GET /\n", stamp(0)).repeat(5)
    );
    assert_eq!(done.stderr(), judge(bare).stderr());
}

#[test]
fn kubectl_logs() {
    is_judged_like_the_bare_log(true, |_, line| format!("[pod/api-5d9c7b-x2x/app] {line}\n"));
    is_judged_like_the_bare_log(true, |number, line| {
        format!("[pod/api-5d9c7b-x2x/app] {} {line}\n", stamp(number))
    });
}

#[test]
fn the_short_formats_of_the_journal_and_syslog_files() {
    for (time, tag) in [
        ("Nov 22 13:00:00", "host app[123]: "),
        ("Nov  2 13:00:00.123456", "host app[123]: "),
        ("2026-11-22T13:00:00+0000", "host app[123]: "),
        ("2026-11-22T13:00:00.123456+01:00", "host app[123]: "),
        ("Sun 2026-11-22 13:00:00 UTC", "host app[123]: "),
        ("1763816400.123456", "host app[123]: "),
        ("[    5.123456]", "host app[123]: "),
        ("Nov 22 13:00:00", "app[123]: "),
        ("Nov 22 13:00:00", "host app: "),
        ("<14>Nov 22 13:00:00", "host app[123]: "),
        ("<14>1 2026-11-22T13:00:00.123456Z", "host app 123 - - "),
        ("Feb 26 12:52:23.767", ""),
    ] {
        is_judged_like_the_bare_log(true, |_, line| format!("{time} {tag}{line}\n"));
    }
}

#[test]
fn windows_line_ends_and_a_byte_order_mark() {
    is_judged_like_the_bare_log(true, |number, line| {
        let mark = if number == 0 { "\u{feff}" } else { "" };
        format!("{mark}{line}\r\n")
    });
    is_judged_like_the_bare_log(true, |_, line| format!("web-1  | {line}\r\n"));
    let bare = trace([3, 4, 5]);
    let done = judge(format!("\u{feff}{bare}"));
    assert_eq!(done.stderr(), judge(bare).stderr());
    assert_eq!(done.stdout(), "");
}

#[test]
fn a_line_that_only_quotes_a_trace_line_is_text() {
    let quoting: [fn(&str) -> String; 4] = [
        |line| format!("time=2026-11-22T13:00:00Z level=info msg=\"{line}\"\n"),
        |line| format!("{{\"level\":\"info\",\"msg\":\"{line}\"}}\n"),
        |line| format!("{{\"log\":\"{line}\\n\",\"level\":\"info\"}}\n"),
        |line| format!("2026/11/22 13:00:00 child: {line}\n"),
    ];
    for quote in quoting {
        let log: String = trace(3..40).lines().map(quote).collect();
        let done = judge(log.clone()).exits(24);
        assert_eq!(done.stdout(), log);
        done.says("no GC cycle seen");
    }
}

#[test]
fn a_last_line_without_a_newline_counts_if_it_is_a_whole_trace_line() {
    let log = trace([3, 4, 5]);
    let expected = judge(log.clone());
    for wrapped in [log.clone(), log.replace("gc ", "web-1  | gc ")] {
        let done = judge(wrapped.trim_end());
        assert_eq!(done.stderr(), expected.stderr());
        assert_eq!(done.stdout(), "");
    }
    let cut = log.trim_end().trim_end_matches(" P");
    let done = judge(cut);
    done.says("gcwatch: 2 GC cycles");
}

#[test]
fn nul_bytes_and_other_damage_are_text() {
    let torn = "\0\0\0\u{fffd}\n2026-11-22T13:00:00Z stderr X\n{\"log\":\"\n";
    let wrap = |line: &str| format!("{} stderr F {line}\n{torn}", stamp(0));
    let log: String = trace([3, 4, 5, 6]).lines().map(wrap).collect();
    let done = judge(log);
    assert_eq!(done.stdout(), torn.repeat(4));
    done.says("gcwatch: 4 GC cycles");
}

fn zip(text: &str) -> Vec<u8> {
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    zipped.write_all(text.as_bytes()).expect("memory");
    zipped.finish().expect("memory")
}

#[test]
fn zipped_logs_whatever_their_name() {
    let bare = recorded("leak-under-noise");
    let expected = judge(bare.clone()).exits(23);
    let (head, tail) = bare.split_at(5_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("service.log.1");
    fs::write(&file, [zip(head), zip(tail)].concat()).expect("a file");
    let done = Gcwatch::new([
        option("from", &file),
        "--echo".into(),
        "--on-leak=fail".into(),
    ])
    .run();
    assert_eq!(done.stderr(), expected.stderr());
    assert_eq!(done.stdout(), expected.stdout());
    let wrapped = bare.replace("\ngc ", "\nweb-1  | gc ");
    assert_eq!(judge(zip(&wrapped)).exits(23).stderr(), expected.stderr());
}

#[test]
fn a_zipped_log_that_was_cut_is_judged_as_far_as_it_goes() {
    let zipped = zip(&recorded("leak-under-noise"));
    let line = "gcwatch: `-` ends in the middle of its gzip data: judged as far as it goes; is the copy complete?\n";
    let done = judge(&zipped[..zipped.len() - 10]).exits(23).says(line);
    assert!(!done.stdout().is_empty());
    let quiet = Gcwatch::new(["--from", "-", "-q"]).input(&zipped[..100]);
    quiet.run().exits(0).says_only(line.trim_end());
}

#[test]
fn a_log_that_still_grows_is_judged_live() {
    let wrap: [fn(&str) -> String; 3] = [
        |line| format!("{line}\n"),
        |line| format!("web-1  | {line}\n"),
        |line| docker_entry("stderr", &format!("{line}\n")),
    ];
    for wrap in wrap {
        let options = ["--from", "-", "--echo", "--rule", "strict", "--cycles", "5"];
        let (mut gcwatch, mut stdin) = Gcwatch::new(options).start_fed();
        let mut feed = |text: &str| {
            // In pieces, as `tail -f` hands them on.
            for piece in text.as_bytes().chunks(50) {
                stdin.write_all(piece).expect("gcwatch reads");
            }
        };
        for line in trace([3, 5, 7, 9, 11, 13]).lines() {
            feed(&wrap(line));
        }
        // The log is still open: what follows is written only after the flag.
        gcwatch.wait_for("gcwatch: leak: live heap rose across 5 windows of 1 cycle: 3, 5, 7");
        feed(&wrap("bye"));
        drop(stdin);
        let done = gcwatch.finish().exits(0);
        assert!(done.stdout().ends_with("bye\n"), "{}", done.stdout());
        done.says("gcwatch: 6 GC cycles");
    }
}

#[test]
fn what_may_be_a_torn_line_waits_for_more_but_not_while_a_growing_log_pauses() {
    let (mut gcwatch, mut stdin) =
        Gcwatch::new(["--from", "-", "--echo", "--rule", "strict", "--cycles", "5"]).start_fed();
    // Such a line makes it read ahead, of which there is nothing yet.
    stdin
        .write_all(b"what gc 1 is about\n")
        .expect("gcwatch reads");
    stdin
        .write_all(trace([3, 5, 7, 9, 11, 13]).as_bytes())
        .expect("gcwatch reads");
    gcwatch.wait_for("gcwatch: leak: live heap rose across 5 windows");
    drop(stdin);
    let done = gcwatch.finish().exits(0);
    assert_eq!(done.stdout(), "what gc 1 is about\n");
}

/// The most memory that a process has had so far, bytes.
fn peak_memory(pid: nix::unistd::Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.expect("a size") << 10
}

#[test]
fn a_million_wrapped_lines_take_bounded_memory() {
    const LIMIT: u64 = 40 << 20;
    // Docker's JSON takes longest to read: a fifth of them tells as much.
    type Wrap = fn(&str) -> String;
    let logs: [(Wrap, u64); 2] = [
        (|line| format!("{} stderr F {line}\n", stamp(0)), 10_000),
        (|line| docker_entry("stderr", &format!("{line}\n")), 2_000),
    ];
    for (wrap, count) in logs {
        let options = ["--from", "-", "-q", "--json", "-"];
        let (gcwatch, mut stdin) = Gcwatch::new(options).start_fed();
        let text = wrap("GET /index.html 200").repeat(99);
        for line in trace((0..count).map(|cycle| 20 + cycle % 7)).lines() {
            stdin
                .write_all(wrap(line).as_bytes())
                .expect("gcwatch reads");
            stdin.write_all(text.as_bytes()).expect("gcwatch reads");
        }
        let peak = peak_memory(gcwatch.pid());
        drop(stdin);
        let done = gcwatch.finish().exits(0);
        assert!(peak < LIMIT, "{peak} bytes");
        let cycles = format!("\"cycles\": {count},");
        assert!(
            done.stdout().contains(&cycles),
            "no {cycles} in: {}",
            done.stdout()
        );
    }
}
