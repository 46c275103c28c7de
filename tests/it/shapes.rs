//! Tables whose columns have other names than the fields of the records, or that have fields of
//! objects as columns: whole runs, read back.

use serde_json::{Value, json};

use crate::evolution::read_as_one;
use crate::support::Ran;
use crate::support::api::Api;

async fn run(api: &Api, resource: &str, files: &[(&str, &str)]) -> Value {
    let ran = api.run(resource, "", files, &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.resource()
}

async fn refused(api: &Api, resource: &str, files: &[(&str, &str)], code: i32, expected: &str) -> Ran {
    let ran = api.run(resource, "", files, &[]).await;
    assert_eq!(ran.code, code, "{ran:?}");
    assert!(ran.stderr.contains(expected), "{expected:?} is not in {}", ran.stderr);
    ran
}

const FILE: &str = r#"{"properties": {
    "ID": {"type": "integer"},
    "startTime": {"type": "string", "format": "date-time", "description": "when it begins"},
    "theOwner": {"type": "object", "required": ["displayName"], "properties": {
        "displayName": {"type": "string"},
        "seat": {"type": "object", "properties": {"Row": {"type": "integer"}, "bits": {"type": "string", "contentEncoding": "base64"}}}}},
    "theGuests": {"type": "array", "items": {"type": "object", "properties": {"eMail": {"type": "string"}}}}}}"#;

/// Two records: one with everything, one without the object.
fn events() -> Vec<Value> {
    vec![json!([
        {"ID": 1, "startTime": "2026-11-23T08:00:00Z",
         "theOwner": {"displayName": "Ann", "seat": {"Row": 7}}, "theGuests": [{"eMail": "a@b"}, null]},
        {"ID": 2, "startTime": null, "theOwner": null, "theGuests": []},
    ])]
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_called_and_cut_as_the_pipeline_says() {
    let time = "2026-11-23T08:00:00Z";
    let (owner, none) = (json!({"display_name": "Ann", "seat": {"row": 7}}), Value::Null);
    let snake = json!([
        {"id": 1, "start_time": time, "the_owner": owner, "the_guests": [{"e_mail": "a@b"}, null]},
        {"id": 2, "start_time": none, "the_owner": none, "the_guests": []},
    ]);
    let both = json!([
        {"id": 1, "start_time": time, "the_owner__display_name": "Ann", "the_owner__seat__row": 7, "the_guests": [{"e_mail": "a@b"}, null]},
        {"id": 2, "start_time": none, "the_owner__display_name": none, "the_owner__seat__row": none, "the_guests": []},
    ]);
    let levels = json!([
        {"id": 1, "start_time": time, "the_owner__display_name": "Ann", "the_owner__seat": "{\"Row\":7}", "the_guests": ["{\"eMail\":\"a@b\"}", null]},
        {"id": 2, "start_time": none, "the_owner__display_name": none, "the_owner__seat": none, "the_guests": []},
    ]);
    for (shape, expected) in [
        ("naming: snake_case", &snake),
        ("naming: snake_case\n    nested: flatten", &both),
        ("naming: snake_case\n    nested: {mode: flatten, levels: 1}", &levels),
    ] {
        for key in ["primary_key: ID", "primary_key: id"] {
            for (schema, files) in [("", vec![]), ("\n    schema: event.json", vec![("event.json", FILE)])] {
                let api = Api::new(events()).await;
                let resource = format!("{key}\n    write_disposition: merge\n    {shape}{schema}");
                run(&api, &resource, &files).await;
                let mut rows = read_as_one(&api.table()).await;
                for row in rows.as_array_mut().unwrap() {
                    // Only the file knows of it, and it is never there.
                    let seat = row.pointer_mut("/the_owner/seat").and_then(Value::as_object_mut);
                    let unseen = [
                        seat.and_then(|seat| seat.remove("bits")),
                        row.as_object_mut().unwrap().remove("the_owner__seat__bits"),
                    ];
                    assert!(unseen.iter().flatten().all(Value::is_null), "{unseen:?}");
                }
                assert_eq!(rows, *expected, "{resource}");
                let again = run(&api, &resource, &files).await;
                assert_eq!((&again["rows"]["unchanged"], &again["schema_changes"]), (&json!(2), &json!([])), "{again}");
                let sound = api.lakefeed(&["table", "verify", "lake", "events"]).await;
                assert_eq!(sound.code, 0, "{sound:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_fields_of_objects_become_columns_within_a_run_and_in_a_later_one() {
    let resource =
        "primary_key: [ID, inner__Part]\n    write_disposition: merge\n    nested: flatten\n    naming: snake_case";
    let with_file = format!("{resource}\n    schema: event.json\n    schema_contract: evolve");
    let file = r#"{"properties": {"ID": {"type": "integer", "description": "the key"}, "inner": {"properties": {"Part": {"type": "string"}}}}}"#;
    for (resource, files) in [(resource, vec![]), (with_file.as_str(), vec![("event.json", file)])] {
        let record = |id: usize| match id {
            105.. => json!({"ID": id, "inner": {"Part": "a", "newOne": 0.5, "list": [{"aB": 1}]}, "n": 0.5}),
            0..50 => json!({"ID": id, "inner": {"Part": "a"}, "n": 1}),
            _ => json!({"ID": id, "inner": {"Part": "a", "newOne": 1}}),
        };
        let api = Api::new((0..110).map(|id| json!([record(id)])).collect()).await;
        let report = run(&api, resource, &files).await;
        assert_eq!((&report["rows"]["inserted"], &report["rows"]["rejected"]), (&json!(110), &json!(0)), "{report}");
        let rows = read_as_one(&api.table()).await;
        let row = |id: usize, n: Value, new: Value, list: Value| json!({"id": id, "inner__part": "a", "n": n, "inner__new_one": new, "inner__list": list});
        assert_eq!(rows[0], row(0, json!(1.0), Value::Null, Value::Null));
        assert_eq!(rows[60], row(60, Value::Null, json!(1.0), Value::Null));
        assert_eq!(rows[107], row(107, json!(0.5), json!(0.5), json!([{"a_b": 1}])));
        // The keys of the records are known from the table.
        api.set_pages(vec![json!([
            {"ID": 60, "inner": {"Part": "b", "newOne": 3, "later": {"still": true}}},
            {"ID": 107, "inner": {"Part": "a", "newOne": 0.5, "list": [{"aB": 2}]}, "n": 0.5},
            {"ID": 108},
        ])]);
        let report = run(&api, resource, &files).await;
        let rows = &report["rows"];
        assert_eq!(
            (&rows["inserted"], &rows["updated"], &report["rejected_by_reason"]),
            (&json!(1), &json!(1), &json!({"missing_value": 1})),
            "{report}"
        );
        assert_eq!(report["schema_changes"], json!(["added column inner__later__still: boolean"]), "{report}");
        let found: Vec<Value> =
            api.rows().into_iter().filter(|row| row["id"] == 60).map(|row| row["inner__part"].clone()).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        let shown = api.lakefeed(&["table", "rejects", "lake", "events", "--output", "json"]).await;
        assert!(shown.stdout.contains("$.inner"), "{shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_fields_for_one_column_and_another_shape_than_the_table_are_refused() {
    let snake = "primary_key: id\n    naming: snake_case";
    let api = Api::new(vec![json!([{"id": 1, "startTime": "x", "start_time": "y"}])]).await;
    let expected =
        "resource events: the fields $.startTime and $.start_time of the records would both be the column start_time";
    refused(&api, snake, &[], 6, expected).await;
    assert!(!api.table().exists());
    // On a late page, and in a later run.
    let record = |id: usize| {
        if id == 109 { json!([{"id": id, "start_time": "y"}]) } else { json!([{"id": id, "startTime": "x"}]) }
    };
    api.set_pages((0..110).map(record).collect());
    refused(&api, snake, &[], 6, "$.startTime and $.start_time").await;
    api.set_pages(vec![record(1)]);
    run(&api, snake, &[]).await;
    api.set_pages(vec![record(109)]);
    refused(&api, snake, &[], 6, "$.startTime and $.start_time").await;
    assert_eq!(api.column("start_time"), [json!("x")]);
    // By a file, before anything is asked of the API.
    let file = r#"{"properties": {"id": {"type": "integer"}, "a": {"properties": {"b": {"type": "string"}}}, "a__b": {"type": "string"}}}"#;
    let flat = "schema: event.json\n    nested: flatten";
    refused(&api, flat, &[("event.json", file)], 2, "$.a.b and $.a__b of the records would both be the column a__b")
        .await;
    // A table keeps its shape.
    let moved = "the field $.startTime of the records is at $.start_time in the table and at $.startTime in the run";
    api.set_pages(vec![record(2)]);
    refused(&api, "primary_key: id", &[], 6, moved).await;
    let anew = api.run("primary_key: id", "", &[], &["--full-refresh"]).await;
    assert_eq!((anew.code, api.column("startTime")), (0, vec![json!("x")]), "{anew:?}");
    refused(&api, snake, &[], 6, "is at $.startTime in the table and at $.start_time in the run").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_rejects_and_history_know_the_fields_of_their_columns() {
    // A mark that no record had when the run began.
    let deleting = "primary_key: the_id\n    write_disposition: merge\n    naming: snake_case\n    columns: {is_gone: {hard_delete: true}, the_id: {data_type: bigint}}";
    let api = Api::new(vec![json!([{"theId": 1, "id": 1, "n": 1}, {"theId": 2, "id": 2, "n": 2}])]).await;
    run(&api, deleting, &[]).await;
    api.set_pages(
        (0..110).map(|page| if page == 109 { json!([{"theId": 2, "isGone": true}]) } else { json!([]) }).collect(),
    );
    api.set_pages(vec![json!([{"theId": 2, "isGone": true}])]);
    let report = run(&api, deleting, &[]).await;
    assert_eq!((&report["rows"]["deleted"], api.column("the_id")), (&json!(1), vec![json!(1)]), "{report}");
    // A reject says where its value is in the record, and is tried again as a record.
    let api =
        Api::new(vec![json!([{"id": 1, "o": {"whenIt": "2026-11-23T08:00:00Z"}}, {"id": 2, "o": {"whenIt": "soon"}}])])
            .await;
    let file = r#"{"properties": {"id": {"type": "integer"}, "o": {"properties": {"whenIt": {"x-arrow": "timestamp[us, UTC]"}}}}}"#;
    let typed = "primary_key: id\n    write_disposition: merge\n    naming: snake_case\n    nested: flatten\n    schema: event.json";
    let report = run(&api, typed, &[("event.json", file)]).await;
    assert_eq!(report["rejected_by_reason"], json!({"bad_format": 1}));
    let shown = api.lakefeed(&["table", "rejects", "lake", "events", "--output", "json"]).await;
    assert!(shown.stdout.contains("$.o.whenIt"), "{shown:?}");
    let mended = "primary_key: id\n    write_disposition: merge\n    naming: snake_case\n    nested: flatten\n    schema: event.json\n    processing_steps: [{map: {o: \"{'whenIt': '2026-11-24T00:00:00Z'}\"}}]";
    api.set_pages(vec![json!([])]);
    let ran = api.run(mended, "", &[("event.json", file)], &["--retry-rejects"]).await;
    assert_eq!((ran.code, api.column("o__when_it").len()), (0, 2), "{ran:?}");
    // History: the table has columns of its own beside those of the records.
    let history = "primary_key: theId\n    write_disposition: {disposition: merge, strategy: scd2}\n    naming: snake_case\n    nested: flatten\n    load_metadata: true";
    let api = Api::new(vec![json!([{"theId": 1, "o": {"aB": 1}}])]).await;
    run(&api, history, &[]).await;
    api.set_pages(vec![json!([{"theId": 1, "o": {"aB": 2, "cD": 3}}])]);
    let report = run(&api, history, &[]).await;
    assert_eq!(report["schema_changes"], json!(["added column o__c_d: int64"]), "{report}");
    let mut versions: Vec<Value> =
        api.rows().iter().map(|row| json!([row["o__a_b"], row["o__c_d"], row.get("valid_to").is_some()])).collect();
    versions.sort_by_key(Value::to_string);
    assert_eq!(versions, [json!([1, null, true]), json!([2, 3, false])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_tells_records_apart_by_the_fields_of_the_key() {
    let resource = "primary_key: theId\n    naming: snake_case";
    let incremental = "incremental: {cursor_path: updatedAt, initial_value: \"2026-01-01\"}";
    let api =
        Api::new(vec![json!([{"theId": 1, "updatedAt": "2026-02-01"}, {"theId": 2, "updatedAt": "2026-02-01"}])]).await;
    let endpoint = format!(
        "{resource}\n    endpoint: {{path: events, data_selector: $, paginator: {{type: page_number, total_path: null}}, {incremental}}}"
    );
    let ran = api.run_with_endpoint(&endpoint).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    api.set_pages(vec![json!([{"theId": 2, "updatedAt": "2026-02-01"}, {"theId": 3, "updatedAt": "2026-02-01"}])]);
    let ran = api.run_with_endpoint(&endpoint).await;
    let mut ids = api.column("the_id");
    ids.sort_by_key(Value::as_i64);
    assert_eq!((ran.code, ids), (0, vec![json!(1), json!(2), json!(3)]), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_described_schema_evolves_within_a_run() {
    let file = r#"{"properties": {"id": {"type": "integer", "description": "the key"}}}"#;
    let record = |id: usize| if id > 3 { json!([{"id": id, "late": true}]) } else { json!([{"id": id}]) };
    let api = Api::new((0..6).map(record).collect()).await;
    run(&api, "primary_key: id\n    schema: event.json\n    schema_contract: evolve", &[("event.json", file)]).await;
    assert_eq!(api.column("late").last(), Some(&json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn tombstones_aliases_partitions_and_conflicts_of_flattened_columns() {
    // A tombstone lacks what its object must have; rows are in folders by a field of an object.
    let file = |when: &str| {
        format!(
            r#"{{"properties": {{"id": {{"type": "integer"}}, "gone": {{"type": "boolean"}}, "inner": {{"type": "object", {when}"required": ["theDay"],
                "properties": {{"theDay": {{"type": "string", "format": "date"}}, "aB": {{"type": "integer"}}}}}}}}}}"#
        )
    };
    let resource = "primary_key: id\n    write_disposition: merge\n    naming: snake_case\n    nested: flatten\n    schema: event.json\n    \
        columns: {gone: {hard_delete: true}}\n    partition_by: inner__theDay";
    let record = |id: usize| json!({"id": id, "inner": {"theDay": "2026-11-23", "aB": id}});
    let api = Api::new(vec![json!([record(1), record(2), {"id": 3}])]).await;
    run(&api, resource, &[("event.json", &file(""))]).await;
    assert!(api.table().join("inner__the_day_identity=2026-11-23").exists());
    api.set_pages(vec![json!([{"id": 2, "gone": true}])]);
    let report = run(&api, resource, &[("event.json", &file(""))]).await;
    assert_eq!((&report["rows"]["deleted"], api.column("inner__a_b")), (&json!(1), vec![json!(1), Value::Null]));
    // The columns of an object that has another name now.
    let renamed = "primary_key: id\n    write_disposition: merge\n    naming: snake_case\n    nested: flatten\n    schema: event.json";
    let api = Api::new(vec![json!([record(1)])]).await;
    run(&api, renamed, &[("event.json", &file(""))]).await;
    let other = file(r#""x-aliases": "inner", "#).replace(r#""inner": {"type""#, r#""theOuter": {"type""#);
    api.set_pages(vec![json!([{"id": 2, "theOuter": {"theDay": "2026-11-24", "aB": 5}}])]);
    let report = run(&api, renamed, &[("event.json", &other)]).await;
    let changes =
        ["the_day", "a_b"].map(|name| format!("column the_outer__{name} is called so now, was inner__{name}"));
    assert_eq!(report["schema_changes"], json!(changes), "{report}");
    assert_eq!(api.column("the_outer__a_b"), [json!(1), json!(5)]);
    // Something else than an object, where there was one.
    for (conflicts, rejected, expected) in [
        ("reject", json!({"wrong_type": 1}), json!([{"id": 1, "o__a": 1}, {"id": 3, "o__a": 3}])),
        ("json", json!({}), json!([{"id": 1, "o__a": 1}, {"id": 2, "o": "2"}, {"id": 3, "o": "{\"a\":3}"}])),
    ] {
        let resource = format!(
            "primary_key: id\n    write_disposition: merge\n    nested: flatten\n    schema_contract: {{conflicts: {conflicts}}}"
        );
        let api = Api::new(vec![json!([{"id": 1, "o": {"a": 1}}])]).await;
        run(&api, &resource, &[]).await;
        api.set_pages(vec![json!([{"id": 2, "o": 2}, {"id": 3, "o": {"a": 3}}])]);
        let report = run(&api, &resource, &[]).await;
        assert_eq!((&report["rejected_by_reason"], json!(api.rows())), (&rejected, expected.clone()), "{report}");
        // The columns are there, and so the same run finds its rows as they are.
        let again = run(&api, &resource, &[]).await;
        assert_eq!((&again["schema_changes"], json!(api.rows())), (&json!([]), expected), "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reject_whose_field_would_be_another_ones_column_stays_one() {
    let api = Api::new(vec![json!([{"id": 1, "startTime": "x", "o": {"aB": 1}}])]).await;
    let resource = |mode: &str| {
        format!(
            "primary_key: id\n    naming: snake_case\n    nested: flatten\n    schema_contract: {{columns: {mode}}}"
        )
    };
    run(&api, &resource("evolve"), &[]).await;
    api.set_pages(vec![json!([{"id": 2, "start_time": "y"}, {"id": 3, "other": 1}, {"id": 4}])]);
    let report = run(&api, &resource("discard_row"), &[]).await;
    assert_eq!(report["rejected_by_reason"], json!({"unknown_field": 2}), "{report}");
    api.set_pages(vec![json!([])]);
    let ran = api.run(&resource("evolve"), "", &[], &["--retry-rejects"]).await;
    let retried = ran.resource()["retried"].clone();
    assert_eq!((ran.code, &retried["accepted"], &retried["refused"]), (0, &json!(1), &json!(1)), "{ran:?}");
    assert_eq!(api.column("other"), [Value::Null, json!(1), Value::Null]);
    // What a table was made of, as a file.
    let shown = api.lakefeed(&["schema", "show", "lake", "events", "--output", "json"]).await;
    let file: Value = serde_json::from_str(&shown.stdout).unwrap();
    let keys: Vec<&String> = file["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "startTime", "o", "other"], "{file}");
    assert_eq!(file["properties"]["o"]["properties"]["aB"]["type"], json!(["integer", "null"]), "{file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn variants_are_called_after_their_columns() {
    let resource = "primary_key: id\n    write_disposition: merge\n    naming: snake_case\n    nested: flatten\n    schema_contract: {conflicts: variant}";
    let api = Api::new(vec![json!([{"ID": 1, "maxSize": 1, "inner": {"aB": 1}}])]).await;
    run(&api, resource, &[]).await;
    api.set_pages(vec![json!([{"ID": 2, "maxSize": "big", "inner": {"aB": true}}])]);
    let report = run(&api, resource, &[]).await;
    let changes = report["schema_changes"].as_array().unwrap();
    for change in ["added column max_size__v_text: utf8", "added column inner__a_b__v_bool: boolean"] {
        assert!(changes.contains(&json!(change)), "{changes:?}");
    }
    let rows = read_as_one(&api.table()).await;
    assert_eq!((&rows[0]["max_size"], &rows[0]["inner__a_b"]), (&json!(1), &json!(1)), "{rows}");
    assert_eq!((&rows[1]["max_size__v_text"], &rows[1]["inner__a_b__v_bool"]), (&json!("big"), &json!(true)), "{rows}");
    let again = run(&api, resource, &[]).await;
    assert_eq!((&again["rows"]["unchanged"], &again["schema_changes"]), (&json!(1), &json!([])), "{again}");
}
