//! Maintenance of a table: recovery, compaction, vacuum, verification.
//!
//! No row changes here, by construction: neither merge nor write is named.

pub(crate) mod compact;
pub(crate) mod maintenance;
pub(crate) mod recover;
pub(crate) mod vacuum;
pub(crate) mod verify;
