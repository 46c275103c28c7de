//! The bounds of a run. Every queue, page, retry and file has one.

use std::time::Duration;

/// The bounds of a run, each settable under `limits:` by the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest page body, decompressed, in bytes. A larger one fails the run.
    pub page_bytes_max: u64,
    /// The most pages of one listing. Reaching it with more to come fails the run as incomplete.
    pub pages_max: u64,
    /// The longest time for one listing; each record of a parent, and each window, has one of its own.
    pub run_time_max: Duration,
    /// How old the pages of a stopped run may be for the next one to go on from them; zero keeps none.
    pub resume_age_max: Duration,
    /// The deepest nesting of a page's JSON.
    pub nesting_depth_max: u32,
    /// Rows of a batch between decoder and writer.
    pub batch_rows: usize,
    /// Bytes of a batch between decoder and writer; whichever bound comes first.
    pub batch_bytes: usize,
    /// Bytes that all open Parquet writers of a run may buffer together; the largest is flushed first.
    pub writer_buffer_bytes: usize,
    /// A data file is closed when it has about this many bytes.
    pub file_bytes_target: u64,
    /// Rows of a Parquet row group.
    pub row_group_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            page_bytes_max: 64 * 1024 * 1024,
            pages_max: 10_000_000,
            run_time_max: Duration::from_secs(24 * 60 * 60),
            resume_age_max: Duration::from_secs(24 * 60 * 60),
            nesting_depth_max: 64,
            batch_rows: 8_192,
            batch_bytes: 8 * 1024 * 1024,
            writer_buffer_bytes: 64 * 1024 * 1024,
            file_bytes_target: 128 * 1024 * 1024,
            row_group_rows: 131_072,
        }
    }
}
