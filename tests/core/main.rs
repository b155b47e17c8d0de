//! The pure half of gcwatch, through its public API.

mod runtime;
mod splitting;
