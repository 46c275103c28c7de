//! The command line: arguments, terminal, exit status. The only module that prints.
//!
//! Standard output carries data only (a report as JSON, a table); log lines, progress, narration,
//! errors and hints go to standard error.

mod args;
mod cassette;
mod check;
#[cfg(feature = "demo")]
mod demo;
mod logging;
mod panics;
mod printer;
mod progress;
mod run;
mod schema;
mod session;
mod table;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::error::catch_panic;
use args::{Arguments, Command};
use printer::Printer;

/// Runs the command of `arguments`, the program's name first. Not generic: it would be compiled
/// with each caller, and all below it.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(answer) => return printer::show_clap(&answer),
    };
    let printer = Printer::new(arguments.quiet, arguments.verbose);
    panics::remember_places();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.error(&crate::error::Error::config("cannot start the runtime").with_source(error));
            return ExitCode::from(2);
        }
    };
    let result = runtime.block_on(catch_panic(async {
        match arguments.command {
            Command::Run(run) => Box::pin(run::run(run, printer)).await,
            Command::Check(check) => check::check(&check, printer),
            #[cfg(feature = "demo")]
            Command::Demo(demo) => Box::pin(demo::demo(demo, printer)).await,
            Command::Schema(schema) => Box::pin(schema::run(schema, printer)).await,
            Command::Table(table) => table::run(table, printer).await,
        }
    }));
    // Whatever still runs in the background must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = panics::with_place(error);
            printer.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}
