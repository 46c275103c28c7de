//! What goes where: data to standard output, everything else to standard error. Meaning is never
//! carried by colour.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use super::logging::Verbosity;
use crate::error::{Error, ErrorKind};

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

    /// Returns whether a progress bar may be drawn: on a terminal that can, when log lines do not
    /// run through it.
    pub(super) fn shows_progress(self) -> bool {
        let can_draw = environment("TERM").is_none_or(|terminal| terminal != "dumb");
        self.stderr_is_terminal && can_draw && self.verbosity == Verbosity::Normal
    }

    pub(super) fn shows_colour(self) -> bool {
        self.stderr_is_terminal && environment("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Prints data. A reader that has gone (`| head`) is no error.
    #[expect(clippy::unused_self, reason = "data is part of the policy: it is printed whatever the verbosity")]
    pub(super) fn data(self, text: &str) {
        write(std::io::stdout().lock(), text);
    }

    /// Prints a line for people.
    pub(super) fn say(self, line: &str) {
        if self.verbosity != Verbosity::Quiet {
            write(std::io::stderr().lock(), &format!("{}\n", without_control_characters(line)));
        }
    }

    /// Prints an error with its causes and hints, also when quiet.
    #[expect(clippy::unused_self, reason = "errors are part of the policy: they are printed whatever the verbosity")]
    pub(super) fn error(self, error: &Error) {
        write(std::io::stderr().lock(), &without_control_characters(&render_error(error)));
    }
}

/// Returns an error as it is shown: what, what the API said about it, why, and what to do.
pub(super) fn render_error(error: &Error) -> String {
    let mut lines = vec![format!("error: {error}")];
    if let Some(said) = error.http().and_then(|http| http.body_excerpt.as_deref()) {
        lines.push(format!("  the API said: {said}"));
    }
    lines.extend(error.causes().into_iter().map(|cause| format!("  caused by: {cause}")));
    lines.extend(error.hints().iter().map(|hint| format!("  hint: {hint}")));
    // Of the other kinds, the kind itself tells.
    if matches!(error.kind(), ErrorKind::Source | ErrorKind::Incomplete | ErrorKind::Storage) {
        let whether = if error.is_retryable() { "can help" } else { "will not help" };
        lines.push(format!("  trying again {whether}"));
    }
    lines.join("\n") + "\n"
}

/// Shows help, version and misuse, as clap words them.
pub(super) fn show_clap(answer: &clap::Error) -> ExitCode {
    // A closed terminal is no reason to fail differently.
    drop(answer.print());
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2))
}

#[expect(clippy::disallowed_methods, reason = "the terminal's own variables, not the pipeline's")]
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the text without what a terminal would obey: names, keys and excerpts in it may come
/// from an API.
fn without_control_characters(text: &str) -> String {
    text.replace(|character: char| character.is_control() && !matches!(character, '\n' | '\t'), " ")
}

fn write(mut stream: impl std::io::Write, text: &str) {
    // Nobody is left to tell that writing failed.
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

#[cfg(test)]
mod tests {
    use crate::error::HttpFailure;

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
          trying again can help
        ");
    }

    #[test]
    fn what_an_api_has_put_into_a_text_moves_no_cursor() {
        let text = "column \u{1b}[2J\u{9b}31m\r\u{7}\u{7f}é\n\tnext";
        assert_eq!(without_control_characters(text), "column  [2J 31m   é\n\tnext");
    }

    #[test]
    fn an_error_shows_what_the_api_said() {
        let mut http = HttpFailure::new("GET", "https://api.example/v1/events?limit=100");
        http.status = Some(400);
        http.body_excerpt = Some(r#"{"error":{"message":"page size must be at most 50"}}"#.to_owned());
        let error = Error::refused("GET https://api.example/v1/events?limit=100 answered 400 Bad Request")
            .with_http(http)
            .with_hint("mend what the endpoint asks for");
        insta::assert_snapshot!(render_error(&error), @r#"
        error: GET https://api.example/v1/events?limit=100 answered 400 Bad Request
          the API said: {"error":{"message":"page size must be at most 50"}}
          hint: mend what the endpoint asks for
        "#);
    }
}
