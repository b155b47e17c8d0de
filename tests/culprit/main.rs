//! The heap profile of real Go programs, read from outside.

mod growth;
mod harm;
mod locating;
mod mutated;
mod politeness;
mod profiles;
mod reading;
mod support;
