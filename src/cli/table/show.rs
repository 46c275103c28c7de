//! `lakefeed table show`: the first rows of a table, read by polars, which shares no code with what wrote them.

use std::io::Cursor;

use bytes::Bytes;
use polars::prelude::{Column, DataFrame, ParquetReader, PolarsError, SerReader as _};

use super::super::args::{Output, ShowArguments};
use super::super::printer::Printer;
use super::frame::{json_lines, unreadable};
use super::missing;
use super::widen::widened;
use crate::error::{Error, Result};
use crate::lake::{Lake, Table};
use crate::spec::DestinationSpec;

/// Prints the first rows of a table as its last commit left it.
pub(super) async fn show(arguments: ShowArguments, printer: Printer) -> Result<()> {
    let text =
        render(&DestinationSpec::at(&arguments.lake), &arguments.table, arguments.limit, arguments.output).await?;
    printer.data(&text);
    Ok(())
}

/// The first rows of a table, as text that ends with a line feed.
pub(in crate::cli) async fn render(
    lake: &DestinationSpec,
    table: &str,
    limit: usize,
    output: Output,
) -> Result<String> {
    let table = Lake::open_existing(lake)?.table(table);
    let snapshot = table.snapshot().await?;
    if snapshot.version == 0 {
        return Err(missing(&table));
    }
    let mut frame = DataFrame::empty();
    for path in snapshot.files.keys() {
        if frame.height() >= limit && frame.width() > 0 {
            break;
        }
        let rows = read(&table, path, limit - frame.height()).await?;
        frame = if frame.width() == 0 { rows } else { stack(frame, rows, path)? };
    }
    match output {
        Output::Json => json_lines(&frame),
        Output::Text => Ok(text_table(&frame, snapshot.rows(), snapshot.files.len(), snapshot.version)),
    }
}

async fn read(table: &Table, path: &str, limit: usize) -> Result<DataFrame> {
    let bytes = table.read_file(path).await?;
    let cannot_widen = |error| Error::storage(format!("{path} cannot be read")).with_source(error);
    let wide = widened(bytes.clone(), Some(limit), Vec::new()).map_err(cannot_widen)?;
    let bytes = wide.map_or(bytes, Bytes::from);
    ParquetReader::new(Cursor::new(bytes))
        .with_slice(Some((0, limit)))
        .finish()
        .map_err(|error| unreadable(path, error))
}

/// Puts rows below others. Files of an older commit may lack columns that came later, and have nulls there.
fn stack(mut above: DataFrame, mut below: DataFrame, path: &str) -> Result<DataFrame> {
    let failed = |error| unreadable(path, error);
    add_missing_columns(&mut above, &below).map_err(failed)?;
    add_missing_columns(&mut below, &above).map_err(failed)?;
    let below = below.select(above.get_column_names_owned()).map_err(failed)?;
    above.vstack(&below).map_err(failed)
}

fn add_missing_columns(frame: &mut DataFrame, other: &DataFrame) -> Result<(), PolarsError> {
    for column in other.columns() {
        if frame.column(column.name()).is_err() {
            let nulls = Column::full_null(column.name().clone(), frame.height(), column.dtype());
            frame.with_column(nulls)?;
        }
    }
    Ok(())
}

fn text_table(frame: &DataFrame, rows: u64, files: usize, commit: u64) -> String {
    let shown = frame.height();
    format!("{frame}\n{shown} of {rows} rows in {files} files, commit {commit}\n")
}
