//! Rolling Parquet writers: one open file per partition, closed at its target size, all within one
//! byte budget.
//!
//! Files go to staging: no reader of the table sees what is written here. When the open files hold
//! more than the budget, the one that holds most is flushed, or closed when flushing would not
//! help. A merge can have the rows of small files back without their ever being written, since it
//! puts them together with others anyway.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::parquet::row_set::RowLocation;
use crate::staging::area::{StagedFile, StagingArea};
use crate::staging::open_file::{Encoding, OpenFile};
use crate::staging::partition::Partition;
use crate::storage::upload::PART_BYTES;
use lakefeed_model::error::{Error, Result};

/// A file that holds less than this is closed rather than flushed: a flush would leave as much in
/// its upload.
const FLUSH_BYTES_MIN: usize = 2 * PART_BYTES;
/// What may wait in memory before any of it is encoded, where it is going to be put together with
/// rows of the table: a quarter of the budget, and no more than this.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Rows of one file at most, so that a position always fits 32 bits.
const FILE_ROWS_MAX: u64 = 1 << 30;

/// Writes batches to rolling files, one per partition at a time.
#[derive(Debug)]
pub(crate) struct RollingWriter {
    area: StagingArea,
    open: HashMap<String, OpenFile>,
    closed: Vec<StagedFile>,
    held_bytes: usize,
    /// As long as no more is held, nothing is encoded.
    waiting_bytes_max: usize,
}

impl RollingWriter {
    pub(crate) fn new(area: StagingArea) -> Self {
        Self { area, open: HashMap::new(), closed: Vec::new(), held_bytes: 0, waiting_bytes_max: 0 }
    }

    /// Returns a writer whose rows are going to be put together with others: files of a small run
    /// need never be written.
    pub(crate) fn waiting(area: StagingArea) -> Self {
        let waiting_bytes_max = WAITING_BYTES_MAX.min(area.limits.writer_buffer_bytes / 4);
        Self { waiting_bytes_max, ..Self::new(area) }
    }

    /// Appends a batch to the partition's open file. Returns where its first row is.
    pub(crate) async fn write(&mut self, partition: &Arc<Partition>, batch: &RecordBatch) -> Result<RowLocation> {
        if !self.open.contains_key(&partition.path) {
            let file = self.area.open(Arc::clone(partition));
            self.open.insert(partition.path.clone(), file);
        }
        let Some(file) = self.open.get_mut(&partition.path) else {
            return Err(Error::defect("an open file was lost"));
        };
        let first = u32::try_from(file.rows).map_err(|_| Error::defect("a staged file has too many rows"))?;
        let location = RowLocation { file: file.number(), row: first };
        let may_wait = self.held_bytes < self.waiting_bytes_max;
        let encoding = if may_wait { Encoding::Later } else { Encoding::WhenEnough };
        self.held_bytes -= file.held_bytes;
        file.append(batch, &self.area, encoding).await?;
        if file.estimated_bytes() >= self.area.limits.file_bytes_target {
            file.encode(&self.area).await?;
        }
        self.held_bytes += file.held_bytes;
        if file.estimated_bytes() >= self.area.limits.file_bytes_target || file.rows >= FILE_ROWS_MAX {
            self.close(&partition.path).await?;
        }
        self.keep_to_budget().await?;
        Ok(location)
    }

    /// Finishes as [`Self::finish`], but writes no file of which nothing was written so far: those
    /// come back with their rows held.
    pub(crate) async fn finish_holding(mut self) -> Result<Vec<StagedFile>> {
        let (held, open) = self.open.drain().partition::<HashMap<_, _>, _>(|(_, file)| file.is_only_held());
        self.held_bytes = open.values().map(|file| file.held_bytes).sum();
        self.open = open;
        self.closed.extend(held.into_values().map(OpenFile::hold));
        self.finish().await
    }

    /// Closes every open file. Returns all files in the order of their numbers.
    pub(crate) async fn finish(mut self) -> Result<Vec<StagedFile>> {
        self.close_all().await?;
        self.closed.sort_by_key(|file| file.number);
        Ok(self.closed)
    }

    /// Closes every open file, and opens those that follow in `area`. Returns the numbers of all
    /// that are closed.
    pub(crate) async fn move_to(&mut self, area: StagingArea) -> Result<impl Iterator<Item = u32> + '_> {
        self.close_all().await?;
        self.area = area;
        Ok(self.closed.iter().map(|file| file.number))
    }

    /// Closes every open file. Returns all that are closed.
    pub(crate) async fn settle(&mut self) -> Result<&[StagedFile]> {
        self.close_all().await?;
        Ok(&self.closed)
    }

    async fn close_all(&mut self) -> Result<()> {
        let mut partitions = self.open.keys().cloned().collect::<Vec<_>>();
        partitions.sort();
        for partition in partitions {
            self.close(&partition).await?;
        }
        Ok(())
    }

    /// Gives up every open file.
    pub(crate) async fn abort(self) {
        for file in self.open.into_values() {
            file.abort().await;
        }
    }

    async fn keep_to_budget(&mut self) -> Result<()> {
        while self.held_bytes > self.area.limits.writer_buffer_bytes {
            let largest = self.open.iter().max_by_key(|(path, file)| (file.held_bytes, path.as_str()));
            let Some((path, held)) = largest.map(|(path, file)| (path.clone(), file.held_bytes)) else {
                return Ok(());
            };
            match self.open.get_mut(&path) {
                Some(file) if held >= FLUSH_BYTES_MIN => {
                    self.held_bytes -= held;
                    file.flush(&self.area).await?;
                    self.held_bytes += file.held_bytes;
                }
                Some(_) | None => self.close(&path).await?,
            }
        }
        Ok(())
    }

    async fn close(&mut self, path: &str) -> Result<()> {
        if let Some(file) = self.open.remove(path) {
            self.held_bytes -= file.held_bytes;
            self.closed.push(file.close(&self.area).await?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
