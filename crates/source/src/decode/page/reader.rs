//! Reads what stands beside the records of a page, and shows each record to a gate; types nothing.

use std::collections::HashSet;

use lakefeed_model::spec::JsonPath;

use super::selector::Selector;
use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::Scanner;
use crate::decode::options::PageInput;
use crate::decode::walk::delimited::{as_lines, is_blank};
use crate::decode::walk::record::{Admission, RawRecord, RecordGate};
use crate::decode::walk::select::{RecordSink, Walked, walk, walk_lines};
use crate::paginate::{Lookup, PageMeta};
use crate::spec::RecordFormat;

/// Reads pages whose records nobody wants rows of.
#[derive(Debug)]
pub struct PageReader {
    selector: Selector,
    depth_max: u32,
}

impl PageReader {
    /// Makes a reader of records that are at `selector`; without one, the first page decides where.
    /// A page that is nested deeper than `depth_max` is an error.
    pub fn new(selector: Option<JsonPath>, depth_max: u32) -> Self {
        Self { selector: Selector::new(selector), depth_max }
    }

    /// Shows each record of a page to `gate`, whatever becomes of it there.
    ///
    /// # Errors
    /// When the body is not a page of its format, has no records where the selector says, or the
    /// gate fails it.
    pub fn read(&mut self, page: &PageInput<'_>, gate: Option<&mut dyn RecordGate>) -> Result<PageMeta, DecodeError> {
        let depth_max = self.depth_max;
        let mut skipping = |scanner: &mut Scanner<'_>, _: &str| scanner.skip_value();
        self.read_with(page, &mut Gated { gate, depth_max, members: page.members, take: &mut skipping })
            .map_err(|error| *error)
    }

    pub(super) fn depth_max(&self) -> u32 {
        self.depth_max
    }

    /// Hands the records of a page to `sink`. What it takes cannot be taken back, so the page is
    /// walked without it first.
    pub(super) fn read_with(&mut self, page: &PageInput<'_>, sink: &mut Gated<'_, '_>) -> PageResult<PageMeta> {
        let lines;
        let body = match page.format {
            RecordFormat::Json => return self.read_document(page, sink),
            RecordFormat::Ndjson => page.body,
            RecordFormat::Delimited { delimiter } => {
                lines = as_lines(page.body, delimiter, &HashSet::new())?;
                &lines
            }
        };
        let values = vec![Lookup::Missing; page.questions.lookups.len()];
        let mut meta = PageMeta { values, ..PageMeta::default() };
        if is_blank(body) {
            return Ok(meta);
        }
        let mut count = Count(0);
        meta.content = walk_lines(&mut Scanner::new(body, self.depth_max)?, &mut count)?;
        meta.records = count.0;
        walk_lines(&mut Scanner::new(body, self.depth_max)?, sink)?;
        Ok(meta)
    }

    fn read_document(&mut self, page: &PageInput<'_>, sink: &mut Gated<'_, '_>) -> PageResult<PageMeta> {
        let mut scanner = Scanner::new(page.body, self.depth_max)?;
        let selector = self.selector.for_page(&scanner)?;
        let hints = selector.hints(&scanner, page.questions)?;
        let mut count = Count(0);
        let lookups = &page.questions.lookups;
        let Walked { values, content } =
            selector.explain(walk(&mut scanner.clone(), selector.path(), lookups, &mut count))?;
        walk(&mut scanner, selector.path(), &[], sink)?;
        self.selector = selector;
        Ok(PageMeta { records: count.0, values, hints, content, ..PageMeta::default() })
    }
}

/// Hands on the records that the gate lets through.
pub(super) struct Gated<'s, 'g> {
    pub(super) gate: Option<&'g mut dyn RecordGate>,
    pub(super) depth_max: u32,
    pub(super) members: &'s str,
    /// Takes a record, and the members that it has behind its own.
    pub(super) take: &'s mut dyn FnMut(&mut Scanner<'_>, &str) -> PageResult<()>,
}

impl RecordSink for Gated<'_, '_> {
    type Mark = ();

    fn record(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        let Some(gate) = &mut self.gate else { return (self.take)(scanner, self.members) };
        let start = scanner.bookmark();
        let raw = scanner.value_text()?;
        match gate
            .admit(RawRecord::with_members(raw, self.members))
            .map_err(|error| Box::new(DecodeError::Gate(error)))?
        {
            Admission::Keep => {
                scanner.return_to(start);
                (self.take)(scanner, self.members)
            }
            // A delete has no values to learn from.
            Admission::Drop | Admission::Delete(_) | Admission::Refuse { .. } => Ok(()),
            Admission::Rewrite(text) => (self.take)(&mut Scanner::new(text.as_bytes(), self.depth_max)?, ""),
        }
    }

    fn mark(&self) {}

    /// Forgets nothing: a record that was seen under a key that came again may still come again, so
    /// it is not forgotten.
    fn roll_back(&mut self, (): ()) {}
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
