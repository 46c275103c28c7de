//! What may stand after `lakefeed table`.

use clap::{Args, Subcommand, ValueEnum};

use super::upkeep::{COMPACT_EXAMPLES, RECOVER_EXAMPLES, VACUUM_EXAMPLES};
use super::value::Output;
use super::{CompactArguments, RecoverArguments, VacuumArguments};

const LS_EXAMPLES: &str = "\
Examples:
  lakefeed table ls ./lake
  lakefeed table ls s3://bucket/lake --output json";

const SHOW_EXAMPLES: &str = "\
Examples:
  lakefeed table show ./lake calendar_events
  lakefeed table show s3://bucket/lake calendar_events --limit 50
  lakefeed table show ./lake calendar_events --output json";

const QUERY_EXAMPLES: &str = "\
Examples:
  lakefeed table query ./lake 'SELECT status, count(*) AS n FROM calendar_events GROUP BY status'
  lakefeed table query ./lake 'SELECT * FROM calendar_events LIMIT 100' --output csv > events.csv
  lakefeed table query s3://bucket/lake --output json \\
    'SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer_id = c.id'

A name with other characters than letters, digits and _ stands in double quotes: \"order-lines\".
Files of an object store are fetched to the folder for temporary files (TMPDIR) first.";

const HISTORY_EXAMPLES: &str = "\
Examples:
  lakefeed table history ./lake calendar_events --limit 5
  lakefeed table history s3://bucket/lake calendar_events --output json | jq .rows";

const MANIFEST_EXAMPLES: &str = "\
Examples:
  lakefeed table manifest ./lake calendar_events
  lakefeed table manifest s3://bucket/lake calendar_events --output json
  lakefeed table manifest ./lake calendar_events --commit 41
  duckdb -c \"SELECT count(*) FROM read_parquet([$(lakefeed table manifest ./lake calendar_events | \\
    sed \"s/.*/'&'/\" | paste -sd,)])\"";

const VERIFY_EXAMPLES: &str = "\
Examples:
  lakefeed table verify ./lake calendar_events
  lakefeed table verify s3://bucket/lake calendar_events --output json > findings.json

Exit codes:
  0 sound (there may be warnings)     8 runs kept changing it
  7 the store cannot be read         10 damaged";

const REJECTS_EXAMPLES: &str = "\
Examples:
  lakefeed table rejects ./lake calendar_events
  lakefeed table rejects ./lake calendar_events --reason wrong_type --limit 100
  lakefeed table rejects s3://bucket/lake calendar_events --output json | jq -r .raw
  lakefeed run calendar.yaml --retry-rejects       after a fix: try the open ones again";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TableCommand {
    /// List the tables of a lake
    #[command(after_help = LS_EXAMPLES)]
    Ls(LsArguments),
    /// Print the first rows of a table
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArguments),
    /// Run SQL over the tables of a lake, as their last commits left them
    #[command(after_help = QUERY_EXAMPLES)]
    Query(QueryArguments),
    /// Tell the commits of a table, newest first
    #[command(after_help = HISTORY_EXAMPLES)]
    History(HistoryArguments),
    /// Name the exact files of a commit, for readers that take a list of files
    #[command(after_help = MANIFEST_EXAMPLES)]
    Manifest(ManifestArguments),
    /// Read everything and prove files, keys, checkpoint and log against each other
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArguments),
    /// Show the records that runs have refused, the newest run first
    #[command(after_help = REJECTS_EXAMPLES)]
    Rejects(RejectsArguments),
    /// Finish what a killed run began: publish its commit, or delete what it only staged
    #[command(after_help = RECOVER_EXAMPLES)]
    Recover(RecoverArguments),
    /// Put small files together, in a commit that changes no row
    #[command(after_help = COMPACT_EXAMPLES)]
    Compact(CompactArguments),
    /// Delete what no commit needs: staging of runs that are gone, orphans, old rejects
    #[command(after_help = VACUUM_EXAMPLES)]
    Vacuum(VacuumArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RejectsArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// Those of this run only
    #[arg(long, value_name = "RUN_ID")]
    pub(in crate::cli) run: Option<String>,
    /// Those with this reason only: the `code` of a reject, such as `wrong_type`
    #[arg(long, value_name = "CODE")]
    pub(in crate::cli) reason: Option<String>,
    /// Rejects to show
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(in crate::cli) limit: usize,
    /// A table for people (text), or one JSON object per reject (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LsArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// A table for people (text), or one JSON object per table (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// Rows to print
    #[arg(long, default_value_t = 10)]
    pub(in crate::cli) limit: usize,
    /// A table for people (text), or one JSON object per row (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct QueryArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// One statement that reads, in polars' SQL; its tables are those of the lake
    pub(in crate::cli) sql: String,
    /// A table for people (text), one JSON object per row (json), or comma-separated values with
    /// headings (csv)
    #[arg(long, value_enum, default_value_t = QueryOutput::Text)]
    pub(in crate::cli) output: QueryOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum QueryOutput {
    /// For people
    Text,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// Commits to tell; all of them unless given
    #[arg(long, value_name = "N")]
    pub(in crate::cli) limit: Option<u64>,
    /// A table for people (text), or one JSON object per commit (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManifestArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// The files of this commit, as far as they are still there, instead of the last one's
    #[arg(long, value_name = "N")]
    pub(in crate::cli) commit: Option<u64>,
    /// One path or URL per line (text), or an object with rows, bytes and partitions too (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// A line per finding for people (text), or one object (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}
