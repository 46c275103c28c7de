//! What happened, as facts in the past tense. Progress, logs and the report are renderings of these
//! events.

mod error_facts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use error_facts::ErrorFacts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::reject::RejectCode;
use crate::spec::WriteDisposition;

/// Receives every event of a run, in order per resource. Must return quickly.
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// Takes note of `event`.
    fn observe(&self, event: &RunEvent);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &RunEvent) {
        (**self).observe(event);
    }
}

/// An observer that takes note of nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _event: &RunEvent) {}
}

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunEvent {
    /// A resource's turn came.
    ResourceStarted {
        /// The resource.
        resource: String,
        /// Its table's folder, as a URL or path.
        table: String,
        /// What the run does with rows that are there.
        disposition: WriteDisposition,
    },
    /// The table is held by another run, which is waited for.
    TableAwaited {
        /// The resource.
        resource: String,
        /// Who holds the table, and since when.
        reason: String,
        /// How long it has been waited for.
        waited: Duration,
        /// How long it is waited for at most.
        limit: Duration,
    },
    /// A commit that an earlier run had made but not published was published.
    Recovered {
        /// The resource.
        resource: String,
        /// The commit.
        commit: u64,
    },
    /// Pages that a stopped run had read already need not be asked for again.
    Resumed {
        /// The resource.
        resource: String,
        /// How many.
        pages: u64,
    },
    /// Pages that a stopped run had read do not hold any more, so everything is read again.
    StartedAgain {
        /// The resource.
        resource: String,
        /// Why, in words.
        reason: String,
    },
    /// A request went out.
    RequestSent {
        /// The resource.
        resource: String,
    },
    /// A token was fetched from the token endpoint.
    TokenFetched {
        /// The resource on whose behalf.
        resource: String,
        /// How long it lives.
        lifetime: Duration,
    },
    /// A request failed and will be tried again.
    RetryScheduled {
        /// The resource.
        resource: String,
        /// The retry.
        retry: Retry,
    },
    /// A page was read and decoded.
    PageRead {
        /// The resource.
        resource: String,
        /// The page's number, from 0.
        page: u64,
        /// Records that it held.
        records: u64,
        /// Records of it that were refused.
        rejected: u64,
        /// Bytes of its body.
        bytes: u64,
        /// Records in the whole listing, where the API says.
        total: Option<u64>,
    },
    /// Records of a page were refused.
    RecordsRefused {
        /// The resource.
        resource: String,
        /// How many, by reason.
        by_reason: BTreeMap<RejectCode, u64>,
    },
    /// Records of a pass that was read to its end were refused.
    RecordsSetAside {
        /// The resource.
        resource: String,
        /// How many records were read.
        records: u64,
        /// How many of them were refused.
        rejected: u64,
        /// The command that shows them; `None` where no table keeps them.
        look: Option<String>,
    },
    /// Values that did not fit their columns were left out, as the contract says.
    ValuesDiscarded {
        /// The resource.
        resource: String,
        /// How many.
        values: u64,
    },
    /// Rejects of earlier runs were tried again.
    RejectsRetried {
        /// The resource.
        resource: String,
        /// What became of them.
        retried: RetriedRejects,
    },
    /// The listing ended.
    ListingEnded {
        /// The resource.
        resource: String,
        /// Why, as a `StopReason` of the source is written.
        stop_reason: String,
        /// Whether everything that the API offered was read.
        complete: Completeness,
    },
    /// The table's schema changed, or came to be.
    SchemaChanged {
        /// The resource.
        resource: String,
        /// Each change in words.
        changes: Vec<String>,
    },
    /// Rows went to a staged file.
    RowsStaged {
        /// The resource.
        resource: String,
        /// How many.
        rows: u64,
    },
    /// The run happened: from here on its rows are the table's.
    Committed {
        /// The resource.
        resource: String,
        /// The commit's number, from 1.
        commit: u64,
        /// What became of the rows.
        rows: RowCounts,
        /// Data files that came, changed or went.
        files: Vec<FileChange>,
        /// How far the resource has got.
        checkpoint: Checkpoint,
    },
    /// There was nothing to change: no data file was written and no commit made.
    NothingChanged {
        /// The resource.
        resource: String,
        /// What became of the rows.
        rows: RowCounts,
        /// How far the resource has got.
        checkpoint: Checkpoint,
    },
    /// The resource is done, well or badly.
    ResourceFinished {
        /// The resource.
        resource: String,
        /// How long it took.
        elapsed: Duration,
        /// `None` when well.
        error: Option<ErrorFacts>,
    },
}

impl RunEvent {
    /// Returns the resource that it happened to.
    pub fn resource(&self) -> &str {
        match self {
            Self::ResourceStarted { resource, .. }
            | Self::TableAwaited { resource, .. }
            | Self::Recovered { resource, .. }
            | Self::Resumed { resource, .. }
            | Self::StartedAgain { resource, .. }
            | Self::RequestSent { resource }
            | Self::TokenFetched { resource, .. }
            | Self::RetryScheduled { resource, .. }
            | Self::PageRead { resource, .. }
            | Self::RecordsRefused { resource, .. }
            | Self::RecordsSetAside { resource, .. }
            | Self::ValuesDiscarded { resource, .. }
            | Self::RejectsRetried { resource, .. }
            | Self::ListingEnded { resource, .. }
            | Self::SchemaChanged { resource, .. }
            | Self::RowsStaged { resource, .. }
            | Self::Committed { resource, .. }
            | Self::NothingChanged { resource, .. }
            | Self::ResourceFinished { resource, .. } => resource,
        }
    }
}

/// One retry: what failed, and how long was waited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retry {
    /// The status that was answered; `None` when there was no answer.
    pub status: Option<u16>,
    /// Seconds from the failure to the next try.
    pub wait_seconds: f64,
    /// Why it was tried again.
    pub reason: String,
}

/// What became of the rows of one resource in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RowCounts {
    /// Records that the API gave, refused ones included.
    pub read: u64,
    /// Rows in the data files that this run wrote, rows that were only carried over included.
    pub written: u64,
    /// Rows with a key that the table did not have.
    pub inserted: u64,
    /// Rows that replaced an older version.
    pub updated: u64,
    /// Those of the updated rows that went to another partition.
    pub moved: u64,
    /// Rows that the table already had as they are.
    pub unchanged: u64,
    /// Rows that left the table without a newer version, or that were marked as deleted or closed.
    pub deleted: u64,
    /// Those of the deleted rows that were closed because their key is absent from a complete
    /// listing.
    #[serde(default)]
    pub retired: u64,
    /// Rows that came and were left out, since the table's own stays: known keys where rows are
    /// only inserted, and older versions.
    #[serde(default)]
    pub kept: u64,
    /// Deletes of keys that the table did not have.
    #[serde(default)]
    pub missed: u64,
    /// Records that the cursor's range or a filter left out.
    #[serde(default)]
    pub filtered: u64,
    /// Records that were refused and kept beside the table.
    pub rejected: u64,
    /// Values that did not fit and that null stands for, by the rule of their field; they are kept
    /// beside the table.
    #[serde(default)]
    pub nulled: u64,
    /// Rows whose key came again in the same run, and which did not win.
    pub duplicate: u64,
}

impl RowCounts {
    /// Returns the sum of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            written: self.written + other.written,
            inserted: self.inserted + other.inserted,
            updated: self.updated + other.updated,
            moved: self.moved + other.moved,
            unchanged: self.unchanged + other.unchanged,
            deleted: self.deleted + other.deleted,
            retired: self.retired + other.retired,
            kept: self.kept + other.kept,
            missed: self.missed + other.missed,
            filtered: self.filtered + other.filtered,
            rejected: self.rejected + other.rejected,
            nulled: self.nulled + other.nulled,
            duplicate: self.duplicate + other.duplicate,
        }
    }
}

/// What became of the rejects of earlier runs that a run tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RetriedRejects {
    /// Rejects that were open.
    pub tried: u64,
    /// Those that became rows.
    pub accepted: u64,
    /// Those that `processing_steps` leave out now.
    pub dropped: u64,
    /// Those that were refused again; they stay open.
    pub refused: u64,
    /// Those whose key the table may have got a newer version of since; they stay open.
    pub overtaken: u64,
}

/// A data file that came, changed or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// The file, relative to the table's folder.
    pub path: String,
    /// What happened to it.
    pub change: FileChangeKind,
    /// Rows that it has now; 0 when it went.
    pub rows: u64,
    /// Bytes that it has now; 0 when it went.
    pub bytes: u64,
}

/// What happened to a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileChangeKind {
    /// It came.
    Added,
    /// It has new content.
    Replaced,
    /// It went.
    Removed,
}

/// Whether everything that the API offered was read, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    /// The verdict.
    pub verdict: Verdict,
    /// How it is known, in words.
    pub reason: String,
}

/// Whether everything that the API offered was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Proven.
    True,
    /// Disproven.
    False,
    /// The API gives no means to tell.
    Unknown,
}
