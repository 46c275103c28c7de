//! `lakefeed run`.

use super::args::{Output, RunArguments};
use super::cassette::{self, Loaded};
use super::printer::Printer;
use super::session::{interrupt_on_signals, run_to_its_end, start_logging};
use crate::error::Result;
use crate::facade::{Pipeline, Runner, not_begun};
use crate::report::RunReport;

/// Runs a pipeline and reports. The report goes to standard output as JSON, or to standard error
/// for people.
pub(super) async fn run(arguments: RunArguments, printer: Printer) -> Result<()> {
    start_logging(printer);
    match prepare(&arguments).await {
        Ok(runner) => {
            let report = run_to_its_end(runner, printer, interrupt_on_signals()).await;
            match arguments.output {
                Output::Json => print(&report, printer),
                Output::Text => printer.say(report.to_string().trim_end()),
            }
            report.into_result().map(drop)
        }
        Err(error) => {
            if arguments.output == Output::Json {
                let name = arguments.pipeline.file_stem().unwrap_or_default().to_string_lossy();
                print(&not_begun(&name, &error), printer);
            }
            Err(error)
        }
    }
}

fn print(report: &RunReport, printer: Printer) {
    printer.data(&(report.to_json() + "\n"));
}

async fn prepare(arguments: &RunArguments) -> Result<Runner> {
    let Loaded { pipeline, tape } = cassette::load(arguments)?;
    tape.put_into(chosen(&pipeline, arguments), arguments).await
}

/// Returns the run that the arguments want.
fn chosen(pipeline: &Pipeline, arguments: &RunArguments) -> Runner {
    let mut runner =
        pipeline.runner().only(arguments.resource.iter()).range(arguments.from.as_deref(), arguments.to.as_deref());
    if let Some(url) = &arguments.destination {
        runner = runner.destination(url);
    }
    if arguments.full_refresh {
        runner = runner.full_refresh();
    }
    if arguments.retry_rejects {
        runner = runner.retry_rejects();
    }
    if arguments.allow_shrink {
        runner = runner.allow_shrink();
    }
    if let Some(limit) = arguments.wait {
        runner = runner.wait(limit);
    }
    runner
}
