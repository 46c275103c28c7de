//! Whether a run's schema fits the table's, and how values take a wider type. Pure.
//!
//! Nothing here reads or writes.

mod convert;
pub(crate) mod reconcile;
pub(crate) mod value_text;
