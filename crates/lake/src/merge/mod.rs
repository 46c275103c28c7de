//! What becomes of the rows and the files of a table when a run's rows come to it.
//!
//! Nothing here commits: a merge ends with the changes that a commit is to make.

pub(crate) mod bloom_probe;
pub(crate) mod closing;
pub(crate) mod decide;
pub(crate) mod identity;
pub(crate) mod incoming;
pub(crate) mod index;
pub(crate) mod judge;
pub(crate) mod keep_rows;
pub(crate) mod per_partition;
pub(crate) mod plan;
pub(crate) mod precedence;
pub(crate) mod rewrite;
pub(crate) mod rules;
pub(crate) mod search;
pub(crate) mod search_spilled;
pub(crate) mod spill;
pub(crate) mod splice;
pub(crate) mod whole;
