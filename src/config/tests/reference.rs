//! `docs/pipeline-file.md` is the reference of the pipeline file: its examples are read, and it names whatever the file may say.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

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
        if path == "api.yaml" {
            return Ok(
                json!({"openapi": "3.1.0", "components": {"schemas": {"Event": {"properties": columns}}}}).to_string()
            );
        }
        Ok(json!({"properties": columns}).to_string())
    }
}

/// The YAML examples as whole pipelines. One that is not whole says in its fence what it is a part of.
fn examples() -> Vec<Value> {
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

/// What the problems of a pipeline say would be accepted, list by list. The names of its resources are not the file's vocabulary.
fn accepted_by(pipeline: &Value) -> Vec<Vec<String>> {
    let problems = read(pipeline).err().unwrap_or_default();
    let lines = problems.lines().filter(|line| !line.contains("is not a resource"));
    let lists = lines.filter_map(|line| line.split_once("(accepted: ")?.1.split([';', ')']).next());
    lists.map(|list| list.split(", ").map(str::to_owned).collect()).collect()
}

/// The pipeline with a key that nobody knows in each of its mappings.
fn with_unknown_keys(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Map<_, _> =
                members.iter().map(|(key, value)| (key.clone(), with_unknown_keys(value))).collect();
            members.insert("nobody_knows".to_owned(), json!("x"));
            Value::Object(members)
        }
        Value::Array(elements) => elements.iter().map(with_unknown_keys).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The JSON pointers of all texts.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(place, element)| texts(element, &format!("{at}/{place}"), found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| texts(value, &format!("{at}/{key}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_example_is_a_pipeline() {
    for pipeline in examples() {
        if let Err(problems) = read(&pipeline) {
            panic!("{pipeline:#}\n{problems}");
        }
    }
}

/// What is accepted is asked of the messages: about a key that nobody knows in every mapping, and a word that nobody knows in place of
/// every text.
#[test]
fn every_key_and_word_that_is_accepted_is_named() {
    let (mut accepted, mut kinds, mut shown) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for pipeline in examples() {
        accepted.extend(accepted_by(&with_unknown_keys(&pipeline)).into_iter().flatten());
        let mut places = Vec::new();
        texts(&pipeline, "", &mut places);
        for place in places {
            let mut changed = pipeline.clone();
            let text = changed.pointer_mut(&place).unwrap();
            shown.extend(text.as_str().map(str::to_owned));
            *text = json!("nobody knows");
            let words: Vec<String> = accepted_by(&changed).into_iter().flatten().collect();
            if place.ends_with("/type") || place.ends_with("/paginator") {
                kinds.extend(words.iter().cloned());
            }
            accepted.extend(words);
        }
    }
    let missing: Vec<_> = accepted.iter().filter(|word| !REFERENCE.contains(&format!("`{word}`"))).collect();
    assert!(missing.is_empty(), "docs/pipeline-file.md does not name {missing:?}");
    let without_example: Vec<_> = kinds.difference(&shown).collect();
    assert!(without_example.is_empty(), "docs/pipeline-file.md has no example of {without_example:?}");
    // One key or word of each mapping and list of choices, so that none of them goes unasked.
    for word in [
        "resource_defaults",
        "allow_http",
        "requests_per_second",
        "total_seconds",
        "jitter",
        "api_key",
        "token_cookie",
        "key_id",
        "refresh_token_file",
        "scopes",
        "table_name",
        "strategy",
        "scd2",
        "newer_by",
        "dedup_sort",
        "asc",
        "deletes",
        "when",
        "soft",
        "data_type",
        "unix-time-ms",
        "freeze",
        "transform",
        "hour",
        "filter",
        "record_format",
        "ndjson",
        "POST",
        "field",
        "start_param",
        "lookback",
        "desc",
        "epoch_ms",
        "exclude",
        "status_code",
        "retry",
        "maximum_offset",
        "base_page",
        "cursor_body_path",
        "cursor_key",
        "next_url_path",
        "links_next_key",
        "value_path",
        "path_style",
        "row_group_rows",
    ] {
        assert!(accepted.contains(word), "no example leads to {word}");
    }
}
