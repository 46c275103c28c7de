//! The run report: a fold of events. Part of the command-line contract; its JSON Schema is
//! committed.

mod builder;
mod text;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use builder::ReportBuilder;
pub use lakefeed_model::error::HttpFailure;
pub use lakefeed_model::event::{
    Completeness, ErrorFacts, FileChange, FileChangeKind, RetriedRejects, Retry, RowCounts, Verdict,
};
pub use lakefeed_model::reject::{Reject, RejectCode};
use text::render_text;

use crate::checkpoint::Checkpoint;
use crate::error::Result;

/// What a run did, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunReport {
    /// The run; also in the commits that it made.
    pub run_id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// How it ended.
    pub status: Status,
    /// The exit code of the process.
    pub exit_code: u8,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorFacts>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub seconds: f64,
    /// The resources that had their turn, in order.
    pub resources: Vec<ResourceReport>,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// Well.
    Ok,
    /// With an error.
    Failed,
    /// By the operator.
    Interrupted,
}

/// What a run did with one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ResourceReport {
    /// The resource's name.
    pub name: String,
    /// Its table, as a path or URL.
    pub table: String,
    /// How it ended.
    pub status: Status,
    /// Why the listing ended; absent when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Whether everything that the API offered was read; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<Completeness>,
    /// Pages that were read.
    pub pages: u64,
    /// Requests that were sent, those for tokens and those that failed included.
    pub requests: u64,
    /// Retries: the first hundred of them.
    pub retries: Vec<Retry>,
    /// How many retries there were.
    pub retry_count: u64,
    /// What became of the rows.
    pub rows: RowCounts,
    /// The refused records, by the reason's code.
    #[serde(default)]
    pub rejected_by_reason: BTreeMap<RejectCode, u64>,
    /// Values that did not fit their columns and are null, as
    /// `schema_contract.data_type: discard_value` says.
    #[serde(default)]
    pub values_discarded: u64,
    /// What became of the rejects of earlier runs, where they were tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<RetriedRejects>,
    /// Bytes that came and went.
    pub bytes: Bytes,
    /// Changes of the table's schema, in words.
    pub schema_changes: Vec<String>,
    /// How far the resource has got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    /// The commit that was made; absent when nothing changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<u64>,
    /// The commit of a killed run that this one finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered_commit: Option<u64>,
    /// Pages that a stopped run had read already; all but the first and the last of them were not
    /// asked for again.
    pub resumed_pages: u64,
    /// Data files that came, changed or went.
    pub files: Vec<FileChange>,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorFacts>,
}

/// Bytes that came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Bytes {
    /// Of pages, decompressed.
    pub read: u64,
    /// Of data files.
    pub written: u64,
}

impl RunReport {
    /// Returns what ended the run, if it did not end well: the worst error where several resources
    /// failed.
    pub fn error(&self) -> Option<&ErrorFacts> {
        self.error.as_ref()
    }

    /// Returns the report of a run that ended well.
    ///
    /// # Errors
    /// What [`Self::error`] says.
    pub fn into_result(self) -> Result<Self> {
        match self.error {
            Some(error) => Err(error.into()),
            None => Ok(self),
        }
    }

    /// Returns the report as JSON, for programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The report for people: one paragraph per resource.
impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render_text(self))
    }
}

/// Returns the JSON Schema of a report.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(RunReport);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests;
