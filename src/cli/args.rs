//! What may stand on the command line. Reading it validates, and does nothing else.

#[cfg(feature = "demo")]
mod demo;
mod schema;
mod table;
mod upkeep;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

#[cfg(feature = "demo")]
use demo::DEMO_EXAMPLES;
#[cfg(feature = "demo")]
pub(super) use demo::{DemoArguments, FaultName};
pub(super) use schema::{InferArguments, SchemaCommand, ShowSchemaArguments};
pub(super) use table::{
    HistoryArguments, LsArguments, ManifestArguments, RejectsArguments, ShowArguments, TableCommand, VerifyArguments,
};
#[cfg(feature = "query")]
pub(super) use table::{QueryArguments, QueryOutput};
pub(super) use upkeep::{CompactArguments, RecoverArguments, VacuumArguments};
pub(super) use value::Output;
use value::duration;

const EXIT_CODES: &str = "\
Exit codes:
  0 done                  5 the listing was incomplete     10 the table is damaged
  2 usage, pipeline file  6 schema                         70 a defect of lakefeed
  3 authentication        7 storage is away               130 interrupted
  4 the API failed        8 held by another run, or it was first
                          9 the API refuses for good
After 4, 5, 7 and 8, trying again may help: `retryable` in the report says so.";

const RUN_EXAMPLES: &str = "\
Examples:
  lakefeed run examples/calendar.yaml
  lakefeed run calendar.yaml --resource calendar_events --destination s3://bucket/lake
  lakefeed run calendar.yaml --output json > report.json
  lakefeed run calendar.yaml --retry-rejects
  lakefeed run calendar.yaml --record cassette
  lakefeed run calendar.yaml --replay cassette --destination /tmp/lake";

const CHECK_EXAMPLES: &str = "\
Examples:
  lakefeed check examples/calendar.yaml
  lakefeed check calendar.yaml --output json
  lakefeed check calendar.yaml --no-secrets";

/// Keeps a partitioned, merged, typed Parquet lake in step with a paginated REST API.
#[derive(Debug, Parser)]
#[command(name = "lakefeed", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub(super) struct Arguments {
    /// Only errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// More log lines: every page, then (-vv) the libraries' too
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read the API and commit what is new to the lake
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArguments),
    /// Check a pipeline file, without touching the network
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
    /// Show it all on an embedded calendar API
    #[cfg(feature = "demo")]
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArguments),
    /// Look at schemas: what an API gives, what a table has
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Look at the tables of a lake, and look after them
    #[command(subcommand)]
    Table(TableCommand),
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The pipeline file (.yaml, .json, .toml)
    pub(super) pipeline: PathBuf,
    /// Run this resource only; may be given again
    #[arg(long, value_name = "NAME")]
    pub(super) resource: Vec<String>,
    /// Write there instead: a folder, or the URL of an S3 prefix
    #[arg(long, value_name = "URL")]
    pub(super) destination: Option<String>,
    /// Build the tables anew from this run alone
    #[arg(long)]
    pub(super) full_refresh: bool,
    /// Try the kept rejects of earlier runs again, before what the API gives; see
    /// `lakefeed table rejects`
    #[arg(long, conflicts_with_all = ["full_refresh", "record", "replay"])]
    pub(super) retry_rejects: bool,
    /// Let tables lose more rows than `limits.shrink_max`, this once
    #[arg(long)]
    pub(super) allow_shrink: bool,
    /// Read a range of the cursor from here, instead of from where the last run ended; the
    /// checkpoint stays
    #[arg(long, value_name = "VALUE", conflicts_with = "full_refresh")]
    pub(super) from: Option<String>,
    /// Read a range of the cursor up to here, exclusive
    #[arg(long, value_name = "VALUE", conflicts_with = "full_refresh")]
    pub(super) to: Option<String>,
    /// Keep every request and answer of the run in this new folder, secrets left out
    #[arg(long, value_name = "FOLDER", conflicts_with = "replay")]
    pub(super) record: Option<PathBuf>,
    /// Run without a network, on what --record has kept; say with --destination where to
    #[arg(long, value_name = "FOLDER", requires = "destination")]
    pub(super) replay: Option<PathBuf>,
    /// Wait for a table that another run holds, instead of failing at once: 90, 30s, 15m, 6h, 1d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) wait: Option<Duration>,
    /// What goes to standard output: nothing (text), or the run report (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The pipeline file (.yaml, .json, .toml)
    pub(super) pipeline: PathBuf,
    /// Do without environment variables and files of ${…} that are not there, what depends on them,
    /// and the store's credentials
    #[arg(long)]
    pub(super) no_secrets: bool,
    /// How to say what was found
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_reads_well() {
        let mut command = Arguments::command().term_width(100);
        command.build();
        insta::assert_snapshot!("help", command.render_help());
        for name in ["run", "check", "demo"] {
            let help = command.find_subcommand_mut(name).unwrap().clone().term_width(100).render_help();
            insta::assert_snapshot!(format!("help_{name}"), help);
        }
        for group in ["table", "schema"] {
            let group_command = command.find_subcommand_mut(group).unwrap();
            insta::assert_snapshot!(format!("help_{group}"), group_command.clone().term_width(100).render_help());
            let names: Vec<String> =
                group_command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
            for name in names.iter().filter(|name| *name != "help") {
                let help = group_command.find_subcommand_mut(name).unwrap().clone().term_width(100).render_help();
                insta::assert_snapshot!(format!("help_{group}_{name}"), help);
            }
        }
    }
}
