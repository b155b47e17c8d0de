//! gcwatch runs a Go program, watches its live heap through the GC trace, and says whether it leaks.

pub mod baseline;
pub mod cli;
pub mod culprit;
pub mod demux;
pub mod detector;
pub mod error;
pub mod exit;
pub mod file_id;
pub mod gate;
pub mod go_tool;
pub mod godebug;
pub mod limit;
pub mod outputs;
pub mod replay;
pub mod report;
pub mod series;
pub mod session;
pub mod signs;
pub mod size;
pub mod splitter;
pub mod summary;
pub mod supervisor;
pub mod trace;
pub mod watcher;
mod wording;
pub mod wrapping;
