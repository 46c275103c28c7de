//! One run's writing to a table, from taking it to its commit.
//!
//! No room below knows that a run is being written: only this one brings them together.

mod begin;
mod evolve;
mod finish;
mod session;
mod settle;
mod staged_rows;
mod stamp;
mod widen;
pub(crate) mod writer;
