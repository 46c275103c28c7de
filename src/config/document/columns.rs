//! `columns` of a resource as its user wrote them: hints of single columns. And `schema`.

use serde_json::Value;

use super::kind::Kind;
use super::read::{At, Fields, Mapping as _, Read, mapping, words};
use super::values::{Boolean, File, OneOf, Text, Type, Whole};
use crate::schema::{OnError, TimeUnit};
use crate::spec::SortOrder;

/// dlt's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataType {
    Text,
    Double,
    Bool,
    Timestamp,
    Bigint,
    Binary,
    Json,
    Decimal,
    Wei,
    Date,
    Time,
}

words! {
    DataType {
        "text" = Self::Text, "double" = Self::Double, "bool" = Self::Bool, "timestamp" = Self::Timestamp,
        "bigint" = Self::Bigint, "binary" = Self::Binary, "json" = Self::Json, "decimal" = Self::Decimal,
        "wei" = Self::Wei, "date" = Self::Date, "time" = Self::Time
    }
    OnError { "reject" = Self::Reject, "null" = Self::Null, "fail" = Self::Fail }
    SortOrder { "desc" = Self::Greatest, "asc" = Self::Least }
    TimeUnit {
        "unix-time" = Self::Second, "unix-time-ms" = Self::Millisecond, "unix-time-us" = Self::Microsecond,
        "unix-time-ns" = Self::Nanosecond;
        also "unixtime" = Self::Second
    }
}

mapping! {
    /// Hints of one column.
    HintDocument "column" {
        /// The column, in a list of hints.
        name: Text [usually "the key"],
        /// The column's type, in dlt's words. `wei` is a decimal of 76 digits.
        data_type: OneOf<DataType> [usually "as it is"],
        /// Bits of a `bigint` (8, 16, 32 or 64), digits of a `decimal` (38) or a `wei`, digits of a
        /// second's fraction (0, 3, 6 or 9) of a `timestamp` or a `time`.
        precision: Whole [usually "by the type"],
        /// Digits of a `decimal` after the point.
        scale: Whole [usually "9, or 0 with a `precision`"],
        /// `false` for a `timestamp` without a zone.
        timezone: Boolean [true],
        /// An exact type, in place of `data_type`: [types](types.md).
        x_arrow "x-arrow": Type [none] like "decimal128(18, 2)",
        /// What a number counts since 1970 in a `timestamp`. `unixtime` is another word for
        /// `unix-time`.
        format: OneOf<TimeUnit> [none],
        /// `false` puts records without a value aside.
        nullable: Boolean [usually "`true`"],
        /// What becomes of a value that does not fit, as in a schema file.
        x_on_error "x-on-error": OneOf<OnError> [usually "`reject`"],
        /// Which version of a key wins within a run: the one with the greatest value (`desc`) or
        /// the least (`asc`). Null loses; of equal ones the last arrival wins. One column at most.
        dedup_sort: OneOf<SortOrder> [usually "last arrival"],
        /// The record deletes the row of its key when this field is `true`, or anything but `null`
        /// and `false`. One column at most.
        hard_delete: Boolean [false],
        // They are for stores that lakefeed does not have.
        ignored [
            "description", "partition", "cluster", "sort", "unique", "foreign_key", "root_key", "parent_key", "row_key",
            "variant", "references", "incremental"
        ],
        refused ["primary_key", "merge_key"],
    }
}

/// Hints by column, or a list of them with their `name`s.
pub(crate) struct Hints;

impl Read for Hints {
    type Value = Vec<(String, HintDocument)>;
    const KIND: Kind = Kind::Either(&[
        Kind::Map(&HintDocument::KIND),
        Kind::List { of: &Kind::Named(&HintDocument::FORM, "name"), min: 0 },
    ]);

    fn read(value: &Value, at: &At<'_>) -> Option<Self::Value> {
        let read = |hints: &Value, at: At<'_>| {
            Some(HintDocument::read_keys(&Fields::of(hints, &at, const { &HintDocument::FORM }, "")?))
        };
        match value {
            Value::Object(columns) => {
                let named = |(column, hints): (&String, &Value)| Some((column.clone(), read(hints, at.key(column))?));
                Some(columns.iter().filter_map(named).collect())
            }
            Value::Array(columns) => {
                let named = |(position, hints): (usize, &Value)| {
                    let hints = read(hints, at.element(position))?;
                    if hints.name.is_none() {
                        at.element(position).add("'name' is missing");
                    }
                    Some((hints.name.clone()?, hints))
                };
                Some(columns.iter().enumerate().filter_map(named).collect())
            }
            _ => {
                at.expected(&Self::KIND, value);
                None
            }
        }
    }
}

/// Where the shape of a record is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum SchemaSource {
    /// A JSON Schema file, relative to the pipeline file.
    JsonSchema(String),
    /// A component of an `OpenAPI` document.
    OpenApi { path: String, component: String },
}

mapping! {
    /// A component of an OpenAPI document.
    OpenApiDocument "openapi" {
        /// The OpenAPI document (3.0 or 3.1, JSON or YAML).
        openapi: File [required] like "api.yaml",
        /// The schema among its components.
        component: Text [required] like "Event",
    }
}

impl SchemaSource {
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::JsonSchema(path) | Self::OpenApi { path, .. } => path,
        }
    }
}

impl Read for SchemaSource {
    type Value = Self;
    const KIND: Kind = Kind::Either(&[<File as Read>::KIND, OpenApiDocument::KIND]);

    fn read(value: &Value, at: &At<'_>) -> Option<Self> {
        match value {
            Value::Object(_) => {
                let document = OpenApiDocument::read(value, at)?;
                Some(Self::OpenApi { path: document.openapi?, component: document.component? })
            }
            _ => <File as Read>::read(value, at).map(Self::JsonSchema),
        }
    }
}
