//! What else the trace knows, of made-up cycles.

use std::time::Duration;

use gcwatch::demux::ProcessId;
use gcwatch::session::Event;
use gcwatch::signs;
use gcwatch::size::{MIB, Size};
use gcwatch::summary::{Limit, Summary};
use gcwatch::trace::{Cpu, Cycle, Heap, Scan};

/// A cycle a second, of a program that is well: 30 MiB of 60, one processor of two busy.
fn well(number: u32) -> Cycle {
    let live = Size::from_bytes(30 * MIB);
    let goal = Size::from_bytes(60 * MIB);
    Cycle {
        number,
        at: Some(Duration::from_secs(number.into())),
        gc_cpu_percent: Some(2),
        cpu: Some(Cpu {
            assist: Duration::from_millis(9),
            background: Duration::from_millis(10),
            ..Cpu::default()
        }),
        heap: Heap {
            start: goal,
            end: Some(goal),
            live: Some(live),
        },
        goal: Some(goal),
        scan: Some(Scan {
            stacks: Size::from_bytes(MIB),
            globals: Size::default(),
        }),
        procs: 2,
        ..Cycle::default()
    }
}

/// The names of the signs that so many cycles show.
fn signs_of(count: u32, limit: Option<u64>, change: impl Fn(u32, &mut Cycle)) -> Vec<&'static str> {
    let limit = limit.map(|limit| Limit {
        size: Size::from_bytes(limit * MIB),
        from: "--limit".into(),
    });
    let mut summary = Summary::new(limit);
    for number in 1..=count {
        let mut cycle = well(number);
        change(number, &mut cycle);
        summary.record(&Event::Cycle {
            process: ProcessId(1),
            arrived: None,
            cycle,
            reassembled: false,
        });
    }
    let signs = signs::of(&summary.processes[0], summary.limit.as_ref());
    signs.iter().map(signs::Sign::name).collect()
}

fn stacks(cycle: &mut Cycle, mib: u32) {
    let scan = cycle.scan.as_mut().expect("it has stacks");
    scan.stacks = Size::from_bytes(u64::from(mib) * MIB);
}

fn live(cycle: &mut Cycle, mib: u32) {
    cycle.heap.live = Some(Size::from_bytes(u64::from(mib) * MIB));
}

#[test]
fn a_program_that_is_well_has_no_signs() {
    assert_eq!(signs_of(60, Some(512), |_, _| {}), [""; 0]);
    assert_eq!(signs_of(1, None, |_, _| {}), [""; 0]);
}

#[test]
fn stacks_that_grow_more_than_the_heap_are_a_sign() {
    assert_eq!(
        signs_of(60, None, |number, cycle| stacks(cycle, number / 4)),
        ["stacks"]
    );
    let with_the_heap = |number, cycle: &mut Cycle| {
        stacks(cycle, number / 4);
        live(cycle, 30 + number);
    };
    assert_eq!(
        signs_of(60, None, with_the_heap),
        [""; 0],
        "the heap's own growth says it"
    );
    assert_eq!(
        signs_of(60, None, |number, cycle| stacks(cycle, number / 20)),
        [""; 0],
        "3 MiB"
    );
    assert_eq!(
        signs_of(60, None, |number, cycle| stacks(cycle, 20 + number / 4)),
        [""; 0],
        "not twice"
    );
    let once = |number, cycle: &mut Cycle| stacks(cycle, if number < 20 { 1 } else { 20 });
    assert_eq!(
        signs_of(60, None, once),
        [""; 0],
        "they have stopped growing"
    );
}

#[test]
fn a_share_of_the_cpu_counts_once_there_is_enough_of_a_run() {
    let busy = |_: u32, cycle: &mut Cycle| cycle.gc_cpu_percent = Some(13);
    assert_eq!(signs_of(60, None, busy), ["churn"]);
    assert_eq!(signs_of(13, None, busy), [""; 0], "the start of a program");
    assert_eq!(
        signs_of(60, Some(37), busy),
        ["near limit"],
        "which is why it is busy"
    );
}

#[test]
fn assists_are_a_sign_when_they_outdo_the_background_and_cost_something() {
    let assists = |millis| {
        signs_of(60, None, move |_, cycle| {
            let cpu = cycle.cpu.as_mut().expect("it has CPU times");
            cpu.assist = Duration::from_millis(millis);
        })
    };
    assert_eq!(assists(21), ["assist"]);
    assert_eq!(assists(19), [""; 0], "below 1 % of two processors");
    let outdone = |_: u32, cycle: &mut Cycle| {
        cycle.cpu = Some(Cpu {
            assist: Duration::from_millis(100),
            background: Duration::from_millis(101),
            ..Cpu::default()
        });
    };
    assert_eq!(signs_of(60, None, outdone), [""; 0]);
    let paused = |number: u32, cycle: &mut Cycle| {
        cycle.cpu = Some(Cpu {
            assist: Duration::from_millis(30),
            background: Duration::from_millis(if number == 30 { 5000 } else { 3 }),
            ..Cpu::default()
        });
    };
    assert_eq!(
        signs_of(60, None, paused),
        ["assist"],
        "a machine that stood still in one cycle"
    );
}

#[test]
fn five_forced_cycles_in_a_row_are_a_sign() {
    assert_eq!(
        signs_of(60, None, |number, cycle| cycle.forced = number % 7 < 5),
        ["forced"]
    );
    assert_eq!(
        signs_of(60, None, |number, cycle| cycle.forced = number % 5 > 0),
        [""; 0]
    );
}

#[test]
fn a_limit_that_the_live_heap_nears_is_a_sign() {
    assert_eq!(signs_of(60, Some(37), |_, _| {}), ["near limit"]);
    assert_eq!(signs_of(60, Some(38), |_, _| {}), [""; 0], "79 %");
}

#[test]
fn a_goal_far_above_the_live_heap_is_none_of_gogc() {
    let goal = |mib| signs_of(60, None, move |_, cycle| cycle.goal = Size::from_mib(mib));
    assert_eq!(goal(300), ["no gogc"]);
    assert_eq!(
        goal(17_592_186_044_415),
        ["no gogc"],
        "as the runtime prints it for none"
    );
    assert_eq!(goal(299), [""; 0]);
}

#[test]
fn old_releases_that_print_less_show_less() {
    let bare = |_: u32, cycle: &mut Cycle| {
        cycle.cpu = None;
        cycle.scan = None;
        cycle.goal = None;
        cycle.gc_cpu_percent = None;
        cycle.at = None;
    };
    assert_eq!(signs_of(60, None, bare), [""; 0]);
}
