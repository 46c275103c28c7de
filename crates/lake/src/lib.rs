//! The lake: tables of plain Parquet that any reader can glob, and the only code that knows their shape on storage.
//!
//! A run's rows go through it like this: `RecordBatch → partition → rolling → StagedFile → merge plan → commit →
//! data file`. Nothing is visible to readers before the commit, and everything that was committed becomes visible even
//! if the process dies in between: `commit` states the ordering rules, `recover` finishes what a dead run began.
//!
//! This module never talks to the API, never decides what a record means and never prints.

pub mod spec;

mod commit;
mod evolve;
mod fingerprint;
mod lake;
mod log;
mod maintain;
mod merge;
mod parquet;
mod read;
mod rejects;
mod staging;
mod storage;
mod table;
mod tasks;
mod write;
mod write_spec;

#[cfg(test)]
mod testing;

pub use commit::lock_wait::{LockWait, LockWaitListener, LockWaitStatus};
pub use commit::response_cache::TableResponseCache;
pub use evolve::value_text::plain_text;
pub use lake::Lake;
pub use log::document::{DataFile, KeyBound, Operation, StoredHistory, StoredMerge};
pub use log::snapshot::Snapshot;
pub use maintain::compact::{CompactSpec, CompactedPartition, Compaction, SortColumn};
pub use maintain::held_table::{Maintenance, Recovery, StagedRun};
pub use maintain::vacuum::{Garbage, GarbageKind, VacuumSpec, Vacuumed};
pub use maintain::verify::{Finding, FindingCode, Level, VerifyReport};
pub use read::history::CommitSummary;
pub use read::manifest::{Change, GoneFile, Manifest, ManifestFile};
pub use rejects::kept::{KeptReject, KeptRejects, KeptRejectsFile, RejectPlace, RejectState};
pub use rejects::newer_keys::NewerKeys;
pub use table::Table;
pub use write::writer::{CommitOutcome, TableWriter};
pub use write_spec::WriteSpec;
