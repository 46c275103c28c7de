//! `lakefeed table query`: SQL over the tables of a lake, by polars.
//!
//! What is read are the exact files of the last commit of each table that the query names. Data
//! files keep their names when they are rewritten, so a query whose tables were committed to in the
//! meantime is run again, whatever came out of it.

use std::collections::BTreeSet;
use std::time::Duration;

use polars::prelude::{LazyFrame, PolarsError};
use polars::sql::{SQLContext, extract_table_identifiers};

use super::super::args::{QueryArguments, QueryOutput};
use super::super::printer::Printer;
use super::super::session::interrupt_on_signals;
use super::frame::Frame;
use super::rows::json_lines;
use super::scan::{local_files, scan};
use crate::clock::{Clock as _, SystemClock};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::facade::{Lake, Table};
use crate::lake::Manifest;
use crate::schema::RecordSchema;

/// How often the tables are looked at while runs keep changing them.
const LOOKS_MAX: usize = 4;
/// Between two looks.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// What a statement that reads begins with.
const READING_WORDS: [&str; 6] = ["select", "with", "from", "values", "table", "explain"];

/// Runs the query and prints its rows.
pub(super) async fn query(arguments: QueryArguments, printer: Printer) -> Result<()> {
    check_reads(&arguments.sql)?;
    let lake = Lake::open_with(&arguments.lake, &Environment::of_process())?;
    let interrupt = interrupt_on_signals();
    let frame = tokio::select! {
        frame = rows_of(&lake, &arguments) => frame?,
        () = interrupt.raised() => return Err(Error::interrupted()),
    };
    printer.data(&match arguments.output {
        QueryOutput::Text => frame.columns_of_text()?,
        QueryOutput::Json => json_lines(&frame.batches)?,
        QueryOutput::Csv => frame.csv()?,
    });
    printer.say(&match frame.rows() {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    });
    Ok(())
}

/// Returns the rows, of tables that stayed as they are while they were read.
async fn rows_of(lake: &Lake, arguments: &QueryArguments) -> Result<Frame> {
    let clock = SystemClock::new();
    let mut changing = None;
    for _ in 0..LOOKS_MAX {
        if changing.is_some() {
            clock.sleep(LOOK_AGAIN_AFTER).await;
        }
        let sources = Sources::named_in(lake, arguments).await?;
        changing = sources.unpublished();
        if changing.is_some() {
            continue;
        }
        let outcome = sources.run(&arguments.sql).await;
        if sources.are_as_they_were().await? {
            return outcome;
        }
        changing = Some(
            Error::conflict("the tables changed each time that they were read")
                .with_hint("run the query when no run writes to them"),
        );
    }
    Err(changing.unwrap_or_else(|| Error::conflict("the tables could not be looked at")))
}

/// A table that the query names, as its last commit left it.
struct Source {
    name: String,
    table: Table,
    manifest: Manifest,
}

/// What the query names.
struct Sources {
    known: Vec<Source>,
    /// For messages: the columns of these tables, and the lake's tables where it has not what the
    /// query names.
    hints: Vec<String>,
}

impl Sources {
    async fn named_in(lake: &Lake, arguments: &QueryArguments) -> Result<Self> {
        let names = extract_table_identifiers(&arguments.sql, false, true).map_err(|error| refused(&error))?;
        let mut known = Vec::new();
        // What a query calls by a name of its own is among them.
        let mut unknown = BTreeSet::new();
        for name in names {
            let table = lake.table(&name);
            match table.snapshot().await?.version {
                0 => drop(unknown.insert(name)),
                _ => known.push(Source { manifest: table.manifest(None).await?, name, table }),
            }
        }
        let mut hints = known.iter().map(Source::described).collect::<Vec<_>>();
        if known.is_empty() || !unknown.is_empty() {
            let tables = lake.tables().await?;
            let tables = tables.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", ");
            let tables = if tables.is_empty() { "none" } else { &tables };
            hints.push(format!("the tables of the lake {}: {tables}", arguments.lake));
        }
        Ok(Self { known, hints })
    }

    /// Returns why a glob could not be read either: a commit that is not yet in place.
    fn unpublished(&self) -> Option<Error> {
        let source = self.known.iter().find(|source| !source.manifest.snapshot.published)?;
        let (version, url) = (source.manifest.snapshot.version, source.table.url());
        let error = Error::conflict(format!("commit {version} of table {url} is not published yet"));
        Some(error.with_hint("wait for its run; if that is dead, `lakefeed table recover` publishes the commit"))
    }

    async fn are_as_they_were(&self) -> Result<bool> {
        for Source { table, manifest, .. } in &self.known {
            if table.snapshot().await?.version != manifest.snapshot.version {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn run(&self, sql: &str) -> Result<Frame> {
        let folder = tempfile::tempdir()
            .map_err(|error| Error::storage("cannot make a folder for temporary files").with_source(error))?;
        let mut context = SQLContext::new();
        for (number, source) in self.known.iter().enumerate() {
            let Some(schema) = source.schema() else { continue };
            let files =
                local_files(&source.table, &source.manifest, schema, folder.path(), &number.to_string()).await?;
            context.register(&source.name, scan(&files).map_err(|error| refused(&error))?);
        }
        let sql = sql.to_owned();
        // A panic of polars ends the task, not the process.
        let done = tokio::task::spawn_blocking(move || {
            let rows = context.execute(&sql).and_then(LazyFrame::collect)?;
            Ok(Frame::of(rows))
        });
        let done = done.await.map_err(|error| Error::config("polars gave up on the query").with_source(error))?;
        done.map_err(|error| self.hints.iter().fold(refused(&error), Error::with_hint))?
    }
}

impl Source {
    /// Returns its name and its columns.
    fn described(&self) -> String {
        let columns = self.schema().map(RecordSchema::columns).unwrap_or_default();
        let columns = columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
        format!("the columns of {}: {columns}", quoted(&self.name))
    }

    fn schema(&self) -> Option<&RecordSchema> {
        self.manifest.snapshot.schema.as_deref()
    }
}

/// Lets pass only what reads: a statement that changes something would change nothing of the lake.
fn check_reads(sql: &str) -> Result<()> {
    let word = first_word(sql);
    if READING_WORDS.contains(&word.as_str()) {
        return Ok(());
    }
    let found = if word.is_empty() { "no statement".to_owned() } else { word.to_uppercase() };
    Err(Error::config(format!("a query reads, as SELECT does; this is {found}"))
        .with_hint("rows are changed by runs alone; `lakefeed table --help` lists what can be asked about tables"))
}

/// Returns the first word in lower case, behind comments and parentheses.
fn first_word(sql: &str) -> String {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|character: char| character.is_whitespace() || character == '(');
        let comment = rest.strip_prefix("--").map(|after| ("\n", after));
        match comment.or_else(|| rest.strip_prefix("/*").map(|after| ("*/", after))) {
            Some((end, after)) => rest = after.split_once(end).map_or("", |(_, after)| after),
            None => break,
        }
    }
    rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_lowercase()
}

/// Returns a name as SQL wants it: what is no plain word stands in quotes.
fn quoted(name: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if name.chars().all(is_plain) && !name.starts_with(|first: char| first.is_ascii_digit()) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns what polars has against a query, or against the files.
fn refused(error: &PolarsError) -> Error {
    let told = error.to_string();
    // Below a blank line it shows its plan.
    let told = told.split("\n\n").next().unwrap_or_default().trim();
    let is_gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    match error {
        PolarsError::IO { error, .. } if !is_gone(error) => {
            return Error::storage(format!("the files of a table cannot be read: {told}"));
        }
        // Errors of its Parquet reader are of no kind of their own.
        _ if told.starts_with("parquet:") || matches!(error, PolarsError::IO { .. }) => {
            return Error::damaged(format!("the files of a table cannot be read: {told}"))
                .with_hint("`lakefeed table verify` names what is damaged");
        }
        _ => {}
    }
    Error::config(format!("the query cannot be run: {told}"))
}

#[cfg(test)]
mod tests;
