//! Load metadata: which run a row came with, and when.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Field;
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

    /// Returns a column of load metadata of so many rows; `None` for any other column.
    pub(super) fn fill(&self, field: &Field, rows: usize) -> Option<ArrayRef> {
        let (run_id, loaded_at) = self.0.as_ref()?;
        match field.name().as_str() {
            RUN_ID => Some(Arc::new(std::iter::repeat_n(Some(run_id), rows).collect::<StringArray>())),
            LOADED_AT => {
                let times = TimestampMicrosecondArray::from_value(*loaded_at, rows);
                Some(Arc::new(times.with_data_type(field.data_type().clone())))
            }
            _ => None,
        }
    }
}
