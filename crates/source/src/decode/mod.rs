//! The bytes of a page become rows: straight into column buffers, with no tree of JSON values in between.
//!
//! A [`PageDecoder`] takes page after page and gives out Arrow batches. In one pass over a page it finds the records
//! (`data_selector`), picks up what the paginator wants to know, types every value by the schema, and checks that the
//! *whole* page is valid JSON by RFC 8259, also where it only skips. What it never does: bend a value to make it fit,
//! keep half a page, panic, or recurse deeper than its limit.
//!
//! # Rules
//! * A page that is not valid JSON, is nested too deeply anywhere, or lacks what the selector names, is an error, and
//!   nothing of it is kept.
//! * A record that does not fit the schema is a [`Reject`] with the JSON path of the value; the rest of the page stays.
//! * A missing field and `null` are both null; in a column that must have a value they refuse the record.
//! * A key that comes twice in one object: the last one counts, but every one must fit. Keys are compared by their
//!   meaning, not by their escapes.
//! * A value is taken where the column holds exactly what it says: `docs/types.md` has the table. Numbers and booleans may be
//!   written as strings; integers are numbers without a fraction (`2.0` is one); doubles are the nearest to the text; decimals
//!   are exact; dates and times are RFC 3339 (see [`timestamp`], and [`spelling`] for what else says one thing); a number is a
//!   date-time only where the schema says what it counts. JSON columns keep the value's own text, as it came.
//! * A string with half of a surrogate pair is valid JSON but no text: in a text column it refuses the record.
//!
//! # One value going through
//! `{"items":[{"start_time":"2026-11-23T08:00:00+01:00"}],"total":1}` with the selector `items` and the lookup `total`
//! becomes one row, 2026-11-23T07:00:00Z in microseconds, and `PageMeta { records: 1, values: [Found(Number("1"))] }`.

mod columns;
mod delimited;
mod detect;
mod discard;
mod duration;
mod error;
mod hints;
mod infer;
mod keys;
mod number;
mod record;
mod refusal;
mod scanner;
mod select;
mod sink;
mod spelling;
mod text;
mod timestamp;
mod variant;

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

pub use error::{DecodeError, Position};
pub use infer::Inferrer;
pub use record::{Admission, RawRecord, RecordGate};

use self::columns::ObjectBuffer;
use self::delimited::as_lines;
use self::detect::detect;
use self::error::PageResult;
use self::scanner::Scanner;
use self::select::{Walked, walk, walk_lines};
use self::sink::{RowSink, Treatment};
use self::variant::VariantRules;
use crate::paginate::{Lookup, PageMeta};
use crate::spec::RecordFormat;
use lakefeed_model::reject::Reject;
use lakefeed_model::schema::{FieldRules, RecordSchema, Variant};
use lakefeed_model::spec::JsonPath;

/// Bytes of a refused record that are kept; the rest is cut off.
pub const REJECT_RAW_BYTES_MAX: usize = 64 * 1024;

/// Turns pages into batches of one schema.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
pub struct PageDecoder {
    root: ObjectBuffer,
    /// Whether some field does something else about a value that does not fit than to refuse its record.
    has_rules: bool,
    rules: FieldRules,
    /// Which of the rows delete, ascending.
    deletes: Vec<usize>,
    schema: SchemaRef,
    /// Whether batches say which rows delete.
    shows_deletes: bool,
    selector: Selector,
    lookups: Vec<JsonPath>,
    wants_hints: bool,
    format: RecordFormat,
    options: DecodeOptions,
    misfits: Misfits,
    /// Columns whose values do not go to variants.
    fixed: Vec<String>,
    passes_hollow: bool,
}

/// How to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The deepest nesting of a page; a deeper one is an error. Never more than 1,024.
    pub depth_max: u32,
    /// What becomes of a field that the schema does not have.
    pub unknown_fields: UnknownFields,
}

/// What becomes of a field that the schema does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// It is left out.
    Ignore,
    /// Its record is refused, unless its value is null.
    Reject,
    /// The page fails, unless its value is null.
    Fail,
}

/// What becomes of a value that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfits {
    /// Its record is refused.
    Reject,
    /// It is null, where its column may be null; else its record is refused.
    Null,
    /// It goes to the column beside its own for values of its kind ([`Variant`]). Where there is none, it is treated as a field that the schema
    /// does not have, and the page says that it wants one.
    Variant,
    /// The page fails.
    Fail,
}

/// What a page held, beside its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What the paginator wants to know.
    pub meta: PageMeta,
    /// The records that were refused, in order.
    pub rejects: Vec<Reject>,
    /// The values that did not fit and that null stands for, by the rule of their field, in order. Their records are rows.
    pub nulled: Vec<Reject>,
    /// Records that the gate dropped.
    pub dropped: u64,
    /// Values that did not fit and that null stands for, by the schema contract.
    pub discarded: u64,
    /// Columns that records were refused for lack of, with [`Misfits::Variant`]; one may come more than once.
    pub variants: Vec<Variant>,
}

/// Where the records of a page are, and who said so.
#[derive(Debug, Clone)]
enum Selector {
    Configured(JsonPath),
    Detected(JsonPath),
    /// No page was seen yet.
    Undetected,
}

impl PageDecoder {
    /// A decoder of records of `schema`, which are at `selector` in each page; without one, the first page decides
    /// where. What is at each of `lookups` is reported with each page.
    pub fn new(
        schema: &RecordSchema,
        selector: Option<JsonPath>,
        lookups: Vec<JsonPath>,
        options: DecodeOptions,
    ) -> Self {
        Self::with_rules(schema, &FieldRules::default(), selector, lookups, options)
    }

    /// As [`Self::new`], with fields that are read by rules of their own.
    pub fn with_rules(
        schema: &RecordSchema,
        rules: &FieldRules,
        selector: Option<JsonPath>,
        lookups: Vec<JsonPath>,
        options: DecodeOptions,
    ) -> Self {
        Self {
            root: ObjectBuffer::new(schema.columns(), &mut Vec::new(), rules),
            has_rules: rules.has_on_error(),
            rules: rules.clone(),
            deletes: Vec::new(),
            schema: schema.to_arrow(),
            shows_deletes: false,
            selector: Selector::new(selector),
            lookups,
            wants_hints: false,
            format: RecordFormat::Json,
            options,
            misfits: Misfits::Reject,
            fixed: Vec::new(),
            passes_hollow: false,
        }
    }

    /// From the next page on, this becomes of what the schema does not take. Until then, misfits are refused.
    pub fn treat(&mut self, unknown_fields: UnknownFields, misfits: Misfits) {
        self.options.unknown_fields = unknown_fields;
        self.misfits = misfits;
    }

    /// Where the schema lacks a field, lists and objects that hold nothing say no more of it than null does.
    #[must_use]
    pub fn passing_over_hollow(self, passes_hollow: bool) -> Self {
        Self { passes_hollow, ..self }
    }

    /// The values at these places of the record, such as `$.id`, are never moved to variants.
    #[must_use]
    pub fn keeping(self, fixed: Vec<String>) -> Self {
        Self { fixed, ..self }
    }

    /// Drops all rows from `rows` on: the last page is as if it had not been decoded.
    pub fn truncate(&mut self, rows: usize) {
        self.root.truncate(rows);
        self.deletes.retain(|row| *row < rows);
    }

    /// From the next page on, records are of `schema`. Rows that are buffered are lost: [`Self::flush`] them first.
    pub fn become_of(&mut self, schema: &RecordSchema, key: &[String]) {
        self.root = ObjectBuffer::new(schema.columns(), &mut Vec::new(), &self.rules);
        self.schema = if self.shows_deletes { schema.to_arrow_with_deletes(key) } else { schema.to_arrow() };
    }

    /// From the next [`Self::become_of`] on, fields are read by `rules`.
    pub fn read_by(&mut self, rules: FieldRules) {
        self.has_rules = rules.has_on_error();
        self.rules = rules;
    }

    /// Where the records of a page are; `None` before the first page, where nobody has said so.
    pub fn selector(&self) -> Option<&JsonPath> {
        match &self.selector {
            Selector::Configured(path) | Selector::Detected(path) => Some(path),
            Selector::Undetected => None,
        }
    }

    /// The decoder of records some of which delete, as its gate says: its batches are those of
    /// [`RecordSchema::to_arrow_with_deletes`].
    #[must_use]
    pub fn with_deletes(self, schema: &RecordSchema, key: &[String]) -> Self {
        Self { schema: schema.to_arrow_with_deletes(key), shows_deletes: true, ..self }
    }

    /// Takes the body of the page with the number `page`: appends all of its rows, or none.
    ///
    /// # Errors
    /// When the body is not a page of JSON, or has no records where the selector says; the decoder is then as before.
    pub fn decode(&mut self, page: u64, bytes: &[u8]) -> Result<Decoded, DecodeError> {
        self.decode_with(page, bytes, None)
    }

    /// As [`Self::decode`], with a gate that decides about each record first.
    ///
    /// # Errors
    /// As [`Self::decode`], and when the gate fails the page.
    pub fn decode_with(
        &mut self,
        page: u64,
        bytes: &[u8],
        gate: Option<&mut dyn RecordGate>,
    ) -> Result<Decoded, DecodeError> {
        let rows_before = self.root.rows();
        self.decode_page(page, bytes, gate).map_err(|error| {
            self.root.truncate(rows_before);
            self.deletes.retain(|row| *row < rows_before);
            *error
        })
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

    fn decode_page(&mut self, page: u64, bytes: &[u8], gate: Option<&mut dyn RecordGate>) -> PageResult<Decoded> {
        match self.format {
            RecordFormat::Json => {}
            RecordFormat::Ndjson => return self.decode_lines(page, bytes, gate),
            RecordFormat::Delimited { delimiter } => {
                let texts = self.schema.fields().iter().filter(|field| is_text(field.data_type()));
                let texts = texts.map(|field| field.name().clone()).collect();
                return self.decode_lines(page, &as_lines(bytes, delimiter, &texts)?, gate);
            }
        }
        let mut scanner = Scanner::new(bytes, self.options.depth_max)?;
        let selector = self.selector.for_page(&scanner)?;
        let hints =
            if self.wants_hints { Some(Box::new(hints::hints(scanner.clone(), selector.path())?)) } else { None };
        let variants = VariantRules { fields: self.schema.fields(), fixed: &self.fixed };
        let treatment =
            Treatment { misfits: self.misfits, has_rules: self.has_rules, passes_hollow: self.passes_hollow, variants };
        let mut sink = RowSink::new(&mut self.root, &mut self.deletes, self.options, treatment, gate, page);
        let Walked { values, content } =
            selector.explain(walk(&mut scanner, selector.path(), &self.lookups, &mut sink))?;
        let meta = PageMeta { records: sink.records, values, hints, content, ..PageMeta::default() };
        let decoded = sink.decoded(meta);
        self.selector = selector;
        Ok(decoded)
    }

    /// A page of lines, each a record.
    fn decode_lines(&mut self, page: u64, bytes: &[u8], gate: Option<&mut dyn RecordGate>) -> PageResult<Decoded> {
        let variants = VariantRules { fields: self.schema.fields(), fixed: &self.fixed };
        let treatment =
            Treatment { misfits: self.misfits, has_rules: self.has_rules, passes_hollow: self.passes_hollow, variants };
        let mut sink = RowSink::new(&mut self.root, &mut self.deletes, self.options, treatment, gate, page);
        let content = if is_blank(bytes) {
            None
        } else {
            walk_lines(&mut Scanner::new(bytes, self.options.depth_max)?, &mut sink)?
        };
        let values = vec![Lookup::Missing; self.lookups.len()];
        let meta = PageMeta { records: sink.records, values, content, ..PageMeta::default() };
        Ok(sink.decoded(meta))
    }

    /// Rows that are buffered.
    pub fn rows(&self) -> usize {
        self.root.rows()
    }

    /// Bytes that are buffered, nearly.
    pub fn bytes(&self) -> usize {
        self.root.bytes()
    }

    /// Takes the buffered rows out, perhaps none, as a batch of the schema's Arrow form.
    ///
    /// # Errors
    /// When the schema has a type that Arrow does not have, such as a decimal of 0 digits; the rows are lost then.
    pub fn flush(&mut self) -> Result<RecordBatch, DecodeError> {
        let rows = self.root.rows();
        let mut columns = self.root.take_columns(self.schema.fields())?;
        let deletes = std::mem::take(&mut self.deletes);
        if self.shows_deletes {
            let mut flags = vec![false; rows];
            for row in deletes {
                if let Some(flag) = flags.get_mut(row) {
                    *flag = true;
                }
            }
            columns.push(Arc::new(BooleanArray::from(flags)));
        }
        Ok(RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?)
    }
}

impl Selector {
    fn new(configured: Option<JsonPath>) -> Self {
        configured.map_or(Self::Undetected, Self::Configured)
    }

    /// The selector, which the page at `scanner` decides if nothing else has.
    fn for_page(&self, scanner: &Scanner<'_>) -> PageResult<Self> {
        match self {
            Self::Configured(_) | Self::Detected(_) => Ok(self.clone()),
            Self::Undetected => Ok(Self::Detected(detect(scanner.clone())?)),
        }
    }

    fn path(&self) -> &JsonPath {
        static ROOT: JsonPath = JsonPath::root();
        match self {
            Self::Configured(path) | Self::Detected(path) => path,
            Self::Undetected => &ROOT,
        }
    }

    /// Says in an error about the selector whether it was configured.
    fn explain<T>(&self, mut result: PageResult<T>) -> PageResult<T> {
        if let Err(error) = &mut result
            && let DecodeError::SelectorMissing { detected, .. } | DecodeError::SelectorNotRecords { detected, .. } =
                &mut **error
        {
            *detected = matches!(self, Self::Detected(_));
        }
        result
    }
}

/// Whether a cell of such a column is text, whatever it looks like.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Dictionary(_, _) | DataType::Binary)
}

/// Whether a page has nothing but whitespace: of lines, that is a page without records.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests;
