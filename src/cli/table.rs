//! `lakefeed table …`: what people and programs ask of a table, and its upkeep.

mod frame;
pub(super) mod grid;
mod log;
mod query;
mod rejects;
mod scan;
mod show;
mod upkeep;
mod verify;
mod widen;

use chrono::{DateTime, Utc};

use super::args::TableCommand;
use super::printer::Printer;
use crate::error::{Error, Result};
use crate::lake::{Lake, Table};
use crate::spec::DestinationSpec;

pub(super) use show::render;

/// Does what a command about tables says.
pub(super) async fn run(command: TableCommand, printer: Printer) -> Result<()> {
    match command {
        TableCommand::Ls(arguments) => log::ls(arguments, printer).await,
        TableCommand::Show(arguments) => show::show(arguments, printer).await,
        TableCommand::Query(arguments) => Box::pin(query::query(arguments, printer)).await,
        TableCommand::History(arguments) => log::history(arguments, printer).await,
        TableCommand::Manifest(arguments) => log::manifest(arguments, printer).await,
        TableCommand::Verify(arguments) => verify::verify(arguments, printer).await,
        TableCommand::Rejects(arguments) => rejects::rejects(arguments, printer).await,
        TableCommand::Recover(arguments) => upkeep::recover(arguments, printer).await,
        TableCommand::Compact(arguments) => upkeep::compact(arguments, printer).await,
        TableCommand::Vacuum(arguments) => upkeep::vacuum(arguments, printer).await,
    }
}

/// A table of a lake that is there.
pub(super) fn open(lake: &str, table: &str) -> Result<Table> {
    Ok(Lake::open_existing(&DestinationSpec::at(lake))?.table(table))
}

pub(super) fn missing(table: &Table) -> Error {
    Error::config(format!("there is no table at {}", table.url()))
        .with_hint("the first argument is the lake's folder or URL, the second the table's name")
        .with_hint("`lakefeed table ls LAKE` lists the tables of a lake")
}

fn instant(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
