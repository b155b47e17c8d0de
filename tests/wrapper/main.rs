//! gcwatch as a wrapper: nobody can tell whether a command runs under it. A test's name begins with the point it shows.
//!
//! Most points hold for `env` too, which becomes the command: such a test runs a script under both and compares.

mod backpressure;
mod bare;
mod exit;
mod go;
mod godebug;
mod inherits;
mod pid1;
mod quiet;
mod signals;
mod stops;
mod stream;
#[expect(dead_code, reason = "tests/cli needs more of it")]
#[path = "../cli/support.rs"]
mod support;
mod survivors;
mod terminal;
