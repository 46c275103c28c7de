//! Reading a pass: its pages are typed and handed on until the listing is proven complete.

use std::collections::BTreeMap;

use crate::decode::{Inferrer, RecordGate};
use crate::error::{Error, Result};
use crate::event::{Completeness, RunEvent, Verdict};
use crate::extract::ListingOutcome;
use crate::lake::TableWriter;
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{Drift, Pages, RecordTransform, SlicedPage, format_of, is_by_position, next_page};
use crate::pipeline::typing::Typing;
use crate::pipeline::write::WriterTask;
use crate::reject::{Reject, RejectCode};
use crate::spec::{RejectsMax, WriteDisposition};

/// What of a page is kept beside the table: the records that were refused, and the values that null stands for.
struct Refused {
    rejects: Vec<Reject>,
    nulled: Vec<Reject>,
}

/// What was counted on the way from the pages to the writer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) rejected: u64,
    pub(super) nulled: u64,
    drift: Option<Drift>,
}

/// Reads, decodes and hands on every page; returns what was counted once the listing is proven complete.
pub(super) async fn extract(
    run: &ResourceRun<'_>,
    mut pages: Pages<'_>,
    mut typing: Typing<'_, '_>,
    task: &WriterTask,
    transform: &mut RecordTransform,
) -> Result<(Tally, Option<ListingOutcome>)> {
    let mut tally = Tally { drift: Drift::of(run.resource, run.limits.nesting_depth_max), ..Tally::default() };
    while let Some(sliced) = next_page(run, &mut pages).await? {
        let decoded = decode(run, &mut pages, sliced, &mut typing, task, transform, &mut tally).await?;
        let Some(Refused { rejects, nulled }) = decoded else { return Ok((tally, None)) };
        if !task.reject(rejects).await || !task.note_nulled(nulled).await {
            return Ok((tally, None));
        }
        refuse_rejects(run, &tally, false)?;
        let pages = &typing.decoder.pages;
        let full = pages.rows() >= run.limits.batch_rows || pages.bytes() >= run.limits.batch_bytes;
        if full && !typing.hand_on(task).await? {
            return Ok((tally, None));
        }
    }
    typing.hand_on(task).await?;
    let repeated = tally.drift.as_ref().map_or(0, |drift| drift.repeated);
    if repeated > 0 {
        return Err(drifted(run, repeated));
    }
    Ok((tally, pages.finish()))
}

/// Types the records of a page, and lets the listing decide what follows.
/// Gives back what was refused, and what null stands for; `None` when the writer takes no more.
async fn decode(
    run: &ResourceRun<'_>,
    pages: &mut Pages<'_>,
    sliced: SlicedPage,
    typing: &mut Typing<'_, '_>,
    task: &WriterTask,
    transform: &mut RecordTransform,
    tally: &mut Tally,
) -> Result<Option<Refused>> {
    let SlicedPage { page, slice, is_accepted, total } = sliced;
    transform.enter(&slice);
    if pages.resumed && !page.is_kept {
        transform.freeze_cursor();
    }
    pages.resumed |= page.is_kept;
    let (lookups, wants_hints) = if is_accepted { Default::default() } else { pages.wanted() };
    typing.decoder.pages.look_for(lookups, wants_hints);
    let Some(decoded) = typing.decode(&page, format_of(run, &page), transform, task).await? else { return Ok(None) };
    let rejected = decoded.rejects.len() as u64;
    tally.records += decoded.meta.records;
    tally.rejected += rejected;
    tally.nulled += decoded.nulled.len() as u64;
    let total = if is_accepted { total } else { pages.stated_total(&decoded.meta) };
    if let (Some(drift), Some(total)) = (&mut tally.drift, total) {
        drift.came(&page, format_of(run, &page), total);
    }
    if rejected > 0 {
        run.emit(&RunEvent::RecordsRefused { resource: run.name(), by_reason: by_reason(&decoded.rejects) });
    }
    run.emit(&RunEvent::PageRead {
        resource: run.name(),
        page: page.number,
        records: decoded.meta.records,
        rejected,
        bytes: page.body.len() as u64,
        total,
    });
    if !is_accepted {
        pages.accept(&decoded.meta, transform.is_past_range())?;
    }
    if decoded.discarded > 0 {
        run.emit(&RunEvent::ValuesDiscarded { resource: run.name(), values: decoded.discarded });
    }
    Ok(Some(Refused { rejects: decoded.rejects, nulled: decoded.nulled }))
}

/// Reads a pass whose records go to no table: for its children, or because there is not a single column.
pub(super) async fn read_without_table(
    run: &ResourceRun<'_>,
    mut pages: Pages<'_>,
    transform: &mut RecordTransform,
) -> Result<Tally> {
    let mut reader =
        Inferrer::new(run.resource.endpoint.data_selector.clone(), Vec::new(), &[], run.limits.nesting_depth_max);
    let mut tally = Tally::default();
    while let Some(SlicedPage { page, slice, is_accepted, .. }) = next_page(run, &mut pages).await? {
        transform.enter(&slice);
        let (lookups, wants_hints) = if is_accepted { Default::default() } else { pages.wanted() };
        reader.look_for(lookups, wants_hints);
        reader.expect(format_of(run, &page));
        let gate_of_page = transform.is_needed().then_some(&mut *transform as &mut dyn RecordGate);
        let meta = reader
            .observe_with(&page.body, gate_of_page)
            .map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))?;
        tally.records += meta.records;
        let (page, bytes) = (page.number, page.body.len() as u64);
        run.emit(&RunEvent::PageRead {
            resource: run.name(),
            page,
            records: meta.records,
            rejected: 0,
            bytes,
            total: None,
        });
        if !is_accepted {
            pages.accept(&meta, transform.is_past_range())?;
        }
    }
    end_listing(run, pages.finish());
    Ok(tally)
}

/// Whether more records were refused than the pipeline bears. A share of them is known at the end only.
pub(super) fn refuse_rejects(run: &ResourceRun<'_>, tally: &Tally, at_the_end: bool) -> Result<()> {
    let Some(bound) = run.limits.rejects_max else { return Ok(()) };
    let &Tally { records, rejected, .. } = tally;
    let is_certain = at_the_end || matches!(bound, RejectsMax::Count(_));
    if !is_certain || !bound.is_exceeded(rejected, records) {
        return Ok(());
    }
    let table = run.lake.table(&run.resource.table_name);
    let lake = table.url();
    let lake = lake.strip_suffix(&run.resource.table_name).unwrap_or(&lake).trim_end_matches('/').to_owned();
    Err(Error::schema(format!(
        "resource {}: {rejected} of {records} records were refused, and limits.rejects_max is {bound}",
        run.resource.name
    ))
    .with_hint(format!(
        "`lakefeed table rejects {lake} {} --run {}` shows them; mend the schema or the pipeline, or raise limits.rejects_max",
        run.resource.table_name, run.components.run_id
    )))
}

/// Records that move between the pages of an offset listing come twice, and push others past the reader.
pub(super) fn refuse_drift(
    run: &ResourceRun<'_>,
    writer: &mut TableWriter,
    outcome: Option<&ListingOutcome>,
) -> Result<()> {
    if !is_by_position(run.resource) || !outcome.is_some_and(|outcome| outcome.total_moved) {
        return Ok(());
    }
    match writer.duplicates()? {
        0 => Ok(()),
        twice => Err(drifted(run, twice)),
    }
}

/// Tells the writer that absent keys are gone, where the strategy closes them and the listing proves it. A record that was
/// refused is there all the same, so nothing is proven then.
pub(super) fn retire_absent(
    run: &ResourceRun<'_>,
    outcome: ListingOutcome,
    tally: &Tally,
    writer: &mut TableWriter,
) -> ListingOutcome {
    let merges = run.resource.write_disposition == WriteDisposition::Merge;
    if !merges || !run.resource.merge.history().is_some_and(|history| history.retires_absent) {
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

fn drifted(run: &ResourceRun<'_>, twice: u64) -> Error {
    Error::incomplete(format!(
        "resource {}: the stated total changed while the listing was read and {twice} records came twice, so that others may have been missed",
        run.resource.name
    ))
    .with_hint("records came or went between two pages: run again, or sort the listing by something that does not change")
}

pub(super) fn end_listing(run: &ResourceRun<'_>, outcome: Option<ListingOutcome>) {
    let Some(outcome) = outcome else { return };
    run.emit(&RunEvent::ListingEnded {
        resource: run.name(),
        stop_reason: outcome.stop_reason.as_str().to_owned(),
        complete: outcome.complete,
    });
}

/// How many records were refused for which reason.
fn by_reason(rejects: &[Reject]) -> BTreeMap<RejectCode, u64> {
    let mut counts = BTreeMap::new();
    for reject in rejects {
        *counts.entry(reject.code).or_default() += 1;
    }
    counts
}
