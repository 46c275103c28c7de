//! Any text as a pipeline file, in each language: a pipeline or an error, and no panic.
//!
//! `cargo +nightly fuzz run config`

#![no_main]

use lakefeed::{Environment, Format, Pipeline};
use libfuzzer_sys::fuzz_target;

const SCHEMA: &str = r#"{"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}"#;

fuzz_target!(|text: &str| {
    let environment = Environment::empty().with_variable("NAME", "value").with_file("schema.json", SCHEMA);
    for format in [Format::Yaml, Format::Json, Format::Toml] {
        drop(Pipeline::parse_with(text, format, &environment));
    }
});
