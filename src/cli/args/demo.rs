//! What may stand after `lakefeed demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  lakefeed demo                            two runs, a third one with nothing new, and the table
  lakefeed demo --events 100000 --dir /tmp/demo
  lakefeed demo --serve --port 8080        only the API, to try pipelines on";

#[derive(Debug, Args)]
pub(in crate::cli) struct DemoArguments {
    /// Where the demo keeps its lake
    #[arg(long, value_name = "FOLDER", default_value = "lakefeed-demo")]
    pub(in crate::cli) dir: PathBuf,
    /// Events in the calendar at first
    #[arg(long, default_value_t = 1_000)]
    pub(in crate::cli) events: usize,
    /// Days over which they are spread
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(2..=366))]
    pub(in crate::cli) days: u32,
    /// Only serve the API, until Ctrl-C
    #[arg(long)]
    pub(in crate::cli) serve: bool,
    /// The API's port on 127.0.0.1; 0 for a free one
    #[arg(long, default_value_t = 0)]
    pub(in crate::cli) port: u16,
    /// With --serve: something that goes wrong with every tenth request
    #[arg(long, value_enum, requires = "serve")]
    pub(in crate::cli) fault: Vec<FaultName>,
    /// With --serve: seconds that a token lives
    #[arg(long, value_name = "SECONDS", default_value = "3600", requires = "serve", value_parser = seconds)]
    pub(in crate::cli) token_lifetime: Duration,
    /// With --serve: milliseconds that every page takes
    #[arg(long, value_name = "MILLISECONDS", default_value = "0", requires = "serve", value_parser = milliseconds)]
    pub(in crate::cli) latency: Duration,
    /// With --serve: compress pages with gzip for clients that take it
    #[arg(long, requires = "serve")]
    pub(in crate::cli) gzip: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FaultName {
    /// 429 with Retry-After: 1
    RateLimited,
    /// 500
    ServerError,
    /// 503
    Unavailable,
    /// A body that ends early
    Truncated,
    /// An answer that takes two seconds
    Slow,
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| "expected a number of seconds".to_owned())
}
