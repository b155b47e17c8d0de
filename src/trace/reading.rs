//! What a whole trace line says.

use std::time::Duration;

use super::place::Place;
use super::shapes::Line;
use super::token::{Field, Token};
use super::{Cycle, Trace};
use crate::size::Size;

/// Reads a whole line, newline included; `None` where it is no trace line.
pub fn parse(line: &[u8]) -> Option<Trace> {
    let mut written: [&[u8]; 48] = [&[]; 48];
    let mut count = 0;
    let mut rest = line;
    let mut place = Place::START;
    while !place.is_end() {
        let (taken, behind, next) = place.take_whole(rest)?;
        *written.get_mut(count)? = taken;
        count += 1;
        rest = behind;
        place = next;
    }
    if !rest.is_empty() {
        return None;
    }
    let shape = place.shape()?;
    match shape.line {
        Line::Sibling(sibling) => Some(Trace::Sibling(sibling)),
        Line::Cycle { leak_check, forced } => {
            let mut cycle = Cycle {
                leak_check,
                forced,
                ..Cycle::default()
            };
            for (token, written) in shape.tokens.iter().zip(written) {
                if let Token::Value(_, field) = token {
                    cycle.set(*field, written)?;
                }
            }
            Some(Trace::Cycle(cycle))
        }
    }
}

impl Cycle {
    /// Sets one field from its number as written; `None` where the number does not fit.
    fn set(&mut self, field: Field, written: &[u8]) -> Option<()> {
        let size = || Size::from_mib(integer(written)?);
        match field {
            Field::Number => self.number = integer(written)?,
            Field::At => self.at = Some(decimal(written, Duration::from_secs(1))?),
            Field::GcCpuPercent => self.gc_cpu_percent = Some(integer(written)?),
            Field::Procs => self.procs = integer(written)?,
            Field::HeapStart => self.heap.start = size()?,
            Field::HeapEnd => self.heap.end = Some(size()?),
            Field::HeapLive => self.heap.live = Some(size()?),
            Field::PreviousLive => self.previous_live = Some(size()?),
            Field::Goal => self.goal = Some(size()?),
            Field::Stacks => self.scan.get_or_insert_default().stacks = size()?,
            Field::Globals => self.scan.get_or_insert_default().globals = size()?,
            Field::StoppedMillis => self.stop(decimal(written, Duration::from_millis(1))?)?,
            Field::StoppedMicros => self.stop(decimal(written, Duration::from_micros(1))?)?,
            Field::Unread => {}
            _ => *self.time_of(field) = decimal(written, Duration::from_millis(1))?,
        }
        Some(())
    }

    fn stop(&mut self, phase: Duration) -> Option<()> {
        self.stopped = self.stopped.checked_add(phase)?;
        Some(())
    }

    fn time_of(&mut self, field: Field) -> &mut Duration {
        let clock = self.clock.get_or_insert_default();
        let cpu = self.cpu.get_or_insert_default();
        match field {
            Field::ClockSweepTerm => &mut clock.sweep_term,
            Field::ClockScan => &mut clock.early.get_or_insert_default().scan,
            Field::ClockInstallWb => &mut clock.early.get_or_insert_default().install_wb,
            Field::ClockMark => &mut clock.mark,
            Field::ClockMarkTerm => &mut clock.mark_term,
            Field::CpuSweepTerm => &mut cpu.sweep_term,
            Field::CpuScan => &mut cpu.early.get_or_insert_default().scan,
            Field::CpuInstallWb => &mut cpu.early.get_or_insert_default().install_wb,
            Field::CpuAssist => &mut cpu.assist,
            Field::CpuBackground => &mut cpu.background,
            Field::CpuIdle => &mut cpu.idle,
            _ => &mut cpu.mark_term,
        }
    }
}

/// A number as written; `None` where it does not fit.
pub(crate) fn integer<T: std::str::FromStr>(written: &[u8]) -> Option<T> {
    std::str::from_utf8(written).ok()?.parse().ok()
}

/// A decimal number of `unit`, exact to the nanosecond.
pub(crate) fn decimal(written: &[u8], unit: Duration) -> Option<Duration> {
    let point = memchr::memchr(b'.', written).unwrap_or(written.len());
    let whole: u128 = integer(&written[..point])?;
    let mut nanos = whole * unit.as_nanos();
    let mut place = unit.as_nanos();
    for digit in written.get(point + 1..).unwrap_or_default() {
        place /= 10;
        nanos += u128::from(digit - b'0') * place;
    }
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::super::{Clock, Cpu, Early, Heap, Scan, Sibling};
    use super::*;

    const MIB: u64 = 1 << 20;

    fn cycle(line: &str) -> Cycle {
        match parse(line.as_bytes()) {
            Some(Trace::Cycle(cycle)) => cycle,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_line_of_go_1_27_says_all() {
        let read = cycle(
            "gc 22 @0.125s 6%: 0.35+1.0+0.003 ms clock, 0.71+0/0.33/0+0.006 ms cpu, 10->12->5 MB, 11 MB goal, 1 MB stacks, 0 MB globals, 2 P (forced)\n",
        );
        let size = |mib| Size::from_bytes(mib * MIB);
        let clock = Clock {
            sweep_term: micros(350),
            early: None,
            mark: micros(1000),
            mark_term: micros(3),
        };
        assert_eq!(
            read,
            Cycle {
                number: 22,
                at: Some(Duration::from_millis(125)),
                gc_cpu_percent: Some(6),
                leak_check: false,
                clock: Some(clock),
                cpu: Some(Cpu {
                    sweep_term: micros(710),
                    early: None,
                    assist: Duration::ZERO,
                    background: micros(330),
                    idle: Duration::ZERO,
                    mark_term: micros(6),
                }),
                heap: Heap {
                    start: size(10),
                    end: Some(size(12)),
                    live: Some(size(5))
                },
                goal: Some(size(11)),
                scan: Some(Scan {
                    stacks: size(1),
                    globals: size(0)
                }),
                procs: 2,
                forced: true,
                ..Cycle::default()
            }
        );
        assert_eq!(read.pause(), micros(353));
        assert_eq!(read.ended(), Some(micros(126_353)));
    }

    #[test]
    fn a_line_of_go_1_5_has_five_phases() {
        let read = cycle(
            "gc 1 @0.009s 1%: 0.059+0.17+0.005+0.24+0.12 ms clock, 0.17+0.17+0+0/0.36/0.067+0.38 ms cpu, 5->5->3 MB, 4 MB goal, 8 P\n",
        );
        let (clock, cpu) = (read.clock.expect("phases"), read.cpu.expect("phases"));
        assert_eq!(
            clock.early,
            Some(Early {
                scan: micros(170),
                install_wb: micros(5)
            })
        );
        assert_eq!(clock.mark, micros(240));
        assert_eq!(cpu.idle, micros(67));
        assert_eq!(cpu.mark_term, micros(380));
        assert_eq!((read.scan, read.procs, read.forced), (None, 8, false));
        assert_eq!(read.heap.live, Size::from_mib(3));
    }

    #[test]
    fn garbage_is_what_was_there_at_the_end_and_is_not_live() {
        for (heap, garbage) in [
            ((4, Some(6), Some(2)), 4),
            ((10, None, Some(5)), 5),
            ((40, None, None), 0),
            ((4, Some(2), Some(3)), 0),
        ] {
            let size = |mib| Size::from_mib(mib).expect("small");
            let (start, end, live) = heap;
            let cycle = Cycle {
                heap: Heap {
                    start: size(start),
                    end: end.map(size),
                    live: live.map(size),
                },
                ..Cycle::default()
            };
            assert_eq!(cycle.garbage(), size(garbage), "{heap:?}");
        }
    }

    #[test]
    fn lines_of_go_1_0_to_1_4_have_the_live_heap_where_they_have_it() {
        for (line, start, live, previous_live, stopped) in [
            (
                "gc14(2): 1+1+0 ms 10 -> 5 MB 58439 -> 8912 (573381-564469) objects 184 handoff\n",
                10,
                Some(5),
                None,
                micros(2000),
            ),
            (
                "gc14(2): 0+0+0 ms, 40 -> 39 MB 144 -> 142 (159-17) objects, 0(0) handoff, 0(0) steal, 0/0/0 yields\n",
                40,
                Some(39),
                None,
                micros(0),
            ),
            (
                "gc14(2): 4+1+90+0 us, 31 -> 40 MB, 122 (135-13) objects, 55/0/0 sweeps, 0(0) handoff, 0(0) steal, 0/0/0 yields\n",
                40,
                None,
                Some(31),
                micros(95),
            ),
            (
                "gc14(2): 33+2+63+0 us, 0 -> 1 MB, 257 (270-13) objects, 4 goroutines, 27/0/0 sweeps, 0(0) handoff, 2(4) steal, 16/1/0 yields\n",
                1,
                None,
                Some(0),
                micros(98),
            ),
        ] {
            let read = cycle(line);
            let size = |mib| Size::from_mib(mib).expect("small");
            let expected = Cycle {
                number: 14,
                procs: 2,
                stopped,
                heap: Heap {
                    start: size(start),
                    end: None,
                    live: live.map(size),
                },
                previous_live: previous_live.map(size),
                ..Cycle::default()
            };
            assert_eq!(read, expected, "{line}");
            assert_eq!((read.pause(), read.ended()), (stopped, None));
        }
    }

    #[test]
    fn odd_numbers_are_read() {
        let line = |percent: &str, clock: &str, goal: &str| {
            cycle(&format!(
                "gc 1 @3074.095s {percent}%: {clock} ms clock, 0+0/0/0+0 ms cpu, 1->1->1 MB, {goal} MB goal, 1 P\n"
            ))
        };
        let mark = |clock: &str| line("0", clock, "4").clock.expect("phases").mark;
        assert_eq!(line("101", "0+0+0", "4").gc_cpu_percent, Some(101));
        assert_eq!(
            line("-9223372036854775808", "0+0+0", "4").gc_cpu_percent,
            Some(i64::MIN)
        );
        assert_eq!(mark("0+1447+0"), Duration::from_millis(1447));
        assert_eq!(mark("0+18446744073709+0").as_millis(), 18_446_744_073_709);
        assert_eq!(
            line("0", "0+0+0", "17592186044415").goal,
            Some(Size::from_bytes(u64::MAX - (MIB - 1)))
        );
    }

    #[test]
    fn a_goroutine_leak_check_is_told() {
        let read = cycle(
            "gc 3 @0.018s 1% (checking for goroutine leaks): 0.024+0.5+0.01 ms clock, 0.04+0/0.5/0+0.02 ms cpu, 1->1->0 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)\n",
        );
        assert!(read.leak_check && read.forced);
    }

    #[test]
    fn sibling_lines_are_told_apart() {
        for (line, sibling) in [
            ("GC forced\n", Sibling::Forced),
            (
                "scvg0: inuse: 2, idle: 0, sys: 3, released: 0, consumed: 3 (MB)\n",
                Sibling::Scavenger,
            ),
            ("scvg2: GC forced\n", Sibling::Forced),
            ("scvg4: 0x3 MB released\n", Sibling::Scavenger),
            ("scvg5: 0 MB released\n", Sibling::Scavenger),
            ("scvg-1: 9 MB released\n", Sibling::Scavenger),
            ("scvg: 8 MB released\n", Sibling::Scavenger),
            (
                "forced scvg: inuse: 0, idle: 63, sys: 63, released: 5, consumed: 58 (MB)\n",
                Sibling::Scavenger,
            ),
            (
                "scan: total 23+23+14=60 objs, 9+3=12 spans\n",
                Sibling::ScanTotal,
            ),
            (
                "scan: class L 2+0+0=2 objs, 0+0=0 spans\n",
                Sibling::ScanClass,
            ),
            (
                "scan: class 8B 7+0+0=7 objs, 0+0=0 spans\n",
                Sibling::ScanClass,
            ),
            ("scan: total 60 objs\n", Sibling::ScanTotal),
            ("scan: class 16B 5 objs\n", Sibling::ScanClass),
        ] {
            assert_eq!(
                parse(line.as_bytes()),
                Some(Trace::Sibling(sibling)),
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_looks_alike_is_no_trace() {
        let whole = "gc 1 @0.009s 1%: 0.05+0.17+0 ms clock, 0.17+0/0.36/0.067+0.38 ms cpu, 5->5->3 MB, 4 MB goal, 8 P\n";
        assert!(parse(whole.as_bytes()).is_some());
        for line in [
            "gc 12 things happened\n",
            "gc12(1): all\n",
            " gc 1 @0.009s 1%\n",
            "gc 1\n",
            "\n",
            "",
            "GC forced by me\n",
            "scvg: all\n",
            // Go 1.15 and later, GODEBUG=scavtrace=1: asked for by the user.
            "scav 1 0 KiB work, 0 KiB total, 0% util\n",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
        for (from, to) in [
            ("\n", " \n"),
            ("\n", ""),
            (" MB goal", "MB goal"),
            ("@0.009s", "@0.09s"),
            ("gc 1 ", "gc 4294967296 "),
        ] {
            assert_eq!(
                parse(whole.replacen(from, to, 1).as_bytes()),
                None,
                "{from:?} to {to:?}"
            );
        }
        assert_eq!(parse([whole, whole].concat().as_bytes()), None);
    }
}
