//! gcwatch runs a Go program, watches its live heap through the GC trace, and says whether it leaks.

pub mod detector;
pub mod size;
pub mod splitter;
pub mod trace;
