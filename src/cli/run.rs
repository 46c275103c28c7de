//! `lakefeed run`.

use super::args::{Output, RunArguments};
use super::cassette::{self, Job, World};
use super::printer::Printer;
use super::session::{interrupt_on_signals, new_run_id, run_pipeline, start_logging};
use crate::checkpoint::Backfill;
use crate::error::{Error, Result};
use crate::pipeline::RunOptions;
use crate::report::{ReportBuilder, render_text};
use crate::spec::{CursorValue, DestinationSpec, PipelineSpec};

/// Runs a pipeline and reports. The report goes to standard output as JSON, or to standard error for people.
pub(super) async fn run(arguments: RunArguments, printer: Printer) -> Result<()> {
    start_logging(printer);
    let (job, world) = match prepare(&arguments).await {
        Ok(prepared) => prepared,
        Err(error) => return Err(report_early(&arguments, printer, error)),
    };
    let (report, error) = run_pipeline(&job, printer, interrupt_on_signals(), world).await;
    match arguments.output {
        Output::Json => printer.data(&(report.to_json() + "\n")),
        Output::Text => printer.say(render_text(&report).trim_end()),
    }
    error.map_or(Ok(()), Err)
}

async fn prepare(arguments: &RunArguments) -> Result<(Job, World)> {
    let cassette::Loaded { spec, tape } = cassette::load(arguments)?;
    let destination = arguments.destination.as_deref().map(|url| destination(&spec, url));
    let options = RunOptions {
        full_refresh: arguments.full_refresh,
        retry_rejects: arguments.retry_rejects,
        backfill: backfill(arguments),
        wait: arguments.wait,
        start: None,
    };
    let mut job = Job { spec, resources: arguments.resource.clone(), destination, options };
    let world = tape.world(arguments, &mut job).await?;
    Ok((job, world))
}

/// The range that `--from` and `--to` name.
fn backfill(arguments: &RunArguments) -> Option<Backfill> {
    let value = |text: &String| {
        let is_number = text.parse::<f64>().is_ok_and(f64::is_finite);
        if is_number { CursorValue::Number(text.clone()) } else { CursorValue::Text(text.clone()) }
    };
    let range = Backfill { from: arguments.from.as_ref().map(value), to: arguments.to.as_ref().map(value) };
    (range != Backfill::default()).then_some(range)
}

/// The pipeline's destination at another URL: its endpoint and region still hold for another bucket.
fn destination(spec: &PipelineSpec, url: &str) -> DestinationSpec {
    match &spec.destination {
        Some(destination) => DestinationSpec { url: url.to_owned(), ..destination.clone() },
        None => DestinationSpec::at(url),
    }
}

/// A report of a run that could not begin, for programs that read reports.
fn report_early(arguments: &RunArguments, printer: Printer, error: Error) -> Error {
    if arguments.output == Output::Json {
        let stem = arguments.pipeline.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let report = ReportBuilder::new(new_run_id(), stem, crate::clock::SystemClock::shared()).finish(Some(&error));
        printer.data(&(report.to_json() + "\n"));
    }
    error
}
