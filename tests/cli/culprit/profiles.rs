//! Heap profiles: those that gcwatch writes, and those that a program serves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::{BUILDS, PPROF, Run, STRIP, marked, names_the_leaks, shop};
use crate::support::toolchain;

#[test]
fn profiles_of_the_rise_open_in_gos_own_tool_and_are_their_users_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let profiles = folder.path().join("new/profiles");
    let option = format!("--profile-out={}", profiles.display());
    let program = shop("1.25", BUILDS[1]);
    let run = Run::direct(
        folder.path(),
        "run",
        &["--culprit=on", &option],
        &program,
        "leak",
    );
    let (_, process, done) = run.finish();
    let files: Vec<PathBuf> = process["profiles"]
        .as_array()
        .expect("two files")
        .iter()
        .map(|file| file.as_str().expect("a name").into())
        .collect();
    let [base, last] = &files[..] else {
        panic!("{files:?}")
    };
    for file in &files {
        let mode = fs::metadata(file)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    done.says(&format!(
        "go tool pprof -diff_base {} {}\n",
        base.display(),
        last.display()
    ));
    // From 1.25 on the tool is built when it is first asked for.
    let top = Command::new(toolchain("1.22"))
        .args(["tool", "pprof", "-top", "-lines", "-diff_base"])
        .args(&files)
        .env("HOME", folder.path())
        .env("PPROF_TMPDIR", folder.path())
        .output()
        .expect("go runs");
    let top = String::from_utf8_lossy(&top.stdout).into_owned();
    let first = top
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("flat"))
        .nth(1)
        .unwrap_or_else(|| panic!("{top}"));
    let (file, number) = &marked("LEAK:session")[0];
    assert!(first.ends_with(&format!("{file}:{number}")), "{top}");
}

#[test]
fn a_program_that_serves_its_profile_need_not_be_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = shop("1.27", ("pprof", &[PPROF, STRIP]));
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port();
    let script = format!("SHOP_LISTEN=127.0.0.1:{port} exec \"$0\" \"$@\"");
    let option = format!("--pprof=http://127.0.0.1:{port}");
    let run = Run::start(
        folder.path(),
        "served",
        &[&option],
        &script,
        &program,
        "leak",
    );
    let (name, process, done) = run.finish();
    assert!(
        done.stderr().contains("sessions.(*Store).New sessions.go:"),
        "{}",
        done.stderr()
    );
    names_the_leaks(&name, &process, 2);
}
