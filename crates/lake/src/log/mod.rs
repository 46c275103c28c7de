//! What was recorded of a table: commit documents, and the snapshot that they fold into.
//!
//! What is recorded depends on nobody who records: no lock, no merge and no staging is named here.

pub(crate) mod document;
pub(crate) mod key_range;
pub(crate) mod load;
pub(crate) mod read;
pub(crate) mod snapshot;
pub(crate) mod snapshot_file;
