//! Columns that say which run a row came with, and when. They are no part of the record.

use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError};

/// The column of the run's id.
pub const RUN_ID: &str = "_lakefeed_run_id";
/// The column of the time at which the run began to write.
pub const LOADED_AT: &str = "_lakefeed_loaded_at";

/// Returns whether a column of that name says something about the load. Such columns do not make
/// two rows differ.
pub fn is_load_metadata(name: &str) -> bool {
    name == RUN_ID || name == LOADED_AT
}

impl RecordSchema {
    /// Returns the schema with the columns of load metadata behind its own.
    ///
    /// # Errors
    /// When it has columns of these names.
    pub fn with_load_metadata(&self) -> Result<Self, SchemaError> {
        let column = |name: &str, column_type| Column { name: name.to_owned(), column_type, nullable: true };
        let mut columns = self.columns().to_vec();
        columns.push(column(RUN_ID, ColumnType::Utf8));
        columns.push(column(LOADED_AT, ColumnType::TimestampUtc));
        self.with_columns(columns)
    }

    /// Returns the columns without those of load metadata.
    pub fn without_load_metadata(&self) -> Vec<Column> {
        self.columns().iter().filter(|column| !is_load_metadata(&column.name)).cloned().collect()
    }
}
