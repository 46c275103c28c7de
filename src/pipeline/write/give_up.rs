//! Giving tables back as they were, because of an error.

use super::tables::TableSet;
use crate::error::{Error, ErrorKind};
use crate::lake::TableWriter;

/// Gives all tables of a pass back, where it had taken them.
pub(crate) async fn give_up(writers: Option<TableSet>, error: Error) -> Error {
    match writers {
        Some(writers) => writers.abort(error).await,
        None => error,
    }
}

/// Gives the table back as it was; the error that led here is what the operator needs to see.
pub(crate) async fn abort(writer: TableWriter, error: Error) -> Error {
    let aborted = match error.kind() {
        kind if keeps_pages(kind) => writer.abort_keeping_pages().await,
        // What is wrong with the records can only be seen by looking at them.
        ErrorKind::Schema => writer.abort_keeping_rejects().await,
        _ => writer.abort().await,
    };
    match aborted {
        Ok(()) => error,
        Err(second) => error.with_hint(format!("cleaning up failed too ({second}); the next run sweeps what is left")),
    }
}

/// Returns whether the next run may go on from what this one has kept, although it failed. Not when
/// the pages themselves are at fault.
pub(crate) fn keeps_pages(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Interrupted
            | ErrorKind::Source
            | ErrorKind::Auth
            | ErrorKind::Refused
            | ErrorKind::Storage
            | ErrorKind::Damaged
    )
}
