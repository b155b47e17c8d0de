//! The pure half of gcwatch, through its public API.

mod buckets;
mod chance;
mod detector;
mod layers;
mod mixed;
mod releases;
mod reports;
mod runtime;
mod sessions;
mod shared_stream;
mod signs;
mod splitting;
mod torn;
mod untrusted;
mod unwrapping;
