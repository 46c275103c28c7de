//! The `lakefeed` command.

fn main() {}
