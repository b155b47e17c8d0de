//! EN: what the command inherits.

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::bare::{GCWATCH, as_bare, as_bare_says, wait_until};
use crate::support::command;

#[test]
fn en_1_arguments_come_byte_for_byte() {
    let print = "perl -e 'print join(\"|\", map { unpack(\"H*\", $_) } @ARGV)'";
    as_bare(&format!("$W {print} '' $'a\\nb' $'\\xff\\xfe' '*' ' ' --"));
    as_bare(&format!(
        "$W {print} \"$(head -c 100000 /dev/zero | tr '\\0' x)\""
    ));
    as_bare(&format!("$W {print} $(seq 20000)"));
}

#[test]
fn en_2_the_environment_keeps_its_order() {
    as_bare("env -i Z=1 GODEBUG=gctrace=1 A=2 M=$'x\\ny' $W /bin/cat /proc/self/environ");
}

#[test]
fn en_2_doubles_and_entries_without_a_sign_stay() {
    let c_string = |text: &str| CString::new(text).expect("no NUL");
    let arguments = [GCWATCH, "-q", "--", "/bin/cat", "/proc/self/environ"].map(c_string);
    let environment = ["B=1", "nothing", "GODEBUG=x=1", "B=2", "=odd"].map(c_string);
    let path = c_string(GCWATCH);
    let mut command = command("true");
    #[expect(
        unsafe_code,
        reason = "std sorts the environment and drops what is odd"
    )]
    // SAFETY: execve(2) may be called between fork and exec, and all that it takes was made before.
    unsafe {
        command.pre_exec(move || {
            nix::unistd::execve(&path, &arguments, &environment)?;
            Ok(())
        });
    }
    let output = command.output().expect("gcwatch runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<&str> = told.trim_end_matches('\0').split('\0').collect();
    assert_eq!(
        told,
        ["B=1", "nothing", "GODEBUG=x=1,gctrace=1", "B=2", "=odd"]
    );
}

#[test]
fn en_3_limits_and_credentials_are_unchanged() {
    let show = "sh -c 'umask; ulimit -a; nice; cat /proc/self/oom_score_adj /proc/self/timerslack_ns; \
                grep -E \"^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Cpus_allowed|SigBlk|SigIgn)\" /proc/self/status; pwd'";
    as_bare(&format!("$W {show}"));
    as_bare(&format!(
        "umask 027; ulimit -n 200; ulimit -c 0; nice -n 5 taskset -c 0 setpriv --no-new-privs $W {show}"
    ));
    as_bare("d=$(mktemp -d); cd $d; rmdir $d; $W sh -c 'echo still here'");
    as_bare("cd /usr; $W sh -c 'readlink /proc/$$/cwd'");
}

#[test]
fn en_3_the_command_is_gcwatchs_own_child() {
    let mut child = command(GCWATCH)
        .args(["-q", "--", "sh", "-c", "echo $PPID; exec sleep 0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("gcwatch starts");
    let mut told = String::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_to_string(&mut told).expect("text");
    assert_eq!(told.trim_end(), child.id().to_string());
    child.wait().expect("gcwatch ends");
}

#[test]
fn en_4_descriptors_pass_through_and_none_of_ours_leaks() {
    as_bare("exec 5</etc/passwd 7>/dev/null; $W ls /proc/self/fd; $W sh -c 'head -c 4 <&5'");
    as_bare("$W cat <(echo from a process)");
}

#[test]
fn en_5_stdin_and_stdout_are_the_very_same() {
    as_bare_says("{ $W true; cat; } <<<unread", "unread");
    as_bare_says(
        "f=$(mktemp); seq 9 >$f; exec 3<$f; $W sh -c 'head -c 2 >/dev/null' <&3; dd bs=1 count=0 status=none <&3; \
         grep pos: /proc/$$/fdinfo/3; rm $f",
        "pos:\t2",
    );
    as_bare("$W sh -c 'readlink /proc/$$/fd/0 /proc/$$/fd/1' </etc/passwd | sed 's/[0-9]*//g'");
}

#[test]
fn en_6_others_notice_when_the_command_closes_stdin_and_stdout() {
    let mut child = command(GCWATCH)
        .args(["-q", "--", "bash", "-c"])
        .arg("trap 'exit 5' TERM; exec >&-; read line; exec <&-; echo closed >&2; while :; do sleep 0.02; done")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gcwatch starts");
    // Returns at the end of the file only: the command runs on.
    let mut told = Vec::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_to_end(&mut told).expect("the end of stdout");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"line\n").expect("the command reads it");
    let mut closed = [0; 6];
    let mut stderr = child.stderr.take().expect("it is piped");
    stderr.read_exact(&mut closed).expect("a word");
    wait_until("a write to stdin fails", || {
        stdin.write_all(b"more\n").is_err()
    });
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().expect("a number"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("gcwatch is there");
    assert_eq!(child.wait().expect("gcwatch ends").code(), Some(5));
}

#[test]
fn en_6_a_report_may_go_to_a_descriptor_that_was_given() {
    let output = crate::bare::script(&format!(
        "{GCWATCH} -q --jsonl /dev/fd/7 -- true 7>&1 | grep -c type"
    ));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2\n");
}

#[test]
fn en_7_sockets_of_a_service_manager_are_the_commands() {
    as_bare_says(
        "LISTEN_FDS=1 bash -c 'LISTEN_PID=$$ exec '\"$W\"' sh -c \"test \\$LISTEN_PID = \\$\\$ && echo ours\"'",
        "ours",
    );
    as_bare_says("LISTEN_PID=1 $W sh -c 'echo $LISTEN_PID'", "1");
}

#[test]
fn en_7_the_number_of_a_pidfd_goes_with_the_process() {
    // As systemd does: the process names itself before it becomes gcwatch.
    let python = "import os, sys\n\
        own = lambda: str(os.fstat(os.pidfd_open(os.getpid())).st_ino)\n\
        if len(sys.argv) == 1: print(os.environ['LISTEN_PIDFDID'] == own(), os.environ['LISTEN_PID'] == str(os.getpid()))\n\
        else:\n \
            os.environ.update(LISTEN_PIDFDID=own(), LISTEN_PID=str(os.getpid()))\n \
            os.execvp(sys.argv[2], sys.argv[2:] + ['python3', '-c', sys.argv[1]])";
    let output = command("python3")
        .args(["-c", python, python, GCWATCH, "-q", "--"])
        .output()
        .expect("python runs");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "True True\n",
        "{output:?}"
    );
    as_bare_says("LISTEN_PIDFDID=7 $W sh -c 'echo $LISTEN_PIDFDID'", "7");
}
