//! What the columns of a resource probably are, from its records.
//!
//! The narrowest type that holds every value seen is taken, and it never costs exactness: where
//! integers and fractions mix and a double would not hold each of them, where kinds mix, or where
//! an object's keys look like data, the column is JSON, which keeps the text. A field that was
//! never anything but null is left out, as in dlt, and can be asked for by
//! [`Inferrer::always_null`].

use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{ColumnType, Places, RecordSchema};
use lakefeed_model::spec::JsonPath;

use super::guess::{FIELDS_MAX, Guess, MixedKinds};
use super::reader::{Gated, PageReader};
use crate::decode::error::DecodeError;
use crate::decode::json::scanner::{Kind, Scanner};
use crate::decode::options::{EmptyContainers, PageInput};
use crate::decode::walk::record::RecordGate;
use crate::paginate::PageMeta;
use crate::spec::RecordFormat;

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

impl InferOptions {
    /// Returns options for pages that are nested `depth_max` levels deep at most.
    pub const fn with_depth(depth_max: u32) -> Self {
        Self { depth_max, empty_containers: EmptyContainers::AreValues, mixed_kinds: MixedKinds::BecomeJson }
    }
}

impl Inferrer {
    /// Makes an inferrer of the records at `selector`; without one, the first page decides where
    /// they are.
    pub fn new(selector: Option<JsonPath>, options: InferOptions) -> Self {
        let reader = PageReader::new(selector, options.depth_max);
        Self { reader, options, records: 0, has_cells: false, root: Guess::default() }
    }

    /// Takes the records of a page into account that `gate` lets through. A record that is not an
    /// object is passed over: decoding will refuse it.
    ///
    /// # Errors
    /// When the body is not a page of its format, has no records where the selector says, or the
    /// gate fails it.
    pub fn observe(
        &mut self,
        page: &PageInput<'_>,
        gate: Option<&mut dyn RecordGate>,
    ) -> Result<PageMeta, DecodeError> {
        self.has_cells |= matches!(page.format, RecordFormat::Delimited { .. });
        let Self { reader, options, records, root, .. } = self;
        let depth_max = reader.depth_max();
        let mut learn = |scanner: &mut Scanner<'_>, members: &str| {
            if scanner.kind()? != Kind::Object {
                return scanner.skip_value();
            }
            *records += 1;
            root.observe(scanner, options.mixed_kinds)?;
            if !members.is_empty() {
                root.observe(&mut Scanner::new(members.as_bytes(), depth_max)?, options.mixed_kinds)?;
            }
            Ok(())
        };
        reader
            .read_with(page, &mut Gated { gate, depth_max, members: page.members, take: &mut learn })
            .map_err(|error| *error)
    }

    /// Returns records seen so far, those that are not objects left aside.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns the paths of the fields that were never anything but null; [`Self::finish`] leaves
    /// them out.
    pub fn always_null(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.root.collect_always_null("$", &mut paths);
        paths
    }

    /// Returns the places, lists' indexes left out, with an integer that a double may not hold.
    pub fn beyond_doubles(&self) -> Places {
        let mut places = Places::new();
        self.root.collect_beyond_doubles("$", &mut places);
        places
    }

    /// Returns the schema, whose columns of the primary key must have a value; none when no record
    /// was seen.
    ///
    /// # Errors
    /// When the records have no usable field, more than 1,000 of them, or lack a column of the
    /// primary key.
    pub fn finish(mut self, primary_key: &[String]) -> Result<Option<RecordSchema>> {
        if self.records == 0 {
            return Ok(None);
        }
        if self.root.has_too_many_fields() {
            return Err(Error::schema(format!("the records have more than {FIELDS_MAX} different fields"))
                .with_hint("give the resource a schema"));
        }
        if self.options.empty_containers == EmptyContainers::AreNull {
            self.root.forget_empty_containers();
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

#[cfg(test)]
mod tests;
