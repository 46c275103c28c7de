//! `lakefeed table recover`, `compact` and `vacuum`: looking after a table.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::args::{CompactArguments, Output, RecoverArguments, VacuumArguments};
use super::super::printer::Printer;
use super::grid::Side::{Left, Right};
use super::grid::grid;
use super::open::{instant, missing, open};
use crate::error::Result;
use crate::facade::Table;
use crate::lake::{CompactSpec, Compaction, Garbage, LockWaitStatus, Recovery, StagedRun, VacuumSpec, Vacuumed};

/// Says on standard error that a table is waited for.
fn say_waiting(printer: Printer, wait: &LockWaitStatus) {
    let (waited, limit) = (wait.waited.as_secs(), wait.limit.as_secs());
    printer.say(&format!("waiting ({waited} of at most {limit} seconds): {}", wait.reason));
}

/// Returns a table that is there, which is waited for if it has to be.
async fn open_to_write(lake: &str, name: &str, wait: Option<Duration>, printer: Printer) -> Result<Table> {
    let table = open(lake, name)?;
    if !table.exists().await? {
        return Err(missing(&table));
    }
    Ok(match wait {
        None => table,
        Some(limit) => table.waiting(limit, move |wait| say_waiting(printer, wait)),
    })
}

/// Returns what was done, with the table that it was done to.
fn object(table: &Table, done: &impl serde::Serialize, more: Value) -> String {
    let mut object = json!({ "url": table.url() });
    for part in [json!(done), more] {
        if let (Value::Object(object), Value::Object(part)) = (&mut object, part) {
            object.extend(part);
        }
    }
    format!("{object:#}\n")
}

/// Finishes what dead runs began.
pub(super) async fn recover(arguments: RecoverArguments, printer: Printer) -> Result<()> {
    let table = open_to_write(&arguments.lake, &arguments.table, arguments.wait, printer).await?;
    let recovery = table.recover().await?;
    match arguments.output {
        Output::Text => printer.data(&recovery_text(&recovery)),
        Output::Json => printer.data(&object(&table, &recovery, json!({}))),
    }
    if recovery_text(&recovery).is_empty() {
        printer.say("there was nothing to recover");
    }
    Ok(())
}

fn recovery_text(recovery: &Recovery) -> String {
    let mut lines = rolled_forward(recovery.rolled_forward);
    lines.extend(fenced(recovery.fence));
    let run = |done: &str, staged: &StagedRun| {
        format!("{done} {} objects, {} bytes, of run {}\n", staged.objects, staged.bytes, staged.run_id)
    };
    lines.extend(recovery.swept.iter().map(|staged| run("deleted", staged)));
    lines.extend(recovery.kept.iter().map(|staged| run("kept for the next run", staged)));
    lines.concat()
}

fn rolled_forward(commit: Option<u64>) -> Vec<String> {
    commit
        .map(|commit| format!("published commit {commit}, which a run had made before it ended\n"))
        .into_iter()
        .collect()
}

fn fenced(commit: Option<u64>) -> Option<String> {
    commit.map(|commit| {
        format!("made commit {commit}, which changes nothing, so that no stopped run can wake up and commit\n")
    })
}

/// Puts small files together.
pub(super) async fn compact(arguments: CompactArguments, printer: Printer) -> Result<()> {
    let table = open_to_write(&arguments.lake, &arguments.table, arguments.wait, printer).await?;
    let mut spec = CompactSpec::default();
    spec.target_bytes = arguments.target_size;
    spec.sort_by = arguments.sort_by;
    spec.partitions = arguments.partition;
    spec.dry_run = arguments.dry_run;
    let compaction = table.compact(&spec).await?;
    match arguments.output {
        Output::Text => printer.data(&compaction_text(&compaction)),
        Output::Json => printer.data(&object(&table, &compaction, json!({ "dry_run": spec.dry_run }))),
    }
    printer.say(&compaction_summary(&compaction, spec.dry_run));
    Ok(())
}

fn compaction_text(compaction: &Compaction) -> String {
    let mut text = rolled_forward(compaction.rolled_forward).concat();
    if compaction.partitions.is_empty() {
        return text;
    }
    let known = |number: Option<String>| number.unwrap_or_else(|| "?".to_owned());
    let rows = compaction.partitions.iter().map(|partition| {
        [
            if partition.partition.is_empty() { ".".to_owned() } else { partition.partition.clone() },
            partition.files_before.to_string(),
            known(partition.files_after.map(|files| files.to_string())),
            partition.rows.to_string(),
            partition.bytes_before.to_string(),
            known(partition.bytes_after.map(|bytes| bytes.to_string())),
        ]
    });
    let headings = [
        ("partition", Left),
        ("files before", Right),
        ("after", Right),
        ("rows", Right),
        ("bytes before", Right),
        ("after", Right),
    ];
    text.push_str(&grid(headings, &rows.collect::<Vec<_>>()));
    text
}

fn compaction_summary(compaction: &Compaction, dry_run: bool) -> String {
    let files: usize = compaction.partitions.iter().map(|partition| partition.files_before).sum();
    let rows: u64 = compaction.partitions.iter().map(|partition| partition.rows).sum();
    let partitions = compaction.partitions.len();
    match compaction.commit {
        Some(commit) => {
            format!("commit {commit} rewrote {files} files with {rows} rows in {partitions} partitions; no row changed")
        }
        None if dry_run => {
            format!("{files} files with {rows} rows in {partitions} partitions would be rewritten; nothing was changed")
        }
        None => "there was nothing to put together".to_owned(),
    }
}

/// Deletes what nobody needs.
pub(super) async fn vacuum(arguments: VacuumArguments, printer: Printer) -> Result<()> {
    let table = open_to_write(&arguments.lake, &arguments.table, arguments.wait, printer).await?;
    let mut spec = VacuumSpec::older_than(arguments.older_than);
    spec.rejects_older_than = arguments.rejects_older_than;
    spec.dry_run = arguments.dry_run;
    let vacuumed = table.vacuum(spec).await?;
    match arguments.output {
        Output::Text => printer.data(&vacuum_text(&vacuumed, spec.dry_run)),
        Output::Json => printer.data(&object(&table, &vacuumed, json!({ "dry_run": spec.dry_run }))),
    }
    let bytes: u64 = vacuumed.deleted.iter().map(|garbage| garbage.bytes).sum();
    let verb = if spec.dry_run { "would be deleted" } else { "were deleted" };
    printer.say(&format!("{} files with {bytes} bytes {verb}, {} kept", vacuumed.deleted.len(), vacuumed.kept.len()));
    Ok(())
}

fn vacuum_text(vacuumed: &Vacuumed, dry_run: bool) -> String {
    let mut text = match vacuumed.rolled_forward {
        Some(commit) if dry_run => format!("would publish commit {commit}, which a run had made before it ended\n"),
        other => rolled_forward(other).concat(),
    };
    text.extend(fenced(vacuumed.fence));
    let row = |done: &str, garbage: &Garbage| {
        let kind = json!(garbage.kind).as_str().unwrap_or_default().to_owned();
        [done.to_owned(), kind, garbage.bytes.to_string(), instant(garbage.modified), garbage.path.clone()]
    };
    let verb = if dry_run { "would delete" } else { "deleted" };
    let deleted = vacuumed.deleted.iter().map(|garbage| row(verb, garbage));
    let rows: Vec<_> = deleted.chain(vacuumed.kept.iter().map(|garbage| row("kept", garbage))).collect();
    if !rows.is_empty() {
        text.push_str(&grid(
            [("what", Left), ("kind", Left), ("bytes", Right), ("written", Left), ("path", Left)],
            &rows,
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::{CompactedPartition, GarbageKind};

    fn staged(run_id: &str) -> StagedRun {
        let mut run = StagedRun::default();
        run.run_id = run_id.to_owned();
        (run.objects, run.bytes) = (3, 1_234);
        run.newest = "2026-11-23T12:00:00Z".parse().unwrap();
        run
    }

    #[test]
    fn a_recovery_reads_well() {
        let mut recovery = Recovery::default();
        (recovery.rolled_forward, recovery.fence) = (Some(41), Some(42));
        recovery.swept = vec![staged("run-1"), staged("run-2")];
        recovery.kept = vec![staged("run-3")];
        insta::assert_snapshot!(recovery_text(&recovery), @r"
        published commit 41, which a run had made before it ended
        made commit 42, which changes nothing, so that no stopped run can wake up and commit
        deleted 3 objects, 1234 bytes, of run run-1
        deleted 3 objects, 1234 bytes, of run run-2
        kept for the next run 3 objects, 1234 bytes, of run run-3
        ");
    }

    #[test]
    fn a_compaction_reads_well() {
        let partition = |name: &str, files_after: Option<usize>| {
            let mut partition = CompactedPartition::default();
            partition.partition = name.to_owned();
            (partition.files_before, partition.files_after) = (12, files_after);
            partition.rows = 3_400;
            (partition.bytes_before, partition.bytes_after) = (90_000, files_after.map(|_| 65_000));
            partition
        };
        let mut compaction = Compaction::default();
        compaction.commit = Some(7);
        compaction.partitions = vec![partition("day=2026-11-23", Some(1)), partition("", None)];
        insta::assert_snapshot!(compaction_text(&compaction) + &compaction_summary(&compaction, false), @r"
        partition       files before  after  rows  bytes before  after
        day=2026-11-23            12      1  3400         90000  65000
        .                         12      ?  3400         90000      ?
        commit 7 rewrote 24 files with 6800 rows in 2 partitions; no row changed
        ");
    }

    #[test]
    fn a_vacuum_reads_well() {
        let garbage = |kind, path: &str| {
            let mut garbage = Garbage::default();
            (garbage.kind, garbage.path) = (kind, path.to_owned());
            garbage.bytes = 2_048;
            garbage.modified = "2026-11-01T08:30:00Z".parse().unwrap();
            garbage
        };
        let mut vacuumed = Vacuumed::default();
        vacuumed.rolled_forward = Some(4);
        vacuumed.deleted = vec![garbage(GarbageKind::Staged, "_lakefeed/staging/run-1/0.staged")];
        vacuumed.kept = vec![garbage(GarbageKind::Foreign, "mine.parquet")];
        insta::assert_snapshot!(vacuum_text(&vacuumed, true), @r"
        would publish commit 4, which a run had made before it ended
        what          kind     bytes  written               path
        would delete  staged    2048  2026-11-01T08:30:00Z  _lakefeed/staging/run-1/0.staged
        kept          foreign   2048  2026-11-01T08:30:00Z  mine.parquet
        ");
    }
}
