//! The pipeline file as its user wrote it: the wire types, one per mapping. Their field docs are the reference of the file.
//!
//! Reading checks the form only: known keys, right types. Whether the values make sense together is `validate`'s business.

pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod columns;
pub(crate) mod endpoint;
pub(crate) mod fields;
pub(crate) mod incremental;
pub(crate) mod merge;
pub(crate) mod paginator;
pub(crate) mod problems;
pub(crate) mod resource;

use serde_json::Value;

use client::ClientDocument;
use fields::{Fields, kind};
use problems::Problems;
use resource::{ResourceDocument, read_resources};

use crate::spec::RejectsMax;

/// A pipeline file.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The pipeline's name; the file's name without extension unless given.
    pub(crate) name: Option<String>,
    pub(crate) client: ClientDocument,
    /// The resources with the defaults merged in, in the order of the file.
    pub(crate) resources: Vec<ResourceDocument>,
    pub(crate) destination: Option<DestinationDocument>,
    pub(crate) limits: LimitsDocument,
}

/// `destination`, or its URL alone.
#[derive(Debug, Default)]
pub(crate) struct DestinationDocument {
    pub(crate) url: String,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) path_style: Option<bool>,
    pub(crate) allow_http: Option<bool>,
}

/// `limits`, each by the name of its field in [`crate::spec::Limits`].
#[derive(Debug, Default)]
pub(crate) struct LimitsDocument {
    pub(crate) page_bytes_max: Option<u64>,
    pub(crate) pages_max: Option<u64>,
    pub(crate) run_time_max_seconds: Option<f64>,
    pub(crate) resume_age_max_seconds: Option<f64>,
    pub(crate) nesting_depth_max: Option<u64>,
    pub(crate) batch_rows: Option<u64>,
    pub(crate) batch_bytes: Option<u64>,
    pub(crate) writer_buffer_bytes: Option<u64>,
    pub(crate) merge_index_bytes: Option<u64>,
    pub(crate) file_bytes_target: Option<u64>,
    pub(crate) row_group_rows: Option<u64>,
    pub(crate) rejects_max: Option<RejectsMax>,
}

impl Document {
    /// Reads a document; `None` when it is no mapping at all.
    pub(crate) fn read(value: &Value, problems: &Problems) -> Option<Self> {
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
