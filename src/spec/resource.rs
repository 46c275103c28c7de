//! One listing of an API, and the table that it feeds.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Auth, Header, IncrementalSpec, JsonPath, MergeSpec, PaginationSpec, SchemaContract, Template};
use crate::expression::Expression;
use crate::schema::{ColumnHint, ColumnType, FieldRules, RecordSchema, TableShape};

/// One listing of an API, and the table that it feeds.
#[derive(Debug, Clone)]
pub struct ResourceSpec {
    /// The resource's name; unique in its pipeline.
    pub name: String,
    /// The folder of its table below the destination; one safe path segment.
    pub table_name: String,
    /// What to ask for.
    pub endpoint: EndpointSpec,
    /// The shape of a record, from the schema file; `None` when it is to be inferred from the first pages.
    pub schema: Option<Arc<RecordSchema>>,
    /// What the pipeline file says about single columns; in `schema` already, and to be said of an inferred one.
    pub column_hints: Vec<ColumnHint>,
    /// How single fields are read.
    pub field_rules: FieldRules,
    /// The columns that identify a record; not empty for `merge`, but for what [`Self::merge`] does without.
    pub primary_key: Vec<String>,
    /// What a run does with the rows that are already there.
    pub write_disposition: WriteDisposition,
    /// How it merges, where the disposition is `merge`.
    pub merge: MergeSpec,
    /// How rows are spread over folders; empty for a table of one folder.
    pub partition_by: Vec<PartitionField>,
    /// Whose records this one is asked for with; `None` for a listing of its own.
    pub parent: Option<ParentSpec>,
    /// Whether the resource has a table. One that has none is read for its children only.
    pub selected: bool,
    /// What may become of the table's schema.
    pub schema_contract: SchemaContract,
    /// Levels of objects and lists that stay native; deeper ones are JSON text. All of them when `None`.
    pub nested_levels: Option<u32>,
    /// How the columns of the table come of the fields of the records. Names of columns here are those of the table.
    pub shape: TableShape,
    /// Whether rows say which run they came with, and when.
    pub load_metadata: bool,
    /// What is done with each record before it is typed, in order.
    pub processing_steps: Vec<ProcessingStep>,
}

/// Something that is done with each record before it is typed.
#[derive(Debug, Clone, PartialEq)]
pub enum ProcessingStep {
    /// Records for which the expression is not true are left out.
    Filter(Expression),
    /// Each field is set to the value of its expression; the other fields stay as they are written.
    Map(Vec<(String, Expression)>),
}

/// The parent of a dependent resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentSpec {
    /// The parent resource.
    pub resource: String,
    /// The fields of its records that requests are asked with.
    pub fields: Vec<JsonPath>,
    /// The fields of its records that rows of this resource carry, and under which name.
    pub include: Vec<(JsonPath, String)>,
}

/// What to ask the API for.
#[derive(Debug, Clone)]
pub struct EndpointSpec {
    /// The URL without the query of [`Self::params`].
    pub url: EndpointUrl,
    /// The request's method.
    pub method: Method,
    /// Query parameters, in the order of the file.
    pub params: Vec<(String, Template)>,
    /// The body, if any.
    pub body: BodySpec,
    /// Headers on top of the client's. Their values may have placeholders.
    pub headers: Vec<Header>,
    /// Where the records are in a page; `None` to look for them as dlt does.
    pub data_selector: Option<JsonPath>,
    /// How the listing is cut into pages.
    pub paginator: PaginationSpec,
    /// How only what is new is read.
    pub incremental: Option<IncrementalSpec>,
    /// What to do about answers of a certain kind, first match first.
    pub response_actions: Vec<ResponseAction>,
    /// How its requests are authenticated, instead of the client's way.
    pub auth: Option<Arc<Auth>>,
    /// How pages hold records; by what the API says of each page when `None`.
    pub record_format: Option<RecordFormat>,
}

/// How a page holds records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// One JSON document, with the records at the selector.
    Json,
    /// One JSON document a line, each of them a record (<https://github.com/ndjson/ndjson-spec>).
    Ndjson,
    /// Separated values, the first line being the names of the columns (RFC 4180).
    Delimited {
        /// What stands between two values.
        delimiter: u8,
    },
}

impl RecordFormat {
    /// The format of a page, by its content type.
    pub fn of_content_type(content_type: Option<&str>) -> Self {
        let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
        let lines = [
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/x-jsonlines",
            "application/jsonlines",
        ];
        match kind.as_str() {
            kind if lines.contains(&kind) => Self::Ndjson,
            "text/csv" | "application/csv" => Self::Delimited { delimiter: b',' },
            "text/tab-separated-values" => Self::Delimited { delimiter: b'\t' },
            _ => Self::Json,
        }
    }
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointUrl {
    /// Always at the same place.
    Fixed(Url),
    /// Where the placeholders of its path lead.
    Templated {
        /// What the path is joined to, with exactly one `/` between.
        base: Url,
        /// The path; a whole http(s) URL stands for itself.
        path: Template,
    },
}

impl EndpointUrl {
    /// The URL, where it is always the same.
    pub fn as_fixed(&self) -> Option<&Url> {
        match self {
            Self::Fixed(url) => Some(url),
            Self::Templated { .. } => None,
        }
    }
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum BodySpec {
    /// None.
    None,
    /// JSON; its texts may have placeholders.
    Json(serde_json::Value),
    /// A form.
    Form(Vec<(String, Template)>),
    /// Text as it is.
    Raw(Template),
}

/// What to do about answers of a certain kind. An answer must fit everything that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseAction {
    /// The answer's status.
    pub status: Option<http::StatusCode>,
    /// A text within the answer's body.
    pub content: Option<String>,
    /// What to do.
    pub action: Action,
}

/// What a response action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The listing, or this slice of it, ends without this answer.
    Ignore,
    /// The run fails.
    Fail,
    /// The request is sent again, as after a status of `client.retry`.
    Retry,
}

/// Base and path with exactly one `/` between; a path that is an http(s) URL stands for itself.
///
/// # Errors
/// When the two do not make a URL.
pub fn join_url(base: &Url, path: &str) -> Result<Url, url::ParseError> {
    if path.starts_with("http://") || path.starts_with("https://") {
        return Url::parse(path);
    }
    let (base_path, base_query) = (base.path().trim_end_matches('/'), base.query());
    let path = path.trim_start_matches('/');
    let joined = if path.is_empty() { base.path().to_owned() } else { format!("{base_path}/{path}") };
    let mut origin = base.clone();
    origin.set_query(None);
    origin.set_fragment(None);
    let mut url = origin.join(&joined)?;
    if url.query().is_none() {
        url.set_query(base_query);
    }
    Ok(url)
}

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// What a run does with the rows that are already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteDisposition {
    /// Leave them and add the new ones.
    Append,
    /// Remove them: the table is what this run read.
    Replace,
    /// One row per key, the newest version.
    Merge,
}

impl fmt::Display for WriteDisposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Append => "append",
            Self::Replace => "replace",
            Self::Merge => "merge",
        })
    }
}

/// One level of folders: `name=transform(column)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionField {
    /// The column that decides.
    pub column: String,
    /// What is taken of it.
    pub transform: Transform,
    /// The name of the folder level; `<column>_<transform>` unless given. Never the name of a column, since data
    /// files hold every column.
    pub name: String,
}

/// What a partition takes of a column. Dates and times are taken in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// The value itself.
    Identity,
    /// `2026`
    Year,
    /// `2026-11`
    Month,
    /// `2026-11-23`
    Day,
    /// `2026-11-23-07`
    Hour,
    /// The number of one of so many buckets, by a hash of the value: Iceberg's `bucket[N]`.
    Bucket(NonZeroU32),
    /// So many first characters of a text, or a whole number rounded down to a multiple: Iceberg's `truncate[W]`.
    Truncate(NonZeroU32),
}

impl Transform {
    /// The transform as it is written in pipeline files and folder names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Bucket(_) => "bucket",
            Self::Truncate(_) => "truncate",
        }
    }

    /// Whether it takes columns of this type.
    pub const fn takes(self, column_type: &ColumnType) -> bool {
        match column_type {
            ColumnType::TimestampUtc | ColumnType::TimestampNaive => !matches!(self, Self::Truncate(_)),
            // Buckets are counted in microseconds.
            ColumnType::Timestamp { .. } => !matches!(self, Self::Truncate(_) | Self::Bucket(_)),
            ColumnType::Date32 => !matches!(self, Self::Hour | Self::Truncate(_)),
            ColumnType::Int64 | ColumnType::Utf8 => {
                matches!(self, Self::Identity | Self::Bucket(_) | Self::Truncate(_))
            }
            ColumnType::Decimal128 { .. } | ColumnType::Time64 => matches!(self, Self::Identity | Self::Bucket(_)),
            // Folders are named after texts and exact numbers.
            ColumnType::Boolean
            | ColumnType::Integer(_)
            | ColumnType::Dictionary
            | ColumnType::Decimal256 { .. }
            | ColumnType::Time(_) => matches!(self, Self::Identity),
            ColumnType::Float64
            | ColumnType::Float32
            | ColumnType::Binary
            | ColumnType::Duration(_)
            | ColumnType::Struct(_)
            | ColumnType::List(_)
            | ColumnType::Map(_)
            | ColumnType::Json => false,
        }
    }
}
