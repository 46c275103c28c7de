//! The pipelines of `examples/` for public APIs. `tests/examples/<name>.json` has a server that
//! answers as the API's documentation says and nothing else, what `examples/<name>.yaml` must ask
//! it, and the rows that must be in the lake: a new example is a new pair of files.

use std::path::{Path, PathBuf};

use object_store::local::LocalFileSystem;
use serde_json::{Value, json};

use crate::support::expectations::{same_requests, same_rows};
use crate::support::json_rows::json_rows_in;
use crate::support::script_server::{ScriptServer, Seen};
use crate::support::{Ran, lakefeed, output_of, python};

#[tokio::test(flavor = "multi_thread")]
async fn every_example_reads_its_api_whole_and_then_only_what_is_new() {
    let mut failures = Vec::new();
    let names = names();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        if let Err(problem) = hold(&name).await {
            failures.push(format!("{name}: {problem}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// An example without a scripted server is not known to work.
#[test]
fn every_example_has_a_server_to_run_against() {
    let examples = std::fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut yaml: Vec<String> = examples
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "calendar")
        .collect();
    yaml.sort();
    assert_eq!(yaml, names());
}

/// Another reader of JSON Schemas finds that the committed one is one, that it accepts every
/// example, and that it refuses a key that nobody knows.
#[tokio::test]
async fn the_json_schema_of_pipeline_files_is_one_for_other_readers() {
    let mut documents = Vec::new();
    let known = names().into_iter().chain(["calendar".to_owned()]);
    for text in known.map(|name| std::fs::read_to_string(root().join(format!("examples/{name}.yaml"))).unwrap()) {
        let document: Value = serde_saphyr::from_str(&text).unwrap();
        for mapping in ["", "/client", "/resources/0", "/resources/0/endpoint"] {
            let mut odd = document.clone();
            if let Some(Value::Object(members)) = odd.pointer_mut(mapping) {
                members.insert("nobody_knows".to_owned(), Value::Null);
                documents.push(json!([odd, false]));
            }
        }
        documents.push(json!([document, true]));
    }
    let script = "import json, sys\n\
        from jsonschema import Draft202012Validator as Validator\n\
        schema, documents = (json.load(open(name)) for name in sys.argv[1:])\n\
        Validator.check_schema(schema)\n\
        print(json.dumps([d for d, is_good in documents if Validator(schema).is_valid(d) != is_good]))";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    std::fs::write(&file, Value::from(documents).to_string()).unwrap();
    let mut command = std::process::Command::new(python());
    command.args(["-c", script]).arg(root().join("schemas/pipeline.schema.json")).arg(file);
    let ran = output_of(command).await;
    assert_eq!((ran.code, ran.stdout.trim()), (0, "[]"), "{}", ran.stderr);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names() -> Vec<String> {
    let files = std::fs::read_dir(root().join("tests/examples")).unwrap();
    let mut names: Vec<String> =
        files.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Runs an example twice against its server: the first run reads everything, the second finds
/// nothing new.
async fn hold(name: &str) -> Result<(), String> {
    let case = std::fs::read_to_string(root().join(format!("tests/examples/{name}.json"))).unwrap();
    let case: Value = serde_json::from_str(&case).unwrap();
    let server = ScriptServer::start(case["server"].as_array().unwrap().clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(name, folder.path());
    for (run, expect) in case["runs"].as_array().unwrap().iter().enumerate() {
        let before = server.seen().len();
        let ran = run_of(&case, &pipeline, &server).await;
        let seen = server.seen().split_off(before);
        let of_run = |problem: String| format!("run {run}: {problem}");
        if ran.code != 0 {
            return Err(of_run(format!("{ran:?}\nrequests: {seen:#?}")));
        }
        same_requests(&filled(&expect["requests"], &server), &in_order(&case, seen)).map_err(of_run)?;
        same_counts(&expect["counts"], &ran.report()).map_err(of_run)?;
        let lake = LocalFileSystem::new_with_prefix(folder.path().join("lake")).unwrap();
        for (table, rows) in case["rows"].as_object().unwrap() {
            same_rows(&filled(rows, &server), json_rows_in(&lake, table).await).map_err(of_run)?;
        }
    }
    Ok(())
}

/// The example with quick retries, and with its schema where it is.
fn pipeline(name: &str, folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(root().join(format!("examples/{name}.yaml"))).unwrap();
    assert!(text.contains("backoff_factor: 2"), "{name} says how it retries");
    let schemas = root().join("schemas");
    let text =
        text.replace("../schemas", schemas.to_str().unwrap()).replace("backoff_factor: 2", "backoff_factor: 0.01");
    let path = folder.join(format!("{name}.yaml"));
    std::fs::write(&path, text).unwrap();
    path
}

async fn run_of(case: &Value, pipeline: &Path, server: &ScriptServer) -> Ran {
    let mut command = lakefeed(&["run", pipeline.to_str().unwrap(), "--output", "json"]);
    command.current_dir(pipeline.parent().unwrap());
    for (variable, value) in case["environment"].as_object().unwrap() {
        command.env(variable, server.fill_in(value.as_str().unwrap()));
    }
    output_of(command).await
}

fn filled(value: &Value, server: &ScriptServer) -> Value {
    serde_json::from_str(&server.fill_in(&value.to_string())).unwrap()
}

/// Listings that are read side by side have no order among each other, but each has one.
fn in_order(case: &Value, mut seen: Vec<Seen>) -> Vec<Seen> {
    if case["side_by_side"] == true {
        seen.sort_by(|left, right| left.path.cmp(&right.path));
    }
    seen
}

/// Each resource's inserted, updated and unchanged rows.
fn same_counts(expect: &Value, report: &Value) -> Result<(), String> {
    for (resource, counts) in expect.as_object().unwrap() {
        let resources = report["resources"].as_array().unwrap();
        let found = resources.iter().find(|found| found["name"] == resource.as_str());
        let rows = &found.ok_or_else(|| format!("the report has no {resource}"))?["rows"];
        for (count, expected) in counts.as_object().unwrap() {
            if rows[count] != *expected {
                return Err(format!("{resource}: {count} is {}, expected {expected}: {rows}", rows[count]));
            }
        }
        if rows["rejected"] != 0 {
            return Err(format!("{resource}: {rows}"));
        }
    }
    Ok(())
}
