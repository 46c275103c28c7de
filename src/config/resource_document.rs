//! The `resources` of a pipeline file, with `resource_defaults` merged in as dlt does.

use serde_json::{Map, Value};

use super::document::{EndpointDocument, PartitionDocument, ResourceDocument, pairs};
use super::fields::{Fields, kind};
use super::paginator_document::PaginatorDocument;
use super::problems::Problems;
use crate::spec::{Method, Transform, WriteDisposition};

/// Keys of dlt's resources that this version does not do.
const RESOURCE_LATER: &[&str] = &[
    "include_from_parent",
    "processing_steps",
    "merge_key",
    "columns",
    "schema_contract",
    "table_format",
    "parent_table_name",
];

/// Keys that change nothing here: hints for stores that lakefeed does not have.
const RESOURCE_IGNORED: &[&str] = &["parallelized", "max_table_nesting", "references", "nested_hints", "file_format"];

const ENDPOINT_LATER: &[&str] = &["data", "response_actions", "incremental", "auth"];

/// Reads every resource that is selected.
pub(super) fn read_resources(
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

/// dlt's merge: shallow, `{**defaults, **resource}`, but an endpoint's `params` and `json` merge key by key. An explicit null of the resource
/// wins over a default.
fn merge_defaults(defaults: &Map<String, Value>, resource: Map<String, Value>) -> Map<String, Value> {
    let mut merged = defaults.clone();
    let default_endpoint = defaults.get("endpoint").and_then(Value::as_object);
    for (key, value) in resource {
        let value = match (key.as_str(), value, default_endpoint) {
            ("endpoint", Value::String(path), Some(defaults)) => {
                let path = Map::from_iter([("path".to_owned(), Value::String(path))]);
                Value::Object(merge_endpoint(defaults, path))
            }
            ("endpoint", Value::Object(endpoint), Some(defaults)) => Value::Object(merge_endpoint(defaults, endpoint)),
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
    /// Reads a resource; `None` when it has no name or is not selected.
    fn read(mut fields: Fields<'_>) -> Option<Self> {
        let name = fields.required_text("name");
        let selected = fields.truth("selected").unwrap_or(true);
        let endpoint = match fields.value("endpoint") {
            Some(Value::String(path)) => EndpointDocument { path: Some(path.clone()), ..EndpointDocument::default() },
            _ => fields.object("endpoint").map(EndpointDocument::read).unwrap_or_default(),
        };
        let resource = Self {
            place: fields.place.clone(),
            name: name.clone().unwrap_or_default(),
            table_name: fields.text("table_name"),
            endpoint,
            schema: fields.text("schema"),
            primary_key: fields.texts("primary_key").unwrap_or_default(),
            write_disposition: read_disposition(&mut fields),
            partition_by: read_partition_by(&mut fields),
        };
        fields.unsupported(RESOURCE_LATER);
        fields.ignored(RESOURCE_IGNORED);
        fields.finish();
        (name.is_some() && selected).then_some(resource)
    }
}

impl EndpointDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        let methods = [("GET", Method::Get), ("POST", Method::Post), ("get", Method::Get), ("post", Method::Post)];
        let endpoint = Self {
            path: fields.text("path"),
            method: fields.choice("method", &methods),
            params: pairs(&mut fields, "params"),
            json: fields.value("json").cloned(),
            headers: pairs(&mut fields, "headers"),
            paginator: PaginatorDocument::read(&mut fields, "paginator"),
            data_selector: fields.text("data_selector"),
        };
        fields.unsupported(ENDPOINT_LATER);
        refuse_placeholders(&fields, &endpoint);
        fields.finish();
        endpoint
    }
}

/// `{resources.parent.field}` and `{incremental.…}` would go to the API as they stand.
fn refuse_placeholders(fields: &Fields<'_>, endpoint: &EndpointDocument) {
    let texts = endpoint.path.iter().chain(endpoint.params.iter().chain(&endpoint.headers).map(|(_, value)| value));
    let json = endpoint.json.as_ref().map(Value::to_string);
    for text in texts.chain(&json) {
        for placeholder in ["{resources.", "{incremental."] {
            if text.contains(placeholder) {
                let what = format!("'{placeholder}…}}' is not supported by this version of lakefeed");
                fields.problems.add(&fields.place, what);
            }
        }
    }
}

fn read_disposition(fields: &mut Fields<'_>) -> Option<WriteDisposition> {
    let choices = [
        ("append", WriteDisposition::Append),
        ("replace", WriteDisposition::Replace),
        ("merge", WriteDisposition::Merge),
    ];
    if !matches!(fields.value("write_disposition"), Some(Value::Object(_))) {
        return fields.choice("write_disposition", &choices);
    }
    let mut long = fields.object("write_disposition")?;
    let disposition = long.choice("disposition", &choices);
    long.choice("strategy", &[("upsert", ())]);
    long.finish();
    disposition
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
        let choices = [Transform::Identity, Transform::Year, Transform::Month, Transform::Day, Transform::Hour]
            .map(|transform| (transform.as_str(), transform));
        let column = fields.required_text("column");
        let transform = fields.choice("transform", &choices);
        let refused = fields.has("transform") && transform.is_none();
        let name = fields.text("name");
        fields.finish();
        let transform = transform.unwrap_or(Transform::Identity);
        (!refused).then_some(Self { place, column: column?, transform, name })
    }
}
