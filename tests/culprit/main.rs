//! The heap profile of real Go programs, read from outside.

#[path = "../core/chance.rs"]
mod chance;
mod growth;
mod harm;
#[path = "../cli/leftovers.rs"]
mod leftovers;
mod locating;
mod mutated;
mod politeness;
mod profiles;
mod reading;
mod support;
