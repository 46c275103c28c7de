//! What columns mean: the shape of a record and its Arrow form. Pure.
//!
//! A [`RecordSchema`] comes from a JSON Schema file (`json_schema`), or from records themselves (`infer`). It is stored
//! with the table, so it is a serialisable, versionless value; order of columns is the order of the file.

mod record;

pub use record::{Column, ColumnType, RecordSchema, SchemaError};
