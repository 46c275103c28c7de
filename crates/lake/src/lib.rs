//! The lake: tables of plain Parquet that any reader can glob, and the only code that knows their shape on storage.
//!
//! A run's rows go through it like this: `RecordBatch → partition → rolling → StagedFile → merge plan → commit →
//! data file`. Nothing is visible to readers before the commit, and everything that was committed becomes visible even
//! if the process dies in between: `commit` states the ordering rules, `recover` finishes what a dead run began.
//!
//! This module never talks to the API, never decides what a record means and never prints.

pub mod spec;

mod area;
mod changes;
mod document;
mod judge;
mod keep_rows;
mod key_range;
mod load;
mod read;
mod rewrite_rows;
mod row_set;
mod sweep;
mod tasks;
mod write_spec;

mod medium;
mod storage;
mod store;

mod bucket;
mod layout;
mod parquet;
mod partition;

mod arrivals;
mod data_file;
mod hash;
mod index;
mod lens;
mod open_file;
mod page;
mod rank;
mod reader;
mod rolling;
mod upload;

mod ending;
mod fate;
mod in_place;
mod merge;
mod merge_alone;
mod merge_exec;
mod needles;
mod rewrite;
mod search;
mod spill;
mod spilled;
mod strategy;

mod lease;
mod patience;
mod probe;
mod rejects;

mod commit;
mod convert;
mod fold;
mod journal;
mod recover;
mod schema;
mod slots;
mod snapshot;
mod spell;

mod table;
mod widen;
mod writer;

mod history;
mod manifest;
mod upkeep;
mod verify;

#[cfg(test)]
mod power_loss;
#[cfg(test)]
mod testing;

pub use document::Operation;
pub use document::{DataFile, KeyBound};
pub use document::{StoredHistory, StoredMerge};
pub use history::CommitSummary;
pub use journal::TableJournal;
pub use manifest::{Change, GoneFile, Manifest, ManifestFile};
pub use patience::{Patience, Wait, WaitListener};
pub use rejects::{KeptReject, KeptRejects, KeptRejectsFile, Overtaken, RejectPlace, RejectState};
pub use snapshot::Snapshot;
pub use spell::plain_text;
pub use store::Lake;
pub use table::Table;
pub use upkeep::{
    CompactSpec, CompactedPartition, Compaction, Garbage, GarbageKind, Recovery, SortColumn, StagedRun, Upkeep,
    VacuumSpec, Vacuumed,
};
pub use verify::{Finding, FindingCode, Level, VerifyReport};
pub use write_spec::WriteSpec;
pub use writer::{CommitOutcome, TableWriter};
