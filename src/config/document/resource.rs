//! The `resources` of a pipeline file, with `resource_defaults` merged in as dlt does.

use std::num::NonZeroU32;

use serde_json::{Map, Value};

use super::columns::{SchemaSource, read_schema};
use super::endpoint::EndpointDocument;
use super::fields::{Fields, kind};
use super::merge::{MergeDocument, merge_columns};
use super::problems::Problems;
use crate::expression::Expression;
use crate::schema::{Conflicts, Naming};
use crate::spec::{ContractMode, ProcessingStep, Transform};

/// Keys of dlt's resources that this version does not do.
const RESOURCE_LATER: &[&str] = &["table_format", "parent_table_name"];

/// Keys that change nothing here: hints for stores that lakefeed does not have.
const RESOURCE_IGNORED: &[&str] = &["parallelized", "max_table_nesting", "references", "nested_hints", "file_format"];

/// `resources[n]`, with `resource_defaults` merged in.
#[derive(Debug)]
pub(crate) struct ResourceDocument {
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) table_name: Option<String>,
    pub(crate) endpoint: EndpointDocument,
    pub(crate) schema: Option<SchemaSource>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) merge: MergeDocument,
    pub(crate) partition_by: Vec<PartitionDocument>,
    /// False for a resource that is only read for its children.
    pub(crate) selected: bool,
    pub(crate) include_from_parent: Vec<String>,
    /// What the pipeline says of it; the rest is as usual.
    pub(crate) schema_contract: ContractDocument,
    pub(crate) nested: NestedDocument,
    pub(crate) naming: Naming,
    pub(crate) load_metadata: Option<bool>,
    pub(crate) processing_steps: Vec<ProcessingStep>,
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

/// `schema_contract`, or the mode of all of its parts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ContractDocument {
    pub(crate) tables: Option<ContractMode>,
    pub(crate) columns: Option<ContractMode>,
    pub(crate) data_type: Option<ContractMode>,
    pub(crate) conflicts: Option<Conflicts>,
}

/// One level of `partition_by`.
#[derive(Debug)]
pub(crate) struct PartitionDocument {
    pub(crate) place: String,
    pub(crate) column: String,
    pub(crate) transform: Transform,
    pub(crate) name: Option<String>,
}

const NAMINGS: &[(&str, Naming)] = &[("as_is", Naming::AsIs), ("snake_case", Naming::SnakeCase)];

/// Reads every resource.
pub(crate) fn read_resources(
    resources: &[Value],
    defaults: Option<&Value>,
    problems: &Problems,
) -> Vec<ResourceDocument> {
    let empty = Map::new();
    let defaults = match defaults {
        None => &empty,
        Some(Value::Object(defaults)) => defaults,
        Some(other) => {
            problems.add("./resource_defaults", format!("expected a mapping, found {}", kind(other)));
            &empty
        }
    };
    // What is wrong with the defaults is said once, where it is, and not once more with each resource.
    let before = problems.count();
    ResourceDocument::check_defaults(defaults, problems);
    let defaults = if problems.count() > before { &empty } else { defaults };
    let read = |(position, resource): (usize, &Value)| {
        let place = format!("./resources[{position}]");
        let resource = match resource {
            Value::String(name) => Map::from_iter([("name".to_owned(), Value::String(name.clone()))]),
            Value::Object(resource) => resource.clone(),
            other => {
                problems.add(&place, format!("expected a name or a mapping, found {}", kind(other)));
                return None;
            }
        };
        let merged = Value::Object(merge_defaults(defaults, resource));
        ResourceDocument::read(Fields::of(place, &merged, problems)?)
    };
    resources.iter().enumerate().filter_map(read).collect()
}

/// dlt's merge: shallow, `{**defaults, **resource}`, but an endpoint's `params` and `json` merge key by key, and so do `columns`. An explicit null of the resource
/// wins over a default. Name and path are a resource's own: a default for them means nothing.
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
            ("params" | "json", Value::Object(own), Some(defaults)) => {
                let mut both = defaults.clone();
                both.extend(own);
                Value::Object(both)
            }
            (_, value, _) => value,
        };
        merged.insert(key, value);
    }
    merged
}

impl ResourceDocument {
    /// Notes what is wrong with the form of `resource_defaults`.
    fn check_defaults(defaults: &Map<String, Value>, problems: &Problems) {
        let mut named = defaults.clone();
        named.insert("name".to_owned(), Value::String("resource_defaults".to_owned()));
        Fields::of("./resource_defaults".to_owned(), &Value::Object(named), problems).and_then(Self::read);
    }

    /// Reads a resource; `None` when it has no name.
    fn read(mut fields: Fields<'_>) -> Option<Self> {
        let name = fields.required_text("name");
        let selected = fields.truth("selected").unwrap_or(true);
        let is_skipped = fields.value("write_disposition").and_then(Value::as_str) == Some("skip");
        let endpoint = match fields.value("endpoint") {
            Some(Value::String(path)) => EndpointDocument { path: Some(path.clone()), ..EndpointDocument::default() },
            _ => fields.object("endpoint").map(EndpointDocument::read).unwrap_or_default(),
        };
        let resource = Self {
            place: fields.place.clone(),
            name: name.clone().unwrap_or_default(),
            table_name: fields.text("table_name"),
            endpoint,
            schema: read_schema(&mut fields),
            primary_key: fields.texts("primary_key").unwrap_or_default(),
            merge: MergeDocument::read(&mut fields),
            partition_by: read_partition_by(&mut fields),
            selected: selected && !is_skipped,
            include_from_parent: fields.texts("include_from_parent").unwrap_or_default(),
            schema_contract: read_contract(&mut fields),
            nested: read_nested(&mut fields),
            naming: fields.choice("naming", NAMINGS).unwrap_or_default(),
            load_metadata: fields.truth("load_metadata"),
            processing_steps: read_steps(&mut fields),
        };
        fields.unsupported(RESOURCE_LATER);
        fields.ignored(RESOURCE_IGNORED);
        fields.finish();
        name.is_some().then_some(resource)
    }
}

/// `processing_steps`: dlt's list, with expressions where dlt takes callables.
fn read_steps(fields: &mut Fields<'_>) -> Vec<ProcessingStep> {
    let place = fields.place_of("processing_steps");
    let problems = fields.problems;
    let steps = match fields.value("processing_steps") {
        None => return Vec::new(),
        Some(Value::Array(steps)) => steps,
        Some(other) => {
            problems.add(&place, format!("expected a list, found {}", kind(other)));
            return Vec::new();
        }
    };
    let step = |(position, step): (usize, &Value)| read_step(format!("{place}[{position}]"), step, problems);
    steps.iter().enumerate().filter_map(step).collect()
}

fn read_step(place: String, step: &Value, problems: &Problems) -> Option<ProcessingStep> {
    let expression =
        |place: &str, text: &str| Expression::parse(text).map_err(|error| problems.add(place, error.to_string())).ok();
    let mut fields = Fields::of(place, step, problems)?;
    let filter = fields.text("filter");
    let map = fields.object("map");
    if filter.is_some() == map.is_some() {
        problems.add(&fields.place, "give either 'filter' or 'map'");
    }
    let read = match (filter, map) {
        (Some(filter), _) => expression(&fields.place_of("filter"), &filter).map(ProcessingStep::Filter),
        (None, Some(map)) => {
            let mut set = Vec::new();
            for (name, value) in map.entries() {
                let place = format!("{}/{name}", map.place);
                match value.as_str() {
                    Some(text) => set.extend(expression(&place, text).map(|text| (name.clone(), text))),
                    None => problems.add(&place, format!("expected an expression, found {}", kind(value))),
                }
            }
            Some(ProcessingStep::Map(set))
        }
        (None, None) => None,
    };
    fields.unsupported(&["yield_map"]);
    fields.finish();
    read
}

/// dlt's `schema_contract`: a mode for each part, or one for all; and what becomes of conflicts.
fn read_contract(fields: &mut Fields<'_>) -> ContractDocument {
    const MODES: &[(&str, ContractMode)] = &[
        ("evolve", ContractMode::Evolve),
        ("freeze", ContractMode::Freeze),
        ("discard_row", ContractMode::DiscardRow),
        ("discard_value", ContractMode::DiscardValue),
    ];
    const CONFLICTS: &[(&str, Conflicts)] = &[
        ("reject", Conflicts::Reject),
        ("text", Conflicts::Text),
        ("json", Conflicts::Json),
        ("variant", Conflicts::Variant),
    ];
    if let Some(Value::String(_)) = fields.value("schema_contract") {
        let all = fields.choice("schema_contract", MODES);
        return ContractDocument { tables: all, columns: all, data_type: all, conflicts: None };
    }
    let Some(mut contract) = fields.object("schema_contract") else { return ContractDocument::default() };
    let read = ContractDocument {
        tables: contract.choice("tables", MODES),
        columns: contract.choice("columns", MODES),
        data_type: contract.choice("data_type", MODES),
        conflicts: contract.choice("conflicts", CONFLICTS),
    };
    contract.finish();
    read
}

/// `nested`: `native`, `flatten`, `child_tables` or `json`, how many levels stay native, or a mapping of a mode and levels.
fn read_nested(fields: &mut Fields<'_>) -> NestedDocument {
    const NATIVE: NestedDocument = NestedDocument { flattens: false, has_child_tables: false, levels: None };
    const MODES: &[(&str, NestedDocument)] = &[
        ("native", NATIVE),
        ("flatten", NestedDocument { flattens: true, ..NATIVE }),
        ("child_tables", NestedDocument { flattens: true, has_child_tables: true, levels: None }),
        ("json", NestedDocument { levels: Some(0), ..NATIVE }),
    ];
    let levels = |levels: u64| u32::try_from(levels).unwrap_or(u32::MAX);
    match fields.value("nested") {
        Some(Value::Object(_)) => {
            let Some(mut nested) = fields.object("nested") else { return NestedDocument::default() };
            let mode = nested.choice("mode", &MODES[..3]).unwrap_or_default();
            let read = NestedDocument { levels: nested.whole("levels").map(levels), ..mode };
            nested.finish();
            read
        }
        Some(Value::String(text)) if text.parse::<u32>().is_err() => fields.choice("nested", MODES).unwrap_or_default(),
        _ => NestedDocument { levels: fields.whole("nested").map(levels), ..NATIVE },
    }
}

fn read_partition_by(fields: &mut Fields<'_>) -> Vec<PartitionDocument> {
    let place = fields.place_of("partition_by");
    let problems = fields.problems;
    let levels: Vec<(String, &Value)> = match fields.value("partition_by") {
        None => Vec::new(),
        Some(Value::Array(levels)) => {
            levels.iter().enumerate().map(|(position, level)| (format!("{place}[{position}]"), level)).collect()
        }
        Some(level) => vec![(place, level)],
    };
    levels.into_iter().filter_map(|(place, level)| PartitionDocument::read(place, level, problems)).collect()
}

impl PartitionDocument {
    fn read(place: String, level: &Value, problems: &Problems) -> Option<Self> {
        if let Value::String(column) = level {
            return Some(Self { place, column: column.clone(), transform: Transform::Identity, name: None });
        }
        let mut fields = Fields::of(place.clone(), level, problems)?;
        let column = fields.required_text("column");
        let transform = read_transform(&mut fields);
        let name = fields.text("name");
        fields.finish();
        Some(Self { place, column: column?, transform: transform?, name })
    }
}

/// `transform`, with the number that some of them need; `None` when it was refused.
fn read_transform(fields: &mut Fields<'_>) -> Option<Transform> {
    type OfNumber = fn(NonZeroU32) -> Transform;
    let bucket: OfNumber = Transform::Bucket;
    let truncate: OfNumber = Transform::Truncate;
    let choices = [
        ("identity", Ok(Transform::Identity)),
        ("year", Ok(Transform::Year)),
        ("month", Ok(Transform::Month)),
        ("day", Ok(Transform::Day)),
        ("hour", Ok(Transform::Hour)),
        ("bucket", Err(("buckets", bucket))),
        ("truncate", Err(("width", truncate))),
    ];
    let is_given = fields.has("transform");
    match fields.choice("transform", &choices) {
        None => (!is_given).then_some(Transform::Identity),
        Some(Ok(transform)) => Some(transform),
        Some(Err((key, transform))) => {
            let number = fields.whole(key).and_then(|number| u32::try_from(number).ok()).and_then(NonZeroU32::new);
            if number.is_none() {
                fields.problems.add(&fields.place_of(key), format!("must be a whole number from 1 to {}", u32::MAX));
            }
            number.map(transform)
        }
    }
}
