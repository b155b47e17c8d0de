//! A program that is sampled and read all the time ends and says the same as without.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use gcwatch::culprit::Program;

use crate::leftovers;
use crate::support::{Build, build, releases};

/// What the programs are asked to do: to exit, to die in three ways, to run children, to allocate and nothing else.
const TASKS: [&[&str]; 6] = [
    &["exit", "7"],
    &["segv"],
    &["panic"],
    &["forced", "200"],
    &["tree"],
    &["trees", "150"],
];

const RATES: [u64; 3] = [1, 4 << 10, 128 << 10];

/// Reads the profile every 50 ms until the program has ended, and says how often.
fn read(child: &Child, rate: u64) -> u32 {
    let pid = child.id().cast_signed();
    let mut count = 0;
    let mut program = None;
    while std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z"))
    {
        match &mut program {
            None => program = Program::open(pid).ok(),
            Some(program) => {
                // The start-up code may have set it back.
                let _ = program.arm(rate);
                count += u32::from(program.snapshot().is_ok());
                let _ = program.goroutines();
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
    count
}

/// How the program ended and what it wrote to its standard output, and how often it was read meanwhile.
fn run(release: &str, task: &[&str], rate: Option<u64>) -> ((ExitStatus, String), u32) {
    let child = Command::new(build(release, "probe", Build::Stripped))
        .args(task)
        .env_remove("GODEBUG")
        .envs([leftovers::mark()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let read = rate.map_or(0, |rate| read(&child, rate));
    let done = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ((done.status, said), read)
}

/// `GCWATCH_RUNS` asks for more runs.
#[test]
fn reading_changes_neither_the_end_nor_what_is_said() {
    let runs: usize = std::env::var("GCWATCH_RUNS")
        .map_or(Ok(TASKS.len()), |runs| runs.parse())
        .expect("a number");
    let releases = releases();
    let mut read = 0;
    for number in 0..runs {
        let task = TASKS[number % TASKS.len()];
        let release = &releases[(number + number / TASKS.len()) % releases.len()];
        let rate = RATES[number / TASKS.len() % RATES.len()];
        let (without, _) = run(release, task, None);
        let (with, count) = run(release, task, Some(rate));
        assert_eq!(with, without, "{task:?} with Go {release} at rate {rate}");
        read += count;
    }
    assert!(read as usize >= runs, "{read} profiles in {runs} runs");
}
