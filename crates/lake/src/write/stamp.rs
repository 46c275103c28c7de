//! Load metadata: which run a row came with, and when.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use crate::write_spec::WriteSpec;
use lakefeed_model::schema::{LOADED_AT, RUN_ID};

/// What every row of the run says of its load; nothing where it is not wanted.
#[derive(Debug)]
pub(super) struct Stamp(Option<(String, i64)>);

impl Stamp {
    pub(super) fn of(write: &WriteSpec, now: DateTime<Utc>) -> Self {
        Self(write.load_metadata.then(|| (write.run_id.clone(), now.timestamp_micros())))
    }

    /// Returns the batch with its columns of load metadata filled in.
    pub(super) fn on(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let Some((run_id, loaded_at)) = &self.0 else { return Ok(batch) };
        let rows = batch.num_rows();
        let columns = batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, column)| -> ArrayRef {
            match field.name().as_str() {
                RUN_ID => Arc::new(std::iter::repeat_n(Some(run_id), rows).collect::<StringArray>()),
                LOADED_AT => {
                    let times = TimestampMicrosecondArray::from_value(*loaded_at, rows);
                    Arc::new(times.with_data_type(column.data_type().clone()))
                }
                _ => Arc::clone(column),
            }
        });
        RecordBatch::try_new(batch.schema(), columns.collect())
    }
}
