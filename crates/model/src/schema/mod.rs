//! What columns mean: the shape of a record and its Arrow form. Pure.
//!
//! A [`RecordSchema`] comes from a JSON Schema file ([`parse_json_schema`]), or from records themselves (`decode` infers it). It is stored
//! with the table, so it is a serialisable, versionless value; order of columns is the order of the file.

mod batch;
mod evolve;
mod files;
#[cfg(any(test, feature = "testing"))]
pub mod strategies;
mod table;
mod types;

pub use batch::explode::Items;
pub use batch::reshape::Reshaper;
pub use evolve::grow::{Growth, grow, new_doubles, with_doubles_at};
pub use files::hints::ColumnHint;
pub use files::json_schema::{SchemaFile, UNIX_TIMES, parse_json_schema, read_json_schema, read_openapi};
pub use files::problem::SchemaProblem;
pub use files::rules::{FieldRule, FieldRules, OnError, RuleStep};
pub use files::write::to_json_schema;
pub use table::child_tables::{ChildTable, Parts};
pub use table::deletes::DELETES_COLUMN;
pub use table::folder_name::{is_folder_name, is_for_folders};
pub use table::load_metadata::{LOADED_AT, RUN_ID, is_load_metadata, with_load_metadata, without_load_metadata};
pub use table::moved::moved;
pub use table::naming::{Naming, snake_case};
pub use table::nested::{have_items_alike, whole_of};
pub use table::source::{
    SEPARATOR, add_source, child_tables_of, record_schema_of, records_of, require, source_of, with_nullability_of,
};
pub use table::table_shape::TableShape;
pub use types::identify::identified;
pub use types::nesting::nested_to;
pub use types::note::{Note, Notes};
pub use types::path::{Places, member_path};
pub use types::record::{Column, ColumnType, IntegerType, OtherUnit, RecordSchema, SchemaError, TimeUnit, is_json};
pub use types::variant::{Variant, VariantKind, with_variants};
pub use types::widen::{Conflicts, widen, widen_columns};
