//! Takes page after page and gives out Arrow batches.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

use lakefeed_model::schema::{FieldRules, RecordSchema};
use lakefeed_model::spec::JsonPath;

use super::decoded::Decoded;
use super::selector::Selector;
use super::sink::{RowSink, Treatment};
use super::variant::VariantRules;
use crate::decode::columns::object::ObjectBuffer;
use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::Scanner;
use crate::decode::options::{DecodeOptions, Misfits, UnknownFields};
use crate::decode::walk::delimited::{as_lines, is_blank};
use crate::decode::walk::hints;
use crate::decode::walk::record::RecordGate;
use crate::decode::walk::select::{Walked, walk, walk_lines};
use crate::paginate::{Lookup, PageMeta};
use crate::spec::RecordFormat;

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

/// Whether a cell of such a column is text, whatever it looks like.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Dictionary(_, _) | DataType::Binary)
}
