//! Families, passes and their order: who is read first, and who is committed first.

mod committing;
mod family;
mod opening;
mod pass;
mod reading;
mod reprocess_rejects;
mod sampling;

pub(crate) use family::{Family, Stage, ends_the_run};
pub use sampling::{Sample, infer_schema};
