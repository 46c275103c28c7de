//! Reading a pass: its pages are typed and handed on until the listing is proven complete.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::event::{RunEvent, Verdict};
use crate::extract::Origin;
use crate::lake::TableWriter;
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{Acceptance, Drift, Pages, RecordTransform, SlicedPage, is_by_position, next_page};
use crate::pipeline::sink::Sink;
use crate::pipeline::typing::Records;
use crate::plan::{SliceCounts, SliceOutcome};
use crate::reject::{Reject, RejectCode, command_to_show};
use crate::spec::{CountOrShare, WriteDisposition};

/// Reads every page and hands its rows on; returns what came of it once the listing is proven
/// complete, `None` when the sink takes no more. `drift` watches for records that move between
/// pages.
pub(super) async fn extract(
    run: &ResourceRun<'_>,
    mut pages: Pages<'_>,
    mut records: Records<'_, '_>,
    sink: &mut dyn Sink,
    transform: &mut RecordTransform,
    mut drift: Option<Drift>,
) -> Result<Option<SliceOutcome>> {
    let mut counts = SliceCounts::default();
    while let Some(sliced) = next_page(run, &mut pages).await? {
        let taken =
            read_page(run, &mut pages, sliced, &mut records, sink, transform, (&mut counts, &mut drift)).await?;
        if !taken || !records.hand_on_full(run, sink).await? {
            return Ok(None);
        }
    }
    records.hand_on(sink).await?;
    let repeated = drift.as_ref().map_or(0, |drift| drift.repeated);
    if repeated > 0 {
        return Err(drifted(run, repeated));
    }
    let outcome = pages.finish();
    counts.pages = outcome.counts.pages;
    Ok(Some(SliceOutcome { counts, schema: records.schema(), ..outcome }))
}

/// Reads the records of a page, and lets the listing decide what follows. `false` when the sink
/// takes no more.
async fn read_page(
    run: &ResourceRun<'_>,
    pages: &mut Pages<'_>,
    sliced: SlicedPage,
    records: &mut Records<'_, '_>,
    sink: &mut dyn Sink,
    transform: &mut RecordTransform,
    (counts, drift): (&mut SliceCounts, &mut Option<Drift>),
) -> Result<bool> {
    let SlicedPage { page, slice, acceptance } = sliced;
    transform.enter(&slice);
    if pages.resumed && page.origin == Origin::Fetched {
        transform.freeze_cursor();
    }
    pages.resumed |= page.origin == Origin::Cached;
    let Some(decoded) = records.read(&page, transform, sink).await? else { return Ok(false) };
    let (rejected, by_reason) = (decoded.rejects.len() as u64, by_reason(&decoded.rejects));
    let (records, nulled) = (decoded.meta.records, decoded.nulled.len() as u64);
    let filtered = decoded.dropped;
    counts.add(SliceCounts { pages: 0, records, rejected: by_reason.clone(), nulled, filtered });
    let total = match acceptance {
        Acceptance::Sampled { total } => total,
        Acceptance::Pending => pages.stated_total(&decoded.meta),
    };
    if let (Some(drift), Some(total)) = (drift, total) {
        drift.came(&page, total);
    }
    if rejected > 0 {
        run.emit(&RunEvent::RecordsRefused { resource: run.name(), by_reason });
    }
    run.emit(&RunEvent::PageRead {
        resource: run.name(),
        page: page.number,
        records,
        rejected,
        bytes: page.body.len() as u64,
        total,
    });
    if acceptance == Acceptance::Pending {
        pages.accept(&decoded.meta, transform.is_past_range())?;
    }
    if decoded.discarded > 0 {
        run.emit(&RunEvent::ValuesDiscarded { resource: run.name(), values: decoded.discarded });
    }
    let taken = decoded.rejects.is_empty() || sink.reject(decoded.rejects).await;
    if !taken || !(decoded.nulled.is_empty() || sink.note_nulled(decoded.nulled).await) {
        return Ok(false);
    }
    refuse_rejects(run, counts, false)?;
    Ok(true)
}

/// Judges how many records of a pass were refused, once all of them are known.
pub(super) fn judge_rejects(run: &ResourceRun<'_>, counts: &SliceCounts, is_new: bool) -> Result<()> {
    refuse_rejects(run, counts, true)?;
    refuse_nothing_but_rejects(run, counts, is_new)
}

/// Returns whether more records were refused than the pipeline bears. A share of them is known at
/// the end only.
fn refuse_rejects(run: &ResourceRun<'_>, counts: &SliceCounts, at_the_end: bool) -> Result<()> {
    let Some(bound) = run.limits.rejects_max else { return Ok(()) };
    let (records, rejected) = (counts.records, counts.rejected());
    let is_certain = at_the_end || matches!(bound, CountOrShare::Count(_));
    if !is_certain || !bound.is_exceeded(rejected, records) {
        return Ok(());
    }
    let what = format!("{rejected} of {records} records were refused, and limits.rejects_max is {bound}");
    Err(refused(run, &what, "mend the schema or the pipeline, or raise limits.rejects_max"))
}

/// Refuses a pass that refused every record it read: where the table is new or replaced, or where
/// there were many. A replaced table is not emptied on the strength of records that were refused
/// either.
fn refuse_nothing_but_rejects(run: &ResourceRun<'_>, counts: &SliceCounts, is_new: bool) -> Result<()> {
    let (records, rejected) = (counts.records, counts.rejected());
    let replaces = run.resource.write_disposition == WriteDisposition::Replace || run.options.full_refresh;
    let mend = "mend the schema or the pipeline; nothing was changed";
    if rejected == 0 {
        return Ok(());
    }
    if replaces && rejected + counts.filtered == records {
        let what = format!("no record is left to replace the table by: {rejected} of {records} were refused");
        return Err(refused(run, &what, mend));
    }
    if rejected == records && (is_new || records >= run.limits.all_refused_min) {
        return Err(refused(run, &format!("all {records} records were refused"), mend));
    }
    Ok(())
}

/// Sees to it that no row leaves with its group for a record of it that was refused. Without a
/// primary key, what is left of a group cannot be told from what came, so the pass is refused.
pub(super) fn spare_groups(run: &ResourceRun<'_>, counts: &SliceCounts, writer: &mut TableWriter) -> Result<()> {
    let (records, rejected) = (counts.records, counts.rejected());
    let merges = run.resource.write_disposition == WriteDisposition::Merge;
    if rejected == 0 || !merges || run.resource.merge.merge_key.is_empty() {
        return Ok(());
    }
    if run.resource.primary_key.is_empty() {
        let what =
            format!("{rejected} of {records} records were refused, and what they were would leave with its group");
        return Err(refused(run, &what, "mend the schema or the pipeline, or give the resource a primary_key"));
    }
    writer.keep_rest_of_groups();
    Ok(())
}

/// Tells how many records were refused, and how to see them.
pub(super) fn tell_refused(run: &ResourceRun<'_>, counts: &SliceCounts) {
    let rejected = counts.rejected();
    if rejected > 0 {
        let look = look_at_rejects(run);
        run.emit(&RunEvent::RecordsSetAside { resource: run.name(), records: counts.records, rejected, look });
    }
}

fn refused(run: &ResourceRun<'_>, what: &str, mend: &str) -> Error {
    let error = Error::schema(format!("resource {}: {what}", run.resource.name));
    match look_at_rejects(run) {
        Some(look) => error.with_hint(format!("`{look}` shows them; {mend}")),
        None => error.with_hint(mend),
    }
}

/// Returns the command that shows the refused records of the run; `None` where no table keeps them.
fn look_at_rejects(run: &ResourceRun<'_>) -> Option<String> {
    run.lake_of_table()?;
    command_to_show(&run.table_url(), &run.options.run_id)
}

/// Refuses a listing by position that has lost rows: records that move between its pages, or whose
/// order is not unique, come twice, and push others past the reader. Where no total is stated, it
/// is only not known to be whole.
pub(super) fn refuse_drift(run: &ResourceRun<'_>, writer: &mut TableWriter, outcome: &mut SliceOutcome) -> Result<()> {
    // Versions of one row may come in one listing, and the same record in two of them.
    let has_key = !run.resource.primary_key.is_empty() && run.resource.merge.precedence.is_none();
    let is_unique = has_key && outcome.slices == 1;
    if !is_by_position(run.resource) || !(is_unique || outcome.total_moved) {
        return Ok(());
    }
    let twice = writer.duplicates()?;
    if twice == 0 {
        return Ok(());
    }
    if outcome.total_moved {
        return Err(drifted(run, twice));
    }
    let distinct = outcome.counts.records.saturating_sub(twice);
    match (outcome.total, &mut outcome.complete) {
        (Some(total), _) if distinct < total => Err(Error::incomplete(format!(
            "resource {}: {total} records are promised, and {distinct} different ones came, {twice} of them again: others may never have come",
            run.resource.name
        ))
        .with_hint("the order of the listing seems not to be unique: have the API sort by the primary key, with a parameter in endpoint.params")),
        (None, Some(complete)) if complete.verdict == Verdict::True => {
            complete.verdict = Verdict::Unknown;
            complete.reason = format!("{}, but {twice} records came again, so that others may never have come", complete.reason);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Tells the writer that absent keys are gone, where the strategy closes them and the listing
/// proves it. A record that was refused is there all the same, so nothing is proven then.
pub(super) fn retire_absent(run: &ResourceRun<'_>, outcome: &mut SliceOutcome, writer: &mut TableWriter) {
    let merges = run.resource.write_disposition == WriteDisposition::Merge;
    let retires = merges && run.resource.merge.history().is_some_and(|history| history.retires_absent);
    let Some(complete) = outcome.complete.as_mut().filter(|_| retires) else { return };
    let rejected = outcome.counts.rejected();
    if complete.verdict == Verdict::True && rejected == 0 {
        writer.listing_was_whole();
        return;
    }
    let why = if rejected > 0 { "records were refused" } else { "this is no proof that they are gone" };
    complete.reason = format!("{}; absent keys stay open, since {why}", complete.reason);
}

fn drifted(run: &ResourceRun<'_>, twice: u64) -> Error {
    Error::incomplete(format!(
        "resource {}: the stated total changed while the listing was read and {twice} records came twice, so that others may have been missed",
        run.resource.name
    ))
    .with_hint("records came or went between two pages: run again, or sort the listing by something that does not change")
}

/// Tells how the listing of a pass ended, if there was one.
pub(super) fn end_listing(run: &ResourceRun<'_>, outcome: &SliceOutcome) {
    let (Some(stop_reason), Some(complete)) = (outcome.stop_reason, outcome.complete.clone()) else { return };
    let stop_reason = stop_reason.as_str().to_owned();
    run.emit(&RunEvent::ListingEnded { resource: run.name(), stop_reason, complete });
}

/// Returns how many records were refused for which reason.
fn by_reason(rejects: &[Reject]) -> BTreeMap<RejectCode, u64> {
    let mut counts = BTreeMap::new();
    for reject in rejects {
        *counts.entry(reject.code).or_default() += 1;
    }
    counts
}
