//! Who may write to a table, and the commit protocol.
//!
//! The protocol can be read, and replaced, alone: it names neither merge nor staging.

pub(crate) mod lease;
pub(crate) mod lock_wait;
pub(crate) mod protocol;
pub(crate) mod recover;
pub(crate) mod response_cache;
pub(crate) mod sweep;
