//! One listing of an API, and the table that it feeds.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Header, JsonPath, PaginationSpec};
use crate::schema::RecordSchema;

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
    /// The columns that identify a record; not empty for `merge`.
    pub primary_key: Vec<String>,
    /// What a run does with the rows that are already there.
    pub write_disposition: WriteDisposition,
    /// How rows are spread over folders; empty for a table of one folder.
    pub partition_by: Vec<PartitionField>,
}

/// What to ask the API for.
#[derive(Debug, Clone)]
pub struct EndpointSpec {
    /// The absolute URL without the query of [`Self::params`].
    pub url: Url,
    /// The request's method.
    pub method: Method,
    /// Query parameters, in the order of the file.
    pub params: Vec<(String, String)>,
    /// The JSON body, if any.
    pub json: Option<serde_json::Value>,
    /// Headers on top of the client's.
    pub headers: Vec<Header>,
    /// Where the records are in a page; `None` to look for them as dlt does.
    pub data_selector: Option<JsonPath>,
    /// How the listing is cut into pages.
    pub paginator: PaginationSpec,
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
        }
    }
}
