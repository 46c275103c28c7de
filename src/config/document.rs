//! The pipeline file as its user wrote it: the wire types, one per mapping. Their field docs are the reference of the file.
//!
//! Reading checks the form only: known keys, right types. Whether the values make sense together is `validate`'s business.

use serde_json::Value;

use super::client_document::ClientDocument;
use super::endpoint_document::EndpointDocument;
use super::fields::{Fields, kind};
use super::merge_document::MergeDocument;
use super::problems::Problems;
use super::resource_document::read_resources;
use crate::schema::Naming;
use crate::spec::RejectsMax;

/// A pipeline file.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The pipeline's name; the file's name without extension unless given.
    pub(super) name: Option<String>,
    pub(super) client: ClientDocument,
    /// The resources with the defaults merged in, in the order of the file.
    pub(super) resources: Vec<ResourceDocument>,
    pub(super) destination: Option<DestinationDocument>,
    pub(super) limits: LimitsDocument,
}

/// `resources[n]`, with `resource_defaults` merged in.
#[derive(Debug)]
pub(super) struct ResourceDocument {
    pub(super) place: String,
    pub(super) name: String,
    pub(super) table_name: Option<String>,
    pub(super) endpoint: EndpointDocument,
    pub(super) schema: Option<super::columns_document::SchemaSource>,
    pub(super) primary_key: Vec<String>,
    pub(super) merge: MergeDocument,
    pub(super) partition_by: Vec<PartitionDocument>,
    /// False for a resource that is only read for its children.
    pub(super) selected: bool,
    pub(super) include_from_parent: Vec<String>,
    /// What the pipeline says of it; the rest is as usual.
    pub(super) schema_contract: ContractDocument,
    pub(super) nested: NestedDocument,
    pub(super) naming: Naming,
    pub(super) load_metadata: Option<bool>,
    pub(super) processing_steps: Vec<crate::spec::ProcessingStep>,
}

/// `nested`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NestedDocument {
    /// Whether fields of objects become columns.
    pub(super) flattens: bool,
    /// Whether lists become tables; fields of objects become columns then.
    pub(super) has_child_tables: bool,
    /// Levels of objects and lists that stay what they are; all of them when `None`.
    pub(super) levels: Option<u32>,
}

/// `schema_contract`, or the mode of all of its parts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ContractDocument {
    pub(super) tables: Option<crate::spec::ContractMode>,
    pub(super) columns: Option<crate::spec::ContractMode>,
    pub(super) data_type: Option<crate::spec::ContractMode>,
    pub(super) conflicts: Option<crate::schema::Conflicts>,
}

/// One level of `partition_by`.
#[derive(Debug)]
pub(super) struct PartitionDocument {
    pub(super) place: String,
    pub(super) column: String,
    pub(super) transform: crate::spec::Transform,
    pub(super) name: Option<String>,
}

/// `destination`, or its URL alone.
#[derive(Debug, Default)]
pub(super) struct DestinationDocument {
    pub(super) url: String,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) path_style: Option<bool>,
    pub(super) allow_http: Option<bool>,
}

/// `limits`, each by the name of its field in [`crate::spec::Limits`].
#[derive(Debug, Default)]
pub(super) struct LimitsDocument {
    pub(super) page_bytes_max: Option<u64>,
    pub(super) pages_max: Option<u64>,
    pub(super) run_time_max_seconds: Option<f64>,
    pub(super) resume_age_max_seconds: Option<f64>,
    pub(super) nesting_depth_max: Option<u64>,
    pub(super) batch_rows: Option<u64>,
    pub(super) batch_bytes: Option<u64>,
    pub(super) writer_buffer_bytes: Option<u64>,
    pub(super) merge_index_bytes: Option<u64>,
    pub(super) file_bytes_target: Option<u64>,
    pub(super) row_group_rows: Option<u64>,
    pub(super) rejects_max: Option<RejectsMax>,
}

impl Document {
    /// Reads a document; `None` when it is no mapping at all.
    pub(super) fn read(value: &Value, problems: &Problems) -> Option<Self> {
        let mut fields = Fields::of(".".to_owned(), value, problems)?;
        if let Some(version) = fields.whole("version")
            && version != 1
        {
            problems.add("./version", format!("version {version} is not known (accepted: 1)"));
        }
        let name = fields.text("name");
        if fields.value("client").is_none() {
            problems.add(".", "'client' is missing");
        }
        let client = fields.object("client").map(ClientDocument::read).unwrap_or_default();
        let defaults = fields.value("resource_defaults").cloned();
        let resources = match fields.value("resources") {
            Some(Value::Array(resources)) if !resources.is_empty() => {
                read_resources(resources, defaults.as_ref(), problems)
            }
            Some(Value::Array(_)) | None => {
                problems.add(".", "'resources' is missing: name at least one");
                Vec::new()
            }
            Some(other) => {
                problems.add("./resources", format!("expected a list, found {}", kind(other)));
                Vec::new()
            }
        };
        let destination = DestinationDocument::read(&mut fields);
        let limits = fields.object("limits").map(LimitsDocument::read).unwrap_or_default();
        fields.finish();
        Some(Self { name, client, resources, destination, limits })
    }
}

impl DestinationDocument {
    fn read(parent: &mut Fields<'_>) -> Option<Self> {
        if let Some(Value::String(url)) = parent.value("destination") {
            return Some(Self { url: url.clone(), ..Self::default() });
        }
        let mut fields = parent.object("destination")?;
        let destination = Self {
            url: fields.required_text("url").unwrap_or_default(),
            endpoint: fields.text("endpoint"),
            region: fields.text("region"),
            path_style: fields.truth("path_style"),
            allow_http: fields.truth("allow_http"),
        };
        fields.finish();
        Some(destination)
    }
}

impl LimitsDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        let limits = Self {
            page_bytes_max: fields.whole("page_bytes_max"),
            pages_max: fields.whole("pages_max"),
            run_time_max_seconds: fields.number("run_time_max_seconds"),
            resume_age_max_seconds: fields.number("resume_age_max_seconds"),
            nesting_depth_max: fields.whole("nesting_depth_max"),
            batch_rows: fields.whole("batch_rows"),
            batch_bytes: fields.whole("batch_bytes"),
            writer_buffer_bytes: fields.whole("writer_buffer_bytes"),
            merge_index_bytes: fields.whole("merge_index_bytes"),
            file_bytes_target: fields.whole("file_bytes_target"),
            row_group_rows: fields.whole("row_group_rows"),
            rejects_max: fields.convert("rejects_max", "a count, or a share such as '1%'", |value| match value {
                Value::String(text) => RejectsMax::parse(text),
                Value::Number(number) => number.as_u64().map(RejectsMax::Count),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            }),
        };
        fields.finish();
        limits
    }
}

/// A mapping of texts. Numbers and truth values count as their text; null leaves the name out; a list repeats it.
pub(super) fn pairs(fields: &mut Fields<'_>, key: &'static str) -> Vec<(String, String)> {
    let place = fields.place_of(key);
    let problems = fields.problems;
    let Some(object) = fields.object(key) else { return Vec::new() };
    let mut pairs = Vec::new();
    for (name, value) in object.entries() {
        let values = match value {
            Value::Array(elements) => elements.iter().collect(),
            single => vec![single],
        };
        for value in values {
            match value {
                Value::Null => {}
                Value::String(text) => pairs.push((name.clone(), text.clone())),
                Value::Bool(_) | Value::Number(_) => pairs.push((name.clone(), value.to_string())),
                Value::Array(_) | Value::Object(_) => {
                    problems.add(&format!("{place}/{name}"), format!("expected a text, found {}", kind(value)));
                }
            }
        }
    }
    pairs
}
