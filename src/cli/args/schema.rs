//! What may stand after `lakefeed schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::value::Output;

const INFER_EXAMPLES: &str = "\
Examples:
  lakefeed schema infer calendar.yaml > schemas/events.json
  lakefeed schema infer shop.yaml --resource orders --pages 50 --file schemas/orders.json";

const PIPELINE_EXAMPLES: &str = "\
Examples:
  lakefeed schema pipeline > pipeline.schema.json
  # yaml-language-server: $schema=pipeline.schema.json     (the first line of a pipeline file, for editors)";

const SHOW_EXAMPLES: &str = "\
Examples:
  lakefeed schema show ./lake calendar_events
  lakefeed schema show s3://bucket/lake calendar_events --output json > schemas/events.json";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SchemaCommand {
    /// Look at some pages of an API and write a schema file to edit
    #[command(after_help = INFER_EXAMPLES)]
    Infer(InferArguments),
    /// Print the JSON Schema of a pipeline file, by which editors complete and check it
    #[command(after_help = PIPELINE_EXAMPLES)]
    Pipeline,
    /// Print the schema of a table
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowSchemaArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InferArguments {
    /// The pipeline file (.yaml, .json, .toml)
    pub(in crate::cli) pipeline: PathBuf,
    /// The resource; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) resource: Option<String>,
    /// Pages to look at, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = pages)]
    pub(in crate::cli) pages: usize,
    /// Write to this new file, not to standard output
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowSchemaArguments {
    /// The lake: a folder, or the URL of an S3 prefix
    pub(in crate::cli) lake: String,
    /// The table's name
    pub(in crate::cli) table: String,
    /// A table for people (text), or a JSON Schema (json)
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(in crate::cli) output: Output,
}

fn pages(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|pages| *pages > 0).ok_or_else(|| "expected a number of pages, at least 1".to_owned())
}
