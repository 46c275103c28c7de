//! The REST source by the command line: what is refused, what ends early, and what the report says
//! of it.

use std::collections::BTreeMap;

use lakefeed::ErrorKind;
use serde_json::{Value, json};

use crate::support::data_files;
use crate::support::json_rows::json_rows_in;
use crate::support::setting::{Setting, at};

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_with_a_cursor_is_not_run_without_its_children() {
    let setting = Setting::new(&json!([
        at("/posts", &json!({"json": [{"id": 1, "at": 5}]})),
        at("/posts/1/comments", &json!({"json": [{"comment": 1}]})),
    ]))
    .await;
    let resources = json!([
        {"name": "posts", "endpoint": {"paginator": "single_page", "incremental": {"cursor_path": "at", "initial_value": 0}}},
        {"name": "comments", "endpoint": {"path": "posts/{resources.posts.id}/comments", "paginator": "single_page"}},
    ]);
    let ran = setting.run(&resources, &["--resource", "posts"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("posts has a cursor") && ran.stderr.contains("--resource comments"), "{ran:?}");
    assert!(setting.server.seen().is_empty());
    for arguments in [&["--resource", "comments"][..], &["--resource", "posts", "--resource", "comments"], &[]] {
        let ran = setting.run(&resources, arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?} {ran:?}");
    }
    let ran = setting.run(&resources, &["--resource", "posts", "--full-refresh"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Forty parents whose children take 50 ms each, and the later the parent, the quicker its answer.
#[tokio::test(flavor = "multi_thread")]
async fn children_are_read_side_by_side_and_come_in_the_order_of_their_parents() {
    let parents: Vec<Value> = (0..40).map(|id| json!({"id": id})).collect();
    let mut rules = vec![at("/posts", &json!({"json": parents}))];
    rules.extend((0..40).map(|id| {
        let reply = json!({"json": [{"n": 2 * id}, {"n": 2 * id + 1}], "delay_ms": 70 - id});
        at(&format!("/posts/{id}/comments"), &reply)
    }));
    let resources = json!([
        {"name": "posts", "endpoint": {"paginator": "single_page"}},
        {"name": "comments", "include_from_parent": ["id"],
         "endpoint": {"path": "posts/{resources.posts.id}/comments", "paginator": "single_page"}},
    ]);
    let setting = Setting::new(&Value::Array(rules)).await;
    let mut files = Vec::new();
    for (concurrency, longest, shortest) in [(1, f64::INFINITY, 1.5), (16, 1.5, 0.0)] {
        let lake = format!("lake-{concurrency}");
        let pipeline = json!({"client": {"base_url": "{{BASE}}", "concurrency": concurrency}, "resources": resources});
        let ran = setting.run_file("pipeline.json", &pipeline.to_string(), &["--destination", &lake]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let comments = &ran.report()["resources"][1];
        let seconds = comments["seconds"].as_f64().unwrap();
        assert!((shortest..longest).contains(&seconds), "{seconds} s at a concurrency of {concurrency}");
        assert_eq!((&comments["rows"]["inserted"], &comments["requests"]), (&json!(80), &json!(40)));
        let store = object_store::local::LocalFileSystem::new_with_prefix(setting.folder.path().join(&lake)).unwrap();
        let rows: Vec<i64> =
            json_rows_in(&store, "comments").await.iter().map(|row| row["n"].as_i64().unwrap()).collect();
        assert_eq!(rows, (0..80).collect::<Vec<_>>());
        files.push(data_files(&setting.folder.path().join(&lake).join("comments")).into_values().collect::<Vec<_>>());
    }
    assert!(files[0] == files[1], "data files depend on the concurrency");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_its_own_leaves_the_cursor_where_it_is() {
    let page = |rows: Value| json!({"json": rows});
    let with = |since: &str, until: Value, rows: Value| json!({"match": {"path": "/events", "query": {"since": since, "until": until}}, "reply": page(rows)});
    let setting = Setting::new(&json!([
        with("0", json!(null), json!([{"id": 5, "at": 5}])),
        with("1", json!("3"), json!([{"id": 1, "at": 1}, {"id": 2, "at": 2}, {"id": 3, "at": 3}])),
        with("5", json!(null), json!([{"id": 6, "at": 6}])),
    ]))
    .await;
    let events = |disposition: &str| {
        json!([{"name": "events", "primary_key": "id", "write_disposition": disposition, "endpoint": {
            "paginator": "single_page",
            "params": {"since": "{incremental.start_value}", "until": "{incremental.end_value}"},
            "incremental": {"cursor_path": "at", "initial_value": 0},
        }}])
    };
    for (arguments, inserted) in [(&[][..], 1), (&["--from", "1", "--to", "3"], 2), (&[], 1)] {
        let ran = setting.run(&events("merge"), arguments).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.resource()["rows"]["inserted"], inserted, "{arguments:?}");
    }
    for (resources, words) in [
        (events("replace"), "events is replaced"),
        (json!([{"name": "plain", "endpoint": {"paginator": "single_page"}}]), "have no cursor: plain"),
    ] {
        let ran = setting.run(&resources, &["--from", "1"]).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    }
    assert_eq!(setting.server.seen().len(), 3);
}

/// Every field of a report that programs rely on, with what it must look like.
fn assert_has_every_field(report: &Value) {
    let is_of = |value: &Value, kind: &str| match kind {
        "text" => value.is_string(),
        "whole" => value.is_u64(),
        "number" => value.is_number(),
        "list" => value.is_array(),
        _ => value.is_object(),
    };
    let fields = |value: &Value, fields: &[(&str, &str)]| {
        for (pointer, kind) in fields {
            let found = value.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {value:#}"));
            assert!(is_of(found, kind), "{pointer} is no {kind} in {value:#}");
        }
    };
    fields(report, &[("/run_id", "text"), ("/status", "text"), ("/exit_code", "whole"), ("/resources", "list")]);
    assert!(!report["run_id"].as_str().unwrap().is_empty());
    assert_eq!(report["status"] == "ok", report.get("error").is_none(), "{report:#}");
    if report["status"] != "ok" {
        fields(report, &[("/error/kind", "text"), ("/error/message", "text"), ("/error/hints", "list")]);
    }
    for resource in report["resources"].as_array().unwrap() {
        for count in ["read", "written", "inserted", "updated", "unchanged", "deleted", "rejected", "duplicate"] {
            fields(resource, &[(&format!("/rows/{count}"), "whole")]);
        }
        for field in ["/pages", "/requests", "/bytes/read", "/bytes/written"] {
            fields(resource, &[(field, "whole")]);
        }
        for field in ["/name", "/table", "/status", "/complete/verdict", "/complete/reason"] {
            fields(resource, &[(field, "text")]);
        }
        fields(
            resource,
            &[("/retries", "list"), ("/schema_changes", "list"), ("/files", "list"), ("/seconds", "number")],
        );
        if resource["status"] == "ok" {
            fields(resource, &[("/stop_reason", "text"), ("/checkpoint", "mapping")]);
        }
        for retry in resource["retries"].as_array().unwrap() {
            fields(retry, &[("/wait_seconds", "number"), ("/reason", "text")]);
            assert!(retry.get("status").is_some(), "{retry}");
        }
    }
}

/// How the resources of a run end: exit code and, where they fail, whether trying again can help
/// and the status of the last answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_worst_of_several_errors_is_that_of_the_run() {
    let setting = Setting::new(&json!([
        at("/good", &json!({"json": [{"id": 1}]})),
        at("/away", &json!({"status": 503, "text": "back soon"})),
        at("/unread", &json!({"text": "[{]"})),
        at("/unknown", &json!({"status": 404, "text": "no such calendar"})),
        at("/denied", &json!({"status": 401, "text": ""})),
    ]))
    .await;
    let alone = BTreeMap::from([
        ("good", (0, json!(null), json!(null), json!(null))),
        ("away", (4, json!(true), json!(503), json!("back soon"))),
        ("unread", (4, json!(false), json!(null), json!(null))),
        ("unknown", (9, json!(false), json!(404), json!("no such calendar"))),
        ("denied", (3, json!(false), json!(401), json!(null))),
    ]);
    for (names, worst) in [
        (&["good"][..], "good"),
        (&["away", "good"], "away"),
        (&["away", "unread"], "unread"),
        (&["unknown", "away"], "unknown"),
        (&["away", "unknown", "denied", "unread"], "denied"),
    ] {
        let resource = |name: &&str| json!({"name": name, "endpoint": {"paginator": "single_page"}});
        let resources: Vec<Value> = names.iter().map(resource).collect();
        let ran = setting.run(&json!(resources), &["--full-refresh"]).await;
        let report = ran.report();
        let facts = |place: &Value| {
            let http = &place["error"]["http"];
            (place["error"]["retryable"].clone(), http["status"].clone(), http["body_excerpt"].clone())
        };
        let of = |name: &str| (alone[name].1.clone(), alone[name].2.clone(), alone[name].3.clone());
        assert_eq!((ran.code, facts(&report)), (alone[worst].0, of(worst)), "{names:?} {report:#}");
        for (name, found) in names.iter().zip(report["resources"].as_array().unwrap()) {
            assert_eq!((&found["name"], facts(found)), (&json!(name), of(name)), "{names:?} {report:#}");
        }
    }
}

/// What the README says of exit codes is what there is.
#[test]
fn the_readme_has_a_row_for_each_exit_code() {
    let readme = include_str!("../../README.md");
    let table = readme.split_once("| exit code |").unwrap().1.split_once("\n\n").unwrap().0;
    let told: Vec<u8> = table.lines().filter_map(|row| row.split('|').nth(1)?.trim().parse().ok()).collect();
    let mut expected: Vec<u8> = ErrorKind::WORST_FIRST.iter().map(|kind| kind.exit_code()).chain([0]).collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ending_has_its_exit_code_and_a_whole_report() {
    let one = json!({"json": [{"id": 1}]});
    let setting = Setting::new(&json!([
        at("/good", &one),
        {"match": {"path": "/flaky"}, "replies": [{"status": 503, "text": ""}, {"drop": true}, one]},
        at("/refused", &json!({"status": 401, "text": ""})),
        at("/broken", &json!({"status": 500, "text": ""})),
        {"match": {"path": "/short", "query": {"offset": "0"}}, "reply": {"json": {"items": [{"id": 1}, {"id": 2}], "total": 9}}},
        at("/short", &json!({"json": {"items": [], "total": 9}})),
        {"match": {"path": "/frozen"}, "replies": [one, {"json": [{"id": 2, "new": 1}]}]},
    ]))
    .await;
    let single = |name: &str| json!([{"name": name, "endpoint": {"paginator": "single_page"}}]);
    let frozen =
        json!([{"name": "frozen", "schema_contract": {"columns": "freeze"}, "endpoint": {"paginator": "single_page"}}]);
    let short =
        json!([{"name": "short", "endpoint": {"data_selector": "items", "paginator": {"type": "offset", "limit": 2}}}]);
    for (resources, arguments, code, kind, verdict) in [
        (single("good"), &[][..], 0, "", "unknown"),
        (single("flaky"), &["--quiet"], 0, "", "unknown"),
        (json!([{"name": "good", "endpont": {}}]), &[], 2, "config", ""),
        (single("refused"), &[], 3, "auth", "false"),
        (single("broken"), &[], 4, "source", "false"),
        (short.clone(), &[], 5, "incomplete", "false"),
        (frozen.clone(), &[], 0, "", "unknown"),
        (frozen, &[], 6, "schema", "false"),
        (single("good"), &["--destination", "/proc/lake"], 7, "storage", ""),
    ] {
        let ran = setting.run(&resources, arguments).await;
        assert_eq!(ran.code, code, "{ran:?}");
        let report = ran.report();
        assert_has_every_field(&report);
        assert_eq!(report["exit_code"], code);
        assert_eq!(report["error"]["kind"].as_str().unwrap_or_default(), kind);
        let resource = &report["resources"][0];
        assert_eq!(resource["complete"]["verdict"].as_str().unwrap_or_default(), verdict, "{report:#}");
    }
    let ran = setting.run(&short, &[]).await.report();
    let resource = &ran["resources"][0];
    assert_eq!((&resource["rows"]["read"], resource["pages"].as_u64() >= Some(2)), (&json!(2), true), "{ran:#}");
    let reason = resource["complete"]["reason"].as_str().unwrap();
    assert!(reason.contains("2 records were read where the stated total promises 9"), "{reason}");
    let flaky = setting.run(&single("flaky"), &[]).await.report();
    assert_eq!(flaky["resources"][0]["retries"], json!([]));
}
