//! EX: how gcwatch ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use nix::libc;
use nix::sys::signal::Signal;

use crate::bare::{GCWATCH, as_bare, as_bare_says, script};
use crate::support::{Gcwatch, NONE, RELEASES, command, probe};

#[test]
fn ex_1_every_exit_code_is_mirrored() {
    for code in 0..=255 {
        let done = Gcwatch::new(["-q"])
            .script(&format!("exit {code}"))
            .run()
            .exits(code);
        assert_eq!(
            (done.stdout(), done.stderr()),
            (String::new(), String::new())
        );
    }
}

#[test]
fn ex_1_the_exit_code_of_a_go_program_is_mirrored() {
    for release in RELEASES {
        let done = Gcwatch::new(["--quiet"])
            .watch(probe(release), ["exit", "7"])
            .run()
            .exits(7);
        assert_eq!(done.stdout(), "probe: done\n");
        Gcwatch::new(["--on-leak", "fail"])
            .watch(probe(release), ["exit", "0"])
            .run()
            .exits(0);
    }
}

#[test]
fn ex_1_the_last_bytes_come_before_the_end() {
    for _ in 0..20 {
        let done = Gcwatch::new(["-q"])
            .script("head -c 700000 /dev/zero >&2; printf end >&2; exit 3")
            .run()
            .exits(3);
        assert_eq!(done.stderr.len(), 700_003);
        assert!(done.stderr.ends_with(b"end"));
    }
}

/// All that end a process, real-time ones too.
fn deadly() -> impl Iterator<Item = i32> {
    let harmless = [
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGURG,
        libc::SIGWINCH,
        libc::SIGSTOP,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ];
    (1..=libc::SIGSYS)
        .chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
        .filter(move |number| !harmless.contains(number))
}

#[test]
fn ex_2_a_signal_death_is_mirrored() {
    for number in deadly() {
        let done = Gcwatch::new(["-q"])
            .script(&format!("kill -{number} $$"))
            .run();
        assert_eq!(done.status.signal(), Some(number), "{:?}", done.status);
        assert_eq!(done.stderr(), "");
    }
}

#[test]
fn ex_2_a_go_program_that_dies_of_sigsegv_is_mirrored_by_the_same_signal() {
    for release in RELEASES {
        Gcwatch::new(["-q"])
            .watch(probe(release), ["segv"])
            .run()
            .dies_of(Signal::SIGSEGV);
    }
}

#[test]
fn ex_3_gcwatch_leaves_no_core_of_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for signal in ["QUIT", "ABRT", "SEGV"] {
        let status = command("bash")
            .args(["-c", "ulimit -c unlimited; exec \"$@\"", "bash"])
            .args([GCWATCH, "-q", "--", "sh", "-c"])
            .arg(format!("ulimit -c 0; kill -{signal} $$"))
            .current_dir(folder.path())
            .status()
            .expect("bash runs");
        assert!(status.signal().is_some(), "{status:?}");
        assert!(!status.core_dumped(), "{signal}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn ex_4_a_command_that_is_not_found_or_cannot_be_run_is_said_in_one_line() {
    let refused = |command: &str, code: i32, why: &str| {
        let done = Gcwatch::new(NONE).watch(command, ["x"]).run().exits(code);
        assert_eq!(done.stdout(), "");
        done.says_only(&format!("gcwatch: cannot run `{command}`: {why}"));
    };
    refused(
        "no-such-program",
        127,
        "not found; it is in no folder of PATH; write `./NAME` for a program in this folder",
    );
    refused("./no/such", 127, "not found; is the path right?");
    refused("./LICENSE/x", 126, "not a directory");
    refused(
        "./LICENSE",
        126,
        "permission denied; is it executable? try `chmod +x ./LICENSE`",
    );
    refused(
        "./src",
        126,
        "permission denied; it is a folder, name the program in it",
    );
}

#[test]
fn ex_4_the_code_is_that_of_env() {
    for command in [
        "no-such-program",
        "./no-such-program",
        "./LICENSE",
        "./LICENSE/x",
        "./src",
        "$d/loop",
        "$(head -c 300 /dev/zero | tr '\\0' x)",
        "''",
        "$d/no-interpreter",
    ] {
        as_bare(&format!(
            "d=$(mktemp -d); ln -s loop $d/loop; echo '#!/no/such' >$d/no-interpreter; chmod 755 $d/no-interpreter; \
             $W {command} 2>/dev/null; echo $?; rm -r $d"
        ));
    }
}

#[test]
fn ex_5_a_script_without_an_interpreter_line_runs_as_under_a_shell() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("script");
    fs::write(&script, "echo \"$0 $1\"; exit 3\n").expect("a file");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("its mode is set");
    let done = Gcwatch::new(["-q"]).watch(&script, ["x y"]).run().exits(3);
    assert_eq!(done.stdout(), format!("{} x y\n", script.display()));
}

#[test]
fn ex_5_the_command_is_looked_up_as_execvp_does() {
    as_bare_says(
        "d=$(mktemp -d); mkdir $d/a $d/b; echo echo no >$d/a/it; echo echo found >$d/b/it; chmod 755 $d/b/it; \
         PATH=$d/a:$d/b:$PATH; $W it; rm -r $d",
        "found",
    );
    as_bare_says("unset PATH; $W sh -c 'echo default path'", "default path");
    as_bare_says(
        "exec $W sh -c 'tr \"\\0\" \" \" </proc/$$/cmdline | cut -c 1-3'",
        "sh",
    );
}

#[test]
fn ex_6_failures_of_our_own_are_125() {
    Gcwatch::new(["--no-such-option"]).run().exits(125);
    Gcwatch::new(NONE).run().exits(125);
    Gcwatch::new(["--cycles", "6", "--"]).run().exits(125);
    for text in ["--help", "--version"] {
        let done = Gcwatch::new([text]).run().exits(0);
        assert!(!done.stdout.is_empty());
        assert_eq!(done.stderr(), "");
    }
    let done = Gcwatch::new(["-q"])
        .watch("echo", ["--help", "--", "-q"])
        .run()
        .exits(0);
    assert_eq!(done.stdout(), "--help -- -q\n");
}

#[test]
fn ex_7_sigchld_may_be_ignored_or_blocked() {
    let show = "sh -c 'grep -E \"Sig(Blk|Ign)\" /proc/self/status; exit 3'";
    as_bare(&format!(
        "perl -e '$SIG{{CHLD}} = \"IGNORE\"; exec @ARGV' $W {show}"
    ));
    for set in [
        "POSIX::SigSet->new(SIGCHLD)",
        "do { my $s = POSIX::SigSet->new; $s->fillset; $s }",
    ] {
        as_bare(&format!(
            "perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, {set}); exec @ARGV' $W {show}"
        ));
    }
}

#[test]
fn ex_8_the_end_of_an_older_child_is_not_the_commands() {
    as_bare_says(
        "sh -c '(exit 9) & (sleep 0.1; exit 8) & exec '\"$W\"' sh -c \"sleep 0.3; exit 3\"'; echo $?",
        "3",
    );
}

#[test]
fn ex_9_few_descriptors_are_enough_and_too_few_are_said() {
    for limit in 4..=24 {
        let output = script(&format!("prlimit --nofile={limit} $W true"));
        match output.status.code() {
            Some(0) => assert!(output.stderr.is_empty()),
            Some(125) => {
                assert!(limit < 24, "{limit} are enough");
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(said.starts_with("gcwatch: cannot "), "{limit}: {said}");
                assert_eq!(said.lines().count(), 1, "{limit}: {said}");
            }
            other => panic!("{limit}: {other:?}"),
        }
    }
}

#[test]
fn ex_10_quick_runs_lose_nothing() {
    for run in 0..200 {
        let code = run % 256;
        let done = Gcwatch::new(["-q"])
            .script(&format!("echo run {run} >&2; exit {code}"))
            .run()
            .exits(code);
        assert_eq!(done.stderr(), format!("run {run}\n"));
    }
}
