//! `lakefeed table show`: the first rows of a table.

use arrow::array::RecordBatch;

use super::super::args::{Output, ShowArguments};
use super::super::printer::Printer;
use super::open::{missing, open};
use super::rows::{framed, json_lines};
use crate::error::Result;
use crate::facade::Table;

/// Prints the first rows of a table as its last commit left it.
pub(super) async fn show(arguments: ShowArguments, printer: Printer) -> Result<()> {
    let table = open(&arguments.lake, &arguments.table)?;
    printer.data(&render(&table, arguments.limit, arguments.output).await?);
    Ok(())
}

/// Returns the first rows of a table, as text that ends with a line feed.
pub(in crate::cli) async fn render(table: &Table, limit: usize, output: Output) -> Result<String> {
    let snapshot = table.snapshot().await?;
    let Some(schema) = snapshot.schema.as_deref() else { return Err(missing(table)) };
    let batches = table.first_rows(&snapshot, limit).await?;
    if output == Output::Json {
        return json_lines(&batches);
    }
    let shown: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let (rows, files, commit) = (snapshot.rows(), snapshot.files.len(), snapshot.version);
    Ok(format!("{}{shown} of {rows} rows in {files} files, commit {commit}\n", framed(schema, &batches)?))
}
