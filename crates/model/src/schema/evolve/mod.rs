//! How a schema takes in what does not fit it.

pub(crate) mod grow;
pub(crate) mod mismatch;
pub(crate) mod page;
