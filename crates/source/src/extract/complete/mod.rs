//! Whether a listing was read whole: what its pages say of it, and whether they repeat. Pure.

pub(crate) mod graphql;
pub(crate) mod repetition;
pub(crate) mod tally;
