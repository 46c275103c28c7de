//! `lakefeed table verify`: is a table what its log says?

use serde_json::json;

use super::super::args::{Output, VerifyArguments};
use super::super::printer::Printer;
use super::grid::Side::Left;
use super::grid::grid;
use super::open::{missing, open};
use crate::error::{Error, Result};
use crate::lake::{Finding, Level, VerifyReport};

/// Prints every finding; fails when one of them is a problem.
pub(super) async fn verify(arguments: VerifyArguments, printer: Printer) -> Result<()> {
    let table = open(&arguments.lake, &arguments.table)?;
    let report = table.verify().await?;
    if report.snapshot.version == 0 && report.findings.is_empty() {
        return Err(missing(&table));
    }
    match arguments.output {
        Output::Text => printer.data(&text(&report.findings)),
        Output::Json => printer.data(&format!("{:#}\n", json(&table.url(), &report))),
    }
    let problems: Vec<&Finding> = report.findings.iter().filter(|finding| finding.level == Level::Problem).collect();
    if problems.is_empty() {
        let snapshot = &report.snapshot;
        let (rows, files) = (snapshot.rows(), snapshot.files.len());
        printer.say(&format!("{} is sound: {rows} rows in {files} files, commit {}", table.url(), snapshot.version));
        return Ok(());
    }
    let count = if problems.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", problems.len()) };
    let mut hints: Vec<&str> = problems.iter().map(|finding| finding.code.remedy()).collect();
    hints.sort_unstable();
    hints.dedup();
    let error = Error::damaged(format!("table {} is not sound: {count}", table.url()));
    Err(hints.into_iter().fold(error, Error::with_hint))
}

fn text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let rows = findings
        .iter()
        .map(|finding| [name(finding.level), name(finding.code), finding.place.clone(), finding.detail.clone()]);
    grid([("level", Left), ("code", Left), ("place", Left), ("detail", Left)], &rows.collect::<Vec<_>>())
}

/// Returns a word as JSON has it.
fn name(word: impl serde::Serialize) -> String {
    json!(word).as_str().unwrap_or_default().to_owned()
}

fn json(url: &str, report: &VerifyReport) -> serde_json::Value {
    json!({
        "url": url,
        "commit": report.snapshot.version,
        "published": report.snapshot.published,
        "rows": report.snapshot.rows(),
        "files": report.snapshot.files.len(),
        "bytes": report.snapshot.bytes(),
        "sound": report.is_sound(),
        "findings": report.findings,
    })
}
