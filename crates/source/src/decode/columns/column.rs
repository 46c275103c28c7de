//! The values of one column, of whatever type.

use std::sync::Arc;

use arrow::array::builder::BooleanBufferBuilder;
use arrow::array::types::{Date32Type, Time64MicrosecondType};
use arrow::array::types::{Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::array::{ArrayRef, BooleanArray, ListArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use lakefeed_model::reject::RejectCode;
use lakefeed_model::schema::{ColumnType, FieldRule, FieldRules, OnError, RuleStep, TimeUnit};

use super::buffers::{TextBuffer, Validity, last_offset, primitive, push_offset, push_same, take_offsets};
use super::object::ObjectBuffer;
use super::other::OtherBuffer;
use super::reading::Reading;
use crate::decode::json::scanner::{Bookmark, Scanner};
use crate::decode::value::lenient::{any_date, any_instant, any_local, any_time_of_day, from_count};
use crate::decode::value::number::{to_f64, to_i64};
use crate::decode::value::read::{
    DATE, INSTANT, INTEGER, LOCAL, TIME_OF_DAY, bad_format, read_decimal, read_float, read_number, read_text, read_time,
};
use crate::decode::value::refusal::{Step, Stop, bad_number, wrong_type};
use crate::decode::value::timestamp::{date, instant, local_without_offset, time_of_day};

/// The values of one column.
#[derive(Debug)]
pub(super) struct ColumnBuffer {
    pub(super) nullable: bool,
    /// What becomes of a value that does not fit.
    pub(super) on_error: OnError,
    /// What a number counts, where a date and time or a length of time is written as one.
    counts: Option<TimeUnit>,
    validity: Validity,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Decimal128 {
        values: Vec<i128>,
        precision: u8,
        scale: i8,
    },
    Utf8(TextBuffer),
    Json(TextBuffer),
    TimestampUtc(Vec<i64>),
    TimestampNaive(Vec<i64>),
    Date32(Vec<i32>),
    Time64(Vec<i64>),
    Struct(ObjectBuffer),
    List(Box<ListBuffer>),
    /// The types that come seldom, apart, so that the choice among the others stays short.
    Other(Box<OtherBuffer>),
}

#[derive(Debug)]
struct ListBuffer {
    /// One more than there are values; the first is 0.
    offsets: Vec<i32>,
    elements: ColumnBuffer,
}

impl ColumnBuffer {
    pub(super) fn new(column_type: &ColumnType, nullable: bool, place: &mut Vec<RuleStep>, rules: &FieldRules) -> Self {
        let values = match column_type {
            ColumnType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            ColumnType::Int64 => Values::Int64(Vec::new()),
            ColumnType::Float64 => Values::Float64(Vec::new()),
            ColumnType::Decimal128 { precision, scale } => {
                Values::Decimal128 { values: Vec::new(), precision: *precision, scale: *scale }
            }
            ColumnType::Utf8 => Values::Utf8(TextBuffer::new()),
            ColumnType::Json => Values::Json(TextBuffer::new()),
            ColumnType::TimestampUtc => Values::TimestampUtc(Vec::new()),
            ColumnType::TimestampNaive => Values::TimestampNaive(Vec::new()),
            ColumnType::Date32 => Values::Date32(Vec::new()),
            ColumnType::Time64 => Values::Time64(Vec::new()),
            ColumnType::Struct(columns) => Values::Struct(ObjectBuffer::new(columns, place, rules)),
            ColumnType::List(element) => {
                let elements = Self::of_elements(element, place, rules);
                Values::List(Box::new(ListBuffer { offsets: vec![0], elements }))
            }
            ColumnType::Map(value) => {
                Values::Other(Box::new(OtherBuffer::of_map(Self::of_elements(value, place, rules))))
            }
            ColumnType::Integer(_)
            | ColumnType::Float32
            | ColumnType::Decimal256 { .. }
            | ColumnType::Dictionary
            | ColumnType::Binary
            | ColumnType::Timestamp { .. }
            | ColumnType::Time(_)
            | ColumnType::Duration(_) => Values::Other(Box::new(OtherBuffer::new(column_type))),
        };
        let FieldRule { on_error, counts } = rules.of(place);
        Self { nullable, on_error, counts, validity: Validity::default(), values }
    }

    /// Returns the values of a list or a map.
    pub(super) fn of_elements(element: &ColumnType, place: &mut Vec<RuleStep>, rules: &FieldRules) -> Self {
        place.push(RuleStep::Element);
        let elements = Self::new(element, true, place, rules);
        place.pop();
        elements
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.validity.len()
    }

    /// Reads the value at the cursor. After an error, it must be truncated away.
    #[inline]
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>, reading: &mut Reading) -> Result<(), Stop> {
        match (&mut self.values, scanner.peek()) {
            (_, Some(b'n')) => {
                scanner.literal("null")?;
                if !self.nullable {
                    return Err(Stop::record(RejectCode::MissingValue, "expected a value, found null"));
                }
                self.push_null();
                return Ok(());
            }
            (Values::Utf8(buffer), Some(b'"')) => buffer.read_string(scanner)?,
            (Values::TimestampUtc(values), Some(b'"')) => {
                values.push(read_time(scanner, instant, &|text| any_instant::<6>(text, self.counts), INSTANT)?);
            }
            (Values::Int64(values), Some(b'-' | b'0'..=b'9')) => {
                let number = scanner.number()?;
                values.push(to_i64(number).map_err(|fault| bad_number(fault, INTEGER, number.text))?);
            }
            (Values::Float64(values), Some(b'-' | b'0'..=b'9')) => {
                let number = scanner.number()?;
                values.push(to_f64(number).map_err(|fault| bad_number(fault, "a 64-bit float", number.text))?);
            }
            (Values::Boolean(values), Some(b't')) => {
                scanner.literal("true")?;
                values.append(true);
            }
            (Values::Boolean(values), Some(b'f')) => {
                scanner.literal("false")?;
                values.append(false);
            }
            (Values::Decimal128 { values, precision, scale }, Some(b'"' | b'-' | b'0'..=b'9')) => {
                values.push(read_decimal(scanner, *precision, *scale)?);
            }
            (Values::TimestampNaive(values), Some(b'"')) => {
                values.push(read_time(
                    scanner,
                    local_without_offset,
                    &|text| any_local::<6>(text, self.counts),
                    LOCAL,
                )?);
            }
            (Values::Date32(values), Some(b'"')) => values.push(read_time(scanner, date, &any_date, DATE)?),
            (Values::Time64(values), Some(b'"')) => {
                values.push(read_time(scanner, time_of_day, &any_time_of_day::<6>, TIME_OF_DAY)?);
            }
            (Values::Json(buffer), _) => buffer.push(scanner.value_text()?)?,
            (Values::Struct(object), Some(b'{')) => object.read(scanner, reading)?,
            (Values::List(list), Some(b'[')) => list.read(scanner, reading)?,
            (Values::Other(other), _) => other.read(scanner, self.counts, reading)?,
            (values, _) => coerce(values, self.counts, scanner)?,
        }
        self.validity.append_non_null();
        Ok(())
    }

    /// Does as [`Self::read`] of the member `name` in the row `row`, and does what the rule says
    /// about a value that does not fit.
    #[inline(never)]
    pub(super) fn read_by_rule(
        &mut self,
        name: &str,
        row: usize,
        scanner: &mut Scanner<'_>,
        reading: &mut Reading,
    ) -> Result<(), Stop> {
        let start = scanner.bookmark();
        let noted = reading.nulled.len();
        match (self.read(scanner, reading), self.on_error) {
            (Ok(()), _) => {
                reading.place(noted, || Step::Key(name.to_owned()));
                Ok(())
            }
            (Err(Stop::Record(refusal)), OnError::Null) if self.nullable && !refusal.is_fatal => {
                self.pass_over(row, start, scanner)?;
                reading.nulled.truncate(noted);
                // What the rule makes null is settled: it needs no column of its own.
                if reading.looks_for.is_none() {
                    reading.nulled.push(*refusal);
                    reading.place(noted, || Step::Key(name.to_owned()));
                }
                Ok(())
            }
            (Err(stop), OnError::Fail) => Err(stop.fatal().below_key(name)),
            (Err(Stop::Record(refusal)), _) if reading.passes_over(&refusal) => {
                self.pass_over(row, start, scanner)?;
                reading.note(*refusal, self.nullable);
                reading.place(noted, || Step::Key(name.to_owned()));
                Ok(())
            }
            (Err(stop), _) => Err(stop.below_key(name)),
        }
    }

    /// Does as [`Self::read`] of what is in a list or a map: what does not fit is passed over where
    /// something else is looked for.
    #[inline]
    pub(super) fn read_within(&mut self, scanner: &mut Scanner<'_>, reading: &mut Reading) -> Result<(), Stop> {
        if reading.looks_for.is_none() { self.read(scanner, reading) } else { self.read_looking(scanner, reading) }
    }

    #[cold]
    fn read_looking(&mut self, scanner: &mut Scanner<'_>, reading: &mut Reading) -> Result<(), Stop> {
        let (start, row) = (scanner.bookmark(), self.len());
        match self.read(scanner, reading) {
            Err(Stop::Record(refusal)) if reading.passes_over(&refusal) => {
                self.pass_over(row, start, scanner)?;
                reading.note(*refusal, self.nullable);
                Ok(())
            }
            read => read,
        }
    }

    /// Puts null in place of the value at `start`, in the row `row`, of which some may have been
    /// read.
    fn pass_over(&mut self, row: usize, start: Bookmark, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        self.truncate(row);
        scanner.return_to(start);
        scanner.skip_value()?;
        self.push_null();
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Int64(values)
            | Values::TimestampUtc(values)
            | Values::TimestampNaive(values)
            | Values::Time64(values) => values.push(0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal128 { values, .. } => values.push(0),
            Values::Date32(values) => values.push(0),
            Values::Utf8(buffer) | Values::Json(buffer) => buffer.push_null(),
            Values::Struct(object) => object.push_null(),
            Values::List(list) => push_same(&mut list.offsets),
            Values::Other(other) => other.push_null(),
        }
        self.validity.append_null();
    }

    pub(super) fn truncate(&mut self, length: usize) {
        let length = length.min(self.len());
        self.validity.truncate(length);
        match &mut self.values {
            Values::Boolean(values) => values.truncate(length),
            Values::Int64(values)
            | Values::TimestampUtc(values)
            | Values::TimestampNaive(values)
            | Values::Time64(values) => values.truncate(length),
            Values::Float64(values) => values.truncate(length),
            Values::Decimal128 { values, .. } => values.truncate(length),
            Values::Date32(values) => values.truncate(length),
            Values::Utf8(buffer) | Values::Json(buffer) => buffer.truncate(length),
            Values::Struct(object) => object.truncate(length),
            Values::List(list) => {
                list.offsets.truncate(length + 1);
                list.elements.truncate(last_offset(&list.offsets));
            }
            Values::Other(other) => other.truncate(length),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Boolean(values) => values.len() / 8,
            Values::Int64(values)
            | Values::TimestampUtc(values)
            | Values::TimestampNaive(values)
            | Values::Time64(values) => size_of_val(values.as_slice()),
            Values::Float64(values) => size_of_val(values.as_slice()),
            Values::Decimal128 { values, .. } => size_of_val(values.as_slice()),
            Values::Date32(values) => size_of_val(values.as_slice()),
            Values::Utf8(buffer) | Values::Json(buffer) => buffer.bytes(),
            Values::Struct(object) => object.bytes(),
            Values::List(list) => list.elements.bytes() + size_of_val(list.offsets.as_slice()),
            Values::Other(other) => other.bytes(),
        };
        values + self.len() / 8
    }

    /// Takes the values out as an array of `data_type`, which is the Arrow form of the column's own
    /// type.
    pub(super) fn take(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.take();
        Ok(match &mut self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int64(values) => primitive::<Int64Type>(values, nulls, data_type)?,
            Values::Float64(values) => primitive::<Float64Type>(values, nulls, data_type)?,
            Values::Decimal128 { values, .. } => primitive::<Decimal128Type>(values, nulls, data_type)?,
            Values::TimestampUtc(values) | Values::TimestampNaive(values) => {
                primitive::<TimestampMicrosecondType>(values, nulls, data_type)?
            }
            Values::Date32(values) => primitive::<Date32Type>(values, nulls, data_type)?,
            Values::Time64(values) => primitive::<Time64MicrosecondType>(values, nulls, data_type)?,
            Values::Utf8(buffer) | Values::Json(buffer) => Arc::new(buffer.take(nulls)?),
            Values::Struct(object) => {
                let rows = object.rows();
                let fields = match data_type {
                    DataType::Struct(fields) => fields.clone(),
                    _ => Fields::empty(),
                };
                let columns = object.take_columns(&fields)?;
                Arc::new(StructArray::try_new_with_length(fields, columns, nulls, rows)?)
            }
            Values::List(list) => {
                let field = match data_type {
                    DataType::List(field) => Arc::clone(field),
                    _ => Arc::new(Field::new("item", DataType::Null, true)),
                };
                let offsets = take_offsets(&mut list.offsets);
                let elements = list.elements.take(field.data_type())?;
                Arc::new(ListArray::try_new(field, offsets, elements, nulls)?)
            }
            Values::Other(other) => other.take(nulls, data_type)?,
        })
    }
}

impl Values {
    /// Returns what a value must be, in words.
    fn expected(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "true or false",
            Self::Int64(_) => INTEGER,
            Self::Float64(_) => "a number",
            Self::Decimal128 { .. } => "a decimal number",
            Self::Utf8(_) => "a string",
            Self::Json(_) | Self::Other(_) => "a value",
            Self::TimestampUtc(_) => INSTANT,
            Self::TimestampNaive(_) => LOCAL,
            Self::Date32(_) => DATE,
            Self::Time64(_) => TIME_OF_DAY,
            Self::Struct(_) => "an object",
            Self::List(_) => "an array",
        }
    }
}

impl ListBuffer {
    fn read(&mut self, scanner: &mut Scanner<'_>, reading: &mut Reading) -> Result<(), Stop> {
        let mut index = 0;
        let mut more = scanner.enter_array()?;
        while more {
            let noted = reading.nulled.len();
            self.elements.read_within(scanner, reading).map_err(|stop| stop.below_index(index))?;
            if reading.nulled.len() > noted {
                reading.place(noted, || Step::Index(index));
            }
            index += 1;
            more = scanner.next_element()?;
        }
        push_offset(&mut self.offsets, self.elements.len())
    }
}

/// Reads the value at the cursor, which is not written as its column's values usually are.
#[inline(never)]
fn coerce(values: &mut Values, counts: Option<TimeUnit>, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
    let expected = values.expected();
    match (values, scanner.peek(), counts) {
        (Values::Int64(values), Some(b'"'), _) => values.push(read_number(scanner, expected, to_i64)?),
        (Values::Float64(values), Some(b'"'), _) => values.push(read_float(scanner, expected)?),
        (Values::Boolean(values), Some(b'"'), _) => {
            let start = scanner.position();
            values.append(match &*read_text(scanner)? {
                "true" => true,
                "false" => false,
                _ => return Err(bad_format(expected, scanner.text_since(start))),
            });
        }
        (Values::TimestampUtc(values) | Values::TimestampNaive(values), Some(b'-' | b'0'..=b'9'), Some(unit)) => {
            values.push(read_number(scanner, expected, |number| from_count::<6>(number.text, unit))?);
        }
        _ => return Err(wrong_type(scanner, expected)),
    }
    Ok(())
}
