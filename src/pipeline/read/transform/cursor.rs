//! The range of the cursor: which records are wanted, told apart by their keys.

use twox_hash::XxHash3_128;

use crate::checkpoint::{Admitted, CursorRun};
use crate::decode::RawRecord;
use crate::error::{Error, Result};
use crate::extract::plain_text;
use crate::pipeline::shapes::Shapes;
use crate::spec::{CursorSpec, CursorValue, Incremental, JsonPath, ResourceSpec};

/// The cursor's part of a transform.
#[derive(Debug)]
pub(super) struct CursorRange {
    path: JsonPath,
    key: Vec<JsonPath>,
    pub(super) run: CursorRun,
}

impl CursorRange {
    /// Returns the part of a transform for the records of `resource`; `None` where they have no
    /// cursor.
    pub(super) fn of(resource: &ResourceSpec, shapes: Option<&Shapes>, run: Option<CursorRun>) -> Option<Self> {
        let Incremental::Cursor(spec) = resource.endpoint.incremental.as_ref()?;
        Some(Self { path: spec.cursor_path.clone(), key: key_paths(spec, resource, shapes), run: run? })
    }

    pub(super) fn admit(&mut self, record: RawRecord<'_>) -> Result<Admitted> {
        let value = record.find(&self.path).and_then(cursor_value);
        self.run.admit(value.as_ref(), || hash_of(record, &self.key)).map_err(|error| {
            Error::source_unreadable(error.to_string())
                .with_hint("check endpoint.incremental: cursor_path, and on_cursor_value_missing: include or exclude")
        })
    }
}

/// Returns where the key of a record is. None where it is not known: then all of a record tells it
/// from others.
fn key_paths(spec: &CursorSpec, resource: &ResourceSpec, shapes: Option<&Shapes>) -> Vec<JsonPath> {
    match (&spec.key, shapes) {
        (Some(own), _) => own.iter().map(|name| JsonPath::keys([name.clone()])).collect(),
        (None, Some(shapes)) => resource.primary_key.iter().map(|name| JsonPath::keys(shapes.path_of(name))).collect(),
        (None, None) if resource.shape.is_plain() => {
            resource.primary_key.iter().map(|name| JsonPath::keys([name.clone()])).collect()
        }
        (None, None) => Vec::new(),
    }
}

/// Returns a raw JSON scalar as a cursor value; null and containers are none.
fn cursor_value(raw: &str) -> Option<CursorValue> {
    match raw.as_bytes().first()? {
        b'"' => Some(CursorValue::Text(plain_text(raw))),
        b'-' | b'0'..=b'9' => Some(CursorValue::Number(raw.to_owned())),
        _ => None,
    }
}

/// Returns what tells a record from others with the same cursor value: its key, or all of it.
fn hash_of(record: RawRecord<'_>, key: &[JsonPath]) -> u128 {
    if key.is_empty() {
        return XxHash3_128::oneshot(record.text().as_bytes());
    }
    let parts: Vec<&str> = key.iter().map(|path| record.find(path).unwrap_or_default()).collect();
    XxHash3_128::oneshot(parts.join("\u{0}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_records_apart_and_everything_does_without_one() {
        let hash = |text: &str, key: &[&str]| {
            let key: Vec<_> = key.iter().map(|name| JsonPath::keys([*name])).collect();
            hash_of(RawRecord::new(text), &key)
        };
        assert_eq!(hash("{\"id\":1,\"v\":1}", &["id"]), hash("{\"v\":2,\"id\":1}", &["id"]));
        assert_ne!(hash("{\"id\":1}", &["id"]), hash("{\"id\":2}", &["id"]));
        assert_ne!(hash("{\"id\":1,\"v\":1}", &[]), hash("{\"id\":1,\"v\":2}", &[]));
    }
}
