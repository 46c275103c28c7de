//! Who may write to a table, and what runs leave in its staging.
//!
//! Nothing here makes a commit or knows what is in one.

pub(crate) mod lease;
pub(crate) mod lock_wait;
pub(crate) mod response_cache;
pub(crate) mod sweep;
