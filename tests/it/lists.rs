//! Lists of records as tables of their own by the command line: readers that join them, contracts,
//! rejects, and what is refused.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::{Ran, data_files, json_rows, output_of, python};

const MERGE: &str = "primary_key: id\n    write_disposition: merge\n    nested: child_tables";

async fn run(api: &Api, resource: &str, files: &[(&str, &str)]) -> Ran {
    let ran = api.run(resource, "", files, &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// The rows of a table of the lake, in the order of their text.
fn rows(api: &Api, table: &str) -> Vec<Value> {
    let files = data_files(&api.folder.path().join("lake").join(table));
    let mut rows: Vec<Value> = files.into_values().flat_map(|bytes| json_rows::rows_of(bytes.into())).collect();
    rows.sort_by_key(ToString::to_string);
    rows
}

/// One column of the table, in the order of keys and places.
fn column(api: &Api, table: &str, name: &str) -> Vec<Value> {
    let mut rows = rows(api, table);
    rows.sort_by_key(|row| [&row["_lakefeed_parent_id"], &row["_lakefeed_list_index"]].map(Value::as_i64));
    rows.into_iter().map(|row| row[name].clone()).collect()
}

/// Records with the places and the values of one column of their items, as DuckDB, pyarrow, Polars
/// and `table query` join them.
async fn joined(api: &Api, child: &str, name: &str) -> Value {
    let lake = api.folder.path().join("lake");
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/join_lists.py"));
    command.arg(&lake).args(["events", child, "id", name]);
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let engines: Value = serde_json::from_str(&ran.stdout).unwrap();
    for engine in ["pyarrow", "polars"] {
        assert_eq!(engines[engine], engines["duckdb"], "{engine} and duckdb see different rows");
    }
    let sql = format!(
        "SELECT e.id, g._lakefeed_list_index AS place, g.{name} AS item FROM events e LEFT JOIN {child} g ON e.id = g._lakefeed_parent_id ORDER BY 1, 2"
    );
    let ran = api.lakefeed(&["table", "query", "lake", &sql, "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        json!([row["id"], row["place"], row["item"]])
    };
    assert_eq!(json!(ran.stdout.lines().map(row).collect::<Vec<_>>()), engines["duckdb"]);
    engines["duckdb"].clone()
}

const FILE: &str = r#"{"properties": {
    "id": {"type": "integer"},
    "theGuests": {"type": "array", "items": {"type": "object", "properties": {
        "eMail": {"type": "string"}, "seat": {"type": "object", "properties": {"aRow": {"type": "integer"}}},
        "notes": {"type": "array", "items": {"type": "string"}}}}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn readers_join_records_and_items() {
    let guest = |mail: &str, row: u32, notes: Value| json!({"eMail": mail, "seat": {"aRow": row}, "notes": notes});
    let first = json!([
        {"id": 1, "theGuests": [guest("a", 1, json!(["x", "y"])), guest("b", 2, json!([]))]},
        {"id": 2, "theGuests": []},
        {"id": 3, "theGuests": [guest("c", 3, json!(["z"]))]},
    ]);
    let second = json!([
        {"id": 1, "theGuests": [guest("b", 2, json!([])), null]},
        {"id": 3},
        {"id": 4, "theGuests": [guest("d", 4, Value::Null)]},
    ]);
    for (schema, files) in [("", vec![]), ("\n    schema: event.json", vec![("event.json", FILE)])] {
        let resource = format!("{MERGE}\n    naming: snake_case{schema}");
        let api = Api::new(vec![first.clone()]).await;
        let report = run(&api, &resource, &files).await.report();
        let told = |report: &Value| -> Vec<Value> {
            let told = report["resources"].as_array().unwrap().iter();
            told.map(|told| json!([told["name"], told["rows"]["read"], told["rows"]["inserted"], told["commit"]]))
                .collect()
        };
        let expected =
            json!([["events", 3, 3, 1], ["events__the_guests__notes", 3, 3, 1], ["events__the_guests", 3, 3, 1],]);
        assert_eq!(json!(told(&report)), expected, "{report}");
        let child = "events__the_guests";
        let expected = json!([[1, 0, "a"], [1, 1, "b"], [2, null, null], [3, 0, "c"]]);
        assert_eq!(joined(&api, child, "e_mail").await, expected);
        assert_eq!(column(&api, child, "seat__a_row"), [1, 2, 3].map(|row| json!(row)));
        let notes = json!([[1, 0, "x"], [1, 1, "y"], [2, null, null], [3, 0, "z"]]);
        assert_eq!(joined(&api, "events__the_guests__notes", "value").await, notes);
        let checked = api.lakefeed(&["check", "pipeline.yaml"]).await;
        let tables = if schema.is_empty() { "as lists come" } else { "events__the_guests, events__the_guests__notes" };
        assert!(checked.stdout.contains(&format!("child tables {tables}")), "{checked:?}");
        // Two rows are another one and gone, the others stay as they are.
        api.set_pages(vec![second.clone()]);
        let report = run(&api, &resource, &files).await.report();
        let expected = json!([[1, 0, "b"], [1, 1, null], [2, null, null], [3, null, null], [4, 0, "d"]]);
        assert_eq!(joined(&api, child, "e_mail").await, expected);
        let counts = report["resources"].as_array().unwrap().iter().find(|told| told["name"] == child).unwrap();
        let counts = ["inserted", "updated", "deleted", "missed"].map(|name| counts["rows"][name].as_u64().unwrap());
        assert_eq!(counts, [1, 2, 1, 0], "{report}");
        let again = run(&api, &resource, &files).await.report();
        assert!(again["resources"].as_array().unwrap().iter().all(|told| told["commit"].is_null()), "{again}");
        for table in ["events", child, "events__the_guests__notes"] {
            let sound = api.lakefeed(&["table", "verify", "lake", table]).await;
            assert_eq!(sound.code, 0, "{sound:?}");
        }
        // The records are known from all of the tables.
        let shown = api.lakefeed(&["schema", "show", "lake", "events", "--output", "json"]).await;
        let file: Value = serde_json::from_str(&shown.stdout).unwrap();
        let items = &file["properties"]["theGuests"]["items"]["properties"];
        assert_eq!(items["seat"]["properties"]["aRow"]["type"], json!(["integer", "null"]), "{file}");
        assert_eq!(items["notes"]["items"]["type"], json!(["string", "null"]), "{file}");
        let listed = api.lakefeed(&["table", "ls", "lake", "--output", "json"]).await;
        assert!(listed.stdout.matches("events__the_guests").count() >= 2, "{listed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_fields_of_items_that_come_late_become_tables_and_columns() {
    let record = |id: usize| match id {
        0..50 => json!({"id": id, "tags": []}),
        50..103 => json!({"id": id, "tags": ["a"]}),
        103..106 => json!({"id": id, "tags": ["a"], "late": [{"n": 1}]}),
        _ => json!({"id": id, "late": [{"n": 0.5, "deep": [[true]]}]}),
    };
    for contract in ["", "\n    schema: event.json\n    schema_contract: evolve"] {
        let resource = format!("{MERGE}{contract}");
        let files = [("event.json", r#"{"properties": {"id": {"type": "integer"}}}"#)];
        let api = Api::new((0..110).map(|id| json!([record(id)])).collect()).await;
        let report = run(&api, &resource, &files).await.resource();
        assert_eq!((&report["rows"]["inserted"], &report["rows"]["rejected"]), (&json!(110), &json!(0)), "{report}");
        assert_eq!(rows(&api, "events__tags").len(), 56);
        assert_eq!(column(&api, "events__late", "n"), [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5].map(|n| json!(n)));
        assert_eq!(rows(&api, "events__late__deep").len(), 4);
        assert_eq!(column(&api, "events__late__deep__list", "value"), vec![json!(true); 4]);
        // In a later run: one list is new, one has a new field, one is gone.
        api.set_pages(vec![json!([{"id": 60, "more": ["x"]}, {"id": 109, "late": [{"n": 2, "t": "new"}]}])]);
        let report = run(&api, &resource, &files).await.report();
        assert_eq!(rows(&api, "events__tags").len(), 55, "{report}");
        assert_eq!(column(&api, "events__more", "value"), [json!("x")]);
        assert_eq!(column(&api, "events__late", "t").last(), Some(&json!("new")));
        assert_eq!((rows(&api, "events__late__deep").len(), rows(&api, "events__late__deep__list").len()), (3, 3));
        let changes = report["resources"].as_array().unwrap().iter().map(|told| &told["schema_changes"]);
        assert!(changes.into_iter().any(|changes| *changes == json!(["added column t: utf8"])), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_holds_for_child_tables() {
    let with = |contract: &str| format!("{MERGE}\n    schema_contract: {contract}");
    let old = json!([{"id": 1, "tags": ["a"]}]);
    let new = json!([{"id": 1, "tags": ["a"], "more": [1]}]);
    for (contract, page, code, expected) in [
        ("{columns: freeze}", &old, 0, ""),
        ("{columns: freeze}", &new, 6, "the records have new fields: more"),
        ("{tables: freeze}", &old, 0, ""),
        ("{tables: freeze}", &new, 6, "there is no table"),
        ("{tables: discard_row}", &new, 0, ""),
        ("{columns: discard_value}", &new, 0, ""),
        (
            "{conflicts: json}",
            &json!([{"id": 2, "tags": "x"}]),
            6,
            "the list of which the table events__tags is made holds something else than before",
        ),
        ("{conflicts: json}", &json!([{"id": 2, "tags": [{"a": 1}]}]), 0, ""),
    ] {
        let api = Api::new(vec![old.clone()]).await;
        run(&api, MERGE, &[]).await;
        api.set_pages(vec![page.clone()]);
        let ran = api.run(&with(contract), "", &[], &[]).await;
        assert_eq!(ran.code, code, "{contract}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{contract}: {expected}\n{}", ran.stderr);
        assert!(!api.folder.path().join("lake/events__more").exists(), "{contract}");
        let is_json = column(&api, "events__tags", "value").last() == Some(&json!("{\"a\":1}"));
        let first = if is_json { json!("\"a\"") } else { json!("a") };
        assert_eq!(column(&api, "events__tags", "value")[0], first, "{contract}");
    }
    // Objects, and then something else.
    let api = Api::new(vec![json!([{"id": 1, "guests": [{"mail": "a"}]}])]).await;
    run(&api, MERGE, &[]).await;
    api.set_pages(vec![json!([{"id": 2, "guests": [7]}])]);
    for (contract, code) in [("{conflicts: json}", 6), ("{conflicts: reject}", 0), ("{conflicts: variant}", 0)] {
        let ran = api.run(&with(contract), "", &[], &[]).await;
        assert_eq!(ran.code, code, "{contract}: {ran:?}");
        assert_eq!(ran.stderr.contains("holds something else than before"), code == 6, "{ran:?}");
        assert_eq!(column(&api, "events__guests", "mail"), [json!("a")], "{contract}");
    }
    assert_eq!(api.column("guests__v_json").last(), Some(&json!("[7]")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_refused_or_deleted() {
    let file = |kind: &str| {
        format!(
            r#"{{"properties": {{"id": {{"type": "integer"}}, "tags": {{"type": "array", "items": {{"type": "{kind}"}}}}}}}}"#
        )
    };
    let (strict, lax) = (file("integer"), file("string"));
    let resource = format!("{MERGE}\n    schema: event.json\n    deletes: {{when: \"has(record.gone)\"}}");
    let api = Api::new(vec![json!([{"id": 1, "tags": [1, 2]}, {"id": 2, "tags": [3]}, {"id": 3, "tags": [4]}])]).await;
    run(&api, &resource, &[("event.json", &strict)]).await;
    api.set_pages(vec![json!([{"id": 1, "tags": ["x"]}, {"id": 2, "tags": []}, {"id": 3, "gone": true}])]);
    let report = run(&api, &resource, &[("event.json", &strict)]).await.resource();
    assert_eq!((&report["rows"]["rejected"], &report["rows"]["deleted"]), (&json!(1), &json!(1)), "{report}");
    assert_eq!(column(&api, "events__tags", "value"), [json!(1), json!(2)]);
    api.set_pages(vec![json!([])]);
    let ran = api.run(&resource, "", &[("event.json", &lax)], &["--full-refresh", "--allow-shrink"]).await;
    assert_eq!((ran.code, rows(&api, "events__tags").len()), (0, 0), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_that_are_tried_again_bring_their_items() {
    let file = |more: &str| {
        format!(
            r#"{{"properties": {{"id": {{"type": "integer"}}{more}, "tags": {{"type": "array", "items": {{"type": "string"}}}}}}}}"#
        )
    };
    let resource = format!("{MERGE}\n    schema: event.json\n    schema_contract: {{columns: discard_row}}");
    let api = Api::new(vec![json!([{"id": 1, "n": 1, "tags": ["a", "b"]}, {"id": 2, "tags": ["c"]}])]).await;
    run(&api, &resource, &[("event.json", &file(""))]).await;
    assert_eq!(column(&api, "events__tags", "value"), [json!("c")]);
    api.set_pages(vec![json!([])]);
    let wider = file(r#", "n": {"type": "integer"}"#);
    let ran = api.run(&resource, "", &[("event.json", &wider)], &["--retry-rejects"]).await;
    assert_eq!((ran.code, &ran.resource()["retried"]["accepted"]), (0, &json!(1)), "{ran:?}");
    assert_eq!(column(&api, "events__tags", "value"), [json!("a"), json!("b"), json!("c")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_keeps_its_shape_and_its_lists() {
    let page = json!([{"id": 1, "tags": ["a"]}]);
    let flat = "primary_key: id\n    write_disposition: merge\n    nested: flatten";
    let api = Api::new(vec![page.clone()]).await;
    run(&api, flat, &[]).await;
    for (resource, expected) in [
        (MERGE, "the field $.tags of the records is a column of the table, and the table events__tags in the run"),
        (flat, "the field $.tags of the records is the table events__tags, and a column in the run"),
    ] {
        let ran = api.run(resource, "", &[], &[]).await;
        if resource == flat || !ran.stderr.contains(expected) {
            assert_eq!(ran.code, 6, "{ran:?}");
        }
        assert!(ran.stderr.contains(expected), "{expected}\n{}", ran.stderr);
        let anew = api.run(resource, "", &[], &["--full-refresh"]).await;
        assert_eq!(anew.code, 0, "{anew:?}");
        if resource == MERGE {
            assert_eq!(
                (column(&api, "events__tags", "value"), api.column("tags")),
                (vec![json!("a")], vec![Value::Null])
            );
        }
    }
    // Records that have the list no more.
    let api = Api::new(vec![page]).await;
    run(&api, MERGE, &[]).await;
    api.set_pages(vec![json!([{"id": 2}])]);
    run(&api, MERGE, &[]).await;
    assert_eq!(rows(&api, "events__tags").len(), 1, "record 1 did not come");
    let anew = api.run(MERGE, "", &[], &["--full-refresh"]).await;
    assert_eq!((anew.code, rows(&api, "events__tags").len()), (0, 0), "{anew:?}");
}
