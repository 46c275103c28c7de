//! Which folder a row belongs to. Pure.
//!
//! A batch goes in, and comes out as one [`Group`] per partition:
//! `start_time_day=2026-11-23/kind=a%2Fb`. Two different values never share a folder name, no value
//! can leave its folder, and a Hive reader decodes the names once:
//!
//! * null is `__HIVE_DEFAULT_PARTITION__`, the empty string is `__HIVE_EMPTY__`; a string that
//!   reads like one of the two has its first character percent-encoded,
//! * control characters, `"#%'*/:=?\{[]^` and a string of dots only are percent-encoded,
//! * a string too long for a folder name is cut and gets a hash; its column still holds all of it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{Datelike as _, NaiveDate};

use crate::spec::{PartitionField, Transform};
use crate::staging::bucket::buckets;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::RecordSchema;

/// The folder value of null, as Hive writes it.
pub(crate) const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";
/// The folder value of the empty string, which Hive cannot tell from null.
const EMPTY_VALUE: &str = "__HIVE_EMPTY__";
/// The longest encoded value in bytes; file systems take 255 for the whole name.
const VALUE_BYTES_MAX: usize = 180;
const SECONDS_PER_DAY: i64 = 86_400;
const HOURS_PER_DAY: i64 = 24;
const DAYS_FROM_CE_TO_1970: i32 = 719_163;

/// A partition's number within its [`Partitioner`].
pub(crate) type PartitionId = usize;

/// A folder of data files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    /// The folder, relative to the table's; empty for a table of one folder.
    pub(crate) path: String,
    /// Level by level: its name and its value as text.
    pub(crate) values: Vec<(String, Option<String>)>,
}

/// The rows of one partition within one batch.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) partition: PartitionId,
    /// The rows of the batch, in order; `None` for all of them.
    pub(crate) rows: Option<UInt32Array>,
}

impl Group {
    /// Returns the group's rows of `batch`.
    pub(crate) fn of(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        match &self.rows {
            None => Ok(batch.clone()),
            Some(rows) => take_record_batch(batch, rows),
        }
    }
}

/// Spreads batches of one schema over partitions.
#[derive(Debug)]
pub(crate) struct Partitioner {
    levels: Vec<Level>,
    /// Turns the buckets of a row into a map key; `None` for a table of one folder.
    converter: Option<RowConverter>,
    known: HashMap<Box<[u8]>, PartitionId, ahash::RandomState>,
    partitions: Vec<Partition>,
}

#[derive(Debug)]
struct Level {
    column: usize,
    name: String,
    transform: Transform,
}

impl Partitioner {
    /// Prepares to split batches of a schema.
    ///
    /// # Errors
    /// When a field names a column that is missing or that its transform does not take.
    pub(crate) fn new(fields: &[PartitionField], schema: &RecordSchema) -> Result<Self> {
        let levels = fields.iter().map(|field| level(field, schema)).collect::<Result<Vec<_>>>()?;
        let sort_fields = levels
            .iter()
            .map(|level| match level.transform {
                Transform::Identity | Transform::Truncate(_) => {
                    schema.to_arrow().field(level.column).data_type().clone()
                }
                Transform::Year | Transform::Month | Transform::Day | Transform::Hour | Transform::Bucket(_) => {
                    DataType::Int64
                }
            })
            .map(SortField::new)
            .collect();
        let converter = if levels.is_empty() {
            None
        } else {
            Some(RowConverter::new(sort_fields).map_err(|error| cannot_partition(&error))?)
        };
        let partitions = match converter {
            None => vec![Partition { path: String::new(), values: Vec::new() }],
            Some(_) => Vec::new(),
        };
        Ok(Self { levels, converter, known: HashMap::default(), partitions })
    }

    pub(crate) fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.partitions.get(id)
    }

    /// Splits `batch` by partition, groups in the order of their first row.
    pub(crate) fn split(&mut self, batch: &RecordBatch) -> Result<Vec<Group>> {
        let Some(converter) = &self.converter else {
            return Ok(vec![Group { partition: 0, rows: None }]);
        };
        let buckets = self.levels.iter().map(|level| level.buckets(batch)).collect::<Result<Vec<_>>>()?;
        let keys = converter.convert_columns(&buckets).map_err(|error| cannot_partition(&error))?;
        let mut groups: Vec<(PartitionId, Vec<u32>)> = Vec::new();
        // By the number of a partition, one more than the place of its group.
        let mut places: Vec<usize> = vec![0; self.partitions.len()];
        // Rows that come one after another are often of one partition.
        let mut last = None;
        for (position, key) in keys.iter().enumerate() {
            let place = match last {
                Some((same, place)) if same == key => place,
                _ => {
                    let id = if let Some(id) = self.known.get(key.data()) {
                        *id
                    } else {
                        self.partitions.push(describe(&self.levels, &buckets, position)?);
                        self.known.insert(key.data().into(), self.partitions.len() - 1);
                        places.push(0);
                        self.partitions.len() - 1
                    };
                    if places.get(id) == Some(&0) {
                        groups.push((id, Vec::new()));
                        if let Some(place) = places.get_mut(id) {
                            *place = groups.len();
                        }
                    }
                    places.get(id).map_or(0, |place| place - 1)
                }
            };
            last = Some((key, place));
            if let Some((_, rows)) = groups.get_mut(place) {
                rows.push(u32::try_from(position).unwrap_or(u32::MAX));
            }
        }
        if let [(id, _)] = groups.as_slice() {
            return Ok(vec![Group { partition: *id, rows: None }]);
        }
        Ok(groups.into_iter().map(|(partition, rows)| Group { partition, rows: Some(rows.into()) }).collect())
    }
}

impl Level {
    /// Returns what decides, per row: the value itself, what is left of it, or the number of its
    /// year, month, day, hour or bucket.
    fn buckets(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let column = batch.column(self.column);
        match self.transform {
            Transform::Identity => Ok(Arc::clone(column)),
            Transform::Truncate(width) => Ok(truncated(column, width)),
            Transform::Bucket(count) => match buckets(column, count) {
                Some(buckets) => Ok(Arc::new(buckets)),
                None => Err(Error::schema(format!("{} has no buckets", column.data_type()))),
            },
            Transform::Hour | Transform::Day | Transform::Month | Transform::Year => self.periods(column),
        }
    }

    /// Returns the number of each value's year, month, day or hour.
    fn periods(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let units_per_day = match column.data_type() {
            DataType::Timestamp(unit, _) => units_per_second(*unit) * SECONDS_PER_DAY,
            // A date is a number of days.
            _ => 1,
        };
        let numbers = cast(column, &DataType::Int64).map_err(|error| cannot_partition(&error))?;
        let numbers = numbers.as_primitive::<Int64Type>();
        let period = |of: &dyn Fn(i64) -> i64| -> ArrayRef { Arc::new(numbers.unary::<_, Int64Type>(of)) };
        let day = |number: i64| number.div_euclid(units_per_day);
        let date = |number: i64| date_of(day(number));
        Ok(match self.transform {
            Transform::Hour => period(&|number| number.div_euclid((units_per_day / HOURS_PER_DAY).max(1))),
            Transform::Month => period(&|number| {
                date(number).map_or(i64::MIN, |date| i64::from(date.year()) * 12 + i64::from(date.month0()))
            }),
            Transform::Year => period(&|number| date(number).map_or(i64::MIN, |date| i64::from(date.year()))),
            Transform::Day | Transform::Identity | Transform::Truncate(_) | Transform::Bucket(_) => period(&day),
        })
    }

    /// Returns the value of the level as text.
    fn text(&self, bucket: &ArrayRef, position: usize) -> Result<Option<String>> {
        if bucket.is_null(position) {
            return Ok(None);
        }
        if matches!(self.transform, Transform::Identity | Transform::Truncate(_)) {
            let value = bucket.slice(position, 1);
            // Instants are UTC; the formatter knows zones by their offsets only.
            let (value, zone) = match value.data_type() {
                DataType::Timestamp(unit, Some(_)) => {
                    let plain = cast(&value, &DataType::Timestamp(*unit, None));
                    (plain.map_err(|error| cannot_partition(&error))?, "Z")
                }
                _ => (value, ""),
            };
            let formatter = ArrayFormatter::try_new(value.as_ref(), &FormatOptions::default())
                .map_err(|error| cannot_partition(&error))?;
            return Ok(Some(format!("{}{zone}", formatter.value(0))));
        }
        let number = bucket.as_primitive::<Int64Type>().value(position);
        Ok(Some(match self.transform {
            Transform::Identity | Transform::Truncate(_) | Transform::Bucket(_) => number.to_string(),
            Transform::Year => format!("{number:04}"),
            Transform::Month => format!("{:04}-{:02}", number.div_euclid(12), number.rem_euclid(12) + 1),
            Transform::Day => date_text(number),
            Transform::Hour => format!("{}-{:02}", date_text(number.div_euclid(24)), number.rem_euclid(24)),
        }))
    }
}

fn describe(levels: &[Level], buckets: &[ArrayRef], position: usize) -> Result<Partition> {
    let mut path = String::new();
    let mut values = Vec::with_capacity(levels.len());
    for (level, bucket) in levels.iter().zip(buckets) {
        let value = level.text(bucket, position)?;
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&encode(&level.name));
        path.push('=');
        path.push_str(&folder_value(value.as_deref()));
        values.push((level.name.clone(), value));
    }
    Ok(Partition { path, values })
}

fn level(field: &PartitionField, schema: &RecordSchema) -> Result<Level> {
    let position = schema.columns().iter().position(|column| column.name == field.column);
    let Some((position, column)) = position.and_then(|at| schema.columns().get(at).map(|column| (at, column))) else {
        return Err(Error::config(format!(
            "partition_by names the column {:?}, which the schema does not have",
            field.column
        )));
    };
    if !field.transform.takes(&column.column_type) {
        return Err(Error::config(format!(
            "partition_by: the transform {} does not take the column {:?}",
            field.transform.as_str(),
            field.column
        ))
        .with_hint(
            "year, month and day take dates and timestamps, hour takes timestamps, truncate takes strings and integers, identity and bucket take single values",
        ));
    }
    Ok(Level { column: position, name: field.name.clone(), transform: field.transform })
}

const fn units_per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Returns the first characters of strings, and integers rounded down.
fn truncated(column: &ArrayRef, width: NonZeroU32) -> ArrayRef {
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        let width = i64::from(width.get());
        // At the lower end of the range the multiple below is not a number any more.
        return Arc::new(numbers.unary::<_, Int64Type>(|number| number.saturating_sub(number.rem_euclid(width))));
    }
    let first = |text: &str| -> String { text.chars().take(width.get() as usize).collect() };
    Arc::new(column.as_string::<i32>().iter().map(|text| text.map(first)).collect::<StringArray>())
}

fn date_of(days: i64) -> Option<NaiveDate> {
    let days = i32::try_from(days).ok()?;
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(DAYS_FROM_CE_TO_1970)?)
}

/// Returns a date as ISO 8601 writes it; days beyond the calendar as a bare number.
fn date_text(days: i64) -> String {
    date_of(days).map_or_else(|| format!("day{days}"), |date| date.format("%Y-%m-%d").to_string())
}

/// Returns the folder value of a string: injective, and a single safe path segment after `name=`.
fn folder_value(value: Option<&str>) -> String {
    let Some(value) = value else { return NULL_PARTITION.to_owned() };
    if value.is_empty() {
        return EMPTY_VALUE.to_owned();
    }
    let reserved = value == NULL_PARTITION || value == EMPTY_VALUE || value.bytes().all(|byte| byte == b'.');
    let encoded = if reserved { encode_first(value) } else { encode(value) };
    if encoded.len() <= VALUE_BYTES_MAX {
        return encoded;
    }
    let mut cut = VALUE_BYTES_MAX;
    // Neither in the middle of a character nor of a `%XX`; what is left stays longer than any
    // unhashed value may be.
    while !encoded.is_char_boundary(cut) {
        cut -= 1;
    }
    let (kept, _) = encoded.split_at(cut);
    let kept = match kept.rfind('%') {
        Some(percent) if percent + 3 > kept.len() => kept.split_at(percent).0,
        Some(_) | None => kept,
    };
    format!("{kept}~{:032x}", twox_hash::XxHash3_128::oneshot(value.as_bytes()))
}

fn encode_first(text: &str) -> String {
    let mut characters = text.chars();
    let mut encoded = String::with_capacity(text.len() + 2);
    if let Some(first) = characters.next() {
        push_encoded(&mut encoded, first);
    }
    encoded + &encode(characters.as_str())
}

/// Percent-encodes what Hive encodes in folder names.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        let special = character.is_ascii_control()
            || matches!(character, '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^');
        if special {
            push_encoded(&mut encoded, character);
        } else {
            encoded.push(character);
        }
    }
    encoded
}

fn push_encoded(text: &mut String, character: char) {
    let mut bytes = [0; 4];
    for byte in character.encode_utf8(&mut bytes).bytes() {
        text.push('%');
        for half in [byte >> 4, byte & 0x0F] {
            text.push(char::from_digit(half.into(), 16).unwrap_or('0').to_ascii_uppercase());
        }
    }
}

fn cannot_partition(cause: &ArrowError) -> Error {
    Error::schema(format!("cannot take the partition of a batch: {cause}"))
}

#[cfg(test)]
mod tests;
