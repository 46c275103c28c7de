//! Writes the rows of one file anew, in their order and in the shape of the staging area.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::TryStreamExt as _;

use crate::evolve::reconcile::conform;
use crate::parquet::reader::{Part, Source, conform_error, read};
use crate::parquet::row_set::RowLocation;
use crate::staging::area::{StagedFile, StagingArea};
use crate::staging::open_file::{Encoding, OpenFile};
use crate::staging::partition::Partition;
use lakefeed_model::error::{Error, Result};

impl StagingArea {
    /// Writes the rows of a file anew as one staged file, in their order and in the shape of the
    /// area. `each` sees every batch, and where its first row is now.
    pub(crate) async fn rewrite(
        &self,
        source: &Source,
        partition: Arc<Partition>,
        mut each: impl FnMut(&RecordBatch, RowLocation) -> Result<()>,
    ) -> Result<StagedFile> {
        let mut file = self.open(partition);
        let mut batches = read(&self.storage, source, Part::Whole).await?;
        while let Some(batch) = batches.try_next().await? {
            let batch = conform(&batch, &self.schema)
                .map_err(|error| conform_error(&self.storage, "rewrite", &source.path, error))?;
            let row = u32::try_from(file.rows).map_err(|_| Error::defect("a data file has too many rows"))?;
            each(&batch, RowLocation { file: file.number(), row })?;
            file.append(&batch, self, Encoding::WhenEnough).await?;
            if file.held_bytes > self.limits.writer_buffer_bytes {
                file.flush(self).await?;
            }
        }
        file.close(self).await
    }

    pub(crate) fn open(&self, partition: Arc<Partition>) -> OpenFile {
        OpenFile::new(self.next_number(), partition)
    }
}
