//! What columns mean: the shape of a record and its Arrow form. Pure.
//!
//! A [`RecordSchema`] comes from a JSON Schema file ([`parse_json_schema`]), or from records themselves (`decode` infers it). It is stored
//! with the table, so it is a serialisable, versionless value; order of columns is the order of the file.

mod deletes;
mod hints;
mod json_schema;
mod keywords;
mod record;
mod rules;
mod type_text;

pub use deletes::DELETES_COLUMN;
pub use hints::ColumnHint;
pub use json_schema::{SchemaFile, SchemaProblem, UNIX_TIMES, parse_json_schema, read_json_schema, read_openapi};
pub use record::{Column, ColumnType, IntegerType, OtherUnit, RecordSchema, SchemaError, TimeUnit};
pub use rules::{FieldRule, FieldRules, OnError, RuleStep};
