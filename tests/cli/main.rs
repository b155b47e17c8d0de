//! The program from outside: real processes, real Go programs, real signals.

mod bad_input;
mod baseline;
mod beside;
mod culprit;
mod exit;
mod explain;
mod github;
mod go_tool;
mod junit;
mod leaky;
mod logs;
mod panics;
mod processes;
mod replay;
mod reports;
mod sampling;
mod services;
mod signs;
mod support;
mod torn;
