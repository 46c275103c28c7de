//! Rows on their way to files that no reader sees yet.
//!
//! No file gets its final name here.

pub(crate) mod area;
pub(crate) mod bucket;
pub(crate) mod changes;
pub(crate) mod open_file;
pub(crate) mod partition;
pub(crate) mod rewrite_rows;
pub(crate) mod rolling;
