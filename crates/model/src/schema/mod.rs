//! What columns mean: the shape of a record and its Arrow form. Pure.
//!
//! A [`RecordSchema`] comes from a JSON Schema file ([`SchemaFile::parse`]), or from records
//! themselves (`decode` infers it). It is stored with the table, so it is a serialisable,
//! versionless value; order of columns is the order of the file.

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
pub use evolve::mismatch::{Mismatch, MismatchKind, MismatchedField};
pub use evolve::page::grow_by_page;
pub use files::hints::ColumnHint;
pub use files::json_schema::{SchemaFile, UNIX_TIMES};
pub use files::problem::SchemaProblem;
pub use files::rules::{FieldRule, FieldRules, OnError, RuleStep};
pub use table::child_tables::{ChildTable, Parts};
pub use table::deletes::DELETES_COLUMN;
pub use table::folder_name::{is_folder_name, is_for_folders};
pub use table::load_metadata::{LOADED_AT, RUN_ID, is_load_metadata};
pub use table::naming::Naming;
pub use table::source::SEPARATOR;
pub use table::table_shape::TableShape;
pub use types::note::{Note, Notes};
pub use types::path::{Places, member_path};
pub use types::record::{Column, ColumnType, IntegerType, OtherUnit, RecordSchema, SchemaError, TimeUnit, is_json};
pub use types::variant::{Variant, VariantKind};
pub use types::widen::{Conflicts, widen};
