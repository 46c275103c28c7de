//! What columns mean: the shape of a record and its Arrow form. Pure.
//!
//! A [`RecordSchema`] comes from a JSON Schema file ([`parse_json_schema`]), or from records themselves (`decode` infers it). It is stored
//! with the table, so it is a serialisable, versionless value; order of columns is the order of the file.

mod child_tables;
mod deletes;
mod explode;
mod grow;
mod hints;
mod json_schema;
mod keywords;
mod load_metadata;
mod naming;
mod nesting;
mod notes;
mod record;
mod reshape;
mod rules;
#[cfg(any(test, feature = "testing"))]
pub mod strategies;
mod table_shape;
mod type_text;
mod variant;
mod widen;
mod write;

pub use child_tables::{
    ChildTable, Parts, child_tables_of, have_items_alike, is_folder_name, is_for_folders, whole_of,
};
pub use deletes::DELETES_COLUMN;
pub use explode::Items;
pub use grow::{Growth, Places, grow, member_path, new_doubles, with_doubles_at};
pub use hints::ColumnHint;
pub use json_schema::{SchemaFile, SchemaProblem, UNIX_TIMES, parse_json_schema, read_json_schema, read_openapi};
pub use load_metadata::{LOADED_AT, RUN_ID, is_load_metadata, with_load_metadata, without_load_metadata};
pub use naming::{Naming, snake_case};
pub use nesting::nested_to;
pub use notes::{Note, Notes, identified};
pub use record::{Column, ColumnType, IntegerType, OtherUnit, RecordSchema, SchemaError, TimeUnit, is_json};
pub use reshape::Reshaper;
pub use rules::{FieldRule, FieldRules, OnError, RuleStep};
pub use table_shape::{
    SEPARATOR, TableShape, add_source, moved, record_schema_of, records_of, require, source_of, with_nullability_of,
};
pub use variant::{Variant, VariantKind, with_variants};
pub use widen::{Conflicts, widen, widen_columns};
pub use write::to_json_schema;
