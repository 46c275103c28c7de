//! A resource of a pipeline file as its user wrote it, and `resource_defaults`.

use serde_json::{Map, Value};

use super::columns::{Hints, SchemaSource};
use super::containers::{List, MapOf, OneOrMore};
use super::endpoint::EndpointDocument;
use super::kind::Kind;
use super::merge::{DeletesDocument, Disposition, DispositionDocument};
use super::read::{At, Fields, Mapping as _, Read, mapping, words};
use super::values::{Boolean, Column, Expression, Integer, OneOf, Path, Text, Whole};
use crate::schema::{Conflicts, Naming};
use crate::spec::ContractMode;

mapping! {
    /// One listing of the API, and the table that it feeds.
    ResourceDocument "resource" or "name" {
        /// The resource's name, unique in the file.
        name: Text [required] like "orders",
        /// The table's folder below the destination: at most 200 bytes, not starting with `.` or
        /// `_`, without `/` and the like.
        table_name: Text [usually "the name, with `_` for `/` and the like"],
        /// What to ask for: [endpoint](#endpoint), or its path alone.
        endpoint: EndpointDocument [empty usually "the name as the path"],
        /// The columns that identify a record. `merge` needs them, but for what [merging](#merging)
        /// says. Plain values, never null.
        primary_key: OneOrMore<Column> [list] like "id",
        /// The columns that name a group of records which a run brings as a whole:
        /// [merging](#merging).
        merge_key: OneOrMore<Column> [list],
        /// What a run does with the rows that are there: `append`, `replace`, `merge` or `skip`, or
        /// [more about it](#merging).
        write_disposition: DispositionDocument [empty usually "`append`"],
        /// Which records delete, and how: [merging](#merging).
        deletes: DeletesDocument [none],
        /// The [schema file](#schema), relative to the pipeline file.
        schema: SchemaSource [usually "inferred"] like "schemas/orders.json",
        /// Hints of single columns, by their name or as a list: their [types](#columns), and what
        /// [merging](#merging) wants to know.
        columns: Hints [list],
        /// How rows are spread over folders: a [level](#partitions) or a list of levels, outermost
        /// first. Needs `schema`.
        partition_by: OneOrMore<PartitionDocument> [list],
        /// What may become of the table's schema: [schema contract](#schema-contract), or one mode
        /// for `tables`, `columns` and `data_type`.
        schema_contract: ContractDocument [list],
        /// Objects and lists: `native` keeps them as structs and lists, `flatten` makes columns
        /// `a__b` of the fields of objects, `child_tables` does so too and makes tables of lists,
        /// `json` keeps them as JSON text; a number keeps so many levels native, and what lies
        /// deeper as JSON text: [names and nesting](#names-and-nesting).
        nested: NestedDocument [list],
        /// What columns are called: as the keys of the records, or by `snake_case`:
        /// [names and nesting](#names-and-nesting).
        naming: OneOf<Naming> [Naming::AsIs],
        /// Whether each row says which run it came with (`_lakefeed_run_id`) and when that began to
        /// write (`_lakefeed_loaded_at`, UTC). A row that is as it was keeps what it says.
        load_metadata: Boolean [false],
        /// What is done with each record before it is typed: [processing steps](#processing-steps).
        processing_steps: List<StepDocument> [list],
        /// Fields of the parent's record that each row gets, as `_<parent>_<field>`, dots as `_`.
        include_from_parent: OneOrMore<Path> [list],
        /// `false` for a resource that is read for its children only, and has no table.
        selected: Boolean [true],
        // Hints for stores that lakefeed does not have.
        ignored ["parallelized", "max_table_nesting", "references", "nested_hints", "file_format"],
        refused ["table_format", "parent_table_name"],
    }
}

words! {
    Naming { "as_is" = Self::AsIs, "snake_case" = Self::SnakeCase }
    ContractMode {
        "evolve" = Self::Evolve, "freeze" = Self::Freeze, "discard_row" = Self::DiscardRow,
        "discard_value" = Self::DiscardValue
    }
    Conflicts { "reject" = Self::Reject, "text" = Self::Text, "json" = Self::Json, "variant" = Self::Variant }
}

mapping! {
    /// One level of folders.
    PartitionDocument "partition" or "column" {
        /// A column of the schema.
        column: Column [required],
        /// What is taken of the column's value, in UTC. Timestamps take all but `truncate` (and
        /// `bucket` only in microseconds), dates all but that and `hour`; texts and 64-bit integers
        /// `identity`, `bucket` and `truncate`; decimals and times in microseconds `identity` and
        /// `bucket`; booleans, other integers and dictionary-encoded texts `identity`; floats,
        /// bytes, durations, structs, lists, maps and JSON none.
        transform: OneOf<TransformName> [TransformName::Identity],
        /// How many buckets there are. The bucket is that of Iceberg's `bucket[N]`: a hash that any
        /// engine can compute.
        buckets: Integer<1, 4_294_967_295> [usually "required by `bucket`"],
        /// How many characters of a text are kept; a number is rounded down to a multiple of it.
        width: Integer<1, 4_294_967_295> [usually "required by `truncate`"],
        /// The name of the folder level, `name=value`. Not the name of a column.
        name: Text [usually "`<column>_<transform>`"],
    }
}

/// What a level takes of a column; some need a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransformName {
    Identity,
    Year,
    Month,
    Day,
    Hour,
    Bucket,
    Truncate,
}

words! {
    TransformName {
        "identity" = Self::Identity, "year" = Self::Year, "month" = Self::Month, "day" = Self::Day,
        "hour" = Self::Hour, "bucket" = Self::Bucket, "truncate" = Self::Truncate
    }
}

mapping! {
    /// What is done with each record: either a `filter` or a `map`.
    StepDocument "processing_step" {
        /// Records for which this is not true are left out.
        filter: Expression [none] like "record.status != 'cancelled'",
        /// Each of these fields is set to the value of its expression.
        map: MapOf<Expression> [none] like r#"{"title": "record.summary.trim()"}"#,
        refused ["yield_map"],
    }
}

mapping! {
    /// What may become of a table's schema when records bring something new.
    ContractParts "schema_contract" {
        /// Where there is no table yet. With `discard_row` and `discard_value`, what was read goes
        /// nowhere.
        tables: OneOf<ContractMode> [usually "`evolve`"],
        /// Fields that the table does not have. A null is not a new field.
        columns: OneOf<ContractMode> [usually "`evolve`; `discard_value` with a `schema`"],
        /// Values that do not fit their column. `evolve` widens it where nothing is lost;
        /// `discard_value` makes the value null.
        data_type: OneOf<ContractMode> [usually "`evolve`; `discard_row` with a `schema`"],
        /// With `data_type: evolve`, a column whose values no type holds without loss: `reject`
        /// puts the records aside, `text` makes a column of dates or times text when other texts
        /// come, `json` makes any column JSON text, `variant` keeps the column and puts the values
        /// into another one beside it, as dlt does (`n__v_text`; [names](schemas.md#variants)).
        conflicts: OneOf<Conflicts> [usually "`reject`"],
    }
}

impl ResourceDocument {
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Returns whether it has a table, and is not read for its children only.
    pub(crate) fn has_table(&self) -> bool {
        self.selected && self.write_disposition.disposition != Some(Disposition::Skip)
    }
}

/// `schema_contract`, or the mode of its parts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ContractDocument {
    pub(crate) tables: Option<ContractMode>,
    pub(crate) columns: Option<ContractMode>,
    pub(crate) data_type: Option<ContractMode>,
    pub(crate) conflicts: Option<Conflicts>,
}

impl Read for ContractDocument {
    type Value = Self;
    const KIND: Kind = Kind::Either(&[OneOf::<ContractMode>::KIND, ContractParts::KIND]);

    fn read(value: &Value, at: &At<'_>) -> Option<Self> {
        if value.is_string() {
            let all = OneOf::<ContractMode>::read(value, at);
            return Some(Self { tables: all, columns: all, data_type: all, conflicts: None });
        }
        let ContractParts { tables, columns, data_type, conflicts, .. } = ContractParts::read(value, at)?;
        Some(Self { tables, columns, data_type, conflicts })
    }
}

/// How objects and lists are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NestedMode {
    Native,
    Flatten,
    ChildTables,
}

/// `nested` in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NestedWord {
    Mode(NestedMode),
    /// No levels at all.
    Json,
}

words! {
    NestedMode { "native" = Self::Native, "flatten" = Self::Flatten, "child_tables" = Self::ChildTables }
    NestedWord {
        "native" = Self::Mode(NestedMode::Native), "flatten" = Self::Mode(NestedMode::Flatten),
        "child_tables" = Self::Mode(NestedMode::ChildTables), "json" = Self::Json
    }
}

mapping! {
    /// How objects and lists are kept, and how deep.
    NestedParts "nested" {
        /// What becomes of objects and lists.
        mode: OneOf<NestedMode> [NestedMode::Native],
        /// Levels of objects and lists, those of the record's own fields being the first, that are
        /// not JSON text.
        levels: Whole [usually "all"],
    }
}

/// `nested`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NestedDocument {
    /// Whether fields of objects become columns.
    pub(crate) flattens: bool,
    /// Whether lists become tables; fields of objects become columns then.
    pub(crate) has_child_tables: bool,
    /// Levels of objects and lists that stay what they are; all of them when `None`.
    pub(crate) levels: Option<u32>,
}

impl Read for NestedDocument {
    type Value = Self;
    const KIND: Kind = Kind::Either(&[OneOf::<NestedWord>::KIND, <Whole as Read>::KIND, NestedParts::KIND]);

    fn read(value: &Value, at: &At<'_>) -> Option<Self> {
        let (mode, levels) = match value {
            Value::Object(_) => NestedParts::read(value, at).map(|parts| (parts.mode, parts.levels))?,
            Value::String(text) if text.trim().parse::<u64>().is_err() => match OneOf::<NestedWord>::read(value, at)? {
                NestedWord::Mode(mode) => (mode, None),
                NestedWord::Json => (NestedMode::Native, Some(0)),
            },
            _ => (NestedMode::Native, Some(<Whole as Read>::read(value, at)?)),
        };
        Some(Self {
            flattens: matches!(mode, NestedMode::Flatten | NestedMode::ChildTables),
            has_child_tables: mode == NestedMode::ChildTables,
            levels: levels.map(|levels| u32::try_from(levels).unwrap_or(u32::MAX)),
        })
    }
}

/// `resource_defaults`: the keys of a resource, of which none is required.
#[derive(Debug, Clone)]
pub(crate) struct Defaults;

impl Read for Defaults {
    type Value = Self;
    const KIND: Kind = Kind::Partial(&ResourceDocument::FORM);

    fn read(value: &Value, at: &At<'_>) -> Option<Self> {
        let fields = Fields::of(value, at, const { &ResourceDocument::FORM }, "")?.sparing("name");
        ResourceDocument::read_keys(&fields);
        Some(Self)
    }
}

/// Merges the defaults into every resource of a document, as dlt does.
pub(crate) fn merge_all(document: &mut Value, defaults: &Map<String, Value>) {
    let Some(Value::Array(resources)) = document.get_mut("resources") else { return };
    for resource in resources {
        let own = match resource {
            Value::String(name) => Map::from_iter([("name".to_owned(), Value::String(std::mem::take(name)))]),
            Value::Object(own) => std::mem::take(own),
            _ => continue,
        };
        *resource = Value::Object(merge_defaults(defaults, own));
    }
}

/// Merges as dlt does: shallow, `{**defaults, **resource}`, but an endpoint's `params` and `json`
/// merge key by key, and so do `columns`. An explicit null of the resource wins over a default.
/// Name and path are a resource's own: a default for them means nothing.
fn merge_defaults(defaults: &Map<String, Value>, resource: Map<String, Value>) -> Map<String, Value> {
    let mut merged = defaults.clone();
    merged.remove("name");
    if let Some(Value::Object(endpoint)) = merged.get_mut("endpoint") {
        endpoint.remove("path");
    }
    let default_endpoint = merged.get("endpoint").and_then(Value::as_object).cloned();
    for (key, value) in resource {
        let value = match (key.as_str(), value, &default_endpoint) {
            ("endpoint", Value::String(path), Some(defaults)) => {
                let path = Map::from_iter([("path".to_owned(), Value::String(path))]);
                Value::Object(merge_endpoint(defaults, path))
            }
            ("endpoint", Value::Object(endpoint), Some(defaults)) => Value::Object(merge_endpoint(defaults, endpoint)),
            ("columns", value, _) => match defaults.get("columns") {
                Some(defaults) => merge_columns(defaults, value),
                None => value,
            },
            (_, value, _) => value,
        };
        merged.insert(key, value);
    }
    merged
}

fn merge_endpoint(defaults: &Map<String, Value>, endpoint: Map<String, Value>) -> Map<String, Value> {
    let mut merged = defaults.clone();
    for (key, value) in endpoint {
        let value = match (key.as_str(), value, defaults.get(&key).and_then(Value::as_object)) {
            ("params" | "json", Value::Object(own), Some(defaults)) => Value::Object(both(defaults, &own)),
            (_, value, _) => value,
        };
        merged.insert(key, value);
    }
    merged
}

/// Returns the `columns` of a resource with those of the defaults: column by column, and hint by
/// hint.
fn merge_columns(defaults: &Value, own: Value) -> Value {
    let (Some(defaults), Value::Object(own)) = (defaults.as_object(), &own) else { return own };
    let mut merged: Map<String, Value> = defaults.clone();
    for (column, hints) in own {
        let hints = match (merged.get(column).and_then(Value::as_object), hints) {
            (Some(defaults), Value::Object(hints)) => Value::Object(both(defaults, hints)),
            (_, hints) => hints.clone(),
        };
        merged.insert(column.clone(), hints);
    }
    Value::Object(merged)
}

fn both(defaults: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut both = defaults.clone();
    both.extend(own.clone());
    both
}
