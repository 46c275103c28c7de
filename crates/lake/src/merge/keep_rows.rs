//! Leaves out the rows of a batch that leave their file. Pure.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;

use crate::parquet::row_set::RowSet;

/// Returns the rows of a batch that stay. The batch begins at `position` of its file.
pub(crate) fn keep_rows(batch: &RecordBatch, position: u64, leaving: &RowSet) -> Result<RecordBatch, ArrowError> {
    if leaving.len() == 0 {
        return Ok(batch.clone());
    }
    let stays = |row: usize| !leaving.contains(position + row as u64);
    filter_record_batch(batch, &BooleanArray::new(BooleanBuffer::collect_bool(batch.num_rows(), stays), None))
}
