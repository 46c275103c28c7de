//! What a table can be found to be, apart from whole.

use serde::Serialize;

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is.
    pub code: FindingCode,
    /// Where, relative to the table's folder.
    pub place: String,
    /// In words.
    pub detail: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The table is not what its log says.
    Problem,
    /// Untidy, and harmless.
    Warning,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingCode {
    /// A commit is missing between others.
    CommitMissing,
    /// A file of the log is not a commit.
    CommitUnreadable,
    /// A commit contradicts itself or the ones before it.
    CommitContradictory,
    /// A commit's checkpoint is not its resource's, or of an unknown version.
    CheckpointForeign,
    /// A marker says that a commit is published which the log does not have.
    MarkerAhead,
    /// A marker contradicts its commit.
    MarkerContradictory,
    /// The last commit is not wholly published.
    Unpublished,
    /// A snapshot file of the log is damaged or of another history. It is passed over.
    SnapshotFileUnusable,
    /// A snapshot file of the log is not what the commits make.
    SnapshotFileContradictory,
    /// A data file is not there.
    FileMissing,
    /// A data file does not have the size that was committed.
    FileSize,
    /// A data file cannot be read as Parquet.
    FileUnreadable,
    /// A data file does not have as many rows as were committed.
    FileRows,
    /// The columns of a data file do not fit the table's schema.
    FileSchema,
    /// The keys of a data file are not in the range that was committed.
    KeyRange,
    /// A primary key is there more than once.
    KeyRepeated,
    /// Rows are in another partition than their values say.
    WrongPartition,
    /// A file that a reader's glob finds, and that no commit names.
    StrayFile,
    /// A file of refused records does not have the size that was committed.
    RejectsSize,
    /// A run has left something in staging.
    StagingLeft,
}

impl FindingCode {
    /// Returns what can be done about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::CommitMissing
            | Self::CommitUnreadable
            | Self::CommitContradictory
            | Self::CheckpointForeign
            | Self::MarkerAhead
            | Self::MarkerContradictory => "commits are written once and never changed: restore the log from a copy",
            Self::Unpublished => "the next run of the pipeline finishes publishing before anything else",
            Self::SnapshotFileUnusable | Self::SnapshotFileContradictory => {
                "delete the snapshot files that do not fit: they are derived from the log, and will be written again"
            }
            Self::StrayFile => "move stray files out of the table's folder: readers who glob take them for rows",
            Self::RejectsSize => {
                "restore the file of refused records from a copy; the rows of the table are not touched by it"
            }
            Self::StagingLeft => "lakefeed table vacuum deletes what stopped runs have left",
            Self::FileMissing
            | Self::FileSize
            | Self::FileUnreadable
            | Self::FileRows
            | Self::FileSchema
            | Self::KeyRange
            | Self::KeyRepeated
            | Self::WrongPartition => {
                "restore damaged data files from a copy, or build the table anew: lakefeed run PIPELINE --full-refresh"
            }
        }
    }
}

impl Finding {
    pub(super) fn problem(code: FindingCode, place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { level: Level::Problem, code, place: place.into(), detail: detail.into() }
    }

    pub(super) fn warning(code: FindingCode, place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::problem(code, place, detail) }
    }
}
