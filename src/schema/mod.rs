//! What columns mean: the shape of a record and its Arrow form. Pure.
//!
//! A [`RecordSchema`] comes from a JSON Schema file ([`parse_json_schema`]), or from records themselves (`decode` infers it). It is stored
//! with the table, so it is a serialisable, versionless value; order of columns is the order of the file.

mod deletes;
mod json_schema;
mod record;

pub use deletes::DELETES_COLUMN;
pub use json_schema::{SchemaProblem, parse_json_schema};
pub use record::{Column, ColumnType, RecordSchema, SchemaError};
