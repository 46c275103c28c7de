//! The rows of a snapshot.

use arrow::array::RecordBatch;
use futures::TryStreamExt as _;

use crate::evolve::reconcile::conform;
use crate::log::snapshot::Snapshot;
use crate::parquet::reader::{Decoding, Source, decode};
use crate::table::Table;
use lakefeed_model::error::Result;

impl Table {
    /// Reads the first `limit` rows of a snapshot of this table, file after file in the order of
    /// their paths. All batches have the Arrow schema of the snapshot; what a file of an older
    /// commit lacks, a column or a member of an object, is null.
    ///
    /// # Errors
    /// When a file is not there, cannot be read, or has other columns than the snapshot.
    pub async fn first_rows(&self, snapshot: &Snapshot, limit: usize) -> Result<Vec<RecordBatch>> {
        let Some(shape) = snapshot.schema.as_ref().map(|schema| schema.to_arrow()) else { return Ok(Vec::new()) };
        let (mut rows, mut left) = (Vec::new(), limit);
        for (path, file) in &snapshot.files {
            if left == 0 {
                break;
            }
            let source = Source { path: self.storage.resolve(path)?, bytes: file.bytes };
            let mut batches = decode(&self.storage, &source, self.read_file(path).await?, Decoding::OnDemand)?;
            while left > 0
                && let Some(batch) = batches.try_next().await?
            {
                let batch = batch.slice(0, left.min(batch.num_rows()));
                left -= batch.num_rows();
                let fails = |error| self.storage.unreadable("read", &source.path, error);
                rows.push(conform(&batch, &shape).map_err(fails)?);
            }
        }
        Ok(rows)
    }
}
