//! A table that a command is about.

use chrono::{DateTime, Utc};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::facade::{Lake, Table};

/// Opens a table of a lake that is there.
pub(in crate::cli) fn open(lake: &str, table: &str) -> Result<Table> {
    Ok(Lake::open_with(lake, &Environment::of_process())?.table(table))
}

/// Returns the error about a table that is not there.
pub(in crate::cli) fn missing(table: &Table) -> Error {
    Error::config(format!("there is no table at {}", table.url()))
        .with_hint("the first argument is the lake's folder or URL, the second the table's name")
        .with_hint("`lakefeed table ls LAKE` lists the tables of a lake")
}

/// Returns a time as the commands show it.
pub(super) fn instant(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
