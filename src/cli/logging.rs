//! Where log lines go, and how many there are.

use tracing_subscriber::EnvFilter;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    /// Errors only.
    Quiet,
    /// What an operator wants to know.
    Normal,
    /// Every page and request.
    Verbose,
    /// The libraries' lines too.
    Everything,
}

/// Sends log lines to standard error. `filter` is a filter of `tracing-subscriber` and wins over
/// `verbosity`. A second call changes nothing.
pub(super) fn log_to_stderr(verbosity: Verbosity, filter: Option<&str>, colour: bool) {
    let default = match verbosity {
        Verbosity::Quiet => "off",
        Verbosity::Normal => "lakefeed=info",
        Verbosity::Verbose => "lakefeed=debug",
        Verbosity::Everything => "lakefeed=debug,reqwest=debug,object_store=debug,info",
    };
    let filter = filter.and_then(|filter| EnvFilter::try_new(filter).ok()).unwrap_or_else(|| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A reader of standard error that has gone is no reason to panic.
        .log_internal_errors(false)
        .with_ansi(colour)
        .with_target(false);
    // Only the first subscriber counts; a test or an embedding program may have set its own.
    drop(subscriber.try_init());
}
