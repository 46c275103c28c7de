//! What anyone may read of a table without taking it: its history, its manifest and its rows.
//!
//! Nothing here takes a lock or writes.

pub(crate) mod history;
pub(crate) mod manifest;
mod rows;
