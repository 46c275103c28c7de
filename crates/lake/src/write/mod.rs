//! One run's writing to a table, from taking it to its commit.
//!
//! Only this room brings the others together: none below begins, ends or commits a run.

mod begin;
mod evolve;
mod finish;
pub(crate) mod rejects_only;
mod session;
mod settle;
mod staged_rows;
mod stamp;
mod widen;
pub(crate) mod writer;
