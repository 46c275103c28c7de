//! `lakefeed table rejects`: the records that runs have refused, and why.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;

use super::super::args::{Output, RejectsArguments};
use super::super::printer::Printer;
use super::grid::Side::{Left, Right};
use super::grid::{grid, shortened};
use super::open::{missing, open};
use crate::error::{Error, Result};
use crate::lake::KeptReject;

/// Shows the rejects of a table, the newest run first, and says on standard error how many there
/// are of which reason.
pub(super) async fn rejects(arguments: RejectsArguments, printer: Printer) -> Result<()> {
    let table = open(&arguments.lake, &arguments.table)?;
    let rejects = table.rejects().await?;
    if rejects.files().is_empty() && table.snapshot().await?.version == 0 {
        return Err(missing(&table));
    }
    let mut shown = Vec::new();
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for file in rejects.files().iter().rev() {
        let mut batches = rejects.read(file).await?;
        while let Some(batch) = batches.try_next().await? {
            for reject in batch {
                let is_of_run = arguments.run.as_ref().is_none_or(|run| reject.run_id == *run);
                if is_of_run && arguments.reason.as_ref().is_none_or(|reason| reject.code == *reason) {
                    *found.entry(reject.code.clone()).or_default() += 1;
                    if shown.len() < arguments.limit {
                        shown.push(reject);
                    }
                }
            }
        }
    }
    match arguments.output {
        Output::Text if shown.is_empty() => {}
        Output::Text => printer.data(&text(&shown)),
        Output::Json => printer.data(&json_lines(&shown)?),
    }
    let reasons = found.iter().map(|(code, count)| format!("{count} {code}")).collect::<Vec<_>>().join(", ");
    let count: u64 = found.values().sum();
    printer.say(&match count {
        0 => "no rejects".to_owned(),
        count => format!("{} of {count} rejects ({reasons})", shown.len()),
    });
    Ok(())
}

fn json_lines(rejects: &[KeptReject]) -> Result<String> {
    let mut text = String::new();
    for reject in rejects {
        let line = serde_json::to_string(reject)
            .map_err(|error| Error::defect("a reject cannot be shown as JSON").with_source(error))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn text(rejects: &[KeptReject]) -> String {
    let rows = rejects.iter().map(|reject| {
        [
            reject.run_id.clone(),
            reject.page.to_string(),
            reject.position.to_string(),
            reject.state.to_string(),
            reject.code.clone(),
            shortened(&reject.path),
            shortened(&reject.reason),
            shortened(&reject.raw),
        ]
    });
    let headings = [
        ("run", Left),
        ("page", Right),
        ("record", Right),
        ("state", Left),
        ("code", Left),
        ("path", Left),
        ("reason", Left),
        ("raw", Left),
    ];
    grid(headings, &rows.collect::<Vec<_>>())
}
