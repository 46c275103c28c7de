//! What is decided about each record before it is typed: fields of the parent, the cursor's range, keys for the children.

use std::borrow::Cow;

use serde_json::Value;
use twox_hash::XxHash3_128;

use super::parents::ParentRows;
use super::shaping::Shapes;
use crate::checkpoint::{Admitted, CursorRun};
use crate::decode::{Admission, RawRecord, RecordGate};
use crate::error::{Error, Result};
use crate::expression::{Expression, ExpressionError};
use crate::extract::{ParentRow, plain_text};
use crate::reject::RejectCode;
use crate::schema::{Naming, SEPARATOR};
use crate::spec::{CursorValue, IncrementalSpec, JsonPath, ParentSpec, ProcessingStep, ResourceSpec, WriteDisposition};

/// The gate of one pass over a resource.
#[derive(Debug)]
pub(super) struct Gate {
    /// The members that every record of the present slice gets, as `"name":value,…`.
    from_parent: String,
    cursor: Option<CursorGate>,
    steps: Vec<ProcessingStep>,
    deletes: Option<DeleteGate>,
    children: Option<ParentRows>,
}

/// The cursor's part of a gate.
#[derive(Debug)]
struct CursorGate {
    path: JsonPath,
    key: Vec<JsonPath>,
    run: CursorRun,
}

impl Gate {
    /// A gate over `cursor`, which collects for `children` when there are any.
    /// Which fields the columns of the key are is known from `shapes`.
    pub(super) fn new(
        resource: &ResourceSpec,
        shapes: Option<&Shapes>,
        cursor: Option<CursorRun>,
        children: Option<ParentRows>,
    ) -> Self {
        let cursor = resource.endpoint.incremental.as_ref().zip(cursor).map(|(spec, run)| CursorGate {
            path: spec.cursor_path.clone(),
            key: key_paths(spec, resource, shapes),
            run,
        });
        let deletes = DeleteGate::of(resource, shapes);
        Self { from_parent: String::new(), cursor, steps: resource.processing_steps.clone(), deletes, children }
    }

    /// A gate that only applies the processing steps: what was decided about a record before it was refused is not decided again.
    pub(super) fn of_steps(resource: &ResourceSpec, shapes: Option<&Shapes>) -> Self {
        let deletes = DeleteGate::of(resource, shapes);
        Self {
            from_parent: String::new(),
            cursor: None,
            steps: resource.processing_steps.clone(),
            deletes,
            children: None,
        }
    }

    /// Whether there is anything to decide; without it, records go straight to their columns.
    pub(super) fn is_needed(&self) -> bool {
        !self.from_parent.is_empty()
            || self.cursor.is_some()
            || !self.steps.is_empty()
            || self.deletes.is_some()
            || self.children.is_some()
    }

    /// The records that follow belong to another slice.
    pub(super) fn enter(&mut self, slice: &SliceContext) {
        self.from_parent.clone_from(&slice.from_parent);
        if let Some(cursor) = &mut self.cursor {
            if let Some(window) = &slice.window {
                cursor.run.narrow_to(window);
            }
            cursor.run.enter_slice();
        }
    }

    /// The cursor, where there is one.
    pub(super) fn cursor(&self) -> Option<&CursorRun> {
        self.cursor.as_ref().map(|cursor| &cursor.run)
    }

    /// The pages that follow were not there when the listing was begun: see [`CursorRun::stay`].
    pub(super) fn stay(&mut self) {
        if let Some(cursor) = &mut self.cursor {
            cursor.run.stay();
        }
    }

    /// Whether the slice has left the range that the cursor wants.
    pub(super) fn is_past_range(&self) -> bool {
        self.cursor.as_ref().is_some_and(|cursor| cursor.run.is_past_range())
    }

    /// What the gate has learned: the cursor, and the keys for the children.
    pub(super) fn into_parts(self) -> (Option<CursorRun>, Option<ParentRows>) {
        (self.cursor.map(|cursor| cursor.run), self.children)
    }
}

impl RecordGate for Gate {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission> {
        let mut rewritten = with_members(record.text(), &self.from_parent);
        let came = record;
        let record = rewritten.as_deref().map_or(came, RawRecord::new);
        if let Some(cursor) = &mut self.cursor
            && cursor.admit(record)? == Admitted::Drop
        {
            return Ok(Admission::Drop);
        }
        for step in &self.steps {
            let record = rewritten.as_deref().map_or(came, RawRecord::new);
            match apply(step, record) {
                Ok(Stepped::Stays) => {}
                Ok(Stepped::Becomes(text)) => rewritten = Some(text),
                Ok(Stepped::Goes) => return Ok(Admission::Drop),
                Err(error) => {
                    let reason = error.to_string();
                    return Ok(Admission::Refuse { code: RejectCode::Expression, path: "$".to_owned(), reason });
                }
            }
        }
        if let Some(deletes) = &self.deletes {
            match deletes.text_of(rewritten.as_deref().map_or(came, RawRecord::new)) {
                Ok(None) => {}
                // What is deleted has no children.
                Ok(Some(text)) => return Ok(Admission::Delete(text)),
                Err(error) => {
                    let reason = error.to_string();
                    return Ok(Admission::Refuse { code: RejectCode::Expression, path: "$".to_owned(), reason });
                }
            }
        }
        if let Some(children) = &mut self.children {
            children.take(rewritten.as_deref().map_or(came, RawRecord::new))?;
        }
        Ok(rewritten.map_or(Admission::Keep, Admission::Rewrite))
    }

    /// With the fields of the parent, which nobody could find again; processing steps are applied again when it is tried again.
    fn kept<'t>(&self, raw: &'t str) -> Cow<'t, str> {
        with_members(raw, &self.from_parent).map_or(Cow::Borrowed(raw), Cow::Owned)
    }
}

/// The part of a gate that tells which records delete.
#[derive(Debug)]
struct DeleteGate {
    marker: Option<Marker>,
    when: Option<Expression>,
    /// What must be known of a record that deletes.
    key: Vec<String>,
    /// What else is of use.
    more: Vec<String>,
}

impl DeleteGate {
    fn of(resource: &ResourceSpec, shapes: Option<&Shapes>) -> Option<Self> {
        let merges = resource.write_disposition == WriteDisposition::Merge;
        let deletes = resource.deletes.as_ref().filter(|_| merges)?;
        // Keys of records that delete are no deeper; without a schema, nothing is made of the records yet.
        let key = |name: &String| match shapes {
            Some(shapes) => shapes.path_of(name).into_iter().next().unwrap_or_default(),
            None => name.clone(),
        };
        let precedence = resource.merge.precedence.iter().map(|precedence| &precedence.column);
        let more = resource.merge.merge_key.iter().chain(precedence);
        Some(Self {
            marker: deletes.column.as_ref().map(|column| Marker::of(column, resource, shapes)),
            when: deletes.when.clone(),
            key: resource.primary_key.iter().map(key).collect(),
            more: more.filter(|name| !resource.primary_key.contains(name)).map(key).collect(),
        })
    }

    /// What is known of a record that deletes, as JSON; `None` for one that does not.
    fn text_of(&self, record: RawRecord<'_>) -> Result<Option<String>, ExpressionError> {
        if !self.is_marked(record) && !self.is_meant(record)? {
            return Ok(None);
        }
        let member = |name: &String, raw: &str| format!("{}:{raw}", Value::String(name.clone()));
        let found = |name: &String| record.find(&JsonPath::keys([name.clone()]));
        // A key that is missing is null here, which refuses the record.
        let key = self.key.iter().map(|name| member(name, found(name).unwrap_or("null")));
        let more = self.more.iter().filter_map(|name| Some(member(name, found(name)?)));
        let members: Vec<String> = key.chain(more).collect();
        Ok(Some(format!("{{{}}}", members.join(","))))
    }

    /// dlt's rule: true in a column of truth values, anything but null in any other.
    fn is_marked(&self, record: RawRecord<'_>) -> bool {
        let value = self.marker.as_ref().and_then(|marker| marker.find(record));
        value.is_some_and(|raw| !matches!(raw, "null" | "false" | "\"false\""))
    }

    fn is_meant(&self, record: RawRecord<'_>) -> Result<bool, ExpressionError> {
        let Some(when) = &self.when else { return Ok(false) };
        match serde_json::from_str(record.text()) {
            Ok(value @ Value::Object(_)) => match when.evaluate(&value)? {
                Value::Bool(is_meant) => Ok(is_meant),
                other => {
                    let what = format!("deletes.when must be true or false, this one is {other}");
                    Err(ExpressionError::Failed(what))
                }
            },
            // It will be refused for what it is.
            Ok(_) => Ok(false),
            Err(error) => Err(ExpressionError::Failed(format!("an expression cannot see the record: {error}"))),
        }
    }
}

/// The field that marks records that delete.
#[derive(Debug)]
enum Marker {
    Field(JsonPath),
    /// The first field that would be the column with that name, part by part: no record had it yet.
    Column {
        name: Vec<String>,
        naming: Naming,
    },
}

impl Marker {
    fn of(written: &str, resource: &ResourceSpec, shapes: Option<&Shapes>) -> Self {
        let shape = resource.shape;
        let name = shape.column_name(written, shapes.map(|shapes| shapes.records.as_ref()));
        let is_known = shapes.is_some_and(|shapes| shapes.table.column(&name).is_some());
        match shapes {
            Some(shapes) if is_known => Self::Field(JsonPath::keys(shapes.path_of(&name))),
            _ if shape.is_plain() => Self::Field(JsonPath::keys([written])),
            _ if shape.flattens => {
                Self::Column { name: name.split(SEPARATOR).map(str::to_owned).collect(), naming: shape.naming }
            }
            _ => Self::Column { name: vec![name], naming: shape.naming },
        }
    }

    fn find<'t>(&self, record: RawRecord<'t>) -> Option<&'t str> {
        match self {
            Self::Field(path) => record.find(path),
            Self::Column { name, naming } => name.iter().try_fold(record.text(), |text, part| {
                let members = RawRecord::new(text).members();
                members.into_iter().rev().find(|(key, _)| naming.name(key) == *part).map(|(_, raw)| raw)
            }),
        }
    }
}

/// What a processing step makes of a record.
enum Stepped {
    Stays,
    Becomes(String),
    Goes,
}

/// Applies a step. What a map does not set keeps its own text, byte for byte.
fn apply(step: &ProcessingStep, record: RawRecord<'_>) -> Result<Stepped, ExpressionError> {
    let value: Value = match serde_json::from_str(record.text()) {
        Ok(value @ Value::Object(_)) => value,
        // It will be refused for what it is.
        Ok(_) => return Ok(Stepped::Stays),
        Err(error) => return Err(ExpressionError::Failed(format!("an expression cannot see the record: {error}"))),
    };
    let set = match step {
        ProcessingStep::Filter(condition) => {
            return match condition.evaluate(&value)? {
                Value::Bool(true) => Ok(Stepped::Stays),
                Value::Bool(false) => Ok(Stepped::Goes),
                other => Err(ExpressionError::Failed(format!("a filter must be true or false, this one is {other}"))),
            };
        }
        ProcessingStep::Map(set) => set,
    };
    let mut members: Vec<String> = Vec::new();
    for (key, raw) in record.members() {
        if set.iter().all(|(name, _)| *name != key) {
            members.push(format!("{}:{raw}", Value::String(key)));
        }
    }
    for (name, expression) in set {
        members.push(format!("{}:{}", Value::String(name.clone()), expression.evaluate(&value)?));
    }
    Ok(Stepped::Becomes(format!("{{{}}}", members.join(","))))
}

impl CursorGate {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admitted> {
        let value = record.find(&self.path).and_then(cursor_value);
        self.run.admit(value.as_ref(), || hash_of(record, &self.key)).map_err(|error| {
            Error::source_failed(error.to_string())
                .with_hint("check endpoint.incremental: cursor_path, and on_cursor_value_missing: include or exclude")
        })
    }
}

/// What the records of one slice share.
#[derive(Debug, Clone, Default)]
pub(super) struct SliceContext {
    from_parent: String,
    pub(super) window: Option<CursorRun>,
}

impl SliceContext {
    /// The context of the slice of one parent's record.
    pub(super) fn of_parent(spec: &ParentSpec, row: &ParentRow) -> Self {
        let member =
            |(path, name): &(JsonPath, String)| Some(format!("{}:{}", Value::String(name.clone()), row.raw(path)?));
        Self { from_parent: spec.include.iter().filter_map(member).collect::<Vec<_>>().join(","), window: None }
    }

    /// The context of a time window.
    pub(super) fn of_window(window: CursorRun) -> Self {
        Self { from_parent: String::new(), window: Some(window) }
    }
}

/// Where the key of a record is. None where it is not known: then all of a record tells it from others.
fn key_paths(spec: &IncrementalSpec, resource: &ResourceSpec, shapes: Option<&Shapes>) -> Vec<JsonPath> {
    match (&spec.key, shapes) {
        (Some(own), _) => own.iter().map(|name| JsonPath::keys([name.clone()])).collect(),
        (None, Some(shapes)) => resource.primary_key.iter().map(|name| JsonPath::keys(shapes.path_of(name))).collect(),
        (None, None) if resource.shape.is_plain() => {
            resource.primary_key.iter().map(|name| JsonPath::keys([name.clone()])).collect()
        }
        (None, None) => Vec::new(),
    }
}

/// A record with more members at its end; `None` when there are none, or it is no object.
fn with_members(record: &str, members: &str) -> Option<String> {
    if members.is_empty() {
        return None;
    }
    let open = record.trim_end().strip_suffix('}')?.trim_end();
    let comma = if open.ends_with('{') { "" } else { "," };
    Some([open, comma, members, "}"].concat())
}

/// A raw JSON scalar as a cursor value; null and containers are none.
fn cursor_value(raw: &str) -> Option<CursorValue> {
    match raw.as_bytes().first()? {
        b'"' => Some(CursorValue::Text(plain_text(raw))),
        b'-' | b'0'..=b'9' => Some(CursorValue::Number(raw.to_owned())),
        _ => None,
    }
}

/// What tells a record from others with the same cursor value: its key, or all of it.
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
    fn members_of_the_parent_come_last() {
        for (record, expected) in [
            ("{}", Some("{\"_p_id\":1}")),
            ("{\"a\":1 } ", Some("{\"a\":1,\"_p_id\":1}")),
            ("[1]", None),
            ("\"}\"", None),
        ] {
            assert_eq!(with_members(record, "\"_p_id\":1").as_deref(), expected, "{record}");
        }
    }

    fn map(name: &str, text: &str) -> ProcessingStep {
        ProcessingStep::Map(vec![(name.to_owned(), Expression::parse(text).unwrap())])
    }

    #[test]
    fn a_map_sets_its_field_and_leaves_the_others_as_they_are_written() {
        let record = "{ \"n\":  12345678901234567890.10, \"a\\u0062\": 1e300, \"s\": \"x\", \"s\": \"y\" }";
        let Ok(Stepped::Becomes(text)) = apply(&map("s", "record.s + '!'"), RawRecord::new(record)) else {
            panic!("it stays")
        };
        assert_eq!(text, "{\"n\":12345678901234567890.10,\"ab\":1e300,\"s\":\"y!\"}");
    }

    #[test]
    fn a_record_that_deletes_keeps_its_key_and_what_else_is_to_be_known() {
        let gate = |column: Option<&str>, when: Option<&str>| DeleteGate {
            marker: column.map(|name| Marker::Field(JsonPath::keys([name]))),
            when: when.map(|text| Expression::parse(text).unwrap()),
            key: vec!["id".to_owned(), "part".to_owned()],
            more: vec!["rev".to_owned(), "group".to_owned()],
        };
        let cancelled = Some("has(record.status) && record.status == 'cancelled'");
        for (column, when, record, expected) in [
            (Some("gone"), None, "{\"id\":1,\"part\":\"a\",\"gone\":true}", Some("{\"id\":1,\"part\":\"a\"}")),
            (Some("gone"), None, "{\"id\":1,\"gone\":\"2026-11-23\"}", Some("{\"id\":1,\"part\":null}")),
            (
                Some("gone"),
                None,
                "{\"id\":1,\"part\":2,\"gone\":0,\"rev\":7.10}",
                Some("{\"id\":1,\"part\":2,\"rev\":7.10}"),
            ),
            (Some("gone"), None, "{\"id\":1,\"gone\":false}", None),
            (Some("gone"), None, "{\"id\":1,\"gone\":\"false\"}", None),
            (Some("gone"), None, "{\"id\":1,\"gone\":null}", None),
            (Some("gone"), None, "{\"id\":1}", None),
            (None, cancelled, "{\"id\":1,\"part\":2,\"status\":\"cancelled\"}", Some("{\"id\":1,\"part\":2}")),
            (None, cancelled, "{\"id\":1,\"status\":\"open\"}", None),
            (
                Some("gone"),
                cancelled,
                "{\"id\":1,\"part\":2,\"gone\":1,\"group\":null}",
                Some("{\"id\":1,\"part\":2,\"group\":null}"),
            ),
            (None, cancelled, "[1]", None),
        ] {
            let found = gate(column, when).text_of(RawRecord::new(record));
            assert_eq!(found, Ok(expected.map(str::to_owned)), "{record}");
        }
        for (when, why) in [("record.n + 1", "must be true or false"), ("record.gone == 1", "record.gone == 1: ")] {
            let error = gate(None, Some(when)).text_of(RawRecord::new("{\"id\":1,\"n\":1}")).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_map_does_not_touch_is_untouched(
            numbers in proptest::collection::vec("-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?", 1..6)
        ) {
            let members: Vec<String> =
                numbers.iter().enumerate().map(|(place, number)| format!("\"f{place}\":{number}")).collect();
            let record = format!("{{{}}}", members.join(","));
            let Ok(Stepped::Becomes(text)) = apply(&map("new", "1 + 1"), RawRecord::new(&record)) else {
                panic!("it stays")
            };
            proptest::prop_assert_eq!(text, format!("{{{},\"new\":2}}", members.join(",")));
        }
    }

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
