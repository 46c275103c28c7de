//! Batches that delete: the columns of the records, and one more that says which rows delete.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::schema::types::record::RecordSchema;

/// The last column of a batch that may delete.
pub const DELETES_COLUMN: &str = "_lakefeed_deletes";

impl RecordSchema {
    /// Returns the Arrow schema of a batch some of whose rows delete, as its last column says,
    /// which is boolean and never null. A row that deletes may have no more than its key, so the
    /// columns that are not in `key` may be null.
    pub fn to_arrow_with_deletes(&self, key: &[String]) -> SchemaRef {
        let fields = self.to_arrow();
        let relaxed = fields.fields().iter().map(|field| {
            let nullable = field.is_nullable() || !key.contains(field.name());
            Arc::new(field.as_ref().clone().with_nullable(nullable))
        });
        let deletes = Arc::new(Field::new(DELETES_COLUMN, DataType::Boolean, false));
        Arc::new(Schema::new(relaxed.chain([deletes]).collect::<Vec<_>>()))
    }
}
