//! Any text as a pipeline file, in each language: a pipeline or an error, and no panic.
//!
//! `cargo +nightly fuzz run config`

#![no_main]

use lakefeed::config::{self, Format, Sources};
use libfuzzer_sys::fuzz_target;



struct Fixed;

impl Sources for Fixed {
    fn env(&self, _name: &str) -> Option<String> {
        Some("value".to_owned())
    }

    fn file(&self, _path: &str) -> std::io::Result<String> {
        Ok(r#"{"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}"#.to_owned())
    }
}

fuzz_target!(|text: &str| {
    for format in [Format::Yaml, Format::Json, Format::Toml] {
        drop(config::parse("fuzz", text, format, &Fixed));
    }
});
