//! The values of `tests/types/*.json` through whole runs: one table per column. What is refused is kept beside the table with its code and its path;
//! DuckDB, pyarrow and Polars see the others as the file says.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use serde_json::{Value, json};

use crate::support::script_server::ScriptServer;
use crate::support::{files_below, lakefeed, output_of, python};

#[tokio::test(flavor = "multi_thread")]
async fn three_readers_see_the_values_that_the_table_of_types_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let columns = columns(&root.join("tests/types"));
    assert!(columns.len() > 40, "only {} columns", columns.len());
    let report = load(&columns, folder.path()).await;
    let mut command = Command::new(python());
    command.arg(root.join("tests/readers/read_types.py")).arg(folder.path().join("lake"));
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let seen: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut wrong = Vec::new();
    for column in &columns {
        let name = column["name"].as_str().unwrap();
        let cases = column["cases"].as_array().unwrap();
        let (refused, taken): (Vec<_>, Vec<_>) =
            cases.iter().enumerate().partition(|(_, case)| case["reject"].is_string());
        let rows = report["resources"].as_array().unwrap().iter().find(|resource| resource["name"] == name).unwrap();
        assert_eq!(rows["rows"]["rejected"], refused.len(), "{name}");
        let expected: BTreeMap<i64, (String, String)> =
            refused.iter().map(|(id, case)| (i64::try_from(*id).unwrap(), reject(case))).collect();
        if rejects(&folder.path().join("lake").join(name)) != expected {
            wrong.push(format!("{name}: the rejects are not {expected:?}"));
        }
        for engine in ["duckdb", "polars", "pyarrow"] {
            let is_left_out = column["not_in"].as_array().is_some_and(|engines| engines.contains(&json!(engine)));
            if is_left_out {
                continue;
            }
            let found = &seen[name][engine];
            for (id, case) in &taken {
                let value = &found["values"][id.to_string()];
                if !is_same(value, &case["value"]) {
                    wrong.push(format!(
                        "{engine} {name} {}: {value}, expected {} ({})",
                        case["json"], case["value"], found["type"]
                    ));
                }
            }
            if !found["error"].is_null() {
                wrong.push(format!("{engine} {name}: {}", found["error"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn columns(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let files = files.map(|text| serde_json::from_str::<Value>(&text).unwrap());
    files.flat_map(|file| file["columns"].as_array().unwrap().clone()).collect()
}

/// Runs a pipeline with a resource per column; its report.
async fn load(columns: &[Value], folder: &Path) -> Value {
    let (mut rules, mut resources) = (Vec::new(), Vec::new());
    for column in columns {
        let name = column["name"].as_str().unwrap();
        let cases = column["cases"].as_array().unwrap().iter().enumerate();
        let records: Vec<String> =
            cases.map(|(id, case)| format!("{{\"id\":{id},\"v\":{}}}", case["json"].as_str().unwrap())).collect();
        rules.push(json!({"match": {"path": format!("/{name}")}, "reply": {"text": format!("{{\"items\":[{}]}}", records.join(","))}}));
        let schema = json!({"properties": {"id": {"type": "integer"}, "v": column["schema"]}});
        std::fs::write(folder.join(format!("{name}.json")), schema.to_string()).unwrap();
        resources.push(json!({
            "name": name, "schema": format!("{name}.json"), "write_disposition": "replace",
            "endpoint": {"path": name, "data_selector": "items", "paginator": "single_page"},
        }));
    }
    let server = ScriptServer::start(rules).await;
    let pipeline = json!({
        "client": {"base_url": server.fill_in("{{BASE}}")},
        "resources": resources,
        "destination": {"url": "./lake"},
    });
    std::fs::write(folder.join("types.json"), pipeline.to_string()).unwrap();
    let mut command = lakefeed(&["run", "types.json", "--output", "json"]);
    command.current_dir(folder);
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.report()
}

fn reject(case: &Value) -> (String, String) {
    (case["reject"].as_str().unwrap().to_owned(), format!("$.v{}", case["at"].as_str().unwrap_or_default()))
}

/// The code and the path of each refused record, by its position.
fn rejects(table: &Path) -> BTreeMap<i64, (String, String)> {
    let files = files_below(&table.join("_lakefeed/rejects"));
    let mut found = BTreeMap::new();
    for bytes in files.into_values() {
        for batch in
            parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 8_192).unwrap()
        {
            let batch = batch.unwrap();
            let column = |name: &str| batch.column_by_name(name).unwrap();
            let text = |name: &str, row| column(name).as_string::<i32>().value(row).to_owned();
            for row in 0..batch.num_rows() {
                let position = column("position").as_primitive::<Int64Type>().value(row);
                // A value that null stands for is kept, too; its record is a row.
                if !text("reason", row).ends_with("null stands for it") {
                    found.insert(position, (text("code", row), text("path", row)));
                }
            }
        }
    }
    found
}

/// Whether an engine's value is the expected one. Floats have several texts.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(float), Value::String(expected)) if float.contains_key("float") => {
            let found: f64 = float["float"].as_str().unwrap().parse().unwrap();
            let expected: f64 = expected.parse().unwrap();
            found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan())
        }
        _ => found == expected,
    }
}
