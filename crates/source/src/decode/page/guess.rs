//! What the values at one place of some records are, and which type holds them all.

use std::fmt::Write as _;

use indexmap::IndexMap;

use lakefeed_model::schema::{Column, ColumnType, Places, member_path};

use crate::decode::error::PageResult;
use crate::decode::json::scanner::{Kind, NumberText, Scanner};
use crate::decode::value::number::{to_decimal, to_f64};
use crate::decode::value::timestamp::{date, instant, whole};

/// An object with more fields than this is a map whose keys are data.
pub(super) const FIELDS_MAX: usize = 1_000;
/// The greatest integer up to which a double holds every one.
const EXACT_IN_DOUBLE_MAX: u64 = 1 << 53;

/// What becomes of a field whose values are of several kinds: strings, numbers, booleans, objects
/// or lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MixedKinds {
    /// It is JSON.
    BecomeJson,
    /// It is of the kind of its first value. Others are passed over, and it is for the decoder to
    /// say what becomes of them.
    KeepFirst,
}

/// What was seen at one place of the records.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
pub(super) struct Guess {
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
    pub(super) fn observe(&mut self, scanner: &mut Scanner<'_>, mixed: MixedKinds) -> PageResult<()> {
        let kind = scanner.kind()?;
        if mixed == MixedKinds::KeepFirst && self.is_of_another_kind(kind) {
            return scanner.skip_value();
        }
        match kind {
            Kind::Null => scanner.skip_value(),
            Kind::Boolean => {
                self.booleans = true;
                scanner.skip_value()
            }
            Kind::Number => {
                self.numbers.observe_kind(scanner.number()?, mixed);
                Ok(())
            }
            Kind::Text => {
                let text = scanner.string()?;
                self.texts.observe(text.decoded().ok().as_deref());
                Ok(())
            }
            Kind::Object => self.observe_object(scanner, mixed),
            Kind::Array => {
                self.array = true;
                let elements = self.elements.get_or_insert_default();
                let mut more = scanner.enter_array()?;
                while more {
                    elements.observe(scanner, mixed)?;
                    more = scanner.next_element()?;
                }
                Ok(())
            }
        }
    }

    fn observe_object(&mut self, scanner: &mut Scanner<'_>, mixed: MixedKinds) -> PageResult<()> {
        self.object = true;
        let mut more = scanner.enter_object()?;
        while more {
            let key = scanner.key()?;
            match key.decoded() {
                Ok(name) if !self.is_map => match self.fields.get_mut(&*name) {
                    Some(field) => field.observe(scanner, mixed)?,
                    None => self.fields.entry(name.into_owned()).or_default().observe(scanner, mixed)?,
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

    /// Returns whether there were values here, of which none was of `kind`.
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

    /// Returns whether the records have more fields than a record may have.
    pub(super) fn has_too_many_fields(&self) -> bool {
        self.is_map
    }

    /// Forgets, at all places of a record, lists and objects that hold nothing.
    pub(super) fn forget_empty_containers(&mut self) {
        self.fields.values_mut().for_each(Self::forget_empty);
    }

    /// Forgets lists and objects, where no value of a known type was found in any, and none beside
    /// them.
    fn forget_empty(&mut self) {
        self.fields.values_mut().for_each(Self::forget_empty);
        if let Some(elements) = &mut self.elements {
            elements.forget_empty();
        }
        if self.booleans || self.numbers.seen || self.texts.seen || self.is_map || (self.object && self.array) {
            return;
        }
        self.object &= !self.columns().is_empty();
        self.array &= self.elements.as_ref().is_some_and(|elements| elements.column_type().is_some());
    }

    pub(super) fn columns(&self) -> Vec<Column> {
        let typed = self.fields.iter().filter_map(|(name, field)| Some((name, field.column_type()?)));
        typed.map(|(name, column_type)| Column { name: name.clone(), column_type, nullable: true }).collect()
    }

    /// Returns the type that holds every value seen; none when there was none.
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

    pub(super) fn collect_always_null(&self, place: &str, paths: &mut Vec<String>) {
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
    pub(super) fn collect_beyond_doubles(&self, place: &str, places: &mut Places) {
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
    /// Takes a number into account; where the first kind is kept, none that no double is where
    /// there are fractions, and no fraction where there is such a one.
    fn observe_kind(&mut self, number: NumberText<'_>, mixed: MixedKinds) {
        let mut with = *self;
        with.observe(number);
        if mixed == MixedKinds::BecomeJson || !(with.fractions && with.beyond_double) {
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
