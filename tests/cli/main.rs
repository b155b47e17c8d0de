//! The program from outside: real processes, real Go programs, real signals.

mod bad_input;
mod exit;
mod leaky;
mod logs;
mod replay;
mod reports;
#[expect(dead_code, reason = "tests/wrapper needs more of it")]
mod support;
