//! `docs/pipeline-file.md` is the reference of the pipeline file: its examples are read, and it
//! names whatever the file may say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::schema::assert_fresh;
use crate::config::document::auth::AuthDocument;
use crate::config::document::kind::{Entry, Form, Key, Kind, Need};
use crate::config::document::paginator::PaginatorDocument;
use crate::config::document::{Document, Mapping as _};
use crate::config::{Format, Sources, parse};

const REFERENCE: &str = include_str!("../../../docs/pipeline-file.md");

/// Every variable is set, and every file is there.
struct Anything;

impl Sources for Anything {
    fn env(&self, name: &str) -> Option<String> {
        Some(if name.ends_with("_URL") { "https://api.example".to_owned() } else { "something".to_owned() })
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        let columns = json!({"event_id": {"type": "string"}, "kind": {"type": "string"},
            "start_time": {"type": "string", "format": "date-time"}});
        if path == "key.pem" {
            return Ok(include_str!("../../../tests/keys/ec.pem").to_owned());
        }
        if path == "api.yaml" {
            return Ok(
                json!({"openapi": "3.1.0", "components": {"schemas": {"Event": {"properties": columns}}}}).to_string()
            );
        }
        Ok(json!({"properties": columns}).to_string())
    }
}

/// The YAML examples as whole pipelines. One that is not whole says in its fence what it is a part
/// of.
pub(super) fn examples() -> Vec<Value> {
    let mut examples = Vec::new();
    let mut rest = REFERENCE;
    while let Some((_, after)) = rest.split_once("\n```yaml") {
        let (part, after) = after.split_once('\n').unwrap();
        let (text, after) = after.split_once("\n```\n").unwrap();
        let found: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        examples.push(whole(part.trim(), found));
        rest = after;
    }
    assert!(examples.len() > 30, "only {} examples", examples.len());
    examples
}

fn whole(part: &str, found: Value) -> Value {
    let mut pipeline = json!({
        "client": {"base_url": "https://api.example"},
        "resources": [{"name": "events", "endpoint": {"data_selector": "items"}}],
    });
    let place = match part {
        "" => {
            assert_eq!(found["version"], 1, "a whole pipeline says its version");
            return found;
        }
        "top" => &mut pipeline,
        "client" => &mut pipeline["client"],
        "resource" => &mut pipeline["resources"][0],
        "endpoint" => &mut pipeline["resources"][0]["endpoint"],
        other => panic!("'{other}' is not a part of a pipeline"),
    };
    let Value::Object(members) = found else { panic!("{found} is no part of a pipeline") };
    place.as_object_mut().unwrap().extend(members);
    pipeline
}

fn read(pipeline: &Value) -> Result<(), String> {
    parse("reference.json", &pipeline.to_string(), Format::Json, &Anything).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_example_is_a_pipeline() {
    for pipeline in examples() {
        if let Err(problems) = read(&pipeline) {
            panic!("{pipeline:#}\n{problems}");
        }
    }
}

/// Every mapping that a file may have, by its name; those of a union have the union's before it.
pub(super) fn forms() -> BTreeMap<String, &'static Form> {
    let mut found = BTreeMap::new();
    note_form(&Document::FORM, &mut found);
    found
}

fn note_form(form: &'static Form, found: &mut BTreeMap<String, &'static Form>) {
    if form.entries.is_empty() || found.insert(form.name.to_owned(), form).is_some() {
        return;
    }
    for entry in form.entries {
        match entry {
            Entry::Key(key) => note_kind(&key.kind, found),
            Entry::All(form) => note_form(form, found),
            Entry::Ignored(_) | Entry::Refused(_) => {}
        }
    }
}

fn note_kind(kind: &'static Kind, found: &mut BTreeMap<String, &'static Form>) {
    match kind {
        Kind::List { of, .. } | Kind::Pair(of) | Kind::Map(of) => note_kind(of, found),
        Kind::Mapping(form) | Kind::Partial(form) | Kind::Named(form, _) => note_form(form, found),
        Kind::Union(union) => union.variants.iter().for_each(|variant| note_form(variant.form, found)),
        Kind::Either(kinds) => kinds.iter().for_each(|kind| note_kind(kind, found)),
        _ => {}
    }
}

/// The kind of a key, as the reference names it.
fn column(kind: &Kind) -> String {
    let words = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match kind {
        Kind::Words { words: known, .. } => words(known),
        Kind::List { of, .. } => format!("list ({})", column(of)),
        Kind::Map(of) => format!("mapping ({})", column(of)),
        Kind::Union(union) => format!("mapping by `{}`", union.tag),
        Kind::Mapping(Form { short: Some(short), .. }) => format!("mapping, or `{short}` alone"),
        Kind::Either(kinds) => {
            let mut all: Vec<String> = kinds.iter().map(column).collect();
            all.dedup();
            all.join(", or ")
        }
        Kind::Duration => "duration".to_owned(),
        Kind::Scalar => "string, number, boolean".to_owned(),
        Kind::Only(value) => format!("`{value}`"),
        kind => {
            let phrase = kind.phrase();
            phrase.trim_start_matches("an ").trim_start_matches("a ").to_owned()
        }
    }
}

/// A default, with a large number of bytes in words.
fn shown(key: &Key) -> String {
    match (key.need, key.kind) {
        (Need::Required, _) => "required".to_owned(),
        (Need::Optional, _) => "none".to_owned(),
        (Need::Usually(text), _) => text.to_owned(),
        (Need::Default(value), Kind::Integer { unit: "bytes", .. }) => {
            let bytes = value();
            format!("`{bytes}` ({} MiB)", bytes.as_u64().unwrap() >> 20)
        }
        (Need::Default(value), _) => match value() {
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        },
    }
}

fn table(form: &Form) -> String {
    let mut lines = vec!["| key | kind | default | meaning |".to_owned(), "| --- | --- | --- | --- |".to_owned()];
    for entry in form.entries {
        let Entry::Key(key) = entry else { continue };
        let about = key.about.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.push(format!("| `{}` | {} | {} | {about} |", key.name, column(&key.kind), shown(key)));
    }
    lines.join("\n")
}

/// Keys of dlt that change nothing, and those that are refused, by mapping.
fn other_keys() -> String {
    let mut lines =
        vec!["| mapping | accepted, and without effect | refused |".to_owned(), "| --- | --- | --- |".to_owned()];
    for (name, form) in forms() {
        let of = |wanted: fn(&Entry) -> Option<&'static str>| {
            let names: Vec<String> = form.entries.iter().filter_map(wanted).map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        let ignored = of(|entry| if let Entry::Ignored(name) = entry { Some(name) } else { None });
        let refused = of(|entry| if let Entry::Refused(name) = entry { Some(name) } else { None });
        if !ignored.is_empty() || !refused.is_empty() {
            lines.push(format!("| `{name}` | {ignored} | {refused} |"));
        }
    }
    lines.join("\n")
}

/// The tables of the reference are made of the descriptions that the file is read by.
#[test]
fn the_tables_of_the_reference_are_fresh() {
    let forms = forms();
    let mut missing: BTreeSet<&str> = forms.keys().map(String::as_str).collect();
    let mut text = String::new();
    let mut rest = REFERENCE;
    while let Some((before, after)) = rest.split_once("<!-- keys of ") {
        let (name, after) = after.split_once(" -->\n").unwrap();
        let (_, after) = after.split_once("<!-- end -->").unwrap_or_else(|| panic!("the keys of {name} have no end"));
        let table = match forms.get(name) {
            Some(form) => table(form),
            None if name == "dlt" => other_keys(),
            None => panic!("there is no mapping {name}"),
        };
        missing.remove(name);
        write!(text, "{before}<!-- keys of {name} -->\n\n{table}\n\n<!-- end -->").unwrap();
        rest = after;
    }
    text.push_str(rest);
    assert!(missing.is_empty(), "docs/pipeline-file.md has no keys of {missing:?}");
    assert_fresh("docs/pipeline-file.md", &text);
}

/// Each kind of paginator and authentication stands in an example.
#[test]
fn every_type_has_an_example() {
    let text = examples().iter().map(ToString::to_string).collect::<String>();
    for union in [&AuthDocument::UNION, &PaginatorDocument::UNION] {
        for word in union.words() {
            let is_shown = text.contains(&format!("\"type\":\"{word}\"")) || text.contains(&format!(":\"{word}\""));
            assert!(is_shown, "docs/pipeline-file.md has no example of {word}");
        }
    }
}
