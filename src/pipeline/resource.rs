//! One pass over a resource, from its first request to its commit, as a straight story.
//!
//! A pass is staged first and committed later: the resources of a family are committed together, children before their parents, so that a parent's
//! checkpoint never runs ahead of its children's rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::drift::{self, Drift};
use super::flow::WriterTask;
use super::gate::Gate;
use super::opening::Opened;
use super::pages::{Pages, SlicedPage, Slices};
use super::parents::ParentRows;
use super::shaping::ShapedDecoder;
use super::typing::Typing;
use super::writers::Writers;
use super::{Components, RunOptions, resume, retry};
use crate::checkpoint::{Checkpoint, CursorRun};
use crate::client::{ApiRequest, Client};
use crate::decode::RecordGate;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Completeness, RowCounts, RunEvent, Verdict};
use crate::extract::{Ending, Found, Journal, Listing, ListingOutcome, Page};
use crate::lake::{CommitOutcome, Lake, Table, TableWriter};
use crate::reject::{Reject, RejectCode};
use crate::schema::{Column, nested_to};
use crate::spec::{Limits, RecordFormat, RejectsMax, ResourceSpec, WriteDisposition};

/// One resource and everything that its run needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceRun<'a> {
    pub(super) resource: &'a ResourceSpec,
    /// Whether its rows go to a table; otherwise it is read for its children only.
    pub(super) has_table: bool,
    pub(super) limits: &'a Limits,
    pub(super) options: &'a RunOptions,
    pub(super) lake: &'a Lake,
    pub(super) client: &'a Arc<Client>,
    pub(super) components: &'a Components,
}

/// What a pass is over.
pub(super) struct Pass<'p> {
    pub(super) slices: Slices<'p>,
    pub(super) cursor: Option<CursorRun>,
    /// Where the keys for the children go, when there are any.
    pub(super) children: Option<ParentRows>,
}

/// A pass that was read to its end and not committed yet.
pub(super) struct Staged {
    writers: Option<Writers>,
    tally: Tally,
    schema_changes: Vec<String>,
    cursor: Option<CursorRun>,
    pub(super) children: Option<ParentRows>,
}

/// A pass that was not read to its end.
struct Stopped {
    /// They still hold the tables.
    writers: Option<Writers>,
    error: Error,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { writers: None, error }
    }
}

/// What of a page is kept beside the table: the records that were refused, and the values that null stands for.
struct Refused {
    rejects: Vec<Reject>,
    nulled: Vec<Reject>,
}

/// What was counted on the way from the pages to the writer.
#[derive(Debug, Default)]
struct Tally {
    records: u64,
    rejected: u64,
    nulled: u64,
    drift: Option<Drift>,
}

impl ResourceRun<'_> {
    pub(super) fn started(&self) {
        let table = self.lake.table(&self.resource.table_name);
        let disposition = self.resource.write_disposition;
        self.emit(&RunEvent::ResourceStarted { resource: self.name(), table: table.url(), disposition });
    }

    /// The time at which the run takes place.
    pub(super) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.options.start.as_ref().map_or_else(|| self.components.clock.now(), |start| start.now)
    }

    /// Columns as records show them, with objects and lists as deep as the pipeline wants them.
    pub(super) fn shaped(&self, columns: &[Column]) -> Vec<Column> {
        self.resource.nested_levels.map_or_else(|| columns.to_vec(), |levels| nested_to(columns, levels))
    }

    /// The cursor that this run follows, after what the table's last commit says.
    pub(super) async fn cursor(&self) -> Result<Option<CursorRun>> {
        let Some(spec) = &self.resource.endpoint.incremental else { return Ok(None) };
        let checkpoint = match &self.options.start {
            _ if self.starts_anew() => None,
            Some(start) => start.checkpoints.get(&self.resource.name).cloned(),
            None if self.has_table => self.lake.table(&self.resource.table_name).snapshot().await?.checkpoint,
            None => None,
        };
        let state = checkpoint.as_ref().and_then(Checkpoint::cursor_state);
        CursorRun::begin(spec, state, self.options.backfill.as_ref()).map(Some).map_err(|error| {
            Error::config(format!("resource {}: {error}", self.resource.name)).with_hint("check endpoint.incremental")
        })
    }

    /// Whether the table becomes what this run reads, so that it must read everything.
    fn starts_anew(&self) -> bool {
        self.options.full_refresh || self.resource.write_disposition == WriteDisposition::Replace
    }

    /// Reads a pass to its end. On any failure the table stays as it was.
    pub(super) async fn stage(&self, pass: Pass<'_>) -> Result<Staged> {
        let Pass { mut slices, cursor, children } = pass;
        let table = self.table();
        let journal = resume::journal(self, &table, cursor.as_ref(), true).await?;
        let emptied = children.as_ref().map(ParentRows::emptied);
        let first = Pass { slices: slices.restarted()?, cursor: cursor.clone(), children };
        match Box::pin(self.stage_with(first, &table, journal.clone())).await {
            Err(error) if journal.is_some_and(|journal| journal.is_stale()) => {
                let reason = error.message().to_owned();
                self.emit(&RunEvent::StartedAgain { resource: self.name(), reason });
                let journal = resume::journal(self, &table, cursor.as_ref(), false).await?;
                let again = Pass { slices: slices.restarted()?, cursor, children: emptied };
                Box::pin(self.stage_with(again, &table, journal)).await
            }
            result => result,
        }
    }

    /// Reads a pass to its end, with the help of `journal`, which is closed then.
    async fn stage_with(&self, pass: Pass<'_>, table: &Table, journal: Option<Arc<Journal>>) -> Result<Staged> {
        let result = Box::pin(self.read(pass, table, journal.clone())).await;
        let ending = match &result {
            Ok(_) => Ending::Read,
            Err(stopped) if resume::keeps_pages(stopped.error.kind()) => Ending::Stopped,
            Err(_) => Ending::Void,
        };
        // While the table is still this run's.
        if let Some(journal) = journal {
            journal.close(ending).await;
        }
        match result {
            Ok(staged) => Ok(staged),
            Err(Stopped { writers, error }) => Err(give_up(writers, error).await),
        }
    }

    async fn read(&self, pass: Pass<'_>, table: &Table, journal: Option<Arc<Journal>>) -> Result<Staged, Stopped> {
        let Pass { slices, cursor, children } = pass;
        let mut pages = Pages::new(slices, cursor.clone(), self.client.concurrency(), journal);
        let opened = self.open(table, &mut pages, cursor.as_ref()).await?;
        // From here on the table is this run's, so there is something to keep pages beside.
        if let (Some(journal), Some(_)) = (&pages.journal, &opened) {
            journal.arm();
        }
        let shapes = opened.as_ref().map(|opened| &opened.shapes);
        let mut gate = Gate::new(self.resource, shapes, cursor, children);
        let Some(Opened { rules, mut shapes, mut writers }) = opened else {
            let tally = self.read_without_table(pages, &mut gate).await?;
            let (cursor, children) = gate.into_parts();
            return Ok(Staged { writers: None, tally, schema_changes: Vec::new(), cursor, children });
        };
        if let Some(commit) = writers.own.recovered() {
            self.emit(&RunEvent::Recovered { resource: self.name(), commit });
        }
        if let Some(error) = self.overtaken(gate.cursor(), &writers.own) {
            return Err(Stopped { writers: Some(writers), error });
        }
        if self.options.retry_rejects {
            match retry::retry(self, rules, shapes, &mut writers).await {
                Ok(grown) => shapes = grown,
                Err(error) => return Err(Stopped { writers: Some(writers), error }),
            }
        }
        let typing = match Typing::new(self, shapes, rules) {
            Ok(typing) => typing,
            Err(error) => return Err(Stopped { writers: Some(writers), error }),
        };
        let task = WriterTask::spawn(writers);
        let extracted = self.extract(pages, typing, &task, &mut gate).await;
        let (mut writers, written) = task.finish().await?;
        let checked = written.and(extracted).and_then(|(tally, outcome)| {
            self.refuse_drift(&mut writers.own, outcome.as_ref())?;
            self.refuse_rejects(&tally, true)?;
            let outcome = outcome.map(|outcome| self.retire_absent(outcome, &tally, &mut writers.own));
            self.end_listing(outcome);
            Ok(tally)
        });
        match checked {
            Ok(tally) => {
                let (cursor, children) = gate.into_parts();
                let schema_changes = writers.own.schema_changes().to_vec();
                Ok(Staged { writers: Some(writers), tally, schema_changes, cursor, children })
            }
            Err(error) => Err(Stopped { writers: Some(writers), error }),
        }
    }

    /// Another run may have committed between the look at the checkpoint and the moment when the table became this run's.
    fn overtaken(&self, cursor: Option<&CursorRun>, writer: &TableWriter) -> Option<Error> {
        let now = writer.last_checkpoint().and_then(Checkpoint::cursor_state);
        let is_free = self.starts_anew() || self.options.start.is_some();
        let follows = cursor.is_none_or(|cursor| cursor.follows(now));
        (!is_free && !follows).then(|| {
            Error::conflict(format!("resource {}: another run has committed since this one began", self.resource.name))
                .with_hint("run again: it goes on from there")
        })
    }

    /// Reads, decodes and hands on every page; returns what was counted once the listing is proven complete.
    async fn extract(
        &self,
        mut pages: Pages<'_>,
        mut typing: Typing<'_, '_>,
        task: &WriterTask,
        gate: &mut Gate,
    ) -> Result<(Tally, Option<ListingOutcome>)> {
        let mut tally = Tally { drift: Drift::of(self.resource, self.limits.nesting_depth_max), ..Tally::default() };
        while let Some(sliced) = self.next_page(&mut pages).await? {
            let decoded = self.decode(&mut pages, sliced, &mut typing, task, gate, &mut tally).await?;
            let Some(Refused { rejects, nulled }) = decoded else { return Ok((tally, None)) };
            if !task.reject(rejects).await || !task.note_nulled(nulled).await {
                return Ok((tally, None));
            }
            self.refuse_rejects(&tally, false)?;
            let pages = &typing.decoder.pages;
            let full = pages.rows() >= self.limits.batch_rows || pages.bytes() >= self.limits.batch_bytes;
            if full && !self.hand_on(&mut typing.decoder, task).await? {
                return Ok((tally, None));
            }
        }
        self.hand_on(&mut typing.decoder, task).await?;
        let repeated = tally.drift.as_ref().map_or(0, |drift| drift.repeated);
        if repeated > 0 {
            return Err(self.drifted(repeated));
        }
        Ok((tally, pages.finish()))
    }

    /// How a page holds its records: as the pipeline file says, or as the API does.
    pub(super) fn format_of(&self, page: &Page) -> RecordFormat {
        let stated = page.content_type.as_deref();
        self.resource.endpoint.record_format.unwrap_or_else(|| RecordFormat::of_content_type(stated))
    }

    /// Types the records of a page, and lets the listing decide what follows.
    /// Gives back what was refused, and what null stands for; `None` when the writer takes no more.
    async fn decode(
        &self,
        pages: &mut Pages<'_>,
        sliced: SlicedPage,
        typing: &mut Typing<'_, '_>,
        task: &WriterTask,
        gate: &mut Gate,
        tally: &mut Tally,
    ) -> Result<Option<Refused>> {
        let SlicedPage { page, slice, is_accepted, total } = sliced;
        gate.enter(&slice);
        if pages.went_on && !page.is_kept {
            gate.stay();
        }
        pages.went_on |= page.is_kept;
        let (lookups, wants_hints) = if is_accepted { Default::default() } else { pages.wanted() };
        typing.decoder.pages.look_for(lookups, wants_hints);
        let Some(decoded) = typing.decode(&page, self.format_of(&page), gate, task).await? else { return Ok(None) };
        let rejected = decoded.rejects.len() as u64;
        tally.records += decoded.meta.records;
        tally.rejected += rejected;
        tally.nulled += decoded.nulled.len() as u64;
        let total = if is_accepted { total } else { pages.stated_total(&decoded.meta) };
        if let (Some(drift), Some(total)) = (&mut tally.drift, total) {
            drift.came(&page, self.format_of(&page), total);
        }
        if rejected > 0 {
            self.emit(&RunEvent::RecordsRefused { resource: self.name(), by_reason: by_reason(&decoded.rejects) });
        }
        self.emit(&RunEvent::PageRead {
            resource: self.name(),
            page: page.number,
            records: decoded.meta.records,
            rejected,
            bytes: page.body.len() as u64,
            total,
        });
        if !is_accepted {
            pages.accept(&decoded.meta, gate.is_past_range())?;
        }
        if decoded.discarded > 0 {
            self.emit(&RunEvent::ValuesDiscarded { resource: self.name(), values: decoded.discarded });
        }
        Ok(Some(Refused { rejects: decoded.rejects, nulled: decoded.nulled }))
    }

    /// Reads a pass whose records go to no table: for its children, or because there is not a single column.
    async fn read_without_table(&self, mut pages: Pages<'_>, gate: &mut Gate) -> Result<Tally> {
        let mut reader = crate::decode::Inferrer::new(
            self.resource.endpoint.data_selector.clone(),
            Vec::new(),
            &[],
            self.limits.nesting_depth_max,
        );
        let mut tally = Tally::default();
        while let Some(SlicedPage { page, slice, is_accepted, .. }) = self.next_page(&mut pages).await? {
            gate.enter(&slice);
            let (lookups, wants_hints) = if is_accepted { Default::default() } else { pages.wanted() };
            reader.look_for(lookups, wants_hints);
            reader.expect(self.format_of(&page));
            let gate_of_page = gate.is_needed().then_some(&mut *gate as &mut dyn RecordGate);
            let meta = reader
                .observe_with(&page.body, gate_of_page)
                .map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))?;
            tally.records += meta.records;
            let (page, bytes) = (page.number, page.body.len() as u64);
            self.emit(&RunEvent::PageRead {
                resource: self.name(),
                page,
                records: meta.records,
                rejected: 0,
                bytes,
                total: None,
            });
            if !is_accepted {
                pages.accept(&meta, gate.is_past_range())?;
            }
        }
        self.end_listing(pages.finish());
        Ok(tally)
    }

    /// Gives the buffered rows to the writer; false when it takes no more, because it failed.
    pub(super) async fn hand_on(&self, decoder: &mut ShapedDecoder<'_, '_>, task: &WriterTask) -> Result<bool> {
        let batch = decoder.flush()?;
        let rows = batch.num_rows() as u64;
        let taken = task.write(batch).await;
        if taken {
            self.emit(&RunEvent::RowsStaged { resource: self.name(), rows });
        }
        Ok(taken)
    }

    /// The next page, or the operator's wish to stop, whichever comes first.
    pub(super) async fn next_page(&self, pages: &mut Pages<'_>) -> Result<Option<SlicedPage>> {
        if self.components.interrupt.is_raised() {
            return Err(Error::interrupted());
        }
        let page = tokio::select! {
            page = pages.next(self) => page,
            () = self.components.interrupt.raised() => Err(Error::interrupted()),
        }?;
        if let Some(journal) = &pages.journal {
            match journal.found().await {
                Some(Found::Holds(kept)) => self.emit(&RunEvent::Resumed { resource: self.name(), pages: kept }),
                Some(Found::Changed) => {
                    journal.forget().await;
                    let reason = "the first page is not the same any more".to_owned();
                    self.emit(&RunEvent::StartedAgain { resource: self.name(), reason });
                }
                Some(Found::Nothing) | None => {}
            }
        }
        Ok(page)
    }

    /// Whether more records were refused than the pipeline bears. A share of them is known at the end only.
    fn refuse_rejects(&self, tally: &Tally, at_the_end: bool) -> Result<()> {
        let Some(bound) = self.limits.rejects_max else { return Ok(()) };
        let &Tally { records, rejected, .. } = tally;
        let is_certain = at_the_end || matches!(bound, RejectsMax::Count(_));
        if !is_certain || !bound.is_exceeded(rejected, records) {
            return Ok(());
        }
        let table = self.lake.table(&self.resource.table_name);
        let lake = table.url();
        let lake = lake.strip_suffix(&self.resource.table_name).unwrap_or(&lake).trim_end_matches('/').to_owned();
        Err(Error::schema(format!(
            "resource {}: {rejected} of {records} records were refused, and limits.rejects_max is {bound}",
            self.resource.name
        ))
        .with_hint(format!(
            "`lakefeed table rejects {lake} {} --run {}` shows them; mend the schema or the pipeline, or raise limits.rejects_max",
            self.resource.table_name, self.components.run_id
        )))
    }

    /// Records that move between the pages of an offset listing come twice, and push others past the reader.
    fn refuse_drift(&self, writer: &mut TableWriter, outcome: Option<&ListingOutcome>) -> Result<()> {
        if !drift::is_by_position(self.resource) || !outcome.is_some_and(|outcome| outcome.total_moved) {
            return Ok(());
        }
        match writer.duplicates()? {
            0 => Ok(()),
            twice => Err(self.drifted(twice)),
        }
    }

    /// Tells the writer that absent keys are gone, where the strategy closes them and the listing proves it. A record that was
    /// refused is there all the same, so nothing is proven then.
    fn retire_absent(&self, outcome: ListingOutcome, tally: &Tally, writer: &mut TableWriter) -> ListingOutcome {
        let merges = self.resource.write_disposition == WriteDisposition::Merge;
        if !merges || !self.resource.merge.history().is_some_and(|history| history.retires_absent) {
            return outcome;
        }
        if outcome.complete.verdict == Verdict::True && tally.rejected == 0 {
            writer.listing_was_whole();
            return outcome;
        }
        let why = if tally.rejected > 0 { "records were refused" } else { "this is no proof that they are gone" };
        let reason = format!("{}; absent keys stay open, since {why}", outcome.complete.reason);
        let complete = Completeness { reason, ..outcome.complete };
        ListingOutcome { complete, ..outcome }
    }

    fn drifted(&self, twice: u64) -> Error {
        Error::incomplete(format!(
            "resource {}: the stated total changed while the listing was read and {twice} records came twice, so that others may have been missed",
            self.resource.name
        ))
        .with_hint("records came or went between two pages: run again, or sort the listing by something that does not change")
    }

    fn end_listing(&self, outcome: Option<ListingOutcome>) {
        let Some(outcome) = outcome else { return };
        self.emit(&RunEvent::ListingEnded {
            resource: self.name(),
            stop_reason: outcome.stop_reason.as_str().to_owned(),
            complete: outcome.complete,
        });
    }

    /// Makes a staged pass the table's.
    pub(super) async fn commit(&self, staged: Staged) -> Result<()> {
        let Staged { writers, tally, schema_changes, cursor, .. } = staged;
        let checkpoint = match self.checkpoint(cursor.as_ref(), writers.as_ref().map(|writers| &writers.own)) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return Err(give_up(writers, error).await),
        };
        let Some(writers) = writers else {
            let rows = RowCounts { read: tally.records, ..RowCounts::default() };
            self.emit(&RunEvent::NothingChanged { resource: self.name(), rows, checkpoint });
            return Ok(());
        };
        if self.components.interrupt.is_raised() {
            return Err(writers.abort(Error::interrupted()).await);
        }
        let writer = Box::pin(self.commit_children(writers)).await?;
        let outcome = Box::pin(writer.commit(checkpoint.clone())).await?;
        if !schema_changes.is_empty() && outcome.commit.is_some() {
            self.emit(&RunEvent::SchemaChanged { resource: self.name(), changes: schema_changes });
        }
        self.emit_outcome(outcome, &tally, checkpoint);
        Ok(())
    }

    fn emit_outcome(&self, outcome: CommitOutcome, tally: &Tally, checkpoint: Checkpoint) {
        let rows = RowCounts { read: tally.records, rejected: tally.rejected, nulled: tally.nulled, ..outcome.rows };
        let resource = self.name();
        self.emit(&match outcome.commit {
            Some(commit) => RunEvent::Committed { resource, commit, rows, files: outcome.files, checkpoint },
            None => RunEvent::NothingChanged { resource, rows, checkpoint },
        });
    }

    pub(super) fn listing(&self, request: ApiRequest) -> Listing {
        let clock = Arc::clone(&self.components.clock);
        Listing::new(self.resource.asked(), request, self.limits, Arc::clone(self.client), clock)
    }

    /// How far the resource has got with this pass. A run over a range of its own leaves what the table says.
    fn checkpoint(&self, cursor: Option<&CursorRun>, writer: Option<&TableWriter>) -> Result<Checkpoint> {
        let name = &self.resource.name;
        let Some(cursor) = cursor else { return Ok(Checkpoint::full_listing(name)) };
        // Without a key, a record that is read again would delete its group.
        let is_merge = self.resource.write_disposition == WriteDisposition::Merge
            && (!self.resource.primary_key.is_empty() || self.resource.merge.history().is_some());
        let state = cursor.state(!is_merge).map_err(|error| {
            Error::config(format!("resource {name}: {error}"))
                .with_hint("use write_disposition: merge, which needs no memory of single records")
        })?;
        Ok(match (state, writer.and_then(TableWriter::last_checkpoint)) {
            (Some(state), _) => Checkpoint::cursor(name, state),
            (None, Some(before)) => before.clone(),
            (None, None) => Checkpoint::full_listing(name),
        })
    }

    pub(super) fn name(&self) -> String {
        self.resource.name.clone()
    }

    pub(super) fn emit(&self, event: &RunEvent) {
        self.components.observer.observe(event);
    }
}

impl Staged {
    /// Gives the table back as it was, because of `error`.
    pub(super) async fn abort(self, error: Error) -> Error {
        give_up(self.writers, error).await
    }
}

async fn give_up(writers: Option<Writers>, error: Error) -> Error {
    match writers {
        Some(writers) => writers.abort(error).await,
        None => error,
    }
}

/// How many records were refused for which reason.
fn by_reason(rejects: &[Reject]) -> BTreeMap<RejectCode, u64> {
    let mut counts = BTreeMap::new();
    for reject in rejects {
        *counts.entry(reject.code).or_default() += 1;
    }
    counts
}

/// Gives the table back as it was; the error that led here is what the operator needs to see.
pub(super) async fn abort(writer: TableWriter, error: Error) -> Error {
    let aborted = match error.kind() {
        kind if resume::keeps_pages(kind) => writer.abort_keeping_pages().await,
        // What is wrong with the records can only be seen by looking at them.
        ErrorKind::Schema => writer.abort_keeping_rejects().await,
        _ => writer.abort().await,
    };
    match aborted {
        Ok(()) => error,
        Err(second) => error.with_hint(format!("cleaning up failed too ({second}); the next run sweeps what is left")),
    }
}
