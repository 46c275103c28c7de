//! Takes page after page and gives out Arrow batches.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, SchemaRef};

use lakefeed_model::schema::FieldRules;
use lakefeed_model::spec::JsonPath;

use super::decoded::Decoded;
use super::selector::Selector;
use super::sink::{RowSink, Treatment};
use super::variant::VariantRules;
use crate::decode::columns::object::ObjectBuffer;
use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::Scanner;
use crate::decode::options::{DecodeOptions, MismatchPolicy, PageInput, RowTarget};
use crate::decode::walk::delimited::{as_lines, is_blank};
use crate::decode::walk::record::RecordGate;
use crate::decode::walk::select::{Walked, walk, walk_lines};
use crate::paginate::{Lookup, PageMeta};
use crate::spec::RecordFormat;

/// Turns pages into batches of one schema.
#[derive(Debug)]
pub struct PageDecoder {
    root: ObjectBuffer,
    /// Which of the rows delete, ascending; `None` where batches do not say it.
    deletes: Option<Vec<usize>>,
    schema: SchemaRef,
    /// Whether some field does something else about a value that does not fit than to refuse its
    /// record.
    has_rules: bool,
    /// The paths of fields whose values do not go to variants.
    fixed_fields: Vec<String>,
    selector: Selector,
    options: DecodeOptions,
}

impl PageDecoder {
    /// Makes a decoder of records that become rows of `target`. They are at `selector` in each
    /// page; without one, the first page decides where.
    pub fn new<'t>(target: impl Into<RowTarget<'t>>, selector: Option<JsonPath>, options: DecodeOptions) -> Self {
        Self::at(&target.into(), Selector::new(selector), options)
    }

    /// Makes a decoder of records that nobody wants rows of: it tells which of them are refused,
    /// and counts the others.
    pub fn of_nothing(selector: Option<JsonPath>, options: DecodeOptions) -> Self {
        Self {
            root: ObjectBuffer::new(&[], &mut Vec::new(), &FieldRules::default()),
            deletes: None,
            schema: SchemaRef::new(Schema::empty()),
            has_rules: false,
            fixed_fields: Vec::new(),
            selector: Selector::new(selector),
            options,
        }
    }

    fn at(target: &RowTarget<'_>, selector: Selector, options: DecodeOptions) -> Self {
        let RowTarget { schema, rules, fixed_fields, delete_key } = *target;
        let plain = FieldRules::default();
        let rules = rules.unwrap_or(&plain);
        Self {
            root: ObjectBuffer::new(schema.columns(), &mut Vec::new(), rules),
            deletes: delete_key.map(|_| Vec::new()),
            schema: delete_key.map_or_else(|| schema.to_arrow(), |key| schema.to_arrow_with_deletes(key)),
            has_rules: rules.has_on_error(),
            fixed_fields: fixed_fields.to_vec(),
            selector,
            options,
        }
    }

    /// Goes on with rows of another `target`. Rows that are buffered are lost: [`Self::flush`] them
    /// first.
    pub fn set_target(&mut self, target: &RowTarget<'_>) {
        *self = Self::at(target, self.selector.clone(), self.options);
    }

    /// Returns where the records of a page are; `None` before the first page, where nobody has said
    /// so.
    pub fn selector(&self) -> Option<&JsonPath> {
        self.selector.known()
    }

    /// Drops all rows from `rows` on: the last page is as if it had not been decoded.
    pub fn truncate(&mut self, rows: usize) {
        self.root.truncate(rows);
        if let Some(deletes) = &mut self.deletes {
            deletes.retain(|row| *row < rows);
        }
    }

    /// Takes a page: appends all of its rows, or none. A `gate` decides about each record first.
    ///
    /// # Errors
    /// When the body is not a page of its format, has no records where the selector says, or the
    /// gate or the policy fails it; the decoder is then as before.
    pub fn decode(
        &mut self,
        page: &PageInput<'_>,
        policy: MismatchPolicy,
        gate: Option<&mut dyn RecordGate>,
    ) -> Result<Decoded, DecodeError> {
        let rows_before = self.root.rows();
        let decoded = self.decode_page(page, policy, gate);
        if decoded.as_ref().map_or(true, |decoded| !decoded.mismatches.is_empty()) {
            self.truncate(rows_before);
        }
        decoded.map_err(|error| *error)
    }

    fn decode_page(
        &mut self,
        page: &PageInput<'_>,
        policy: MismatchPolicy,
        gate: Option<&mut dyn RecordGate>,
    ) -> PageResult<Decoded> {
        let lines;
        let body = match page.format {
            RecordFormat::Json | RecordFormat::Ndjson => page.body,
            RecordFormat::Delimited { delimiter } => {
                let texts = self.schema.fields().iter().filter(|field| is_text(field.data_type()));
                let texts = texts.map(|field| field.name().clone()).collect();
                lines = as_lines(page.body, delimiter, &texts)?;
                &lines
            }
        };
        let depth_max = self.options.depth_max;
        let variants = VariantRules { fields: self.schema.fields(), fixed: &self.fixed_fields };
        let treatment = Treatment { policy, has_rules: self.has_rules, options: self.options, variants };
        let mut unseen = Vec::new();
        let deletes = self.deletes.as_mut().unwrap_or(&mut unseen);
        let mut sink = RowSink::new(&mut self.root, deletes, treatment, gate, page);
        if page.format != RecordFormat::Json {
            let content =
                if is_blank(body) { None } else { walk_lines(&mut Scanner::new(body, depth_max)?, &mut sink)? };
            let values = vec![Lookup::Missing; page.questions.lookups.len()];
            let meta = PageMeta { records: sink.records, values, content, ..PageMeta::default() };
            return Ok(sink.decoded(meta));
        }
        let mut scanner = Scanner::new(body, depth_max)?;
        let selector = self.selector.for_page(&scanner)?;
        let hints = selector.hints(&scanner, page.questions)?;
        let Walked { values, content } =
            selector.explain(walk(&mut scanner, selector.path(), &page.questions.lookups, &mut sink))?;
        let meta = PageMeta { records: sink.records, values, hints, content, ..PageMeta::default() };
        let decoded = sink.decoded(meta);
        self.selector = selector;
        Ok(decoded)
    }

    /// Returns how many rows are buffered.
    pub fn rows(&self) -> usize {
        self.root.rows()
    }

    /// Returns how many bytes are buffered, nearly.
    pub fn bytes(&self) -> usize {
        self.root.bytes()
    }

    /// Takes the buffered rows out, perhaps none, as a batch of the schema's Arrow form.
    ///
    /// # Errors
    /// When the schema has a type that Arrow does not have, such as a decimal of 0 digits; the rows
    /// are lost then.
    pub fn flush(&mut self) -> Result<RecordBatch, DecodeError> {
        let rows = self.root.rows();
        let mut columns = self.root.take_columns(self.schema.fields())?;
        if let Some(deletes) = &mut self.deletes {
            let mut flags = vec![false; rows];
            for row in deletes.drain(..) {
                if let Some(flag) = flags.get_mut(row) {
                    *flag = true;
                }
            }
            columns.push(Arc::new(BooleanArray::from(flags)));
        }
        Ok(RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?)
    }
}

/// Returns whether a cell of such a column is text, whatever it looks like.
fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Dictionary(_, _) | DataType::Binary)
}
