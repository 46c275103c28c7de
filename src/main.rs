//! The `lakefeed` command: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    lakefeed::cli::main(std::env::args_os().collect())
}
