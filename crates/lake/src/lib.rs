//! The lake: tables of plain Parquet that any reader can glob, and the only code that knows their
//! shape on storage.
//!
//! | room | what it is |
//! | --- | --- |
//! | `spec` | what a table is told: where it is, how it is partitioned, how rows are merged |
//! | `tasks` | work on files at the same time |
//! | `fingerprint` | hashes of keys and rows |
//! | `storage` | the objects of a table: paths, reads, writes, durability |
//! | `log` | what was recorded: commit documents, and the snapshot that they fold into |
//! | `parquet` | one data file: write, copy, read |
//! | `commit` | who may write: locks and leases, and what runs leave in staging |
//! | `evolve` | whether a run's schema fits the table's, and values in a wider type |
//! | `staging` | rows on their way to files that nobody sees, and the changes that a commit is to make |
//! | `format` | the final names of files, and the commit protocol |
//! | `table`, `held_table` | a table as others hold it, and one that is held for a change |
//! | `write_spec` | how a run writes, checked before it begins |
//! | `merge` | what becomes of the rows and files of a table when a run's rows come |
//! | `rejects` | refused records beside the table |
//! | `read` | history, manifest and rows, for anyone |
//! | `maintain` | recovery, compaction, vacuum, verification |
//! | `write` | one run's writing, from taking the table to its commit |
//! | `lake` | opening a destination |
//!
//! A run's rows take this way: `RecordBatch → partition → staged file → merge → changes → commit →
//! data file`. Nothing is visible to readers before the commit. What was committed becomes visible
//! even if the process dies in between: the protocol in `format` has the ordering rules.
//!
//! Nothing here talks to the API, decides what a record means, or prints.
//!
//! Unstable, for lakefeed's own crates: programs use `lakefeed`.

pub mod spec;

mod commit;
mod evolve;
mod fingerprint;
mod format;
mod held_table;
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
pub use format::CommitOutcome;
pub use lake::Lake;
pub use log::document::{DataFile, KeyBound, Operation, StoredHistory, StoredMerge};
pub use log::snapshot::Snapshot;
pub use maintain::compact::{CompactSpec, CompactedPartition, Compaction, SortColumn};
pub use maintain::maintenance::Maintenance;
pub use maintain::recover::{Recovery, StagedRun};
pub use maintain::vacuum::{Garbage, GarbageKind, VacuumSpec, Vacuumed};
pub use maintain::verify::{Finding, FindingCode, Level, VerifyReport};
pub use read::history::CommitSummary;
pub use read::manifest::{Change, GoneFile, Manifest, ManifestFile};
pub use rejects::kept::{KeptReject, KeptRejects, KeptRejectsFile, RejectPlace, RejectState};
pub use rejects::newer_keys::NewerKeys;
pub use table::Table;
pub use write::rejects_only::RejectsOnly;
pub use write::writer::TableWriter;
pub use write_spec::WriteSpec;
