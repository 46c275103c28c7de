//! Records that are refused: counted, bounded, shown, and tried again after a fix.

use serde_json::{Value, json};

use crate::support::api::Api;

/// Three records in two pages, of which `bad` have a time that is none.
fn pages(bad: usize) -> Vec<Value> {
    let record = |id: usize| {
        let at = if id < bad { json!("soon") } else { json!("2026-11-23T08:00:00Z") };
        json!({"id": id, "at": at, "note": "n"})
    };
    vec![json!([record(0), record(1)]), json!([record(2)])]
}

const SCHEMA: &str = r#"{"properties": {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn too_many_rejects_fail_the_run_and_can_be_looked_at() {
    for (bound, bad, code) in
        [("0", 1, 6), ("1", 1, 0), ("1", 2, 6), ("'50%'", 1, 0), ("'50%'", 2, 6), ("'33.3%'", 1, 6)]
    {
        let api = Api::new(pages(bad)).await;
        let file = format!("limits: {{rejects_max: {bound}}}\n");
        let ran = api.run("schema: schema.json", &file, &[("schema.json", SCHEMA)], &[]).await;
        assert_eq!(ran.code, code, "{bound} of {bad}: {ran:?}");
        let report = ran.resource();
        if code == 0 {
            assert_eq!(report["rejected_by_reason"], json!({"bad_format": bad}), "{report}");
            continue;
        }
        assert!(ran.stderr.contains(&format!("limits.rejects_max is {}", bound.trim_matches('\''))), "{ran:?}");
        assert!(ran.stderr.contains("lakefeed table rejects") && report["commit"].is_null(), "{ran:?}");
        assert!(api.rows().is_empty());
        let run_id = ran.report()["run_id"].as_str().unwrap().to_owned();
        let shown = api.lakefeed(&["table", "rejects", "lake", "events", "--run", &run_id, "--output", "json"]).await;
        let first: Value = serde_json::from_str(shown.stdout.lines().next().unwrap()).unwrap();
        assert_eq!((&first["path"], &first["code"]), (&json!("$.at"), &json!("bad_format")), "{shown:?}");
        assert_eq!((&first["state"], &first["page"]), (&json!("not_committed"), &json!(0)), "{shown:?}");
        assert!(first["raw"].as_str().unwrap().contains("soon"), "{shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_are_shown_by_run_and_reason() {
    let api = Api::new(vec![json!([{"id": 1, "at": "soon"}, {"id": true}, {"id": 3}, {"id": ["y\u{9b}31m"]}])]).await;
    let ran = api.run("schema: schema.json", "", &[("schema.json", SCHEMA)], &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.resource()["rejected_by_reason"], json!({"bad_format": 1, "wrong_type": 2}));
    let all = api.lakefeed(&["table", "rejects", "lake", "events"]).await;
    assert!(all.stderr.contains("3 of 3 rejects (1 bad_format, 2 wrong_type)"), "{all:?}");
    assert!(all.stdout.starts_with("run ") && all.stdout.lines().count() == 4, "{all:?}");
    // As JSON is written, this control character of terminals stands as it is in a record.
    assert!(all.stdout.contains("y 31m") && !all.stdout.contains('\u{9b}'), "{all:?}");
    let few = api.lakefeed(&["table", "rejects", "lake", "events", "--reason", "wrong_type", "--limit", "1"]).await;
    assert!(few.stderr.contains("1 of 2 rejects") && few.stdout.lines().count() == 2, "{few:?}");
    let none = api.lakefeed(&["table", "rejects", "lake", "events", "--run", "nobody"]).await;
    assert!(none.code == 0 && none.stdout.is_empty() && none.stderr.contains("no rejects"), "{none:?}");
    let missing = api.lakefeed(&["table", "rejects", "lake", "nothing"]).await;
    assert!(missing.code == 2 && missing.stderr.contains("there is no table"), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_are_tried_again_after_a_fix_and_only_once() {
    for disposition in ["append", "merge"] {
        let api = Api::new(pages(2)).await;
        let resource = format!("schema: schema.json\n    primary_key: id\n    write_disposition: {disposition}");
        let ran = api.run(&resource, "", &[("schema.json", SCHEMA)], &[]).await;
        assert_eq!((ran.code, &ran.resource()["rows"]["rejected"]), (0, &json!(2)), "{ran:?}");
        // Nothing is mended yet.
        api.set_pages(vec![json!([])]);
        let ran = api.run(&resource, "", &[("schema.json", SCHEMA)], &["--retry-rejects"]).await;
        let counts = |tried: u64, accepted: u64, refused: u64| json!({"tried": tried, "accepted": accepted, "dropped": 0, "refused": refused, "overtaken": 0});
        assert_eq!((ran.code, &ran.resource()["retried"]), (0, &counts(2, 0, 2)), "{ran:?}");
        assert!(ran.resource()["commit"].is_null(), "{ran:?}");
        // The fix: one of them is not wanted, the other gets a time.
        let mended = format!(
            "{resource}\n    processing_steps:\n      - filter: record.id != 0\n      - map: {{at: \"'2026-11-24T00:00:00Z'\"}}"
        );
        let ran = api.run(&mended, "", &[("schema.json", SCHEMA)], &["--retry-rejects"]).await;
        let expected = json!({"tried": 2, "accepted": 1, "dropped": 1, "refused": 0, "overtaken": 0});
        assert_eq!((ran.code, &ran.resource()["retried"]), (0, &expected), "{ran:?}");
        assert_eq!(ran.resource()["rows"]["inserted"], 1, "{ran:?}");
        assert_eq!(api.column("id"), [json!(1), json!(2)]);
        let ran = api.run(&mended, "", &[("schema.json", SCHEMA)], &["--retry-rejects"]).await;
        assert_eq!((ran.code, &ran.resource()["retried"]), (0, &counts(0, 0, 0)), "{ran:?}");
        assert_eq!(api.column("id"), [json!(1), json!(2)]);
        let shown = api.lakefeed(&["table", "rejects", "lake", "events"]).await;
        assert_eq!(shown.stdout.matches("settled in 2").count(), 2, "{shown:?}");
    }
}

/// A listing in which nothing is new makes no commit; what it refuses is tried again all the same,
/// and the newest version of it wins.
#[tokio::test(flavor = "multi_thread")]
async fn rejects_of_a_run_that_changed_nothing_are_tried_again() {
    let api = Api::new(vec![json!([{"id": 2, "at": null}])]).await;
    let resource = "schema: schema.json\n    primary_key: id\n    write_disposition: merge";
    assert_eq!(api.run(resource, "", &[("schema.json", SCHEMA)], &[]).await.code, 0);
    for at in ["soon", "later"] {
        api.set_pages(vec![json!([{"id": 1, "at": at}, {"id": 2, "at": null}])]);
        let ran = api.run(resource, "", &[("schema.json", SCHEMA)], &[]).await;
        assert!(ran.code == 0 && ran.resource()["commit"].is_null(), "{ran:?}");
    }
    api.set_pages(vec![json!([])]);
    let mended = SCHEMA.replace(r#", "format": "date-time""#, "");
    let retried = format!("{resource}\n    table_name: events");
    let ran = api.run(&retried, "", &[("schema.json", &mended)], &["--retry-rejects"]).await;
    assert_eq!(ran.code, 6, "a column of times does not become text by itself: {ran:?}");
    let text = format!("{resource}\n    schema_contract: {{conflicts: text}}");
    let ran = api.run(&text, "", &[("schema.json", &mended)], &["--retry-rejects"]).await;
    let counts = json!({"tried": 2, "accepted": 2, "dropped": 0, "refused": 0, "overtaken": 0});
    assert_eq!((ran.code, &ran.resource()["retried"]), (0, &counts), "{ran:?}");
    assert_eq!(api.column("at"), [json!("later"), Value::Null]);
    let shown = api.lakefeed(&["table", "rejects", "lake", "events"]).await;
    assert_eq!(shown.stdout.matches("settled in 2").count(), 2, "{shown:?}");
}

/// A record that came whole in the meantime is not replaced by what it was before.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_is_not_overtaken_by_a_reject() {
    let api = Api::new(vec![json!([{"id": 1, "at": "soon"}, {"id": 2}])]).await;
    let resource = "schema: schema.json\n    primary_key: id\n    write_disposition: merge";
    assert_eq!(api.run(resource, "", &[("schema.json", SCHEMA)], &[]).await.code, 0);
    api.set_pages(vec![json!([{"id": 1, "at": "2026-11-23T08:00:00Z"}])]);
    assert_eq!(api.run(resource, "", &[("schema.json", SCHEMA)], &[]).await.code, 0);
    api.set_pages(vec![json!([])]);
    let mended = format!("{resource}\n    processing_steps: [{{map: {{at: \"'1999-01-01T00:00:00Z'\"}}}}]");
    let ran = api.run(&mended, "", &[("schema.json", SCHEMA)], &["--retry-rejects"]).await;
    assert_eq!(ran.resource()["retried"]["overtaken"], 1, "{ran:?}");
    assert_eq!(api.column("at"), [json!("2026-11-23T08:00:00Z"), Value::Null]);
}

/// What a parent gave to a record is kept with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_reject_of_a_child_keeps_the_fields_of_its_parent() {
    let api = Api::new(vec![json!([{"id": "x", "at": "2026-11-23T08:00:00Z"}])]).await;
    let resource =
        "schema: schema.json\n    include_from_parent: [id]\n    endpoint: \"events?{resources.parents.id}\"";
    let schema = r#"{"properties": {"id": {"type": "integer"}, "_parents_id": {"type": "integer"}}}"#;
    let ran = api.run_child(resource, &[("schema.json", schema)]).await;
    // Every record is refused, and the table is new.
    assert_eq!(ran.code, 6, "{ran:?}");
    let shown = api.lakefeed(&["table", "rejects", "lake", "events", "--output", "json"]).await;
    let reject: Value = serde_json::from_str(shown.stdout.trim()).unwrap();
    let raw: Value = serde_json::from_str(reject["raw"].as_str().unwrap()).unwrap();
    assert_eq!((&raw["id"], &raw["_parents_id"]), (&json!("x"), &json!(7)), "{shown:?}");
}
