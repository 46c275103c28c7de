//! What becomes of the rows and the files of a table when a run's rows come to it.
//!
//! Nothing here commits: a merge ends with the changes that a commit is to make.

mod bloom_probe;
pub(crate) mod closing;
pub(crate) mod decide;
pub(crate) mod identity;
pub(crate) mod incoming;
mod index;
mod judge;
mod keep_rows;
mod per_partition;
mod plan;
mod precedence;
mod rewrite;
pub(crate) mod rules;
mod search;
mod search_spilled;
mod spill;
mod splice;
pub(crate) mod whole;
