//! What goes where: data to standard output, everything else to standard error. Meaning is never carried by colour.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::logging::Verbosity;
use crate::error::Error;

/// The policy of one command's output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    verbosity: Verbosity,
    stderr_is_terminal: bool,
}

impl Printer {
    pub(super) fn new(quiet: bool, verbose: u8) -> Self {
        let verbosity = match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Everything,
        };
        Self { verbosity, stderr_is_terminal: std::io::stderr().is_terminal() }
    }

    pub(super) fn verbosity(self) -> Verbosity {
        self.verbosity
    }

    /// Whether a progress bar may be drawn: on a terminal that can, when log lines do not run through it.
    pub(super) fn shows_progress(self) -> bool {
        let can_draw = environment("TERM").is_none_or(|terminal| terminal != "dumb");
        self.stderr_is_terminal && can_draw && self.verbosity == Verbosity::Normal
    }

    pub(super) fn shows_colour(self) -> bool {
        self.stderr_is_terminal && environment("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Data. A reader that has gone (`| head`) is no error.
    #[expect(clippy::unused_self, reason = "data is part of the policy: it is printed whatever the verbosity")]
    pub(super) fn data(self, text: &str) {
        write(std::io::stdout().lock(), text);
    }

    /// A line for people.
    pub(super) fn say(self, line: &str) {
        if self.verbosity != Verbosity::Quiet {
            write(std::io::stderr().lock(), &format!("{line}\n"));
        }
    }

    /// An error with its causes and hints, also when quiet.
    #[expect(clippy::unused_self, reason = "errors are part of the policy: they are printed whatever the verbosity")]
    pub(super) fn error(self, error: &Error) {
        write(std::io::stderr().lock(), &render_error(error));
    }
}

/// An error as it is shown: what, why, and what to do.
pub(super) fn render_error(error: &Error) -> String {
    let causes = error.causes().into_iter().map(|cause| format!("  caused by: {cause}"));
    let hints = error.hints().iter().map(|hint| format!("  hint: {hint}"));
    let lines: Vec<String> = std::iter::once(format!("error: {error}")).chain(causes).chain(hints).collect();
    lines.join("\n") + "\n"
}

/// Help, version and misuse, as clap words them.
pub(super) fn show_clap(answer: &clap::Error) -> ExitCode {
    // A closed terminal is no reason to fail differently.
    drop(answer.print());
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2))
}

#[expect(clippy::disallowed_methods, reason = "the terminal's own variables, not the pipeline's")]
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn write(mut stream: impl std::io::Write, text: &str) {
    // Nobody is left to tell that writing failed.
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_causes_and_hints() {
        let error = Error::storage("cannot write part-00000.parquet")
            .with_source(std::io::Error::other("disk full"))
            .with_hint("free some space");
        insta::assert_snapshot!(render_error(&error), @r"
        error: cannot write part-00000.parquet
          caused by: disk full
          hint: free some space
        ");
    }
}
