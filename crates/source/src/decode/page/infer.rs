//! What the columns of a resource probably are, from its records.
//!
//! The narrowest type that holds every value seen is taken, and it never costs exactness: where integers and
//! fractions mix and a double would not hold each of them, where kinds mix, or where an object's keys look like data, the column is JSON,
//! which keeps the text. A field that was never anything but null is left out, as in dlt, and can be asked for by
//! [`Inferrer::always_null`].

use std::fmt::Write as _;

use indexmap::IndexMap;

use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{Column, ColumnType, Places, RecordSchema, member_path};
use lakefeed_model::spec::JsonPath;

use super::reader::{Gated, PageReader};
use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::{Kind, NumberText, Scanner};
use crate::decode::options::{EmptyContainers, PageInput};
use crate::decode::value::number::{to_decimal, to_f64};
use crate::decode::value::timestamp::{date, instant, whole};
use crate::decode::walk::record::RecordGate;
use crate::paginate::PageMeta;
use crate::spec::RecordFormat;

/// An object with more fields than this is a map whose keys are data.
const FIELDS_MAX: usize = 1_000;
/// The greatest integer up to which a double holds every one.
const EXACT_IN_DOUBLE_MAX: u64 = 1 << 53;

/// Looks at pages and proposes a schema.
#[derive(Debug)]
pub struct Inferrer {
    reader: PageReader,
    options: InferOptions,
    records: u64,
    /// The records have cells, which are text where they are not all alike.
    has_cells: bool,
    root: Guess,
}

/// How a schema is inferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferOptions {
    /// The deepest nesting of a page; a deeper one is an error. Never more than 1,024.
    pub depth_max: u32,
    /// What a list or an object that holds nothing says of its field.
    pub empty_containers: EmptyContainers,
    /// What becomes of a field whose values are of several kinds.
    pub mixed_kinds: MixedKinds,
}

/// What becomes of a field whose values are of several kinds: strings, numbers, booleans, objects or lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixedKinds {
    /// It is JSON.
    BecomeJson,
    /// It is of the kind of its first value. Others are passed over, and it is for the decoder to say what becomes of them.
    KeepFirst,
}

impl InferOptions {
    /// Options for pages that are nested `depth_max` levels deep at most.
    pub const fn with_depth(depth_max: u32) -> Self {
        Self { depth_max, empty_containers: EmptyContainers::AreValues, mixed_kinds: MixedKinds::BecomeJson }
    }
}

impl Inferrer {
    /// Makes an inferrer of the records at `selector`; without one, the first page decides where they are.
    pub fn new(selector: Option<JsonPath>, options: InferOptions) -> Self {
        let reader = PageReader::new(selector, options.depth_max);
        Self { reader, options, records: 0, has_cells: false, root: Guess::default() }
    }

    /// Takes the records of a page into account that `gate` lets through. A record that is not an object is passed over: decoding
    /// will refuse it.
    ///
    /// # Errors
    /// When the body is not a page of its format, has no records where the selector says, or the gate fails it.
    pub fn observe(
        &mut self,
        page: &PageInput<'_>,
        gate: Option<&mut dyn RecordGate>,
    ) -> Result<PageMeta, DecodeError> {
        self.has_cells |= matches!(page.format, RecordFormat::Delimited { .. });
        let Self { reader, options, records, root, .. } = self;
        let keeps_kinds = options.mixed_kinds == MixedKinds::KeepFirst;
        let mut learn = |scanner: &mut Scanner<'_>| {
            if scanner.kind()? != Kind::Object {
                return scanner.skip_value();
            }
            *records += 1;
            root.observe(scanner, keeps_kinds)
        };
        let depth_max = reader.depth_max();
        reader.read_with(page, &mut Gated { gate, depth_max, take: &mut learn }).map_err(|error| *error)
    }

    /// Records seen so far, those that are not objects left aside.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The paths of the fields that were never anything but null; [`Self::finish`] leaves them out.
    pub fn always_null(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.root.collect_always_null("$", &mut paths);
        paths
    }

    /// The places, lists' indexes left out, with an integer that a double may not hold.
    pub fn beyond_doubles(&self) -> Places {
        let mut places = Places::new();
        self.root.collect_beyond_doubles("$", &mut places);
        places
    }

    /// Returns the schema, whose columns of the primary key must have a value; none when no record was seen.
    ///
    /// # Errors
    /// When the records have no usable field, more than 1,000 of them, or lack a column of the primary key.
    pub fn finish(mut self, primary_key: &[String]) -> Result<Option<RecordSchema>> {
        if self.records == 0 {
            return Ok(None);
        }
        if self.root.is_map {
            return Err(Error::schema(format!("the records have more than {FIELDS_MAX} different fields"))
                .with_hint("give the resource a schema"));
        }
        if self.options.empty_containers == EmptyContainers::AreNull {
            self.root.fields.values_mut().for_each(Guess::forget_hollow);
        }
        let mut columns = self.root.columns();
        if self.has_cells {
            for column in columns.iter_mut().filter(|column| column.column_type == ColumnType::Json) {
                column.column_type = ColumnType::Utf8;
            }
        }
        for key in primary_key {
            let Some(column) = columns.iter_mut().find(|column| column.name == *key) else {
                let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                return Err(Error::schema(format!("the records have no field {key}, which primary_key names"))
                    .with_hint(format!("the fields with values are: {}", names.join(", "))));
            };
            column.nullable = false;
        }
        RecordSchema::new(columns).map(Some).map_err(|error| {
            Error::schema("no schema can be inferred from the records")
                .with_source(error)
                .with_hint("give the resource a schema")
        })
    }
}

/// What was seen at one place of the records.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
struct Guess {
    booleans: bool,
    numbers: Numbers,
    texts: Texts,
    object: bool,
    /// Objects here have more fields than a record has.
    is_map: bool,
    fields: IndexMap<String, Self>,
    array: bool,
    elements: Option<Box<Self>>,
}

#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
struct Numbers {
    seen: bool,
    /// One has a fraction or an exponent.
    fractions: bool,
    /// One is an integer that a double may not hold.
    beyond_double: bool,
    /// One is an integer beyond 64 bits.
    beyond_i64: bool,
    /// One fits neither 38 digits nor a double.
    beyond_all: bool,
}

#[derive(Debug, Default)]
struct Texts {
    seen: bool,
    not_instant: bool,
    not_date: bool,
}

impl Guess {
    fn observe(&mut self, scanner: &mut Scanner<'_>, keeps_kinds: bool) -> PageResult<()> {
        let kind = scanner.kind()?;
        if keeps_kinds && self.is_of_another_kind(kind) {
            return scanner.skip_value();
        }
        match kind {
            Kind::Null => scanner.skip_value(),
            Kind::Boolean => {
                self.booleans = true;
                scanner.skip_value()
            }
            Kind::Number => {
                self.numbers.observe_kind(scanner.number()?, keeps_kinds);
                Ok(())
            }
            Kind::Text => {
                let text = scanner.string()?;
                self.texts.observe(text.decoded().ok().as_deref());
                Ok(())
            }
            Kind::Object => self.observe_object(scanner, keeps_kinds),
            Kind::Array => {
                self.array = true;
                let elements = self.elements.get_or_insert_default();
                let mut more = scanner.enter_array()?;
                while more {
                    elements.observe(scanner, keeps_kinds)?;
                    more = scanner.next_element()?;
                }
                Ok(())
            }
        }
    }

    fn observe_object(&mut self, scanner: &mut Scanner<'_>, keeps_kinds: bool) -> PageResult<()> {
        self.object = true;
        let mut more = scanner.enter_object()?;
        while more {
            let key = scanner.key()?;
            match key.decoded() {
                Ok(name) if !self.is_map => match self.fields.get_mut(&*name) {
                    Some(field) => field.observe(scanner, keeps_kinds)?,
                    None => self.fields.entry(name.into_owned()).or_default().observe(scanner, keeps_kinds)?,
                },
                // A key that is no Unicode text cannot be a column.
                Ok(_) | Err(_) => scanner.skip_value()?,
            }
            if self.fields.len() > FIELDS_MAX {
                self.is_map = true;
                self.fields.clear();
            }
            more = scanner.next_member()?;
        }
        Ok(())
    }

    /// Whether there were values here, of which none was of `kind`.
    fn is_of_another_kind(&self, kind: Kind) -> bool {
        let known = match kind {
            Kind::Null => return false,
            Kind::Boolean => self.booleans,
            Kind::Number => self.numbers.seen,
            Kind::Text => self.texts.seen,
            Kind::Object => self.object,
            Kind::Array => self.array,
        };
        !known && (self.booleans || self.numbers.seen || self.texts.seen || self.object || self.array)
    }

    /// Forgets lists and objects, where no value of a known type was found in any, and none beside them.
    fn forget_hollow(&mut self) {
        self.fields.values_mut().for_each(Self::forget_hollow);
        if let Some(elements) = &mut self.elements {
            elements.forget_hollow();
        }
        if self.booleans || self.numbers.seen || self.texts.seen || self.is_map || (self.object && self.array) {
            return;
        }
        self.object &= !self.columns().is_empty();
        self.array &= self.elements.as_ref().is_some_and(|elements| elements.column_type().is_some());
    }

    fn columns(&self) -> Vec<Column> {
        let typed = self.fields.iter().filter_map(|(name, field)| Some((name, field.column_type()?)));
        typed.map(|(name, column_type)| Column { name: name.clone(), column_type, nullable: true }).collect()
    }

    /// The type that holds every value seen; none when there was none.
    fn column_type(&self) -> Option<ColumnType> {
        let kinds = [self.booleans, self.numbers.seen, self.texts.seen, self.object, self.array];
        match kinds {
            [false, false, false, false, false] => None,
            [true, false, false, false, false] => Some(ColumnType::Boolean),
            [false, true, false, false, false] => Some(self.numbers.column_type()),
            [false, false, true, false, false] => Some(self.texts.column_type()),
            [false, false, false, true, false] => {
                let columns = self.columns();
                Some(if columns.is_empty() { ColumnType::Json } else { ColumnType::Struct(columns) })
            }
            [false, false, false, false, true] => {
                let element = self.elements.as_ref().and_then(|elements| elements.column_type());
                Some(element.map_or(ColumnType::Json, |element| ColumnType::List(Box::new(element))))
            }
            _ => Some(ColumnType::Json),
        }
    }

    fn collect_always_null(&self, place: &str, paths: &mut Vec<String>) {
        for (name, field) in &self.fields {
            let mut path = place.to_owned();
            // Writing to a string cannot fail.
            if write!(path, ".{name}").is_ok() && field.column_type().is_none() {
                paths.push(path);
            } else if let Some(ColumnType::Struct(_)) = field.column_type() {
                field.collect_always_null(&path, paths);
            }
        }
    }
}

impl Guess {
    fn collect_beyond_doubles(&self, place: &str, places: &mut Places) {
        if self.numbers.beyond_double {
            places.insert(place.to_owned());
        }
        if let Some(elements) = &self.elements {
            elements.collect_beyond_doubles(place, places);
        }
        for (name, field) in &self.fields {
            field.collect_beyond_doubles(&member_path(place, name), places);
        }
    }
}

impl Numbers {
    /// Takes a number into account; with `keeps_kinds`, none that no double is where there are fractions, and no fraction where there is such a one.
    fn observe_kind(&mut self, number: NumberText<'_>, keeps_kinds: bool) {
        let mut with = *self;
        with.observe(number);
        if !(keeps_kinds && with.fractions && with.beyond_double) {
            *self = with;
        }
    }

    fn observe(&mut self, number: NumberText<'_>) {
        self.seen = true;
        if !number.is_integer {
            self.fractions = true;
            self.beyond_all |= to_f64(number).is_err();
            return;
        }
        if let Ok(value) = number.text.parse::<i64>() {
            self.beyond_double |= value.unsigned_abs() > EXACT_IN_DOUBLE_MAX;
        } else {
            self.beyond_double = true;
            self.beyond_i64 = true;
            self.beyond_all |= to_decimal(number.text, 38, 0).is_err();
        }
    }

    fn column_type(self) -> ColumnType {
        match self {
            Self { beyond_all: true, .. } | Self { fractions: true, beyond_double: true, .. } => ColumnType::Json,
            Self { fractions: true, .. } => ColumnType::Float64,
            Self { beyond_i64: true, .. } => ColumnType::Decimal128 { precision: 38, scale: 0 },
            _ => ColumnType::Int64,
        }
    }
}

impl Texts {
    /// Takes a string into account; none is a string that is no Unicode text.
    fn observe(&mut self, text: Option<&str>) {
        self.seen = true;
        let bytes = text.unwrap_or_default().as_bytes();
        self.not_instant |= whole(bytes, instant).is_err();
        self.not_date |= whole(bytes, date).is_err();
    }

    fn column_type(&self) -> ColumnType {
        match (self.not_instant, self.not_date) {
            (false, _) => ColumnType::TimestampUtc,
            (true, false) => ColumnType::Date32,
            (true, true) => ColumnType::Utf8,
        }
    }
}

#[cfg(test)]
mod tests;
