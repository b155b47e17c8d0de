//! Heap profiles as `go tool pprof` reads them, and as Go programs serve them (`runtime/pprof/protomem.go`,
//! `github.com/google/pprof/proto/profile.proto`).

mod proto;
mod read;
mod write;

pub use read::{NotAProfile, Profile, Sample, read_profile};
pub use write::{About, write_profile};

/// What each sample counts, as the program's own heap profiles do, and in which units.
const SAMPLE_TYPES: [[&str; 2]; 4] = [
    ["alloc_objects", "count"],
    ["alloc_space", "bytes"],
    ["inuse_objects", "count"],
    ["inuse_space", "bytes"],
];
/// The label of a sample that tells its objects' size.
const SIZE: &str = "bytes";
