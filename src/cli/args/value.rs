//! Values that several commands take.

use std::time::Duration;

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Reads a duration with a unit, as pipeline files have them.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    crate::config::parse_duration(text).ok_or_else(|| "expected a duration such as 90, 30s, 15m, 6h or 1d".to_owned())
}
