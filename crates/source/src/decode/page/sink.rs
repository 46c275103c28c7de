//! Types the records of one page: past the gate, into the columns, or aside with the reason.

use indexmap::IndexSet;

use super::decoded::Decoded;
use super::variant::{Moving, VariantRules};
use crate::decode::columns::object::ObjectBuffer;
use crate::decode::columns::reading::{Frozen, Reading};
use crate::decode::error::{DecodeError, PageResult};
use crate::decode::json::scanner::{Kind, Scanner};
use crate::decode::options::{
    DecodeOptions, EmptyContainers, MismatchPolicy, PageInput, TypeMismatches, UnknownFields,
};
use crate::decode::value::refusal::{Refusal, Stop, describe};
use crate::decode::walk::null_out::with_null_at;
use crate::decode::walk::record::{Admission, RawRecord, RecordGate};
use crate::decode::walk::select::RecordSink;
use crate::paginate::PageMeta;
use lakefeed_model::reject::{Reject, RejectCode};
use lakefeed_model::schema::{Mismatch, Variant};

/// Bytes of a refused record that are kept; the rest is cut off.
pub const REJECT_RAW_BYTES_MAX: usize = 64 * 1024;

/// Values of one record that are made null, or moved; with more of them it is refused.
const NULLED_VALUES_MAX: u64 = 1_000;

/// What becomes of what does not fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Treatment<'d> {
    pub(crate) policy: MismatchPolicy,
    /// Whether some field does something else about it.
    pub(crate) has_rules: bool,
    pub(crate) options: DecodeOptions,
    pub(crate) variants: VariantRules<'d>,
}

/// Types the records of one page.
pub(crate) struct RowSink<'d, 'g> {
    root: &'d mut ObjectBuffer,
    deletes: &'d mut Vec<usize>,
    pub(super) misfits: TypeMismatches,
    variant_rules: VariantRules<'d>,
    gate: Option<&'g mut dyn RecordGate>,
    page: u64,
    /// What each record has behind its own members.
    members: &'d str,
    pub(crate) records: u64,
    dropped: u64,
    discarded: u64,
    rejects: Vec<Reject>,
    nulled: Vec<Reject>,
    variants: Vec<Variant>,
    /// Records that do not fit, of which many may be alike; where there is any, rows are not kept
    /// any more.
    pub(super) mismatches: IndexSet<Mismatch>,
    pub(super) reading: Reading,
    pub(super) options: DecodeOptions,
}

/// How far a [`RowSink`] got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowMark {
    rows: usize,
    records: u64,
    dropped: u64,
    discarded: u64,
    rejects: usize,
    nulled: usize,
    variants: usize,
    mismatches: usize,
}

impl RecordSink for RowSink<'_, '_> {
    type Mark = RowMark;

    #[inline]
    fn record(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        if self.gate.is_some() {
            self.gated(scanner)?;
        } else if let Some(refusal) = self.typed(scanner, self.members)? {
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
            variants: self.variants.len(),
            mismatches: self.mismatches.len(),
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
        self.variants.truncate(mark.variants);
        self.mismatches.truncate(mark.mismatches);
    }
}

impl<'d, 'g> RowSink<'d, 'g> {
    pub(crate) fn new(
        root: &'d mut ObjectBuffer,
        deletes: &'d mut Vec<usize>,
        treatment: Treatment<'d>,
        gate: Option<&'g mut dyn RecordGate>,
        page: &PageInput<'d>,
    ) -> Self {
        let Treatment { policy, has_rules, options, variants: variant_rules } = treatment;
        let MismatchPolicy { unknown_fields: unknown, type_mismatches: misfits } = policy;
        let passes_hollow = options.empty_containers == EmptyContainers::AreNull;
        let nulls_mismatches = misfits == TypeMismatches::Null;
        let reading =
            Reading { unknown, passes_hollow, has_rules, nulled: Vec::new(), nulls_mismatches, looks_for: None };
        Self {
            root,
            deletes,
            misfits,
            variant_rules,
            gate,
            page: page.number,
            members: page.members,
            records: 0,
            dropped: 0,
            discarded: 0,
            rejects: Vec::new(),
            nulled: Vec::new(),
            variants: Vec::new(),
            mismatches: IndexSet::new(),
            reading,
            options,
        }
    }

    pub(crate) fn decoded(self, meta: PageMeta) -> Decoded {
        let Self { rejects, nulled, dropped, discarded, variants, .. } = self;
        let mismatches = self.mismatches.into_iter().collect();
        Decoded { meta, rejects, nulled, dropped, discarded, variants, mismatches }
    }

    /// Types the record at the cursor, which has the members of `members` behind its own. When it
    /// is refused, the cursor is back at its start, since what follows the refused value must be
    /// valid JSON too.
    #[inline]
    fn typed(&mut self, scanner: &mut Scanner<'_>, members: &str) -> PageResult<Option<Box<Refusal>>> {
        if !self.mismatches.is_empty() {
            self.collect(scanner, members)?;
            return Ok(None);
        }
        let start = scanner.bookmark();
        let row = self.root.rows();
        let outcome = match scanner.kind()? {
            Kind::Object => self.root.read_with(scanner, members, &mut self.reading),
            Kind::Null | Kind::Boolean | Kind::Number | Kind::Text | Kind::Array => not_an_object(scanner),
        };
        match outcome {
            Ok(()) => {
                if !self.reading.nulled.is_empty() {
                    self.note(&RawRecord::with_members(scanner.text_from(start), members).text());
                }
                Ok(None)
            }
            Err(Stop::Page(error)) => Err(error),
            Err(Stop::Record(refusal)) if refusal.is_fatal => refused(&refusal),
            Err(Stop::Record(refusal)) => {
                self.root.truncate(row);
                self.reading.nulled.clear();
                scanner.return_to(start);
                self.treated(scanner, members, refusal)
            }
        }
    }

    /// Does with a refused record, which begins at the cursor, what is to be done with such ones.
    #[cold]
    fn treated(
        &mut self,
        scanner: &mut Scanner<'_>,
        members: &str,
        refusal: Box<Refusal>,
    ) -> PageResult<Option<Box<Refusal>>> {
        let start = scanner.bookmark();
        let refusal = if self.is_collected(&refusal) {
            Some(refusal)
        } else {
            self.settled(&RawRecord::with_members(scanner.value_text()?, members).text(), refusal)?
        };
        let Some(refusal) = refusal else { return Ok(None) };
        scanner.return_to(start);
        if self.is_collected(&refusal) {
            self.collect(scanner, members)?;
            if !self.mismatches.is_empty() {
                return Ok(None);
            }
            scanner.return_to(start);
        }
        Ok(Some(refusal))
    }

    /// Does with the refused record `raw` what is to be done with what does not fit; gives back
    /// what nothing could be done about.
    fn settled(&mut self, raw: &str, refusal: Box<Refusal>) -> PageResult<Option<Box<Refusal>>> {
        self.fail_if_frozen(raw)?;
        match self.misfits {
            TypeMismatches::Variant if refusal.code.is_about_a_value() => self.typed_with_variants(raw, refusal),
            TypeMismatches::Null if refusal.code.is_about_a_value() => self.typed_with_nulls(raw, refusal),
            TypeMismatches::Variant
            | TypeMismatches::Null
            | TypeMismatches::Reject
            | TypeMismatches::Fail
            | TypeMismatches::Collect => Ok(Some(refusal)),
        }
    }

    /// Returns what fails the run.
    fn contract(&self) -> Frozen {
        Frozen { unknown: self.reading.unknown == UnknownFields::Fail, misfit: self.misfits == TypeMismatches::Fail }
    }

    /// Fails when anything in a record that does not fit is to fail the run, in whatever order it
    /// comes.
    fn fail_if_frozen(&mut self, raw: &str) -> PageResult<()> {
        let frozen = self.contract();
        if frozen == Frozen::default() && !self.reading.has_rules {
            return Ok(());
        }
        let found = self.look(&mut Scanner::new(raw.as_bytes(), self.options.depth_max)?, "")?;
        if !frozen.unknown || self.misfits != TypeMismatches::Variant {
            return Ok(());
        }
        let lacking = found.iter().find_map(|refusal| {
            let moving = Moving::of(self.variant_rules, raw, &refusal.steps)?;
            (refusal.code.is_about_a_value() && !moving.has_column).then(|| (refusal, moving.variant.name()))
        });
        match lacking {
            Some((refusal, name)) => self.no_column(refusal, &name),
            None => Ok(()),
        }
    }

    /// Looks at the record at the cursor for all that does not fit, and keeps no row of it; in
    /// order, up to a field that must be there and is missing at the record's end. What fails the
    /// run fails it, in whatever order it comes.
    pub(super) fn look(&mut self, scanner: &mut Scanner<'_>, members: &str) -> PageResult<Vec<Refusal>> {
        if scanner.kind()? != Kind::Object {
            scanner.skip_value()?;
            return Ok(Vec::new());
        }
        let (start, row, frozen) = (scanner.bookmark(), self.root.rows(), self.contract());
        let Reading { unknown, passes_hollow, nulls_mismatches, .. } = self.reading;
        let mut looking = Reading {
            unknown,
            passes_hollow,
            has_rules: true,
            nulled: Vec::new(),
            nulls_mismatches,
            looks_for: Some(frozen),
        };
        let outcome = self.root.read_with(scanner, members, &mut looking);
        self.root.truncate(row);
        match outcome {
            Ok(()) => {}
            Err(Stop::Page(error)) => return Err(error),
            Err(Stop::Record(refusal)) if refusal.is_fatal => return refused(&refusal),
            Err(Stop::Record(refusal)) if frozen.fails(&refusal) => {
                let is_unknown = refusal.code == RejectCode::UnknownField;
                return self.frozen(refusal.path(), refusal.reason.clone(), is_unknown);
            }
            // A field that must be there is missing.
            Err(Stop::Record(refusal)) => {
                looking.nulled.push(*refusal);
                scanner.return_to(start);
                scanner.skip_value()?;
            }
        }
        Ok(looking.nulled)
    }

    /// Types a record with null in place of every value that does not fit, of which `first` is the
    /// first.
    fn typed_with_nulls(&mut self, raw: &str, first: Box<Refusal>) -> PageResult<Option<Box<Refusal>>> {
        let row = self.root.rows();
        let mut text = raw.to_owned();
        let mut refusal = first;
        for nulled in 1..=NULLED_VALUES_MAX {
            match with_null_at(&text, &refusal.steps) {
                Some(nulled) if refusal.code.is_about_a_value() => text = nulled,
                Some(_) | None => return Ok(Some(refusal)),
            }
            let mut scanner = Scanner::new(text.as_bytes(), self.options.depth_max)?;
            match self.root.read(&mut scanner, &mut self.reading) {
                Ok(()) => {
                    self.discarded += nulled;
                    self.note(raw);
                    return Ok(None);
                }
                Err(Stop::Page(error)) => return Err(error),
                Err(Stop::Record(next)) if next.is_fatal => return refused(&next),
                Err(Stop::Record(next)) => {
                    self.root.truncate(row);
                    self.reading.nulled.clear();
                    refusal = next;
                }
            }
        }
        Ok(Some(refusal))
    }

    #[cold]
    fn frozen<T>(&self, path: String, reason: String, is_unknown: bool) -> PageResult<T> {
        Err(Box::new(DecodeError::Frozen { position: self.records, path, reason, is_unknown }))
    }

    #[cold]
    fn no_column<T>(&self, refusal: &Refusal, name: &str) -> PageResult<T> {
        let reason = format!("{}, and there is no column {name} for it", refusal.reason);
        self.frozen(refusal.path(), reason, true)
    }

    /// Types a record with every value that does not fit, of which `first` is the first, under the
    /// name of its variant. A variant that there is no column for is treated as any field that the
    /// schema does not have; the record is refused for what does not fit then.
    fn typed_with_variants(&mut self, raw: &str, first: Box<Refusal>) -> PageResult<Option<Box<Refusal>>> {
        let row = self.root.rows();
        let (mut text, mut left_out, mut lacks_column) = (raw.to_owned(), 0, false);
        let mut next = None;
        for _ in 0..NULLED_VALUES_MAX {
            let refusal: &Refusal = next.as_deref().unwrap_or(&first);
            let moving = Moving::of(self.variant_rules, &text, &refusal.steps);
            let Some(moving) = moving.filter(|_| refusal.code.is_about_a_value()) else { return Ok(Some(first)) };
            let moved = match self.reading.unknown {
                _ if moving.has_column => moving.moved_in(&text),
                UnknownFields::Fail => return self.no_column(refusal, &moving.variant.name()),
                UnknownFields::Ignore => {
                    left_out += 1;
                    moving.left_out_of(&text)
                }
                UnknownFields::Reject | UnknownFields::Collect => {
                    lacks_column = true;
                    self.variants.push(moving.variant.clone());
                    moving.left_out_of(&text)
                }
            };
            let Some(moved) = moved else { return Ok(Some(first)) };
            text = moved;
            let mut scanner = Scanner::new(text.as_bytes(), self.options.depth_max)?;
            let outcome = self.root.read(&mut scanner, &mut self.reading);
            match outcome {
                Ok(()) if !lacks_column => {
                    self.discarded += left_out;
                    self.note(raw);
                    return Ok(None);
                }
                Ok(()) => {
                    self.root.truncate(row);
                    self.reading.nulled.clear();
                    return Ok(Some(first));
                }
                Err(Stop::Page(error)) => return Err(error),
                Err(Stop::Record(refusal)) if refusal.is_fatal => return refused(&refusal),
                Err(Stop::Record(refusal)) => {
                    self.root.truncate(row);
                    self.reading.nulled.clear();
                    next = Some(refusal);
                }
            }
        }
        Ok(Some(first))
    }

    /// Types what is known of a record that deletes.
    fn typed_delete(&mut self, text: &str) -> PageResult<Option<Box<Refusal>>> {
        let row = self.root.rows();
        let mut scanner = Scanner::new(text.as_bytes(), self.options.depth_max)?;
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
                    self.note(&RawRecord::with_members(text, self.members).text());
                }
                Ok(None)
            }
            Err(Stop::Page(error)) => Err(error),
            Err(Stop::Record(refusal)) if refusal.is_fatal => refused(&refusal),
            Err(Stop::Record(refusal)) if self.contract().fails(&refusal) => {
                self.frozen(refusal.path(), refusal.reason.clone(), false)
            }
            Err(Stop::Record(refusal)) => {
                self.root.truncate(row);
                self.reading.nulled.clear();
                if self.is_collected(&refusal) {
                    self.reading.unknown = UnknownFields::Ignore;
                    let collected = self.collect(&mut Scanner::new(text.as_bytes(), self.options.depth_max)?, "");
                    self.reading.unknown = unknown;
                    collected?;
                }
                Ok(self.mismatches.is_empty().then_some(refusal))
            }
        }
    }

    /// Lets the gate decide about the record at the cursor.
    fn gated(&mut self, scanner: &mut Scanner<'_>) -> PageResult<()> {
        let start = scanner.bookmark();
        let raw = scanner.value_text()?;
        let admission = match &mut self.gate {
            Some(gate) => gate
                .admit(RawRecord::with_members(raw, self.members))
                .map_err(|error| Box::new(DecodeError::Gate(error)))?,
            None => Admission::Keep,
        };
        let refusal = match admission {
            Admission::Keep => {
                scanner.return_to(start);
                let refusal = self.typed(scanner, self.members)?;
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
                let mut rewritten = Scanner::new(text.as_bytes(), self.options.depth_max)?;
                self.typed(&mut rewritten, "")?
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
        let whole = RawRecord::with_members(raw, self.members).text();
        let reject = self.reject_of(code, path, reason, &whole);
        self.rejects.push(reject);
    }

    /// Keeps what null stands for in the whole record of `raw`.
    #[cold]
    fn note(&mut self, raw: &str) {
        for refusal in std::mem::take(&mut self.reading.nulled) {
            let reason = format!("{}; null stands for it", refusal.reason);
            let reject = self.reject_of(refusal.code, refusal.path(), reason, raw);
            self.nulled.push(reject);
        }
    }

    fn reject_of(&self, code: RejectCode, path: String, reason: String, raw: &str) -> Reject {
        let mut length = raw.len().min(REJECT_RAW_BYTES_MAX);
        while !raw.is_char_boundary(length) {
            length -= 1;
        }
        let raw = raw.get(..length).unwrap_or(raw).to_owned();
        Reject { page: self.page, position: self.records, path, code, reason, raw }
    }
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
