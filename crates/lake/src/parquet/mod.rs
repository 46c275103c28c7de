//! One Parquet file: writes, copies and reads it.
//!
//! Nothing here knows what becomes of a row, or which commit a file belongs to.

pub(crate) mod alignment;
pub(crate) mod copy;
mod page_checksum;
pub(crate) mod properties;
pub(crate) mod reader;
pub(crate) mod row_set;
pub(crate) mod writer;
