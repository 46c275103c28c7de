//! What may stand after the commands of `lakefeed table` that change a table.

use std::time::Duration;

use clap::Args;

use super::value::{Output, duration};
use crate::lake::SortColumn;

pub(super) const RECOVER_EXAMPLES: &str = "\
Examples:
  lakefeed table recover ./lake calendar_events
  lakefeed table recover s3://bucket/lake calendar_events --wait 10m --output json";

pub(super) const COMPACT_EXAMPLES: &str = "\
Examples:
  lakefeed table compact ./lake calendar_events --dry-run
  lakefeed table compact ./lake calendar_events --target-size 256MiB --sort-by start_time,-event_id
  lakefeed table compact s3://bucket/lake calendar_events --partition start_time_day=2026-11-23

Readers who glob may see rows twice while the commit is published; those who take `table manifest` do not.";

pub(super) const VACUUM_EXAMPLES: &str = "\
Examples:
  lakefeed table vacuum ./lake calendar_events --dry-run
  lakefeed table vacuum s3://bucket/lake calendar_events --older-than 7d --rejects-older-than 30d

Commits are kept: they are the table's log.";

#[derive(Debug, Args)]
pub(in crate::cli) struct RecoverArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// Wait for a run that holds the table, instead of failing at once: 90, 30s, 15m, 6h, 1d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) wait: Option<Duration>,
    /// A line per thing that was done for people (text), or one object (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompactArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// The size of a file; files below half of it are put together
    #[arg(long, value_name = "BYTES", default_value = "128MiB", value_parser = bytes)]
    pub(in crate::cli) target_size: u64,
    /// Sort the rows of each file by these columns; `-` before a name puts large values first
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', value_parser = sort_column, allow_hyphen_values = true)]
    pub(in crate::cli) sort_by: Vec<SortColumn>,
    /// Only the partitions with this value; may be given again, for another level
    #[arg(long, value_name = "NAME=VALUE", value_parser = partition)]
    pub(in crate::cli) partition: Vec<(String, String)>,
    /// Only tell what would be done
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Wait for a run that holds the table, instead of failing at once: 90, 30s, 15m, 6h, 1d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) wait: Option<Duration>,
    /// A line per partition for people (text), or one object (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct VacuumArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// Delete staged files, kept pages and orphans that are at least so old
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = duration)]
    pub(in crate::cli) older_than: Duration,
    /// Delete refused records that are at least so old, too
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) rejects_older_than: Option<Duration>,
    /// Only tell what would be deleted
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Wait for a run that holds the table, instead of failing at once: 90, 30s, 15m, 6h, 1d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) wait: Option<Duration>,
    /// A line per file for people (text), or one object (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("expected a size such as 134217728, 128MiB or 1GiB".to_owned()),
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|bytes| *bytes > 0);
    number.ok_or_else(|| "expected a size such as 134217728, 128MiB or 1GiB".to_owned())
}

fn sort_column(text: &str) -> Result<SortColumn, String> {
    let (column, descending) = text.strip_prefix('-').map_or((text, false), |column| (column, true));
    if column.is_empty() {
        return Err("expected names of columns, such as start_time,-event_id".to_owned());
    }
    Ok(SortColumn { column: column.to_owned(), descending })
}

fn partition(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as start_time_day=2026-11-23")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_columns_and_partitions_are_read() {
        for (text, expected) in [("1", 1), ("128MiB", 128 << 20), ("2 gib", 2 << 30), ("5MB", 5_000_000)] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "MiB", "1.5GiB", "-1", "99999999999999999999", "9999999999999GiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        let column = |column: &str, descending| SortColumn { column: column.to_owned(), descending };
        assert_eq!(sort_column("-start_time"), Ok(column("start_time", true)));
        assert_eq!(sort_column("start_time"), Ok(column("start_time", false)));
        assert!(sort_column("-").is_err());
        assert_eq!(partition("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(partition("a").is_err());
    }
}
