//! `lakefeed table ls`, `history` and `manifest`: what the log of a lake's tables says.

use serde_json::{Value, json};

use super::super::args::{HistoryArguments, LsArguments, ManifestArguments, Output};
use super::super::printer::Printer;
use super::grid::Side::{Left, Right};
use super::grid::grid;
use super::open::{instant, missing, open};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind, Result};
use crate::event::FileChangeKind;
use crate::facade::{Lake, Table};
use crate::lake::{Change, CommitSummary, Manifest, Operation, Snapshot};

/// Returns lines, each with its line feed.
fn text_of(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
}

/// Lists the tables of a lake. A table whose log cannot be read is listed too, and makes the
/// command fail at its end.
pub(super) async fn ls(arguments: LsArguments, printer: Printer) -> Result<()> {
    let lake = Lake::open_with(&arguments.lake, &Environment::of_process())?;
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    let mut damaged = Vec::new();
    for (name, table) in lake.tables().await? {
        match table.snapshot().await {
            Ok(snapshot) => {
                rows.push(ls_row(&name, &snapshot));
                lines.push(ls_json(&name, &table, &snapshot).to_string());
            }
            Err(error) => {
                let unknown = || "?".to_owned();
                rows.push([name.clone(), unknown(), unknown(), unknown(), unknown(), unknown(), unknown()]);
                lines.push(json!({"table": name, "url": table.url(), "error": error.to_string()}).to_string());
                damaged.push((name, error));
            }
        }
    }
    let headings = [
        ("table", Left),
        ("commit", Right),
        ("rows", Right),
        ("files", Right),
        ("bytes", Right),
        ("resource", Left),
        ("committed at", Left),
    ];
    match arguments.output {
        Output::Text => printer.data(&grid(headings, &rows)),
        Output::Json => printer.data(&text_of(&lines)),
    }
    damaged.into_iter().next().map_or(Ok(()), |(name, error)| Err(error.at(format!("table {name}"))))
}

fn ls_row(name: &str, snapshot: &Snapshot) -> [String; 7] {
    [
        name.to_owned(),
        snapshot.version.to_string(),
        snapshot.rows().to_string(),
        snapshot.files.len().to_string(),
        snapshot.bytes().to_string(),
        snapshot.checkpoint.as_ref().map(|checkpoint| checkpoint.resource.clone()).unwrap_or_default(),
        snapshot.committed_at.map(instant).unwrap_or_default(),
    ]
}

fn ls_json(name: &str, table: &Table, snapshot: &Snapshot) -> Value {
    json!({
        "table": name,
        "url": table.url(),
        "commit": snapshot.version,
        "published": snapshot.published,
        "rows": snapshot.rows(),
        "files": snapshot.files.len(),
        "bytes": snapshot.bytes(),
        "resource": snapshot.checkpoint.as_ref().map(|checkpoint| &checkpoint.resource),
        "run_id": snapshot.run_id,
        "committed_at": snapshot.committed_at,
    })
}

/// Tells the commits of a table, newest first.
pub(super) async fn history(arguments: HistoryArguments, printer: Printer) -> Result<()> {
    let table = open(&arguments.lake, &arguments.table)?;
    let commits = table.history(arguments.limit).await?;
    if commits.is_empty() && arguments.limit != Some(0) {
        return Err(missing(&table));
    }
    match arguments.output {
        Output::Text => printer.data(&history_text(&commits)),
        Output::Json => {
            let lines = commits.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
            let lines = lines.map_err(|error| Error::defect("a commit cannot be shown as JSON").with_source(error))?;
            printer.data(&text_of(&lines));
        }
    }
    Ok(())
}

fn history_text(commits: &[CommitSummary]) -> String {
    let rows = commits.iter().map(|commit| {
        let files = |change| commit.count(change).to_string();
        [
            commit.commit.to_string(),
            instant(commit.time),
            commit.run_id.clone(),
            match (commit.operation, &commit.merge) {
                (Operation::Load, None) => commit.disposition.to_string(),
                (Operation::Load, Some(merge)) => format!("{} {}", commit.disposition, merge.strategy),
                (other, _) => other.to_string(),
            },
            commit.rows.inserted.to_string(),
            commit.rows.updated.to_string(),
            commit.rows.deleted.to_string(),
            commit.rows.rejected.to_string(),
            files(FileChangeKind::Added),
            files(FileChangeKind::Replaced),
            files(FileChangeKind::Removed),
            commit.checkpoint.position.to_string(),
        ]
    });
    let headings = [
        ("commit", Right),
        ("time", Left),
        ("run", Left),
        ("kind", Left),
        ("inserted", Right),
        ("updated", Right),
        ("deleted", Right),
        ("rejected", Right),
        ("files added", Right),
        ("replaced", Right),
        ("removed", Right),
        ("checkpoint", Left),
    ];
    grid(headings, &rows.collect::<Vec<_>>())
}

/// Names the files of a commit. Whatever keeps the list from being the whole commit is said on
/// standard error.
pub(super) async fn manifest(arguments: ManifestArguments, printer: Printer) -> Result<()> {
    let table = open(&arguments.lake, &arguments.table)?;
    let manifest = match table.manifest(arguments.commit).await {
        Err(error) if error.kind() == ErrorKind::Config && table.snapshot().await?.version == 0 => {
            return Err(missing(&table));
        }
        other => other?,
    };
    match arguments.output {
        Output::Text => {
            printer.data(&text_of(&manifest.files.iter().map(|file| file.location.clone()).collect::<Vec<_>>()));
        }
        Output::Json => printer.data(&format!("{:#}\n", manifest_json(&table, &manifest))),
    }
    let number = manifest.snapshot.version;
    if !manifest.snapshot.published {
        printer.say(&format!(
            "commit {number} is not published yet: some of these files may be missing or old; the next run \
             publishes it"
        ));
    }
    if !manifest.gone.is_empty() {
        let rewritten = manifest.gone.iter().filter(|file| file.change == Change::Rewritten).count();
        printer.say(&format!(
            "commit {number} had {} more files: {rewritten} were rewritten since under the same name, {} removed",
            manifest.gone.len(),
            manifest.gone.len() - rewritten
        ));
    }
    Ok(())
}

fn manifest_json(table: &Table, manifest: &Manifest) -> Value {
    let partition = |values: &[(String, Option<String>)]| -> Value {
        Value::Object(values.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
    };
    let files = manifest.files.iter().map(|file| {
        json!({
            "location": file.location,
            "path": file.path,
            "rows": file.rows,
            "bytes": file.bytes,
            "partition": partition(&file.partition),
        })
    });
    json!({
        "url": table.url(),
        "commit": manifest.snapshot.version,
        "run_id": manifest.snapshot.run_id,
        "committed_at": manifest.snapshot.committed_at,
        "published": manifest.snapshot.published,
        "complete": manifest.snapshot.published && manifest.gone.is_empty(),
        "rows": manifest.snapshot.rows(),
        "files": files.collect::<Vec<_>>(),
        "gone": manifest.gone,
    })
}
