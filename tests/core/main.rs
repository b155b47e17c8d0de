//! The pure half of gcwatch, through its public API.

mod detector;
mod runtime;
mod splitting;
