//! Where the records of a page are, and what stands beside them. Types nothing.

pub(crate) mod delimited;
pub(crate) mod detect;
pub(crate) mod hints;
pub(crate) mod null_out;
pub(crate) mod record;
pub(crate) mod select;
