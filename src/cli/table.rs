//! `lakefeed table …`: what people and programs ask of a table, and its upkeep.

#[cfg(feature = "query")]
mod frame;
pub(super) mod grid;
mod log;
pub(super) mod open;
#[cfg(feature = "query")]
mod query;
mod rejects;
mod rows;
#[cfg(feature = "query")]
mod scan;
mod show;
mod upkeep;
mod verify;
#[cfg(feature = "query")]
mod widen;

use super::args::TableCommand;
use super::printer::Printer;
#[cfg(any(test, not(feature = "query")))]
use crate::error::Error;
use crate::error::Result;

#[cfg(feature = "demo")]
pub(super) use show::render;

/// Does what a command about tables says.
pub(super) async fn run(command: TableCommand, printer: Printer) -> Result<()> {
    match command {
        TableCommand::Ls(arguments) => log::ls(arguments, printer).await,
        TableCommand::Show(arguments) => show::show(arguments, printer).await,
        #[cfg(not(feature = "query"))]
        TableCommand::Query(_) => Err(no_engine()),
        #[cfg(feature = "query")]
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

/// Returns what a build without the feature `query` says instead of rows.
#[cfg(any(test, not(feature = "query")))]
fn no_engine() -> Error {
    Error::config("this build of lakefeed has no SQL engine")
        .with_hint("`cargo install lakefeed` has it, as has `cargo build --release --features query` in a checkout")
        .with_hint("`lakefeed table manifest` names the files of a table to any other engine")
}

#[cfg(test)]
mod tests {
    use super::no_engine;

    #[test]
    fn a_build_without_sql_says_where_the_one_with_it_is() {
        let error = no_engine();
        assert_eq!(error.kind().exit_code(), 2);
        insta::assert_snapshot!(super::super::printer::render_error(&error));
    }
}
