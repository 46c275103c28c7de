//! The tables of a pass: that of the records, and those of their lists.

mod batch_sink;
mod child_tables;
mod give_up;
mod lake_sink;
mod lock_wait;
mod orphans;
mod rejects_sink;
mod superseded;
mod tables;

pub(crate) use batch_sink::BatchSink;
pub(crate) use batch_sink::{ReadItem, RejectItems};
pub(crate) use child_tables::KnownTables;
pub(crate) use give_up::{give_up, keeps_pages};
pub(crate) use lake_sink::LakeSink;
pub(crate) use lock_wait::{table, wait_for_table};
pub(crate) use rejects_sink::RejectsSink;
pub(crate) use tables::{TableSet, commit_children};
