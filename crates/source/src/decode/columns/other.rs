//! The columns of the types that come seldom. Each takes what `docs/types.md` says.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::types::{Decimal256Type, Float32Type, Int32Type, Int64Type, UInt64Type};
use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, Int32Array, MapArray, PrimitiveArray, StructArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, i256};
use arrow::error::ArrowError;

use super::buffers::{TextBuffer, last_offset, primitive, push_offset, push_same, take, take_offsets};
use super::column::ColumnBuffer;
use super::reading::Reading;
use crate::decode::json::scanner::Scanner;
use crate::decode::value::duration::duration;
use crate::decode::value::lenient::{any_instant, any_local, any_time_of_day, from_count, length_from_count};
use crate::decode::value::number::{to_decimal256, to_f32, to_integer};
use crate::decode::value::read::{
    INSTANT, LOCAL, TIME_OF_DAY, read_base64, read_number, read_text, read_time, special_float,
};
use crate::decode::value::refusal::{Step, Stop, wrong_type};
use crate::decode::value::timestamp::{TimeFault, instant_in, local_in, time_in};
use lakefeed_model::schema::{ColumnType, IntegerType, OtherUnit, TimeUnit};

const FLOAT32: &str = "a number that a 32-bit float holds";
const BASE64: &str = "base64";
const DURATION: &str = "an ISO 8601 duration of days, hours, minutes and seconds (P1DT2H3M4.5S)";

/// The values of one column.
#[derive(Debug)]
pub(super) enum OtherBuffer {
    /// What is an integer of at most 64 bits in Arrow.
    Whole {
        kind: Whole,
        values: Vec<i64>,
    },
    UInt64(Vec<u64>),
    Float32(Vec<f32>),
    Decimal256 {
        values: Vec<i256>,
        precision: u8,
        scale: i8,
    },
    Dictionary(DictionaryBuffer),
    Binary {
        offsets: Vec<i32>,
        bytes: Vec<u8>,
    },
    Map(MapBuffer),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Whole {
    Integer { name: &'static str, min: i64, max: i64 },
    Timestamp { unit: OtherUnit, utc: bool },
    Time(OtherUnit),
    Duration(TimeUnit),
}

#[derive(Debug)]
pub(super) struct DictionaryBuffer {
    keys: Vec<i32>,
    texts: TextBuffer,
    /// Where in `texts` each text is.
    places: HashMap<Box<str>, i32>,
}

#[derive(Debug)]
pub(super) struct MapBuffer {
    /// One more than there are values; the first is 0.
    offsets: Vec<i32>,
    keys: TextBuffer,
    values: ColumnBuffer,
}

impl OtherBuffer {
    /// Returns a buffer of values of `column_type`, which has one and is no map.
    pub(super) fn new(column_type: &ColumnType) -> Self {
        let whole = |kind| Self::Whole { kind, values: Vec::new() };
        match column_type {
            ColumnType::Integer(IntegerType::UInt64) => Self::UInt64(Vec::new()),
            ColumnType::Integer(kind) => whole(integer(*kind)),
            ColumnType::Timestamp { unit, utc } => whole(Whole::Timestamp { unit: *unit, utc: *utc }),
            ColumnType::Time(unit) => whole(Whole::Time(*unit)),
            ColumnType::Duration(unit) => whole(Whole::Duration(*unit)),
            ColumnType::Float32 => Self::Float32(Vec::new()),
            ColumnType::Decimal256 { precision, scale } => {
                Self::Decimal256 { values: Vec::new(), precision: *precision, scale: *scale }
            }
            ColumnType::Binary => Self::Binary { offsets: vec![0], bytes: Vec::new() },
            _ => Self::Dictionary(DictionaryBuffer {
                keys: Vec::new(),
                texts: TextBuffer::new(),
                places: HashMap::new(),
            }),
        }
    }

    /// Returns a buffer of maps with these values.
    pub(super) fn of_map(values: ColumnBuffer) -> Self {
        Self::Map(MapBuffer { offsets: vec![0], keys: TextBuffer::new(), values })
    }

    /// Reads the value at the cursor. After an error, it must be truncated away.
    #[inline(never)]
    pub(super) fn read(
        &mut self,
        scanner: &mut Scanner<'_>,
        counts: Option<TimeUnit>,
        reading: &mut Reading,
    ) -> Result<(), Stop> {
        let is_text = scanner.peek() == Some(b'"');
        let is_number = matches!(scanner.peek(), Some(b'-' | b'0'..=b'9'));
        match self {
            Self::Whole { kind, values } => values.push(kind.read(scanner, counts)?),
            Self::UInt64(values) if is_number || is_text => {
                values.push(read_number(scanner, "an unsigned 64-bit integer", |number| {
                    to_integer(number, 0, i128::from(u64::MAX))
                })?);
            }
            Self::Float32(values) if is_number => values.push(read_number(scanner, FLOAT32, to_f32)?),
            Self::Float32(values) if is_text => {
                let start = scanner.bookmark();
                #[expect(clippy::cast_possible_truncation, reason = "the three are what they are in 32 bits, too")]
                let special = special_float(&read_text(scanner)?).map(|special| special as f32);
                if let Some(special) = special {
                    values.push(special);
                } else {
                    scanner.return_to(start);
                    values.push(read_number(scanner, FLOAT32, to_f32)?);
                }
            }
            Self::Decimal256 { values, precision, scale } if is_number || is_text => {
                let expected = format!("a decimal of {precision} digits, {scale} of them after the point");
                values.push(read_number(scanner, &expected, |number| to_decimal256(number.text, *precision, *scale))?);
            }
            Self::Dictionary(dictionary) if is_text => dictionary.push(&read_text(scanner)?)?,
            Self::Binary { offsets, bytes } if is_text => {
                read_base64(scanner, BASE64, bytes)?;
                push_offset(offsets, bytes.len())?;
            }
            Self::Map(map) if scanner.peek() == Some(b'{') => map.read(scanner, reading)?,
            _ => return Err(wrong_type(scanner, self.expected())),
        }
        Ok(())
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::Whole { kind, .. } => kind.expected(),
            Self::UInt64(_) => "an unsigned 64-bit integer",
            Self::Float32(_) => FLOAT32,
            Self::Decimal256 { .. } => "a decimal number",
            Self::Dictionary(_) => "a string",
            Self::Binary { .. } => BASE64,
            Self::Map(_) => "an object",
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            Self::Whole { values, .. } => values.push(0),
            Self::UInt64(values) => values.push(0),
            Self::Float32(values) => values.push(0.0),
            Self::Decimal256 { values, .. } => values.push(i256::ZERO),
            Self::Dictionary(dictionary) => dictionary.keys.push(0),
            Self::Binary { offsets, .. } => push_same(offsets),
            Self::Map(map) => push_same(&mut map.offsets),
        }
    }

    pub(super) fn truncate(&mut self, length: usize) {
        match self {
            Self::Whole { values, .. } => values.truncate(length),
            Self::UInt64(values) => values.truncate(length),
            Self::Float32(values) => values.truncate(length),
            Self::Decimal256 { values, .. } => values.truncate(length),
            // Texts that no row has any more stay; they do no harm.
            Self::Dictionary(dictionary) => dictionary.keys.truncate(length),
            Self::Binary { offsets, bytes } => {
                offsets.truncate(length + 1);
                bytes.truncate(last_offset(offsets));
            }
            Self::Map(map) => {
                map.offsets.truncate(length + 1);
                map.truncate_entries(last_offset(&map.offsets));
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Whole { values, .. } => size_of_val(values.as_slice()),
            Self::UInt64(values) => size_of_val(values.as_slice()),
            Self::Float32(values) => size_of_val(values.as_slice()),
            Self::Decimal256 { values, .. } => size_of_val(values.as_slice()),
            // Each text is there twice: in its place, and to be found again.
            Self::Dictionary(dictionary) => size_of_val(dictionary.keys.as_slice()) + 2 * dictionary.texts.bytes(),
            Self::Binary { offsets, bytes } => size_of_val(offsets.as_slice()) + bytes.len(),
            Self::Map(map) => size_of_val(map.offsets.as_slice()) + map.keys.bytes() + map.values.bytes(),
        }
    }

    /// Takes the values out as an array of `data_type`, which is the Arrow form of the column's own
    /// type.
    pub(super) fn take(&mut self, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Whole { kind, values } => {
                if let Whole::Timestamp { unit: OtherUnit::Second, .. } | Whole::Time(OtherUnit::Second) = kind {
                    // Seconds are kept as milliseconds; those of the years 0001 to 9999 fit.
                    for seconds in values.iter_mut() {
                        *seconds *= 1_000;
                    }
                }
                let numbers = PrimitiveArray::<Int64Type>::try_new(ScalarBuffer::from(take(values)), nulls)?;
                let exact = CastOptions { safe: false, ..CastOptions::default() };
                if let DataType::Time32(_) = data_type {
                    let numbers = cast_with_options(&numbers, &DataType::Int32, &exact)?;
                    cast_with_options(&numbers, data_type, &exact)?
                } else {
                    cast_with_options(&numbers, data_type, &exact)?
                }
            }
            Self::UInt64(values) => primitive::<UInt64Type>(values, nulls, data_type)?,
            Self::Float32(values) => primitive::<Float32Type>(values, nulls, data_type)?,
            Self::Decimal256 { values, .. } => primitive::<Decimal256Type>(values, nulls, data_type)?,
            Self::Dictionary(dictionary) => {
                dictionary.places.clear();
                let keys = Int32Array::try_new(ScalarBuffer::from(take(&mut dictionary.keys)), nulls)?;
                Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(dictionary.texts.take(None)?))?)
            }
            Self::Binary { offsets, bytes } => {
                Arc::new(BinaryArray::try_new(take_offsets(offsets), Buffer::from_vec(take(bytes)), nulls)?)
            }
            Self::Map(map) => map.take(nulls, data_type)?,
        })
    }
}

fn integer(kind: IntegerType) -> Whole {
    let (name, min, max) = match kind {
        IntegerType::Int8 => ("an 8-bit integer", i8::MIN.into(), i8::MAX.into()),
        IntegerType::Int16 => ("a 16-bit integer", i16::MIN.into(), i16::MAX.into()),
        IntegerType::Int32 => ("a 32-bit integer", i32::MIN.into(), i32::MAX.into()),
        IntegerType::UInt8 => ("an unsigned 8-bit integer", 0, u8::MAX.into()),
        IntegerType::UInt16 => ("an unsigned 16-bit integer", 0, u16::MAX.into()),
        IntegerType::UInt32 => ("an unsigned 32-bit integer", 0, u32::MAX.into()),
        // It has a buffer of its own.
        IntegerType::UInt64 => ("an integer", 0, i64::MAX),
    };
    Whole::Integer { name, min, max }
}

impl Whole {
    fn expected(self) -> &'static str {
        match self {
            Self::Integer { name, .. } => name,
            Self::Timestamp { utc: true, .. } => INSTANT,
            Self::Timestamp { utc: false, .. } => LOCAL,
            Self::Time(_) => TIME_OF_DAY,
            Self::Duration(_) => DURATION,
        }
    }

    fn read(self, scanner: &mut Scanner<'_>, counts: Option<TimeUnit>) -> Result<i64, Stop> {
        let expected = self.expected();
        let is_text = scanner.peek() == Some(b'"');
        let is_number = matches!(scanner.peek(), Some(b'-' | b'0'..=b'9'));
        match (self, counts) {
            (Self::Integer { min, max, .. }, _) if is_text || is_number => {
                read_number(scanner, expected, |number| to_integer(number, min.into(), max.into()))
            }
            (Self::Timestamp { unit, utc }, _) if is_text => match unit {
                OtherUnit::Second => read_date_time::<0>(scanner, counts, utc),
                OtherUnit::Millisecond => read_date_time::<3>(scanner, counts, utc),
                OtherUnit::Nanosecond => read_date_time::<9>(scanner, counts, utc),
            },
            (Self::Timestamp { unit, .. }, Some(counted)) if is_number => {
                read_number(scanner, expected, |number| match unit {
                    OtherUnit::Second => from_count::<0>(number.text, counted),
                    OtherUnit::Millisecond => from_count::<3>(number.text, counted),
                    OtherUnit::Nanosecond => from_count::<9>(number.text, counted),
                })
            }
            (Self::Time(unit), _) if is_text => match unit {
                OtherUnit::Second => read_time(scanner, time_in::<0>, &any_time_of_day::<0>, expected),
                OtherUnit::Millisecond => read_time(scanner, time_in::<3>, &any_time_of_day::<3>, expected),
                OtherUnit::Nanosecond => read_time(scanner, time_in::<9>, &any_time_of_day::<9>, expected),
            },
            (Self::Duration(unit), _) if is_text => {
                let any = |text: &str| duration(text, unit, counts);
                read_time(scanner, |_| Err(TimeFault::Form), &any, expected)
            }
            (Self::Duration(unit), Some(counted)) if is_number => {
                read_number(scanner, expected, |number| length_from_count(number.text, counted, unit))
            }
            _ => Err(wrong_type(scanner, expected)),
        }
    }
}

fn read_date_time<const DIGITS: u32>(
    scanner: &mut Scanner<'_>,
    counts: Option<TimeUnit>,
    utc: bool,
) -> Result<i64, Stop> {
    if utc {
        read_time(scanner, instant_in::<DIGITS>, &|text| any_instant::<DIGITS>(text, counts), INSTANT)
    } else {
        read_time(scanner, local_in::<DIGITS>, &|text| any_local::<DIGITS>(text, counts), LOCAL)
    }
}

impl DictionaryBuffer {
    fn push(&mut self, text: &str) -> Result<(), Stop> {
        let key = if let Some(key) = self.places.get(text) {
            *key
        } else {
            // As many strings as a column of strings could hold.
            let key = i32::try_from(self.texts.len()).unwrap_or(i32::MAX);
            self.texts.push(text)?;
            self.places.insert(text.into(), key);
            key
        };
        self.keys.push(key);
        Ok(())
    }
}

impl MapBuffer {
    fn read(&mut self, scanner: &mut Scanner<'_>, reading: &mut Reading) -> Result<(), Stop> {
        let start = scanner.bookmark();
        let (first, noted) = (self.keys.len(), reading.nulled.len());
        self.read_entries(scanner, reading, &HashSet::new())?;
        let overridden = self.overridden(first);
        if !overridden.is_empty() {
            // Every value fits; now only the last one of each key is kept.
            self.truncate_entries(first);
            reading.nulled.truncate(noted);
            scanner.return_to(start);
            self.read_entries(scanner, reading, &overridden)?;
        }
        push_offset(&mut self.offsets, self.keys.len())
    }

    /// Appends the entries of the object at the cursor, but for those at the places in `skipped`.
    fn read_entries(
        &mut self,
        scanner: &mut Scanner<'_>,
        reading: &mut Reading,
        skipped: &HashSet<usize>,
    ) -> Result<(), Stop> {
        let mut entry = 0;
        let mut more = scanner.enter_object()?;
        while more {
            let key = scanner.key()?;
            if skipped.contains(&entry) {
                scanner.skip_value()?;
            } else {
                self.keys.push_key(key)?;
                let noted = reading.nulled.len();
                let read = self.values.read_within(scanner, reading);
                let key = self.keys.get(self.keys.len().saturating_sub(1));
                read.map_err(|stop| stop.below_key(key))?;
                if reading.nulled.len() > noted {
                    reading.place(noted, || Step::Key(key.to_owned()));
                }
            }
            entry += 1;
            more = scanner.next_member()?;
        }
        Ok(())
    }

    /// Returns the entries from `first` on whose key comes again, counted from there.
    fn overridden(&self, first: usize) -> HashSet<usize> {
        let mut last = HashMap::new();
        (first..self.keys.len()).filter_map(|entry| last.insert(self.keys.get(entry), entry - first)).collect()
    }

    fn truncate_entries(&mut self, entries: usize) {
        self.keys.truncate(entries);
        self.values.truncate(entries);
    }

    fn take(&mut self, nulls: Option<NullBuffer>, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let DataType::Map(entries, is_ordered) = data_type else {
            return Err(ArrowError::SchemaError(format!("{data_type} is no map")));
        };
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(ArrowError::SchemaError(format!("{data_type} has no entries")));
        };
        let keys = Arc::new(self.keys.take(None)?);
        let value_type = fields.get(1).map_or(&DataType::Null, |field| field.data_type());
        let values = self.values.take(value_type)?;
        let entries_of = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
        let offsets = take_offsets(&mut self.offsets);
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, entries_of, nulls, *is_ordered)?))
    }
}
