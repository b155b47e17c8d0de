//! How gcwatch ends: from how the command ended, what the gate says and what failed in gcwatch itself.

use crate::gate::Breach;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an exit code.
    Code(u8),
    /// By a signal.
    Signal(i32),
}

/// Why the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Of itself, or by somebody else's signal.
    Itself,
    /// Because gcwatch asked it to (`--for`, `--while`, `--on-leak stop`).
    Asked,
    /// Because gcwatch had asked it to in vain, and killed it.
    Killed,
}

/// How gcwatch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With an exit code.
    Code(u8),
    /// By the same signal as the command.
    Signal(i32),
}

/// Exit code: gcwatch itself failed or was misused.
pub const FAILED: u8 = 125;
/// Exit code: the command cannot be run.
pub const CANNOT_RUN: u8 = 126;
/// Exit code: the command is not found.
pub const NOT_FOUND: u8 = 127;
/// Exit code: the verdict is inconclusive, and that fails.
pub const INCONCLUSIVE: u8 = 24;
/// Exit code: the command had to be killed, 128 and SIGKILL, as the shell says it.
const HAD_TO_BE_KILLED: u8 = 137;

/// Everything that decides how gcwatch ends.
#[derive(Clone, Copy, Debug)]
pub struct Reasons {
    /// How the command ended, and why; `None` for a saved log.
    pub ended: Option<(End, Cause)>,
    /// How the command of `--while` failed, if it did so of itself.
    pub beside: Option<End>,
    /// What the gate objects to.
    pub breach: Option<Breach>,
    /// The exit code of a leak.
    pub leak_exit_code: u8,
    /// Whether a report could not be written.
    pub report_failed: bool,
}

/// How gcwatch ends: the first of these that is so.
pub fn decide(reasons: &Reasons) -> Exit {
    if let Some(failure) = own_failure(reasons) {
        return match failure {
            End::Code(code) => Exit::Code(code),
            End::Signal(signal) => Exit::Signal(signal),
        };
    }
    match (reasons.ended, reasons.breach) {
        (_, Some(Breach::Leak)) => Exit::Code(reasons.leak_exit_code),
        (_, Some(Breach::Inconclusive)) => Exit::Code(INCONCLUSIVE),
        (Some((_, Cause::Killed)), _) => Exit::Code(HAD_TO_BE_KILLED),
        _ if reasons.report_failed => Exit::Code(FAILED),
        _ => Exit::Code(0),
    }
}

/// How the command failed of itself, or else that of `--while`.
fn own_failure(reasons: &Reasons) -> Option<End> {
    let command = match reasons.ended {
        Some((end, Cause::Itself)) if end != End::Code(0) => Some(end),
        _ => None,
    };
    command.or(reasons.beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(ended: Option<(End, Cause)>, breach: Option<Breach>, report_failed: bool) -> Exit {
        decide(&Reasons {
            ended,
            beside: None,
            breach,
            leak_exit_code: 23,
            report_failed,
        })
    }

    #[test]
    fn each_code_and_each_signal_of_the_command_is_mirrored() {
        for code in 1..=255 {
            for breach in [None, Some(Breach::Leak), Some(Breach::Inconclusive)] {
                assert_eq!(
                    exit(Some((End::Code(code), Cause::Itself)), breach, true),
                    Exit::Code(code)
                );
            }
        }
        for signal in 1..=64 {
            let ended = Some((End::Signal(signal), Cause::Itself));
            assert_eq!(exit(ended, Some(Breach::Leak), true), Exit::Signal(signal));
        }
    }

    #[test]
    fn the_gate_decides_where_the_command_did_not_fail() {
        let endings = [
            None,
            Some((End::Code(0), Cause::Itself)),
            Some((End::Code(3), Cause::Asked)),
            Some((End::Signal(15), Cause::Asked)),
            Some((End::Signal(9), Cause::Killed)),
        ];
        for ended in endings {
            assert_eq!(exit(ended, Some(Breach::Leak), true), Exit::Code(23));
            assert_eq!(
                exit(ended, Some(Breach::Inconclusive), true),
                Exit::Code(24)
            );
        }
    }

    #[test]
    fn a_stop_that_was_asked_for_is_success_unless_it_took_a_kill() {
        for end in [End::Code(0), End::Code(2), End::Signal(15)] {
            assert_eq!(exit(Some((end, Cause::Asked)), None, false), Exit::Code(0));
        }
        assert_eq!(
            exit(Some((End::Signal(9), Cause::Killed)), None, false),
            Exit::Code(137)
        );
    }

    #[test]
    fn a_report_that_failed_shows_only_where_nothing_else_does() {
        assert_eq!(exit(None, None, true), Exit::Code(125));
        assert_eq!(
            exit(Some((End::Code(0), Cause::Itself)), None, true),
            Exit::Code(125)
        );
        assert_eq!(
            exit(Some((End::Signal(9), Cause::Killed)), None, true),
            Exit::Code(137)
        );
        assert_eq!(exit(None, None, false), Exit::Code(0));
    }

    #[test]
    fn the_command_of_while_comes_behind_the_command_and_before_the_verdict() {
        let exit = |ended, beside| {
            decide(&Reasons {
                ended: Some(ended),
                beside: Some(beside),
                breach: Some(Breach::Leak),
                leak_exit_code: 23,
                report_failed: true,
            })
        };
        for ended in [(End::Code(0), Cause::Itself), (End::Code(3), Cause::Asked)] {
            assert_eq!(exit(ended, End::Code(7)), Exit::Code(7));
            assert_eq!(exit(ended, End::Signal(9)), Exit::Signal(9));
        }
        let failed = (End::Code(3), Cause::Itself);
        assert_eq!(exit(failed, End::Code(7)), Exit::Code(3));
    }

    #[test]
    fn the_exit_code_of_a_leak_is_the_users_choice() {
        let reasons = Reasons {
            ended: None,
            beside: None,
            breach: Some(Breach::Leak),
            leak_exit_code: 99,
            report_failed: false,
        };
        assert_eq!(decide(&reasons), Exit::Code(99));
    }
}
