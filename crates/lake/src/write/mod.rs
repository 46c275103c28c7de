//! One run's writing to a table, from taking it to its commit.
//!
//! No room below knows that a run is being written: only this one brings them together.

pub(crate) mod begin;
pub(crate) mod evolve;
pub(crate) mod finish;
pub(crate) mod session;
pub(crate) mod settle;
pub(crate) mod staged_rows;
pub(crate) mod stamp;
pub(crate) mod widen;
pub(crate) mod writer;
