//! One tree of column buffers, in the shape of the record, into which a record's bytes are pushed.
//!
//! The length of a buffer is the number of its values, so a member of an object that is one longer than the object has
//! its value for the row in the making. A record that is refused, and a page that is not valid, leave by
//! [`ObjectBuffer::truncate`], which also takes away what is half written.

use std::mem;
use std::sync::Arc;

use arrow::array::builder::{BooleanBufferBuilder, NullBufferBuilder};
use arrow::array::types::{ArrowPrimitiveType, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::array::types::{Date32Type, Time64MicrosecondType};
use arrow::array::{Array, ArrayRef, BooleanArray, ListArray, PrimitiveArray, StringArray, StructArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;

use crate::reject::RejectCode;
use crate::schema::{Column, ColumnType};

use super::UnknownFields;
use super::error::DecodeError;
use super::keys::KeyOrder;
use super::number::{to_decimal, to_f64, to_i64};
use super::refusal::{Stop, bad_number, bad_time, describe, lone_surrogate, wrong_type};
use super::scanner::Scanner;
use super::text::Text;
use super::timestamp::{TimeFault, date, instant, local_without_offset, time_of_day, whole};

/// The columns of an object's members. The root of the tree is one.
#[derive(Debug)]
pub(super) struct ObjectBuffer {
    names: Vec<Box<str>>,
    members: Vec<ColumnBuffer>,
    keys: KeyOrder,
    rows: usize,
    /// Whether fields that must be there may be missing, as in a delete, which has no more than its key.
    lenient: bool,
}

/// The values of one column.
#[derive(Debug)]
struct ColumnBuffer {
    nullable: bool,
    validity: NullBufferBuilder,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Decimal128 { values: Vec<i128>, precision: u8, scale: i8 },
    Utf8(TextBuffer),
    Json(TextBuffer),
    TimestampUtc(Vec<i64>),
    TimestampNaive(Vec<i64>),
    Date32(Vec<i32>),
    Time64(Vec<i64>),
    Struct(ObjectBuffer),
    List(Box<ListBuffer>),
}

#[derive(Debug)]
struct TextBuffer {
    /// One more than there are values; the first is 0.
    offsets: Vec<i32>,
    text: String,
}

#[derive(Debug)]
struct ListBuffer {
    /// One more than there are values; the first is 0.
    offsets: Vec<i32>,
    elements: ColumnBuffer,
}

impl ObjectBuffer {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self {
            names: columns.iter().map(|column| column.name.as_str().into()).collect(),
            members: columns.iter().map(|column| ColumnBuffer::new(&column.column_type, column.nullable)).collect(),
            keys: KeyOrder::new(columns.iter().map(|column| column.name.as_str())),
            rows: 0,
            lenient: false,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes buffered, nearly.
    pub(super) fn bytes(&self) -> usize {
        self.members.iter().map(ColumnBuffer::bytes).sum()
    }

    /// Reads the object at the cursor as one row. After an error, the row must be truncated away.
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>, unknown: UnknownFields) -> Result<(), Stop> {
        let row = self.rows;
        let mut filled = 0;
        let mut expected = 0;
        let mut more = scanner.enter_object()?;
        while more {
            match self.key(scanner, unknown, &mut expected)? {
                Some(index) => {
                    if let (Some(member), Some(name)) = (self.members.get_mut(index), self.names.get(index)) {
                        if member.len() > row {
                            member.truncate(row);
                        } else {
                            filled += 1;
                        }
                        member.read(scanner, unknown).map_err(|stop| stop.below_key(name))?;
                    }
                }
                None => scanner.skip_value()?,
            }
            more = scanner.next_member()?;
        }
        if filled < self.members.len() {
            self.fill_missing(row)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// As [`Self::read`], of an object that may lack fields which must be there.
    pub(super) fn read_leniently(&mut self, scanner: &mut Scanner<'_>, unknown: UnknownFields) -> Result<(), Stop> {
        self.lenient = true;
        let read = self.read(scanner, unknown);
        self.lenient = false;
        read
    }

    /// Reads the key at the cursor, up to its value, and finds its column.
    #[inline]
    fn key(
        &mut self,
        scanner: &mut Scanner<'_>,
        unknown: UnknownFields,
        expected: &mut usize,
    ) -> Result<Option<usize>, Stop> {
        if let Some((column, length)) = self.keys.guess(scanner.rest(), expected)
            && (column.is_some() || unknown == UnknownFields::Ignore)
        {
            scanner.advance(length);
            scanner.colon()?;
            return Ok(column);
        }
        let key = scanner.key()?;
        // A key that is no Unicode text cannot be the name of a column.
        let column = key.decoded().ok().and_then(|name| self.keys.look_up(&name));
        // A null says nothing of the field.
        if column.is_none() && unknown != UnknownFields::Ignore && scanner.peek() != Some(b'n') {
            return Err(unknown_field(key));
        }
        if !key.escaped {
            self.keys.learn(key.raw, column, expected);
        }
        Ok(column)
    }

    fn fill_missing(&mut self, row: usize) -> Result<(), Stop> {
        for (member, name) in self.members.iter_mut().zip(&self.names) {
            if member.len() > row {
                continue;
            }
            if !member.nullable && !self.lenient {
                let stop = Stop::record(RejectCode::MissingValue, "expected a value, found no such field");
                return Err(stop.below_key(name));
            }
            member.push_null();
        }
        Ok(())
    }

    /// Appends a row in which every member is null; it stands behind a null of the object itself.
    fn push_null(&mut self) {
        for member in &mut self.members {
            member.push_null();
        }
        self.rows += 1;
    }

    /// Drops all rows from `rows` on, and what was begun of a next one.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.rows = self.rows.min(rows);
        for member in &mut self.members {
            member.truncate(self.rows);
        }
    }

    /// Takes the columns out, which leaves no rows.
    pub(super) fn take_columns(&mut self, fields: &Fields) -> Result<Vec<ArrayRef>, ArrowError> {
        self.rows = 0;
        self.members.iter_mut().zip(fields).map(|(member, field)| member.take(field.data_type())).collect()
    }
}

#[cold]
fn unknown_field(key: Text<'_>) -> Stop {
    let name = key.decoded().unwrap_or_else(|_| key.raw.into());
    let name: String = name.chars().take(256).collect();
    Stop::record(RejectCode::UnknownField, "the schema has no such field").below_key(&name)
}

impl ColumnBuffer {
    fn new(column_type: &ColumnType, nullable: bool) -> Self {
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
            ColumnType::Struct(columns) => Values::Struct(ObjectBuffer::new(columns)),
            ColumnType::List(element) => {
                Values::List(Box::new(ListBuffer { offsets: vec![0], elements: Self::new(element, true) }))
            }
        };
        Self { nullable, validity: NullBufferBuilder::new(0), values }
    }

    #[inline]
    fn len(&self) -> usize {
        self.validity.len()
    }

    /// Reads the value at the cursor. After an error, it must be truncated away.
    #[inline]
    fn read(&mut self, scanner: &mut Scanner<'_>, unknown: UnknownFields) -> Result<(), Stop> {
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
                values.push(read_time(scanner, "an RFC 3339 date-time", instant)?);
            }
            (Values::Int64(values), Some(b'-' | b'0'..=b'9')) => {
                let number = scanner.number()?;
                values.push(to_i64(number).map_err(|fault| bad_number(fault, "a 64-bit integer", number.text))?);
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
                values.push(read_time(scanner, "a date-time without an offset", local_without_offset)?);
            }
            (Values::Date32(values), Some(b'"')) => values.push(read_time(scanner, "a date (YYYY-MM-DD)", date)?),
            (Values::Time64(values), Some(b'"')) => {
                values.push(read_time(scanner, "a time of day (HH:MM:SS)", time_of_day)?);
            }
            (Values::Json(buffer), _) => buffer.push(scanner.value_text()?)?,
            (Values::Struct(object), Some(b'{')) => object.read(scanner, unknown)?,
            (Values::List(list), Some(b'[')) => list.read(scanner, unknown)?,
            (values, _) => return Err(wrong_type(scanner, values.expected())),
        }
        self.validity.append_non_null();
        Ok(())
    }

    fn push_null(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Int64(values)
            | Values::TimestampUtc(values)
            | Values::TimestampNaive(values)
            | Values::Time64(values) => values.push(0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal128 { values, .. } => values.push(0),
            Values::Date32(values) => values.push(0),
            Values::Utf8(buffer) | Values::Json(buffer) => push_same(&mut buffer.offsets),
            Values::Struct(object) => object.push_null(),
            Values::List(list) => push_same(&mut list.offsets),
        }
        self.validity.append_null();
    }

    fn truncate(&mut self, length: usize) {
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
            Values::Utf8(buffer) | Values::Json(buffer) => {
                buffer.offsets.truncate(length + 1);
                buffer.text.truncate(last_offset(&buffer.offsets));
            }
            Values::Struct(object) => object.truncate(length),
            Values::List(list) => {
                list.offsets.truncate(length + 1);
                list.elements.truncate(last_offset(&list.offsets));
            }
        }
    }

    fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Boolean(values) => values.len() / 8,
            Values::Int64(values)
            | Values::TimestampUtc(values)
            | Values::TimestampNaive(values)
            | Values::Time64(values) => size_of_val(values.as_slice()),
            Values::Float64(values) => size_of_val(values.as_slice()),
            Values::Decimal128 { values, .. } => size_of_val(values.as_slice()),
            Values::Date32(values) => size_of_val(values.as_slice()),
            Values::Utf8(buffer) | Values::Json(buffer) => buffer.text.len() + size_of_val(buffer.offsets.as_slice()),
            Values::Struct(object) => object.bytes(),
            Values::List(list) => list.elements.bytes() + size_of_val(list.offsets.as_slice()),
        };
        values + self.len() / 8
    }

    /// Takes the values out as an array of `data_type`, which is the Arrow form of the column's own type.
    fn take(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.finish();
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
            Values::Utf8(buffer) | Values::Json(buffer) => {
                let capacity = buffer.text.len();
                let text = mem::replace(&mut buffer.text, String::with_capacity(capacity));
                let offsets = take_offsets(&mut buffer.offsets);
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(text.into_bytes()), nulls)?)
            }
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
        })
    }
}

impl Values {
    /// What a value must be, in words.
    fn expected(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "true or false",
            Self::Int64(_) => "a 64-bit integer",
            Self::Float64(_) => "a number",
            Self::Decimal128 { .. } => "a decimal number",
            Self::Utf8(_) => "a text",
            Self::Json(_) => "a value",
            Self::TimestampUtc(_) => "an RFC 3339 date-time",
            Self::TimestampNaive(_) => "a date-time without an offset",
            Self::Date32(_) => "a date (YYYY-MM-DD)",
            Self::Time64(_) => "a time of day (HH:MM:SS)",
            Self::Struct(_) => "an object",
            Self::List(_) => "an array",
        }
    }
}

impl TextBuffer {
    fn new() -> Self {
        Self { offsets: vec![0], text: String::new() }
    }

    #[inline]
    fn read_string(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        let start = scanner.position();
        let text = scanner.string()?;
        text.append_to(&mut self.text).map_err(|_| lone_surrogate(scanner.text_since(start)))?;
        push_offset(&mut self.offsets, self.text.len())
    }

    fn push(&mut self, text: &str) -> Result<(), Stop> {
        self.text.push_str(text);
        push_offset(&mut self.offsets, self.text.len())
    }
}

impl ListBuffer {
    fn read(&mut self, scanner: &mut Scanner<'_>, unknown: UnknownFields) -> Result<(), Stop> {
        let mut index = 0;
        let mut more = scanner.enter_array()?;
        while more {
            self.elements.read(scanner, unknown).map_err(|stop| stop.below_index(index))?;
            index += 1;
            more = scanner.next_element()?;
        }
        push_offset(&mut self.offsets, self.elements.len())
    }
}

/// Reads the text at the cursor by `parse`, which reads the start of its bytes.
#[inline]
fn read_time<T>(
    scanner: &mut Scanner<'_>,
    expected: &str,
    parse: impl Fn(&[u8]) -> Result<(T, &[u8]), TimeFault>,
) -> Result<T, Stop> {
    // What is a date or time up to the closing quote needs no look for its end.
    if let Some((_, text)) = scanner.rest().split_first()
        && let Ok((value, rest @ [b'"', ..])) = parse(text)
    {
        scanner.advance(2 + text.len() - rest.len());
        return Ok(value);
    }
    let start = scanner.position();
    let text = scanner.string()?;
    let decoded = text.decoded().map_err(|_| lone_surrogate(scanner.text_since(start)))?;
    whole(decoded.as_bytes(), parse).map_err(|fault| bad_time(fault, expected, scanner.text_since(start)))
}

/// Reads the number, or the text that is a number, at the cursor.
fn read_decimal(scanner: &mut Scanner<'_>, precision: u8, scale: i8) -> Result<i128, Stop> {
    let start = scanner.position();
    let expected = format!("a decimal of {precision} digits, {scale} of them after the point");
    let digits = if scanner.peek() == Some(b'"') {
        let text = scanner.string()?;
        let is_number = is_number(text.raw);
        if !is_number {
            let found = describe(scanner.text_since(start));
            return Err(Stop::record(RejectCode::BadFormat, format!("expected {expected}, found {found}")));
        }
        text.raw
    } else {
        scanner.number()?.text
    };
    to_decimal(digits, precision, scale).map_err(|fault| bad_number(fault, &expected, scanner.text_since(start)))
}

/// Whether a text is a number, by the grammar of JSON.
fn is_number(text: &str) -> bool {
    Scanner::new(text.as_bytes(), 0).is_ok_and(|mut scanner| {
        scanner.position() == 0 && scanner.number().is_ok_and(|number| number.text.len() == text.len())
    })
}

fn push_offset(offsets: &mut Vec<i32>, offset: usize) -> Result<(), Stop> {
    let offset = i32::try_from(offset).map_err(|_| Stop::Page(Box::new(DecodeError::BatchFull)))?;
    offsets.push(offset);
    Ok(())
}

fn push_same(offsets: &mut Vec<i32>) {
    offsets.push(offsets.last().copied().unwrap_or(0));
}

fn last_offset(offsets: &[i32]) -> usize {
    offsets.last().and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0)
}

/// Takes a vector out and leaves an empty one that has room for as much.
fn take<T>(values: &mut Vec<T>) -> Vec<T> {
    let capacity = values.len();
    mem::replace(values, Vec::with_capacity(capacity))
}

fn take_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let taken = take(offsets);
    offsets.push(0);
    OffsetBuffer::new(ScalarBuffer::from(taken))
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let array = PrimitiveArray::<T>::try_new(ScalarBuffer::from(take(values)), nulls)?;
    // The type's parameters, such as the zone, come from the schema.
    let data = array.into_data().into_builder().data_type(data_type.clone()).build()?;
    Ok(Arc::new(PrimitiveArray::<T>::from(data)))
}
