//! How rows are spread over folders.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use lakefeed_model::schema::ColumnType;

/// One level of folders: `name=transform(column)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionField {
    /// The column that decides.
    pub column: String,
    /// What is taken of it.
    pub transform: Transform,
    /// The name of the folder level; `<column>_<transform>` unless given. Never the name of a
    /// column, since data files hold every column.
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
    /// So many first characters of a string, or an integer rounded down to a multiple: Iceberg's
    /// `truncate[W]`.
    Truncate(NonZeroU32),
}

impl Transform {
    /// Returns the transform as it is written in pipeline files and folder names.
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

    /// Returns whether it takes columns of this type.
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
            // Folders are named after strings and exact numbers.
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
