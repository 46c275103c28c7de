//! Schemas that evolve from page to page and from run to run, what a contract says of it, and
//! readers of old and new files together.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::{Ran, lakefeed, output_of, python};

/// More pages of one record each than a schema is inferred from.
const MANY_PAGES: usize = 110;

/// A page of one record per page number.
fn one_by_one(record: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..MANY_PAGES).map(|page| json!([record(page)])).collect()
}

async fn run(api: &Api, resource: &str) -> Ran {
    let ran = api.run(resource, "", &[], &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// What DuckDB, pyarrow, Polars and `table query` see of the table, files of all shapes together.
pub(crate) async fn read_as_one(table: &Path) -> Value {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/evolution.py")).arg(table);
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let engines: Value = serde_json::from_str(&ran.stdout).unwrap();
    let duckdb = engines["duckdb"].clone();
    for engine in ["pyarrow", "polars"] {
        assert_eq!(engines[engine], duckdb, "{engine} and duckdb see different rows");
    }
    let (lake, name) = (table.parent().unwrap().to_str().unwrap(), table.file_name().unwrap().to_str().unwrap());
    let sql = format!("SELECT * FROM {name} ORDER BY id");
    let ran = output_of(lakefeed(&["table", "query", lake, &sql, "--output", "json"])).await;
    let rows = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    assert_eq!((ran.code, &json!(rows)), (0, &duckdb), "{}", ran.stderr);
    duckdb
}

pub(crate) const KEYED: [&str; 2] =
    ["primary_key: id\n    write_disposition: append", "primary_key: id\n    write_disposition: merge"];

#[tokio::test(flavor = "multi_thread")]
async fn a_field_and_a_wider_type_that_come_late_change_the_schema_within_the_run() {
    for resource in KEYED {
        let api = Api::new(one_by_one(|page| {
            if page < 105 {
                json!({"id": page, "n": page, "o": {"a": 1}, "nothing": null})
            } else {
                json!({"id": page, "n": 0.5, "o": {"a": 1, "b": "x"}, "late": true, "nothing": null})
            }
        }))
        .await;
        let ran = run(&api, resource).await;
        let report = ran.resource();
        assert_eq!(
            (&report["rows"]["inserted"], &report["rows"]["rejected"]),
            (&json!(MANY_PAGES), &json!(0)),
            "{report}"
        );
        let rows = read_as_one(&api.table()).await;
        assert_eq!(rows[3], json!({"id": 3, "n": 3.0, "o": {"a": 1, "b": null}, "late": null}));
        assert_eq!(rows[108], json!({"id": 108, "n": 0.5, "o": {"a": 1, "b": "x"}, "late": true}));
        let again = run(&api, resource).await.resource();
        if resource.ends_with("merge") {
            assert_eq!(
                (&again["rows"]["unchanged"], &again["schema_changes"]),
                (&json!(MANY_PAGES), &json!([])),
                "{again}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_run_evolves_the_table_and_old_files_read_with_new_ones() {
    for resource in KEYED {
        let api = Api::new(vec![json!([{"id": 1, "n": 1, "o": {"a": 1}}, {"id": 2, "n": 2}])]).await;
        run(&api, resource).await;
        api.set_pages(vec![json!([{"id": 3, "new": "x", "o": {"a": 2, "b": 7}}])]);
        let report = run(&api, resource).await.resource();
        assert_eq!(
            report["schema_changes"],
            json!(["column o is struct<a: int64, b: int64> now, was struct<a: int64>", "added column new: utf8"]),
            "{report}"
        );
        let rows = read_as_one(&api.table()).await;
        assert_eq!(rows[0], json!({"id": 1, "n": 1, "o": {"a": 1, "b": null}, "new": null}));
        assert_eq!(rows[2], json!({"id": 3, "n": null, "o": {"a": 2, "b": 7}, "new": "x"}));
        // A type that readers could not bridge: every file is rewritten.
        api.set_pages(vec![json!([{"id": 4, "n": 2.5}])]);
        let report = run(&api, resource).await.resource();
        assert_eq!(report["schema_changes"], json!(["column n is float64 now, was int64"]), "{report}");
        let rows = read_as_one(&api.table()).await;
        assert_eq!(rows[1]["n"].as_f64().zip(rows[3]["n"].as_f64()), Some((2.0, 2.5)), "{rows}");
        let history = api.lakefeed(&["table", "history", "lake", "events", "--output", "json"]).await;
        assert!(history.stdout.contains("column n is float64 now"), "{history:?}");
        let sound = api.lakefeed(&["table", "verify", "lake", "events"]).await;
        assert_eq!(sound.code, 0, "{sound:?}");
        // An integer that is no double cannot come into a table of doubles, nor a string into
        // numbers: both are put aside.
        api.set_pages(vec![json!([{"id": 5, "n": "many"}, {"id": 6, "n": 1}])]);
        let report = run(&api, resource).await.resource();
        assert_eq!(report["rejected_by_reason"], json!({"bad_format": 1}), "{report}");
        assert_eq!(api.column("n").last(), Some(&json!(1.0)));
    }
}

/// What a mode of the contract makes of `second`, after a first run of `{"id": 1, "n": 1}`: the
/// exit code, and the rows with the ids from 2 on.
async fn contracted(contract: &str, second: Value) -> (i32, Vec<Value>, Ran) {
    let api = Api::new(vec![json!([{"id": 1, "n": 1}])]).await;
    let resource = format!("primary_key: id\n    schema_contract: {contract}");
    // A frozen contract lets no table come to be.
    run(&api, "primary_key: id").await;
    api.set_pages(vec![second]);
    let ran = api.run(&resource, "", &[], &[]).await;
    let rows = api.rows().into_iter().filter(|row| row["id"] != 1).collect();
    (ran.code, rows, ran)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_says_what_becomes_of_new_fields_and_of_other_types() {
    let field = || json!([{"id": 2, "n": 2, "new": true}, {"id": 3, "n": 3, "new": null}]);
    let value = || json!([{"id": 2, "n": "two"}, {"id": 3, "n": 3}]);
    let fraction = || json!([{"id": 2, "n": 0.5}, {"id": 3, "n": 3}]);
    let (whole, without) = (json!({"id": 3, "n": 3}), json!({"id": 2, "n": 2}));
    for (contract, second, code, rows) in [
        ("evolve", field(), 0, json!([{"id": 2, "n": 2, "new": true}, whole])),
        ("{columns: discard_value}", field(), 0, json!([without, whole])),
        ("{columns: discard_row}", field(), 0, json!([whole])),
        ("{columns: freeze}", field(), 6, json!([])),
        ("freeze", field(), 6, json!([])),
        ("evolve", value(), 0, json!([whole])),
        ("{data_type: discard_row}", fraction(), 0, json!([whole])),
        ("{data_type: discard_value}", value(), 0, json!([{"id": 2}, whole])),
        ("discard_value", fraction(), 0, json!([{"id": 2}, whole])),
        ("{data_type: freeze}", value(), 6, json!([])),
        ("{data_type: freeze}", fraction(), 6, json!([])),
        ("evolve", fraction(), 0, json!([{"id": 2, "n": 0.5}, {"id": 3, "n": 3.0}])),
        ("{conflicts: json}", value(), 0, json!([{"id": 2, "n": "\"two\""}, {"id": 3, "n": "3"}])),
        ("{conflicts: text}", value(), 0, json!([whole])),
        ("{conflicts: variant}", value(), 0, json!([{"id": 2, "n__v_text": "two"}, whole])),
        ("{conflicts: variant}", fraction(), 0, json!([{"id": 2, "n": 0.5}, {"id": 3, "n": 3.0}])),
        ("{conflicts: variant, columns: discard_row}", value(), 0, json!([whole])),
        ("{conflicts: variant, columns: discard_value}", value(), 0, json!([{"id": 2}, whole])),
        ("{conflicts: variant, columns: freeze}", value(), 6, json!([])),
        ("{conflicts: variant, data_type: discard_row}", value(), 0, json!([whole])),
        ("{conflicts: variant, data_type: freeze}", value(), 6, json!([])),
    ] {
        let (found, seen, ran) = contracted(contract, second.clone()).await;
        assert_eq!((found, json!(seen)), (code, rows), "{contract} of {second}: {ran:?}");
        if code == 6 {
            assert!(ran.stderr.contains("is freeze; evolve") && ran.stderr.contains("hint:"), "{ran:?}");
        }
    }
    let (_, _, ran) = contracted("{data_type: discard_value}", value()).await;
    assert_eq!(ran.resource()["values_discarded"], 1, "{ran:?}");
    // The numbers of the first run became JSON, too.
    let api = Api::new(vec![json!([{"id": 1, "n": 1, "at": "2026-01-01"}])]).await;
    let resource = "primary_key: id\n    schema_contract: {conflicts: json}";
    run(&api, resource).await;
    api.set_pages(vec![json!([{"id": 2, "n": {"x": [1.50]}, "at": "soon"}])]);
    run(&api, resource).await;
    assert_eq!(api.column("n"), [json!("1"), json!("{\"x\":[1.5]}")]);
    assert_eq!(api.column("at"), [json!("\"2026-01-01\""), json!("\"soon\"")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_kind_goes_to_a_column_beside_its_own() {
    for resource in KEYED {
        let resource = format!("{resource}\n    schema_contract: {{conflicts: variant}}");
        // The first value says what a column is, also where another kind comes on the same page.
        let api =
            Api::new(vec![json!([{"id": 1, "n": 1, "o": {"a": 1}, "d": "2026-01-01"}, {"id": 2, "n": "two"}])]).await;
        let report = run(&api, &resource).await.resource();
        assert_eq!(report["rows"]["inserted"], 2, "{report}");
        let second = json!([
            {"id": 3, "n": true, "o": {"a": "x"}, "d": "soon"},
            {"id": 4, "n": {"k": [1.50]}, "o": "none"},
            {"id": 5, "n": 2.5, "d": "2026-01-02T10:00:00Z"},
            {"id": 6, "n": "six", "d": 7},
        ]);
        api.set_pages(vec![second.clone()]);
        let report = run(&api, &resource).await.resource();
        assert_eq!((&report["rows"]["inserted"], &report["rows"]["rejected"]), (&json!(4), &json!(0)), "{report}");
        let changes = report["schema_changes"].as_array().unwrap();
        for change in [
            "added column d__v_text: utf8",
            "added column d__v_bigint: int64",
            "added column n__v_bool: boolean",
            "added column n__v_json: json",
            "added column o__v_text: utf8",
            "column o is struct<a: int64, a__v_text: utf8> now, was struct<a: int64>",
            // What can be widened is not moved.
            "column n is float64 now, was int64",
            "column d is timestamp[us, UTC] now, was date32",
        ] {
            assert!(changes.contains(&json!(change)), "{change}: {changes:?}");
        }
        assert_eq!(changes.len(), 8, "{changes:?}");
        read_as_one(&api.table()).await;
        assert_eq!(api.column("n"), [json!(1.0), Value::Null, Value::Null, Value::Null, json!(2.5), Value::Null]);
        for (row, column, value) in [
            (1, "n__v_text", json!("two")),
            (2, "n__v_bool", json!(true)),
            (2, "o", json!({"a__v_text": "x"})),
            (2, "d__v_text", json!("soon")),
            (3, "n__v_json", json!("{\"k\":[1.5]}")),
            (3, "o__v_text", json!("none")),
            (5, "n__v_text", json!("six")),
            (5, "d__v_bigint", json!(7)),
        ] {
            assert_eq!(api.column(column)[row], value, "{column}");
        }
        if resource.contains("merge") {
            let again = run(&api, &resource).await.resource();
            assert_eq!((&again["rows"]["unchanged"], &again["schema_changes"]), (&json!(4), &json!([])), "{again}");
        }
        // The key is what it is.
        api.set_pages(vec![json!([{"id": "x", "n": 1}])]);
        let report = run(&api, &resource).await.resource();
        assert_eq!(report["rejected_by_reason"], json!({"bad_format": 1}), "{report}");
    }
    // With retried rejects, too.
    let api = Api::new(vec![json!([{"id": 1, "n": 1}])]).await;
    run(&api, "primary_key: id").await;
    api.set_pages(vec![json!([{"id": 2, "n": "two", "m": 1}])]);
    run(&api, "primary_key: id").await;
    api.set_pages(vec![json!([])]);
    let resource = "primary_key: id\n    schema_contract: {conflicts: variant}";
    let ran = api.run(resource, "", &[], &["--retry-rejects"]).await;
    assert_eq!((ran.code, &ran.resource()["retried"]["accepted"]), (0, &json!(1)), "{ran:?}");
    assert_eq!(json!(api.rows()), json!([{"id": 1, "n": 1}, {"id": 2, "m": 1, "n__v_text": "two"}]));
}

/// The first integer that no double is.
pub(crate) const NO_DOUBLE: i64 = 9_007_199_254_740_993;

/// A record with `n` at its top, in an object, in a list and in a list's objects.
fn deep(id: i64, n: &Value) -> Value {
    json!({"id": id, "n": n, "o": {"n": n}, "l": [n, null], "lo": [{"n": n}]})
}

/// The same as readers see it, where no list has variants, and objects in lists have those in
/// `more`.
fn with(id: i64, n: &Value, l: &Value, more: &Value) -> Value {
    let mut object = json!({"n": n});
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut row = json!({"id": id, "o": object, "l": l, "lo": [object]});
    row.as_object_mut().unwrap().extend(object.as_object().unwrap().clone());
    row
}

/// A reject that is tried again is no reason to fail, either, and another contract takes it.
async fn retry_the_fraction(api: &Api, resource: &str) {
    api.set_pages(vec![json!([])]);
    let retried = api.run(resource, "", &[], &["--retry-rejects"]).await;
    assert_eq!((retried.code, &retried.resource()["retried"]["refused"]), (0, &json!(1)), "{retried:?}");
    let resource = "primary_key: id\n    write_disposition: append\n    schema_contract: {conflicts: variant}";
    let retried = api.run(resource, "", &[], &["--retry-rejects"]).await;
    assert_eq!((retried.code, &retried.resource()["retried"]["accepted"]), (0, &json!(1)), "{retried:?}");
    assert_eq!(api.column("n__v_double"), [Value::Null, Value::Null, json!(1.5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fraction_among_whole_numbers_that_no_double_is_goes_where_the_contract_says() {
    let (big, fraction) = (|| deep(2, &json!(NO_DOUBLE)), || deep(3, &json!(1.5)));
    // Each element is a run after the first one, and has its pages.
    let histories = [
        ("earlier run", vec![vec![json!([big()])], vec![json!([fraction()])]]),
        ("earlier page", vec![vec![json!([big()]), json!([fraction()])]]),
        ("same page", vec![vec![json!([big(), fraction()])]]),
        ("same page, later", vec![vec![json!([fraction(), big()])]]),
    ];
    let whole = [json!(7), json!(NO_DOUBLE)];
    let (none, is_null) = (json!({}), Value::Null);
    let plain = |id: usize, n: &Value| with(i64::try_from(id).unwrap() + 1, n, &json!([n, null]), &none);
    let stays = || whole.iter().enumerate().map(|(id, n)| plain(id, n)).collect::<Vec<_>>();
    let variant = |n: &Value, l: &Value, v: &Value| {
        let mut row = with(0, n, l, &json!({"n__v_double": v}));
        row["l__v_json"] = if l.is_null() { json!("[1.5,null]") } else { Value::Null };
        row
    };
    for (conflicts, rejected, expected) in [
        ("reject", 1, stays()),
        ("text", 1, stays()),
        ("json", 0, ["7", "9007199254740993", "1.5"].iter().enumerate().map(|(id, n)| plain(id, &json!(n))).collect()),
        (
            "variant",
            0,
            vec![
                variant(&whole[0], &json!([7, null]), &is_null),
                variant(&whole[1], &json!([NO_DOUBLE, null]), &is_null),
                variant(&is_null, &is_null, &json!(1.5)),
            ],
        ),
    ] {
        // Of variants, the first value on a page decides: then the integer goes beside doubles, as
        // below.
        for (history, runs) in
            histories.iter().filter(|(history, _)| (conflicts, *history) != ("variant", "same page, later"))
        {
            for resource in KEYED {
                let resource = format!("{resource}\n    schema_contract: {{conflicts: {conflicts}}}");
                let api = Api::new(vec![json!([deep(1, &json!(7))])]).await;
                run(&api, &resource).await;
                let mut refused = 0;
                for pages in runs {
                    api.set_pages(pages.clone());
                    refused += run(&api, &resource).await.resource()["rows"]["rejected"].as_u64().unwrap();
                }
                let rows = read_as_one(&api.table()).await;
                let mut expected = expected.clone();
                for (id, row) in (1..).zip(&mut expected) {
                    row["id"] = json!(id);
                }
                assert_eq!((refused, &rows), (rejected, &json!(expected)), "{conflicts}, {history}, {resource}");
                let sound = api.lakefeed(&["table", "verify", "lake", "events"]).await;
                assert_eq!(sound.code, 0, "{sound:?}");
                if rejected > 0 && resource.contains("append") {
                    retry_the_fraction(&api, &resource).await;
                }
            }
        }
    }
}

/// The other way round, and in tables of another shape than their records.
#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_that_no_double_is_never_fail_a_run() {
    for (conflicts, n) in [
        ("reject", json!([7.0, 1.5])),
        ("json", json!(["7", "1.5", "9007199254740993"])),
        ("variant", json!([7.0, 1.5, null])),
    ] {
        let resource = format!("primary_key: id\n    schema_contract: {{conflicts: {conflicts}}}");
        let api = Api::new(vec![json!([{"id": 1, "n": 7}])]).await;
        run(&api, &resource).await;
        api.set_pages(vec![json!([{"id": 2, "n": 1.5}]), json!([{"id": 3, "n": NO_DOUBLE}])]);
        run(&api, &resource).await;
        read_as_one(&api.table()).await;
        assert_eq!(json!(api.column("n")).to_string().replace("7.0", "7"), n.to_string().replace("7.0", "7"));
        if conflicts == "variant" {
            assert_eq!(api.column("n__v_bigint"), [Value::Null, Value::Null, json!(NO_DOUBLE)]);
        }
    }
    for (nested, pages) in [
        ("nested: flatten", [json!({"id": 2, "o": {"n": NO_DOUBLE}}), json!({"id": 3, "o": {"n": 1.5}})]),
        ("nested: child_tables", [json!({"id": 2, "l": [{"n": NO_DOUBLE}]}), json!({"id": 3, "l": [{"n": 1.5}]})]),
    ] {
        for earlier_runs in [true, false] {
            let resource = format!(
                "primary_key: id\n    write_disposition: append\n    {nested}\n    schema_contract: {{conflicts: variant}}"
            );
            let api = Api::new(vec![json!([{"id": 1, "o": {"n": 7}, "l": [{"n": 7}]}])]).await;
            run(&api, &resource).await;
            let [big, fraction] = pages.clone().map(|record| json!([record]));
            if earlier_runs {
                api.set_pages(vec![big]);
                run(&api, &resource).await;
                api.set_pages(vec![fraction]);
            } else {
                api.set_pages(vec![big, fraction]);
            }
            run(&api, &resource).await;
            let (table, columns) = match nested {
                "nested: flatten" => ("events", "o__n AS n, o__n__v_double AS v"),
                _ => ("events__l", "n, n__v_double AS v"),
            };
            let sql = format!(
                "SELECT * FROM (SELECT {columns} FROM {table}) WHERE n IS NOT NULL OR v IS NOT NULL ORDER BY n NULLS LAST"
            );
            let ran = api.lakefeed(&["table", "query", "lake", &sql, "--output", "json"]).await;
            let rows = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
            let expected = json!([{"n": 7, "v": null}, {"n": NO_DOUBLE, "v": null}, {"n": null, "v": 1.5}]);
            assert_eq!(json!(rows), expected, "{nested}: {ran:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_says_whether_a_table_may_come_to_be() {
    for (mode, code, words) in
        [("freeze", 6, "schema_contract.tables is freeze"), ("discard_row", 0, ""), ("discard_value", 0, "")]
    {
        let api = Api::new(vec![json!([{"id": 1}])]).await;
        let ran = api.run(&format!("schema_contract: {{tables: {mode}}}"), "", &[], &[]).await;
        assert!(ran.code == code && ran.stderr.contains(words), "{mode}: {ran:?}");
        assert!(!api.table().join("_lakefeed/commits").exists(), "{mode}");
        // A table that is there is not concerned.
        run(&api, "selected: true").await;
        run(&api, &format!("schema_contract: {{tables: {mode}}}")).await;
    }
}

/// With a schema file, nothing evolves unless the contract says so; then the file says what the
/// columns are at least.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_file_with_a_contract_evolves_beyond_the_file() {
    const SCHEMA: &str = r#"{"properties": {"id": {"type": "integer"}, "n": {"type": "integer"}}}"#;
    for (contract, rows) in [
        ("schema_contract: {}", json!([{"id": 1, "n": 1}])),
        ("schema_contract: {columns: evolve}", json!([{"id": 1, "n": 1, "new": "x"}])),
        ("schema_contract: evolve", json!([{"id": 1, "n": 1.0, "new": "x"}, {"id": 2, "n": 0.5}])),
    ] {
        let api = Api::new(vec![json!([{"id": 1, "n": 1, "new": "x"}]), json!([{"id": 2, "n": 0.5}])]).await;
        let resource =
            format!("schema: schema.json\n    primary_key: id\n    write_disposition: merge\n    {contract}");
        for expected in ["inserted", "unchanged"] {
            let ran = api.run(&resource, "", &[("schema.json", SCHEMA)], &[]).await;
            assert_eq!((ran.code, json!(api.rows())), (0, rows.clone()), "{contract}: {ran:?}");
            assert_eq!(ran.resource()["rows"][expected], rows.as_array().unwrap().len(), "{contract}: {ran:?}");
        }
    }
}

/// A reject whose field or type the contract lets evolve now makes the schema grow when it is tried
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn rejects_that_are_tried_again_make_the_schema_grow() {
    let api = Api::new(vec![json!([{"id": 1, "n": 1}])]).await;
    run(&api, "primary_key: id").await;
    api.set_pages(vec![json!([{"id": 2, "n": 0.5}, {"id": 3, "n": 3, "new": true}, {"id": 4, "n": "x"}, {"id": 5}])]);
    let report = run(&api, "primary_key: id\n    schema_contract: discard_row").await.resource();
    assert_eq!(
        report["rejected_by_reason"],
        json!({"out_of_range": 1, "unknown_field": 1, "bad_format": 1}),
        "{report}"
    );
    api.set_pages(vec![json!([])]);
    let ran = api.run("primary_key: id", "", &[], &["--retry-rejects"]).await;
    let retried = json!({"tried": 3, "accepted": 2, "dropped": 0, "refused": 1, "overtaken": 0});
    assert_eq!((ran.code, &ran.resource()["retried"]), (0, &retried), "{ran:?}");
    assert_eq!(api.column("n"), [json!(1.0), json!(0.5), json!(3.0), Value::Null]);
    assert_eq!(api.column("new"), [Value::Null, Value::Null, json!(true), Value::Null]);
}

/// Why files stay or are rewritten: readers were asked.
#[tokio::test(flavor = "multi_thread")]
async fn readers_bridge_the_changes_for_which_files_stay() {
    let mut command = Command::new(python());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/evolution.py")).arg("--changes");
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let changes: Value = serde_json::from_str(&ran.stdout).unwrap();
    for (change, outcome) in changes.as_object().unwrap() {
        let is_bridged = outcome.as_object().unwrap().values().all(|outcome| outcome == "one table");
        let stays = !change.contains(" to ") && change != "longer decimals";
        assert_eq!(is_bridged, stays, "{change}: {outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_inferred_into_a_file_and_shown_of_a_table() {
    let api = Api::new(vec![
        json!([{"id": 1, "at": "2026-11-23T08:00:00Z", "o": {"tags": ["x"]}, "never": null}]),
        json!([{"id": 2, "price": 1.5}]),
        json!([{"id": 3, "beyond": true}]),
    ])
    .await;
    // Writes the pipeline file, and the table.
    run(&api, "primary_key: id").await;
    let ran = api.lakefeed(&["schema", "infer", "pipeline.yaml", "--pages", "2", "--file", "events.json"]).await;
    assert!(ran.code == 0 && ran.stdout.is_empty(), "{ran:?}");
    assert!(ran.stderr.contains("4 columns of 2 records on 2 pages") && ran.stderr.contains("$.never"), "{ran:?}");
    let file: Value = serde_json::from_slice(&std::fs::read(api.folder.path().join("events.json")).unwrap()).unwrap();
    assert_eq!(file["properties"]["at"], json!({"type": ["string", "null"], "format": "date-time"}));
    assert_eq!(file["required"], json!(["id"]));
    let again = api.lakefeed(&["schema", "infer", "pipeline.yaml", "--file", "events.json"]).await;
    assert!(again.code == 2 && again.stderr.contains("events.json") && again.stderr.contains("hint:"), "{again:?}");
    // The file is a schema file as it is.
    let typed = api.run("schema: events.json\n    primary_key: id\n    table_name: typed", "", &[], &[]).await;
    assert_eq!((typed.code, &typed.resource()["rows"]["inserted"]), (0, &json!(3)), "{typed:?}");
    let shown = api.lakefeed(&["schema", "show", "lake", "events", "--output", "json"]).await;
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["properties"]["beyond"], json!({"type": ["boolean", "null"]}));
    assert_eq!(shown["properties"]["o"]["properties"]["tags"]["items"], json!({"type": ["string", "null"]}));
    let text = api.lakefeed(&["schema", "show", "lake", "events"]).await;
    assert!(text.stdout.contains("timestamp[us, UTC]") && text.stdout.contains("primary key"), "{text:?}");
    let missing = api.lakefeed(&["schema", "show", "lake", "nothing"]).await;
    assert!(missing.code == 2 && missing.stderr.contains("there is no table"), "{missing:?}");
}

/// The parents' records are read first, as a run does.
#[tokio::test(flavor = "multi_thread")]
async fn the_schema_of_a_dependent_resource_is_inferred_over_the_records_of_its_parent() {
    let api = Api::new(vec![json!([{"id": 1, "note": "x"}])]).await;
    let resource = "include_from_parent: [id]\n    endpoint: \"events?{resources.parents.id}\"";
    assert_eq!(api.run_child(resource, &[]).await.code, 0);
    let ran = api.lakefeed(&["schema", "infer", "pipeline.yaml", "--resource", "events"]).await;
    assert!(ran.code == 0 && ran.stderr.contains("3 columns of 1 records on 1 pages"), "{ran:?}");
    let columns = ran.report()["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(columns, ["id", "note", "_parents_id"], "{ran:?}");
    api.set_pages(vec![json!([])]);
    let ran = api.lakefeed(&["schema", "infer", "pipeline.yaml", "--resource", "events"]).await;
    assert!(
        ran.code == 6 && ran.stderr.contains("resource events: the pages that were read have no records"),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_say_which_run_they_came_with_and_are_not_changed_by_it() {
    let api = Api::new(vec![json!([{"id": 1, "n": 1}, {"id": 2, "n": 1}])]).await;
    let keyed = "primary_key: id\n    write_disposition: merge\n    load_metadata: true";
    let first = run(&api, keyed).await.report()["run_id"].clone();
    assert_eq!(api.column("_lakefeed_run_id"), [first.clone(), first.clone()]);
    let loaded: Vec<Value> = api.column("_lakefeed_loaded_at");
    assert!(loaded[0].as_str().unwrap().starts_with("20") && loaded[0] == loaded[1], "{loaded:?}");
    let again = run(&api, keyed).await.resource();
    assert!(again["rows"]["unchanged"] == 2 && again["commit"].is_null(), "{again}");
    api.set_pages(vec![json!([{"id": 1, "n": 1}, {"id": 2, "n": 0.5}, {"id": 3, "n": 1}])]);
    let ran = run(&api, keyed).await;
    let counts = &ran.resource()["rows"];
    assert_eq!((&counts["unchanged"], &counts["updated"], &counts["inserted"]), (&json!(1), &json!(1), &json!(1)));
    let second = ran.report()["run_id"].clone();
    assert_eq!(api.column("_lakefeed_run_id"), [first.clone(), second.clone(), second.clone()]);
    // Without the wish, the columns stay, and new rows say nothing.
    api.set_pages(vec![json!([{"id": 4, "n": 1}])]);
    run(&api, "primary_key: id\n    write_disposition: merge").await;
    assert_eq!(api.column("_lakefeed_run_id"), [first, second.clone(), second, Value::Null]);
    let clash = Api::new(vec![json!([{"id": 1, "_lakefeed_run_id": "x"}])]).await;
    let ran = clash.run("load_metadata: true", "", &[], &[]).await;
    assert!(ran.code == 6 && ran.stderr.contains("load_metadata adds"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_and_lists_are_native_as_deep_as_the_pipeline_wants_them() {
    const SCHEMA: &str =
        r#"{"properties": {"id": {"type": "integer"}, "o": {"properties": {"a": {"items": {"type": "integer"}}}}}}"#;
    for (nested, object) in [
        ("native", json!({"a": [1, 2]})),
        ("json", json!("{\"a\":[1,2]}")),
        ("0", json!("{\"a\":[1,2]}")),
        ("1", json!({"a": "[1,2]"})),
        ("2", json!({"a": [1, 2]})),
    ] {
        for schema in ["", "schema: schema.json\n    "] {
            let api = Api::new(vec![json!([{"id": 1, "o": {"a": [1, 2]}}])]).await;
            let resource = format!("{schema}nested: {nested}");
            for _ in 0..2 {
                let ran = api.run(&resource, "", &[("schema.json", SCHEMA)], &[]).await;
                assert_eq!((ran.code, &ran.resource()["rows"]["rejected"]), (0, &json!(0)), "{ran:?}");
            }
            assert_eq!(api.column("o"), [object.clone(), object.clone()], "{nested} {schema}");
        }
    }
    // A field that comes late is as deep as the others.
    let api = Api::new(vec![json!([{"id": 1}])]).await;
    run(&api, "nested: json").await;
    api.set_pages(vec![json!([{"id": 2, "late": {"b": [true]}}])]);
    run(&api, "nested: json").await;
    assert_eq!(api.column("late"), [Value::Null, json!("{\"b\":[true]}")]);
    let refused = api.run("nested: flat", "", &[], &[]).await;
    assert!(refused.code == 2 && refused.stderr.contains("native, flatten, child_tables, json"), "{refused:?}");
}
