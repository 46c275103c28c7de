//! Families, passes and their order: who is read first, and who is committed first.

mod choosing;
mod committing;
mod family;
mod opening;
mod pass;
mod reader;
mod reading;
mod reprocess_rejects;
#[cfg(feature = "cli")]
mod sampling;

pub(crate) use choosing::choose;
#[cfg(feature = "cli")]
pub(crate) use choosing::refuse_unplannable;
pub(crate) use choosing::{refuse_idle_backfill, refuse_parents_without_children};
pub(crate) use family::{Family, Stage, ends_the_run};
pub(crate) use reader::{ReadStream, read_batches};
#[cfg(feature = "cli")]
pub(crate) use sampling::{Sample, infer_schema};
