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
mod spelling;
mod text;
mod timestamp;

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

pub use error::{DecodeError, Position};
pub use infer::Inferrer;
pub use record::{Admission, RawRecord, RecordGate};

use self::columns::{ObjectBuffer, Reading};
use self::delimited::as_lines;
use self::detect::detect;
use self::discard::with_null_at;
use self::error::PageResult;
use self::refusal::{Refusal, Stop, describe};
use self::scanner::{Kind, Scanner};
use self::select::{RecordSink, Walked, walk, walk_lines};
use crate::paginate::{Lookup, PageMeta};
use crate::reject::{Reject, RejectCode};
use crate::schema::{FieldRules, RecordSchema};
use crate::spec::{JsonPath, RecordFormat};

/// Bytes of a refused record that are kept; the rest is cut off.
pub const REJECT_RAW_BYTES_MAX: usize = 64 * 1024;

/// Values of one record that are made null; with more of them it is refused.
const NULLED_VALUES_MAX: u64 = 1_000;

/// Turns pages into batches of one schema.
#[derive(Debug)]
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
        }
    }

    /// From the next page on, this becomes of what the schema does not take. Until then, misfits are refused.
    pub fn treat(&mut self, unknown_fields: UnknownFields, misfits: Misfits) {
        self.options.unknown_fields = unknown_fields;
        self.misfits = misfits;
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
        let mut sink = RowSink::new(&mut self.root, &mut self.deletes, self.options, self.has_rules, gate, page);
        sink.misfits = self.misfits;
        let Walked { values, content } =
            selector.explain(walk(&mut scanner, selector.path(), &self.lookups, &mut sink))?;
        let meta = PageMeta { records: sink.records, values, hints, content, ..PageMeta::default() };
        let decoded = sink.decoded(meta);
        self.selector = selector;
        Ok(decoded)
    }

    /// A page of lines, each a record.
    fn decode_lines(&mut self, page: u64, bytes: &[u8], gate: Option<&mut dyn RecordGate>) -> PageResult<Decoded> {
        let mut sink = RowSink::new(&mut self.root, &mut self.deletes, self.options, self.has_rules, gate, page);
        sink.misfits = self.misfits;
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

/// Types the records of one page.
struct RowSink<'d, 'g> {
    root: &'d mut ObjectBuffer,
    deletes: &'d mut Vec<usize>,
    misfits: Misfits,
    gate: Option<&'g mut dyn RecordGate>,
    page: u64,
    records: u64,
    dropped: u64,
    discarded: u64,
    rejects: Vec<Reject>,
    nulled: Vec<Reject>,
    reading: Reading,
    depth_max: u32,
}

/// How far a [`RowSink`] got.
#[derive(Debug, Clone, Copy)]
struct RowMark {
    rows: usize,
    records: u64,
    dropped: u64,
    discarded: u64,
    rejects: usize,
    nulled: usize,
}

impl RecordSink for RowSink<'_, '_> {
    type Mark = RowMark;

    #[inline]
    fn record(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        if self.gate.is_some() {
            self.gated(scanner)?;
        } else if let Some(refusal) = self.typed(scanner)? {
            let raw = scanner.value_text()?;
            self.refuse(&refusal, raw);
        }
        self.records += 1;
        Ok(())
    }

    fn mark(&self) -> RowMark {
        RowMark {
            rows: self.root.rows(),
            records: self.records,
            dropped: self.dropped,
            discarded: self.discarded,
            rejects: self.rejects.len(),
            nulled: self.nulled.len(),
        }
    }

    fn roll_back(&mut self, mark: RowMark) {
        self.root.truncate(mark.rows);
        self.deletes.retain(|row| *row < mark.rows);
        self.records = mark.records;
        self.dropped = mark.dropped;
        self.discarded = mark.discarded;
        self.rejects.truncate(mark.rejects);
        self.nulled.truncate(mark.nulled);
    }
}

impl<'d, 'g> RowSink<'d, 'g> {
    fn new(
        root: &'d mut ObjectBuffer,
        deletes: &'d mut Vec<usize>,
        options: DecodeOptions,
        has_rules: bool,
        gate: Option<&'g mut dyn RecordGate>,
        page: u64,
    ) -> Self {
        let reading = Reading { unknown: options.unknown_fields, has_rules, nulled: Vec::new() };
        let depth_max = options.depth_max;
        let (rejects, nulled) = (Vec::new(), Vec::new());
        let (misfits, discarded) = (Misfits::Reject, 0);
        Self {
            root,
            deletes,
            misfits,
            gate,
            page,
            records: 0,
            dropped: 0,
            discarded,
            rejects,
            nulled,
            reading,
            depth_max,
        }
    }

    fn decoded(self, meta: PageMeta) -> Decoded {
        let Self { rejects, nulled, dropped, discarded, .. } = self;
        Decoded { meta, rejects, nulled, dropped, discarded }
    }

    /// Types the record at the cursor. When it is refused, the cursor is back at its start, since what follows the refused value
    /// must be valid JSON too.
    #[inline]
    fn typed(&mut self, scanner: &mut Scanner<'_>) -> PageResult<Option<Box<Refusal>>> {
        let start = scanner.bookmark();
        let row = self.root.rows();
        let outcome = match scanner.kind()? {
            Kind::Object => self.root.read(scanner, &mut self.reading),
            Kind::Null | Kind::Boolean | Kind::Number | Kind::Text | Kind::Array => not_an_object(scanner),
        };
        match outcome {
            Ok(()) => {
                if !self.reading.nulled.is_empty() {
                    self.note(scanner.text_from(start));
                }
                Ok(None)
            }
            Err(Stop::Page(error)) => Err(error),
            Err(Stop::Record(refusal)) if refusal.is_fatal => refused(&refusal),
            Err(Stop::Record(refusal)) => {
                self.root.truncate(row);
                self.reading.nulled.clear();
                scanner.return_to(start);
                self.treated(scanner, refusal)
            }
        }
    }

    /// Does with a refused record, which begins at the cursor, what is to be done with such ones.
    #[cold]
    fn treated(&mut self, scanner: &mut Scanner<'_>, refusal: Box<Refusal>) -> PageResult<Option<Box<Refusal>>> {
        let is_misfit = refusal.code.is_about_a_value();
        let is_unknown = refusal.code == RejectCode::UnknownField;
        let fails =
            (is_unknown && self.reading.unknown == UnknownFields::Fail) || (is_misfit && self.misfits == Misfits::Fail);
        if fails {
            return Err(Box::new(DecodeError::Frozen {
                position: self.records,
                path: refusal.path(),
                reason: refusal.reason.clone(),
                is_unknown,
            }));
        }
        if !is_misfit || self.misfits != Misfits::Null {
            return Ok(Some(refusal));
        }
        let start = scanner.bookmark();
        let raw = scanner.value_text()?;
        let refusal = self.typed_with_nulls(raw, refusal)?;
        if refusal.is_some() {
            scanner.return_to(start);
        }
        Ok(refusal)
    }

    /// Types a record with null in place of every value that does not fit, of which `first` is the first.
    fn typed_with_nulls(&mut self, raw: &str, first: Box<Refusal>) -> PageResult<Option<Box<Refusal>>> {
        let row = self.root.rows();
        let mut text = raw.to_owned();
        let mut refusal = first;
        for nulled in 1..=NULLED_VALUES_MAX {
            match with_null_at(&text, &refusal.steps) {
                Some(nulled) if refusal.code.is_about_a_value() => text = nulled,
                Some(_) | None => return Ok(Some(refusal)),
            }
            let mut scanner = Scanner::new(text.as_bytes(), self.depth_max)?;
            match self.root.read(&mut scanner, &mut self.reading) {
                Ok(()) => {
                    self.discarded += nulled;
                    self.note(raw);
                    return Ok(None);
                }
                Err(Stop::Page(error)) => return Err(error),
                Err(Stop::Record(next)) => {
                    self.root.truncate(row);
                    self.reading.nulled.clear();
                    refusal = next;
                }
            }
        }
        Ok(Some(refusal))
    }

    /// Types what is known of a record that deletes.
    fn typed_delete(&mut self, text: &str) -> PageResult<Option<Box<Refusal>>> {
        let row = self.root.rows();
        let mut scanner = Scanner::new(text.as_bytes(), self.depth_max)?;
        let unknown = std::mem::replace(&mut self.reading.unknown, UnknownFields::Ignore);
        let outcome = match scanner.kind()? {
            Kind::Object => self.root.read_leniently(&mut scanner, &mut self.reading),
            Kind::Null | Kind::Boolean | Kind::Number | Kind::Text | Kind::Array => not_an_object(&mut scanner),
        };
        self.reading.unknown = unknown;
        match outcome {
            Ok(()) => {
                self.deletes.push(row);
                if !self.reading.nulled.is_empty() {
                    self.note(text);
                }
                Ok(None)
            }
            Err(Stop::Page(error)) => Err(error),
            Err(Stop::Record(refusal)) if refusal.is_fatal => refused(&refusal),
            Err(Stop::Record(refusal)) => {
                self.root.truncate(row);
                self.reading.nulled.clear();
                Ok(Some(refusal))
            }
        }
    }

    /// Lets the gate decide about the record at the cursor.
    fn gated(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        let start = scanner.bookmark();
        let raw = scanner.value_text()?;
        let admission = match &mut self.gate {
            Some(gate) => gate.admit(RawRecord::new(raw)).map_err(|error| Box::new(DecodeError::Gate(error)))?,
            None => Admission::Keep,
        };
        let refusal = match admission {
            Admission::Keep => {
                scanner.return_to(start);
                let refusal = self.typed(scanner)?;
                if refusal.is_some() {
                    scanner.skip_value()?;
                }
                refusal
            }
            Admission::Drop => {
                self.dropped += 1;
                None
            }
            Admission::Rewrite(text) => {
                let mut rewritten = Scanner::new(text.as_bytes(), self.depth_max)?;
                self.typed(&mut rewritten)?
            }
            Admission::Delete(text) => self.typed_delete(&text)?,
            Admission::Refuse { code, path, reason } => {
                self.reject(code, path, reason, raw);
                None
            }
        };
        if let Some(refusal) = refusal {
            self.refuse(&refusal, raw);
        }
        Ok(())
    }
}

impl RowSink<'_, '_> {
    #[cold]
    fn refuse(&mut self, refusal: &Refusal, raw: &str) {
        self.reject(refusal.code, refusal.path(), refusal.reason.clone(), raw);
    }

    #[cold]
    fn reject(&mut self, code: RejectCode, path: String, reason: String, raw: &str) {
        let reject = self.reject_of(code, path, reason, raw);
        self.rejects.push(reject);
    }

    /// Keeps what null stands for in the record of `raw`.
    #[cold]
    fn note(&mut self, raw: &str) {
        for refusal in std::mem::take(&mut self.reading.nulled) {
            let reason = format!("{}; null stands for it", refusal.reason);
            let reject = self.reject_of(refusal.code, refusal.path(), reason, raw);
            self.nulled.push(reject);
        }
    }

    fn reject_of(&self, code: RejectCode, path: String, reason: String, raw: &str) -> Reject {
        let kept = self.gate.as_ref().map(|gate| gate.kept(raw));
        let raw = kept.as_deref().unwrap_or(raw);
        let mut length = raw.len().min(REJECT_RAW_BYTES_MAX);
        while !raw.is_char_boundary(length) {
            length -= 1;
        }
        let raw = raw.get(..length).unwrap_or(raw).to_owned();
        Reject { page: self.page, position: self.records, path, code, reason, raw }
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

#[cold]
fn refused<T>(refusal: &Refusal) -> PageResult<T> {
    Err(Box::new(DecodeError::Refused { path: refusal.path(), reason: refusal.reason.clone() }))
}

#[cold]
fn not_an_object(scanner: &mut Scanner<'_>) -> Result<(), Stop> {
    let found = describe(scanner.value_text()?);
    Err(Stop::record(RejectCode::NotAnObject, format!("expected an object, found {found}")))
}

#[cfg(test)]
mod tests;
