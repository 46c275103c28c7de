//! `lakefeed schema infer`, `schema pipeline` and `schema show`: schemas as files.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{InferArguments, Output, SchemaCommand, ShowSchemaArguments};
use super::printer::Printer;
use super::session::{interrupt_on_signals, start_logging};
use super::table::grid::Side::Left;
use super::table::grid::grid;
use super::table::open::{missing, open};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::facade::{Lake, Pipeline};
use crate::lake::Snapshot;
use crate::pipeline::{Sample, choose};
use crate::schema::RecordSchema;
use crate::spec::{PipelineSpec, ResourceSpec};
use crate::telemetry::LogObserver;

/// Does what a command about schemas says.
pub(super) async fn run(command: SchemaCommand, printer: Printer) -> Result<()> {
    match command {
        SchemaCommand::Infer(arguments) => infer(arguments, printer).await,
        SchemaCommand::Pipeline => {
            printer.data(&crate::config::json_schema());
            Ok(())
        }
        SchemaCommand::Show(arguments) => show(arguments, printer).await,
    }
}

async fn infer(arguments: InferArguments, printer: Printer) -> Result<()> {
    start_logging(printer);
    let pipeline = Pipeline::load_with(&arguments.pipeline, &Environment::of_process())?;
    let resource = chosen(pipeline.spec(), arguments.resource.as_deref())?;
    let interrupt = interrupt_on_signals();
    let runner = pipeline.runner().observer(LogObserver::default()).cancel(async move { interrupt.raised().await });
    let sample = runner.sample(resource, arguments.pages).await?;
    let text = format!("{:#}\n", document(&sample, &resource.name));
    match &arguments.file {
        Some(path) => write_new(path, &text)?,
        None => printer.data(&text),
    }
    printer.say(&format!(
        "{} columns of {} records on {} pages",
        sample.schema.columns().len(),
        sample.records,
        sample.pages
    ));
    if !sample.always_null.is_empty() {
        printer.say(&format!("always null, and so left out: {}", sample.always_null.join(", ")));
    }
    Ok(())
}

fn chosen<'s>(spec: &'s PipelineSpec, name: Option<&str>) -> Result<&'s ResourceSpec> {
    let names = name.map(|name| vec![name.to_owned()]).unwrap_or_default();
    let resources = choose(spec, &names)?;
    if let [only] = resources.as_slice() {
        return Ok(only);
    }
    let known: Vec<&str> = resources.iter().map(|resource| resource.name.as_str()).collect();
    Err(Error::config(format!("pipeline {} has {} resources", spec.name, known.len()))
        .with_hint(format!("name one of them with --resource: {}", known.join(", "))))
}

fn document(sample: &Sample, title: &str) -> Value {
    let mut document = sample.schema.to_json_schema(title);
    if let Value::Object(members) = &mut document
        && !sample.always_null.is_empty()
    {
        let comment = format!("always null in the sample, and so without a column: {}", sample.always_null.join(", "));
        members.insert("$comment".to_owned(), json!(comment));
    }
    document
}

/// Writes a file that must not be there yet: somebody may have edited it.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let failed = |error: std::io::Error| {
        let is_there = error.kind() == std::io::ErrorKind::AlreadyExists;
        let error = Error::config(format!("cannot write the schema file {}", path.display())).with_source(error);
        if is_there { error.with_hint("name a new file, or delete this one first") } else { error }
    };
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

async fn show(arguments: ShowSchemaArguments, printer: Printer) -> Result<()> {
    let table = open(&arguments.lake, &arguments.table)?;
    let snapshot = table.snapshot().await?;
    let Some(schema) = &snapshot.schema else { return Err(missing(&table)) };
    match arguments.output {
        // A schema file speaks of the records, whatever their columns are called.
        Output::Json => {
            let lake = Lake::open_with(&arguments.lake, &Environment::of_process())?;
            let children = lake.inner().child_tables(schema).await?;
            let whole = schema.nested_with(&|name| children.get(name)?.record_schema());
            let records = whole.and_then(|whole| whole.records()).map_err(|error| {
                Error::schema(format!("the schema of the table {} is damaged", arguments.table)).with_source(error)
            })?;
            printer.data(&format!("{:#}\n", records.to_json_schema(&arguments.table)));
        }
        Output::Text => printer.data(&text(schema, &snapshot)),
    }
    Ok(())
}

fn text(schema: &RecordSchema, snapshot: &Snapshot) -> String {
    let rows = schema.columns().iter().map(|column| {
        let key = snapshot.primary_key.contains(&column.name).then(|| "primary key".to_owned());
        let folders = snapshot.partition_by.iter().filter(|field| field.column == column.name);
        let notes: Vec<String> =
            key.into_iter().chain(folders.map(|field| format!("folders {}", field.name))).collect();
        let nullable = if column.nullable { "may be null" } else { "never null" };
        [column.name.clone(), column.column_type.to_string(), nullable.to_owned(), notes.join(", ")]
    });
    grid([("column", Left), ("type", Left), ("null", Left), ("", Left)], &rows.collect::<Vec<_>>())
}
