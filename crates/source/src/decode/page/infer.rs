//! What the columns of a resource probably are, from its records.
//!
//! The narrowest type that holds every value seen is taken, and it never costs exactness: where whole numbers and
//! fractions mix and a double would not hold each of them, where kinds mix, or where an object's keys look like data, the column is JSON,
//! which keeps the text. A field that was never anything but null is left out, as in dlt, and can be asked for by
//! [`Inferrer::always_null`].

use std::collections::HashSet;
use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::paginate::{Lookup, PageMeta};
use crate::spec::RecordFormat;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{Column, ColumnType, Places, RecordSchema, member_path};
use lakefeed_model::spec::JsonPath;

use super::selector::Selector;
use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::{Kind, NumberText, Scanner};
use crate::decode::value::number::{to_decimal, to_f64};
use crate::decode::value::timestamp::{date, instant, whole};
use crate::decode::walk::delimited::{as_lines, is_blank};
use crate::decode::walk::hints::hints;
use crate::decode::walk::record::{Admission, RawRecord, RecordGate};
use crate::decode::walk::select::{RecordSink, Walked, walk, walk_lines};

/// An object with more fields than this is a map whose keys are data.
const FIELDS_MAX: usize = 1_000;
/// The greatest whole number up to which a double holds every one.
const EXACT_IN_DOUBLE_MAX: u64 = 1 << 53;

/// Looks at pages and proposes a schema.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
pub struct Inferrer {
    selector: Selector,
    lookups: Vec<JsonPath>,
    primary_key: Vec<String>,
    wants_hints: bool,
    format: RecordFormat,
    depth_max: u32,
    records: u64,
    /// The records have cells, which are text where they are not all alike.
    has_cells: bool,
    /// Values of another kind than the first one at their place are passed over.
    keeps_kinds: bool,
    passes_hollow: bool,
    root: Guess,
}

impl Inferrer {
    /// An inferrer of the records at `selector`; without one, the first page decides where they are. What is at each of
    /// `lookups` is reported with each page, so that a listing can be followed before its schema is known.
    pub fn new(selector: Option<JsonPath>, lookups: Vec<JsonPath>, primary_key: &[String], depth_max: u32) -> Self {
        Self {
            selector: Selector::new(selector),
            lookups,
            wants_hints: false,
            format: RecordFormat::Json,
            primary_key: primary_key.to_vec(),
            depth_max,
            records: 0,
            has_cells: false,
            keeps_kinds: false,
            passes_hollow: false,
            root: Guess::default(),
        }
    }

    /// The first value of a field decides of which kind the field is: text, number, truth, object or list. Others of another kind do not make it JSON: they
    /// are passed over, and it is for the decoder to say what becomes of them.
    #[must_use]
    pub fn keeping_kinds(self, keeps_kinds: bool) -> Self {
        Self { keeps_kinds, ..self }
    }

    /// Lists and objects that hold nothing say no more of their fields than null does, instead of making them JSON.
    #[must_use]
    pub fn passing_over_hollow(self, passes_hollow: bool) -> Self {
        Self { passes_hollow, ..self }
    }

    /// Takes the records of a page into account. A record that is not an object is passed over: decoding will refuse it.
    ///
    /// # Errors
    /// When the body is not a page of JSON, or has no records where the selector says.
    pub fn observe(&mut self, page: &[u8]) -> Result<PageMeta, DecodeError> {
        self.observe_with(page, None)
    }

    /// As [`Self::observe`], with a gate that decides about each record first.
    ///
    /// # Errors
    /// As [`Self::observe`], and when the gate fails the page.
    pub fn observe_with(&mut self, page: &[u8], gate: Option<&mut dyn RecordGate>) -> Result<PageMeta, DecodeError> {
        self.observe_page(page, gate).map_err(|error| *error)
    }

    /// Looks for `lookups` from the next page on, and for paging hints if they are wanted.
    pub fn look_for(&mut self, lookups: Vec<JsonPath>, wants_hints: bool) {
        self.lookups = lookups;
        self.wants_hints = wants_hints;
    }

    /// From the next page on, pages are of `format`.
    pub fn expect(&mut self, format: RecordFormat) {
        self.format = format;
    }

    /// A page of lines, each a record.
    fn observe_lines(&mut self, page: &[u8], gate: Option<&mut dyn RecordGate>) -> PageResult<PageMeta> {
        let mut meta = PageMeta { values: vec![Lookup::Missing; self.lookups.len()], ..PageMeta::default() };
        if is_blank(page) {
            return Ok(meta);
        }
        let mut count = Count(0);
        meta.content = walk_lines(&mut Scanner::new(page, self.depth_max)?, &mut count)?;
        meta.records = count.0;
        let mut scanner = Scanner::new(page, self.depth_max)?;
        walk_lines(&mut scanner, &mut Learning { inferrer: self, gate })?;
        Ok(meta)
    }

    fn observe_page(&mut self, page: &[u8], gate: Option<&mut dyn RecordGate>) -> PageResult<PageMeta> {
        match self.format {
            RecordFormat::Json => {}
            RecordFormat::Ndjson => return self.observe_lines(page, gate),
            RecordFormat::Delimited { delimiter } => {
                self.has_cells = true;
                return self.observe_lines(&as_lines(page, delimiter, &HashSet::new())?, gate);
            }
        }
        let mut scanner = Scanner::new(page, self.depth_max)?;
        // What is learned cannot be taken back, so the page is first walked without learning.
        let selector = self.selector.for_page(&scanner)?;
        let hints = if self.wants_hints { Some(Box::new(hints(scanner.clone(), selector.path())?)) } else { None };
        let mut count = Count(0);
        let Walked { values, content } =
            selector.explain(walk(&mut scanner.clone(), selector.path(), &self.lookups, &mut count))?;
        walk(&mut scanner, selector.path(), &[], &mut Learning { inferrer: self, gate })?;
        self.selector = selector;
        Ok(PageMeta { records: count.0, values, hints, content, ..PageMeta::default() })
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

    /// The places, lists' indexes left out, with a whole number that a double may not hold.
    pub fn beyond_doubles(&self) -> Places {
        let mut places = Places::new();
        self.root.collect_beyond_doubles("$", &mut places);
        places
    }

    /// The schema; none when no record was seen. The columns of the primary key must have a value.
    ///
    /// # Errors
    /// When the records have no usable field, more than 1,000 of them, or lack a column of the primary key.
    pub fn finish(mut self) -> Result<Option<RecordSchema>> {
        if self.records == 0 {
            return Ok(None);
        }
        if self.root.is_map {
            return Err(Error::schema(format!("the records have more than {FIELDS_MAX} different fields"))
                .with_hint("give the resource a schema"));
        }
        if self.passes_hollow {
            self.root.fields.values_mut().for_each(Guess::forget_hollow);
        }
        let mut columns = self.root.columns();
        if self.has_cells {
            for column in columns.iter_mut().filter(|column| column.column_type == ColumnType::Json) {
                column.column_type = ColumnType::Utf8;
            }
        }
        for key in &self.primary_key {
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

/// Learns from the records that the gate lets through.
struct Learning<'l, 'g> {
    inferrer: &'l mut Inferrer,
    gate: Option<&'g mut dyn RecordGate>,
}

impl RecordSink for Learning<'_, '_> {
    type Mark = ();

    fn record(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        let Some(gate) = &mut self.gate else { return self.inferrer.learn(scanner) };
        let start = scanner.bookmark();
        let raw = scanner.value_text()?;
        match gate.admit(RawRecord::new(raw)).map_err(|error| Box::new(DecodeError::Gate(error)))? {
            Admission::Keep => {
                scanner.return_to(start);
                self.inferrer.learn(scanner)
            }
            // A delete has no values to learn from.
            Admission::Drop | Admission::Delete(_) | Admission::Refuse { .. } => Ok(()),
            Admission::Rewrite(text) => {
                self.inferrer.learn(&mut Scanner::new(text.as_bytes(), self.inferrer.depth_max)?)
            }
        }
    }

    fn mark(&self) {}

    /// A value that was seen under a key that came again may still come again, so it is not forgotten.
    fn roll_back(&mut self, (): ()) {}
}

impl Inferrer {
    fn learn(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        if scanner.kind()? != Kind::Object {
            return scanner.skip_value();
        }
        self.records += 1;
        self.root.observe(scanner, self.keeps_kinds)
    }
}

/// Counts records without looking.
struct Count(u64);

impl RecordSink for Count {
    type Mark = u64;

    fn record(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        self.0 += 1;
        scanner.skip_value()
    }

    fn mark(&self) -> u64 {
        self.0
    }

    fn roll_back(&mut self, mark: u64) {
        self.0 = mark;
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
    /// One is a whole number that a double may not hold.
    beyond_double: bool,
    /// One is a whole number beyond 64 bits.
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
    /// Takes a text into account; none is a string that is no Unicode text.
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
