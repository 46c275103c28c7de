//! Rows on their way to files that no reader sees yet.
//!
//! No file gets its final name here.

pub(crate) mod area;
mod bucket;
pub(crate) mod changes;
mod open_file;
pub(crate) mod partition;
mod rewrite_rows;
pub(crate) mod rolling;
