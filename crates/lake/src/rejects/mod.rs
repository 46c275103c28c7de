//! Refused records, which are kept beside the table.
//!
//! No reject is a row of the table: nothing here touches data files.

pub(crate) mod kept;
pub(crate) mod newer_keys;
pub(crate) mod writer;
