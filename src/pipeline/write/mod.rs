//! The tables of a pass: that of the records, and those of their lists.

mod child_tables;
mod give_up;
mod lock_wait;
mod orphans;
mod superseded;
mod tables;
mod task;

pub(crate) use child_tables::KnownTables;
pub(crate) use give_up::{give_up, keeps_pages};
pub(crate) use lock_wait::{table, wait_for_table};
pub(crate) use tables::{TableSet, commit_children};
pub(crate) use task::WriterTask;
