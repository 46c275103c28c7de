//! What keeps a run from being green and incomplete: what is read is counted, what is refused is
//! kept, and no table is emptied by what did not come.

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::api::Api;
use crate::support::setting::Setting;

const SCHEMA: &str = r#"{"properties": {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}}}"#;

fn records(count: usize) -> Value {
    (0..count).map(|id| json!({"id": id, "at": "2026-11-23T08:00:00Z"})).collect()
}

fn refused(count: usize) -> Value {
    (0..count).map(|id| json!({"id": id, "at": "soon"})).collect()
}

/// Each record that was read is in one of the other counts.
fn assert_counted(ran: &Ran) {
    let rows = &ran.resource()["rows"];
    let count = |name: &str| rows[name].as_u64().unwrap();
    let others = ["rejected", "filtered", "duplicate", "inserted", "updated", "unchanged", "kept", "missed"];
    assert_eq!(count("read"), others.into_iter().map(count).sum::<u64>(), "{rows}");
}

/// How many rejects the run has left beside the table.
async fn kept(api: &Api, ran: &Ran) -> usize {
    let run_id = ran.report()["run_id"].as_str().unwrap().to_owned();
    let shown = api.lakefeed(&["table", "rejects", "lake", "events", "--run", &run_id, "--output", "json"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    shown.stdout.lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_record_is_refused_and_kept_also_where_there_is_no_table_yet() {
    let no_function = "processing_steps: [{map: {z: record.s.missing}}]";
    for (resource, page, code) in [
        ("", json!([[1, "a"], [2, "b"]]), "not_an_object"),
        ("", json!([101, 102, 103]), "not_an_object"),
        ("selected: true", json!(["a", null]), "not_an_object"),
        (no_function, json!([{"s": {}}, {"s": {}}]), "expression"),
    ] {
        let api = Api::new(vec![page.clone()]).await;
        let ran = api.run(resource, "", &[], &[]).await;
        let read = page.as_array().unwrap().len();
        assert_eq!(ran.code, 6, "{page}: {ran:?}");
        assert!(ran.stderr.contains(&format!("all {read} records were refused")), "{ran:?}");
        assert!(ran.stderr.contains("lakefeed table rejects"), "{ran:?}");
        assert_eq!(ran.resource()["rejected_by_reason"], json!({code: read}), "{ran:?}");
        assert_counted(&ran);
        assert_eq!(kept(&api, &ran).await, read, "{page}");
        // What follows is a run as any other.
        api.set_pages(vec![records(3)]);
        let ran = api.run("", "", &[], &[]).await;
        assert_eq!((ran.code, api.rows().len()), (0, 3), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_refused_every_record_fails_where_that_is_much() {
    let merge = "primary_key: id\n    write_disposition: merge\n    schema: schema.json";
    let files = [("schema.json", SCHEMA)];
    for (first, second, limits, code) in [
        // Into a new table.
        (None, refused(1), "", 6),
        (Some(records(3)), refused(2), "", 0),
        (Some(records(3)), refused(10), "", 6),
        (Some(records(3)), refused(2), "limits: {all_refused_min: 2}\n", 6),
        (
            Some(records(3)),
            json!([{"id": 1, "at": "soon"}, {"id": 2, "at": null}]),
            "limits: {all_refused_min: 1}\n",
            0,
        ),
    ] {
        let api = Api::new(Vec::new()).await;
        if let Some(first) = first {
            api.set_pages(vec![first]);
            assert_eq!(api.run(merge, "", &files, &[]).await.code, 0);
        }
        let before = api.rows().len();
        api.set_pages(vec![second.clone()]);
        let ran = api.run(merge, limits, &files, &[]).await;
        assert_eq!(ran.code, code, "{second}: {ran:?}");
        assert_eq!(api.rows().len(), before, "{second}");
        assert_counted(&ran);
        // Whatever comes of it, an operator hears of it, and how to look at them.
        assert!(ran.stderr.contains("lakefeed table rejects"), "{ran:?}");
        assert!(code != 0 || ran.stderr.contains("WARN"), "{ran:?}");
        let rejected = ran.resource()["rows"]["rejected"].as_u64().unwrap();
        assert_eq!(kept(&api, &ran).await as u64, rejected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_left_out_are_counted() {
    let api = Api::new(vec![json!([{"id": 1}, {"id": 2}, {"id": 3}, [4]])]).await;
    let ran = api.run("processing_steps: [{filter: 'record.id == 2'}]", "", &[], &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows = &ran.resource()["rows"];
    assert_eq!((&rows["read"], &rows["filtered"], &rows["rejected"]), (&json!(4), &json!(2), &json!(1)), "{rows}");
    assert_counted(&ran);
    let ran = api.run("processing_steps: [{filter: 'false'}]", "", &[], &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.resource()["rows"]["filtered"], json!(3), "{ran:?}");
    assert_counted(&ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_replaced_on_the_strength_of_records_that_were_refused() {
    let files = [("schema.json", SCHEMA)];
    for (more, page, arguments) in [
        ("write_disposition: replace", refused(2), &[][..]),
        ("write_disposition: replace\n    processing_steps: [{filter: 'record.id > 0'}]", refused(2), &[]),
        ("primary_key: id\n    write_disposition: merge", refused(2), &["--full-refresh", "--allow-shrink"]),
    ] {
        let resource = format!("{more}\n    schema: schema.json");
        let api = Api::new(vec![records(3)]).await;
        assert_eq!(api.run(&resource, "", &files, &[]).await.code, 0);
        let before = api.rows();
        api.set_pages(vec![page]);
        let ran = api.run(&resource, "", &files, arguments).await;
        assert_eq!(ran.code, 6, "{more}: {ran:?}");
        assert_eq!(api.rows(), before, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_would_lose_what_did_not_come_stays_as_it_is() {
    let history = "primary_key: id\n    write_disposition: {disposition: merge, strategy: scd2}";
    let replace = "write_disposition: replace";
    let merge = "primary_key: id\n    write_disposition: merge";
    let none: &[&str] = &[];
    for (resource, limits, arguments, before, after, code) in [
        (replace, "", none, 200, 99, 5),
        (replace, "", none, 200, 100, 0),
        (replace, "", none, 99, 1, 0),
        // Because nothing came, no table is emptied.
        (replace, "", none, 2, 0, 5),
        (replace, "", &["--allow-shrink"][..], 200, 0, 0),
        (replace, "limits: {shrink_max: '100%'}\n", none, 200, 0, 0),
        (replace, "limits: {shrink_max: '10%'}\n", none, 20, 17, 5),
        (replace, "limits: {shrink_max: 3}\n", none, 20, 17, 0),
        (replace, "limits: {shrink_max: 3}\n", none, 20, 16, 5),
        (merge, "", none, 200, 0, 0),
        (merge, "", &["--full-refresh"], 200, 20, 5),
        (merge, "", &["--full-refresh", "--allow-shrink"], 200, 20, 0),
        (history, "", none, 200, 20, 5),
        (history, "", none, 200, 150, 0),
        (history, "", &["--allow-shrink"], 200, 20, 0),
    ] {
        let what = format!("{resource} {limits} {arguments:?} {before} -> {after}");
        let api = Api::new(vec![records(before)]).await;
        assert_eq!(api.run(resource, "", &[], &[]).await.code, 0, "{what}");
        let was = api.rows();
        api.set_pages(vec![records(after)]);
        let ran = api.run(resource, limits, &[], arguments).await;
        assert_eq!(ran.code, code, "{what}: {ran:?}");
        if code == 5 {
            assert!(ran.stderr.contains("did not come") && ran.stderr.contains("--allow-shrink"), "{what}: {ran:?}");
            assert_eq!(api.rows(), was, "{what}");
            assert!(ran.report()["commit"].is_null() && ran.resource()["commit"].is_null(), "{what}");
        }
    }
}

/// Runs `events` read by `paginator` from pages of records, and says what it read and how it ended.
async fn listed(paginator: &str, pages: Vec<Value>) -> (i32, u64, String, Ran) {
    let api = Api::new(pages).await;
    let ran = api.run_with_endpoint(&format!("endpoint: {{data_selector: items, paginator: {paginator}}}")).await;
    let resource = ran.resource();
    let verdict = resource["complete"]["verdict"].to_string();
    (ran.code, resource["rows"]["read"].as_u64().unwrap_or_default(), verdict, ran)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_first_page_proves_nothing() {
    let empty = json!({"items": []});
    let one = json!({"items": [{"id": 1}]});
    for (paginator, pages, read, verdict, warns) in [
        ("{type: page_number, total_path: null}", vec![empty.clone(), empty.clone()], 0, "\"unknown\"", true),
        ("{type: page_number}", vec![json!({"items": [], "total": 0})], 0, "\"true\"", false),
        // The API counts from 1, and says nothing of page 0.
        (
            "{type: page_number, total_path: null}",
            vec![empty.clone(), one.clone(), empty.clone()],
            1,
            "\"true\"",
            false,
        ),
        ("{type: page_number, total_path: null, base_page: 0}", vec![empty.clone(), one], 0, "\"unknown\"", true),
        ("{type: json_link}", vec![empty], 0, "\"unknown\"", true),
    ] {
        let (code, found, said, ran) = listed(paginator, pages.clone()).await;
        assert_eq!((code, found, said.as_str()), (0, read, verdict), "{paginator} {pages:?}: {ran:?}");
        assert_eq!(ran.stderr.contains("may not be whole"), warns, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_that_was_asked_for_must_be_there() {
    let page = vec![json!({"items": []})];
    for (paginator, code) in [
        ("{type: page_number, base_page: 0, total_path: total}", 4),
        ("{type: page_number, base_page: 0}", 0),
        ("{type: offset, limit: 2, total_path: total}", 4),
        ("{type: offset, limit: 2}", 0),
    ] {
        let (found, _, _, ran) = listed(paginator, page.clone()).await;
        assert_eq!(found, code, "{paginator}: {ran:?}");
    }
}

/// Answers of an API that counts its records from `base`: pages of two of five.
fn counted_from(base: usize) -> Value {
    let page = |offset: usize| {
        let first = offset.saturating_sub(base);
        let items = (first..5).take(2).map(|id| json!({"id": id})).collect::<Vec<_>>();
        json!({"match": {"path": "/events", "query": {"offset": offset.to_string()}},
            "reply": {"json": {"items": items, "total": 5}}})
    };
    (0..10).map(page).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_begin_at_one_lose_no_record() {
    for (base, more, read, verdict, requests) in [
        (1, json!({"base_offset": 1}), 5, "true", 3),
        (1, json!({"offset": 1}), 5, "true", 3),
        // One record is skipped on purpose, or the API has lost one: that is not known.
        (0, json!({"offset": 1}), 4, "unknown", 3),
        (0, json!({"offset": 1, "base_offset": 0}), 4, "true", 2),
        (0, json!({}), 5, "true", 3),
        (0, json!({"offset": 2}), 3, "true", 2),
        (1, json!({"offset": 3, "base_offset": 1}), 3, "true", 2),
    ] {
        let setting = Setting::new(&counted_from(base)).await;
        let mut paginator = json!({"type": "offset", "limit": 2});
        paginator.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        let ran = setting.run(&json!([{"name": "events", "endpoint": endpoint}]), &[]).await;
        assert_eq!(ran.code, 0, "{more}: {ran:?}");
        let resource = ran.resource();
        assert_eq!(
            (&resource["rows"]["read"], &resource["complete"]["verdict"]),
            (&json!(read), &json!(verdict)),
            "{more}"
        );
        assert_eq!(setting.server.seen().len(), requests, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_mail_dates_finds_what_is_new() {
    let endpoint = json!({"paginator": "single_page", "incremental": {"cursor_path": "at"}});
    let resources =
        json!([{"name": "events", "primary_key": "id", "write_disposition": "merge", "endpoint": endpoint}]);
    for [old, new] in [["Fri, 04 Dec 2026 10:00:00 +0000", "Mon, 07 Dec 2026 09:00:00 +0000"], ["9", "10"]] {
        let lists = [json!([{"id": 1, "at": old}]), json!([{"id": 1, "at": old}, {"id": 2, "at": new}])];
        let replies = lists.map(|list| json!({"json": list})).to_vec();
        let rules = json!([{"match": {"path": "/events"}, "replies": replies}]);
        let setting = Setting::new(&rules).await;
        assert_eq!(setting.run(&resources, &[]).await.code, 0);
        let ran = setting.run(&resources, &[]).await;
        assert_eq!(ran.resource()["rows"]["inserted"], json!(1), "{new}: {ran:?}");
    }
}

/// A listing of two pages that lead to each other, of three records; each page has `more` beside.
fn linked(more: &[Value; 2]) -> Value {
    let page = |items: Value, next: Value, more: &Value| {
        let mut page = json!({"items": items, "next": next});
        page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"json": page})
    };
    json!([
        {"match": {"path": "/events", "query": {"cursor": "b"}}, "reply": page(json!([{"id": 3}]), Value::Null, &more[1])},
        {"match": {"path": "/events"}, "reply": page(json!([{"id": 1}, {"id": 2}]), json!("b"), &more[0])},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_links_are_held_against_a_total() {
    let none = json!({});
    let total = |count: u64| json!({"total_count": count});
    for (more, total_path, code, verdict) in [
        ([total(5), total(5)], None, 5, "false"),
        ([total(3), total(3)], None, 0, "true"),
        // On the first page only.
        ([total(5), none.clone()], None, 5, "false"),
        // One record went, or came, while the listing was read.
        ([total(4), total(3)], None, 0, "true"),
        ([total(3), total(4)], None, 0, "true"),
        // What counts the page is no total.
        ([json!({"count": 2}), json!({"count": 1})], None, 0, "true"),
        ([total(5), total(5)], Some(Value::Null), 0, "true"),
        ([json!({"n": 5}), none.clone()], Some(json!("n")), 5, "false"),
        ([json!({"n": 3}), none.clone()], Some(json!("n")), 0, "true"),
        ([none.clone(), none.clone()], Some(json!("n")), 4, "false"),
        ([none.clone(), none], None, 0, "true"),
    ] {
        let setting = Setting::new(&linked(&more)).await;
        let mut paginator = json!({"type": "cursor", "cursor_path": "next"});
        if let Some(path) = &total_path {
            paginator["total_path"] = path.clone();
        }
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        let ran = setting.run(&json!([{"name": "events", "endpoint": endpoint}]), &[]).await;
        assert_eq!(ran.code, code, "{more:?} {total_path:?}: {ran:?}");
        assert_eq!(ran.resource()["complete"]["verdict"], verdict, "{more:?} {total_path:?}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_on_the_first_page_will_do() {
    for paginator in [
        json!({"type": "page_number", "base_page": 0, "total_path": "total"}),
        json!({"type": "offset", "limit": 2, "total_path": "total"}),
    ] {
        let is_offset = paginator["type"] == "offset";
        let total = if is_offset { 3 } else { 2 };
        let (name, second) = if is_offset { ("offset", "2") } else { ("page", "1") };
        let rules = json!([
            {"match": {"path": "/events", "query": {name: second}}, "reply": {"json": {"items": [{"id": 3}]}}},
            {"match": {"path": "/events"}, "reply": {"json": {"items": [{"id": 1}, {"id": 2}], "total": total}}},
        ]);
        let setting = Setting::new(&rules).await;
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        let ran = setting.run(&json!([{"name": "events", "endpoint": endpoint}]), &[]).await;
        assert_eq!((ran.code, &ran.resource()["rows"]["read"]), (0, &json!(3)), "{ran:?}");
        assert_eq!(ran.resource()["complete"]["verdict"], "true", "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_beside_graphql_data_are_no_success() {
    let answer = json!({"data": {"nodes": [{"id": 1}]}, "errors": [{"message": "node 2 timed out"}]});
    for (answer, mode, code, verdict) in [
        (&answer, None, 4, "false"),
        (&answer, Some("warn"), 0, "unknown"),
        (&answer, Some("ignore"), 0, "true"),
        (&json!({"data": {"nodes": [{"id": 1}]}, "errors": []}), None, 0, "true"),
        (&json!({"data": {"nodes": [{"id": 1}]}}), None, 0, "true"),
    ] {
        let setting = Setting::new(&json!([{"match": {"path": "/events"}, "reply": {"json": answer}}])).await;
        let paginator = json!({"type": "cursor", "cursor_path": "data.next"});
        let mut endpoint = json!({"data_selector": "data.nodes", "paginator": paginator});
        if let Some(mode) = mode {
            endpoint["graphql_errors"] = json!(mode);
        }
        let ran = setting.run(&json!([{"name": "events", "endpoint": endpoint}]), &[]).await;
        assert_eq!(ran.code, code, "{answer} {mode:?}: {ran:?}");
        assert_eq!(ran.resource()["complete"]["verdict"], verdict, "{answer} {mode:?}: {ran:?}");
        let is_told = code == 4 || mode == Some("warn");
        assert_eq!(ran.stderr.contains("node 2 timed out"), is_told, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_comes_twice_is_asked_once() {
    let rules = json!([
        {"match": {"path": "/posts"}, "reply": {"json": [{"id": 1}, {"id": 2}, {"id": 1}]}},
        {"match": {"path": "/posts/1/comments"}, "reply": {"json": [{"c": 11}]}},
        {"match": {"path": "/posts/2/comments"}, "reply": {"json": [{"c": 21}]}},
    ]);
    let setting = Setting::new(&rules).await;
    let ran = setting
        .run(
            &json!([
                {"name": "posts", "primary_key": "id", "write_disposition": "merge", "endpoint": {"paginator": "single_page"}},
                {"name": "comments", "endpoint": {"path": "posts/{resources.posts.id}/comments", "paginator": "single_page"}},
            ]),
            &[],
        )
        .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.report()["resources"][1]["rows"]["inserted"], json!(2), "{ran:?}");
    assert_eq!(setting.server.seen().len(), 3);
}

/// Pages of 10 of 95 records, numbered from 1; `total` says how many pages or records there are.
fn numbered(total: u64) -> Value {
    let page = |number: u64| {
        let items = ((number - 1) * 10..95).take(10).map(|id| json!({"id": id})).collect::<Vec<_>>();
        json!({"match": {"path": "/events", "query": {"page": number.to_string()}},
            "reply": {"json": {"items": items, "total": total}}})
    };
    (1..=100).map(page).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_total_counts_pages_or_records_is_found_out() {
    for (total, requests) in [(10, 10), (95, 11)] {
        let setting = Setting::new(&numbered(total)).await;
        let paginator = json!({"type": "page_number", "base_page": 1});
        let endpoint = json!({"data_selector": "items", "paginator": paginator});
        let ran = setting.run(&json!([{"name": "events", "endpoint": endpoint}]), &[]).await;
        assert_eq!((ran.code, &ran.resource()["rows"]["inserted"]), (0, &json!(95)), "{total}: {ran:?}");
        assert_eq!(ran.resource()["complete"]["verdict"], "true", "{total}: {ran:?}");
        assert_eq!(setting.server.seen().len(), requests, "{total}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_token_without_records_ends_a_listing() {
    let page = |cursor: Value, ids: Value, next: &str| json!({"match": {"path": "/events", "query": {"cursor": cursor}}, "reply": {"json": {"items": ids, "next": next}}});
    let rules = json!([
        page(Value::Null, json!([{"id": 1}]), "a"),
        page(json!("a"), json!([{"id": 2}]), "b"),
        page(json!("b"), json!([]), "b"),
    ]);
    let setting = Setting::new(&rules).await;
    let endpoint = json!({"data_selector": "items", "paginator": {"type": "cursor", "cursor_path": "next"}});
    let ran = setting.run(&json!([{"name": "events", "endpoint": endpoint}]), &[]).await;
    assert_eq!((ran.code, &ran.resource()["rows"]["inserted"]), (0, &json!(2)), "{ran:?}");
}

/// An API that sorts by a column that is not unique: of two pages of two, the second begins with a
/// record of the first, and one never comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_listing_whose_order_is_not_unique_has_lost_rows() {
    let merge = json!({"primary_key": "id", "write_disposition": "merge"});
    let versions =
        json!({"primary_key": "id", "write_disposition": "merge", "columns": {"at": {"dedup_sort": "desc"}}});
    for (more, total, code, verdict) in [
        (&merge, json!(4), 5, "false"),
        (&merge, Value::Null, 0, "unknown"),
        (&versions, json!(4), 0, "true"),
        (&json!({"write_disposition": "append"}), json!(4), 0, "true"),
    ] {
        let page = |offset: &str, ids: [u64; 2]| {
            let items = ids.map(|id| json!({"id": id, "at": offset}));
            let mut page = json!({"items": items});
            if !total.is_null() {
                page["total"] = total.clone();
            }
            json!({"match": {"path": "/events", "query": {"offset": offset}}, "reply": {"json": page}})
        };
        let rules = json!([page("0", [1, 2]), page("2", [2, 3]), {"match": {"path": "/events"}, "reply": {"json": {"items": []}}}]);
        let setting = Setting::new(&rules).await;
        let mut paginator = json!({"type": "offset", "limit": 2});
        if total.is_null() {
            paginator["total_path"] = Value::Null;
        }
        let mut resource = json!({"name": "events", "endpoint": {"data_selector": "items", "paginator": paginator}});
        resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let ran = setting.run(&json!([resource]), &[]).await;
        assert_eq!(ran.code, code, "{more} {total}: {ran:?}");
        assert_eq!(ran.resource()["complete"]["verdict"], verdict, "{more} {total}: {ran:?}");
        assert!(code == 0 || ran.stderr.contains("sort by the primary key"), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_holds_nothing_is_refused() {
    let rules = json!([{"match": {"path": "/events"}, "reply": {"json": [{"id": 1, "at": 1_767_225_600}]}}]);
    let resource = |more: Value| {
        let mut incremental = json!({"cursor_path": "at", "format": "epoch_s"});
        incremental.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([{"name": "events", "endpoint": {"paginator": "single_page", "incremental": incremental}}])
    };
    for (more, arguments, code, read) in [
        (json!({}), &["--from", "2026-02-01", "--to", "2026-01-01"][..], 2, 0),
        (json!({}), &["--from", "2026-01-01", "--to", "2026-01-01"], 2, 0),
        (json!({"format": "iso"}), &["--from", "7", "--to", "2026-01-01"], 2, 0),
        (json!({"initial_value": "2026-01-01", "end_value": "2025-01-01"}), &[], 2, 0),
        // A cursor that counts seconds takes dates.
        (json!({}), &["--from", "2026-01-01", "--to", "2026-02-01"], 0, 1),
        (json!({}), &["--from", "2025-01-01", "--to", "2026-01-01"], 0, 0),
        (json!({"initial_value": "2026-01-01"}), &[], 0, 1),
        (json!({"initial_value": "2026-01-02"}), &[], 0, 0),
    ] {
        let setting = Setting::new(&rules).await;
        let ran = setting.run(&resource(more.clone()), arguments).await;
        assert_eq!(ran.code, code, "{more} {arguments:?}: {ran:?}");
        if code == 0 {
            assert_eq!(ran.resource()["rows"]["inserted"], json!(read), "{more} {arguments:?}: {ran:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_row_leaves_with_its_group_for_a_record_that_was_refused() {
    const SCHEMA: &str =
        r#"{"properties": {"id": {"type": "integer"}, "g": {"type": "string"}, "n": {"type": "integer"}}}"#;
    let files = [("schema.json", SCHEMA)];
    let rows =
        |last: Value| json!([{"id": 1, "g": "a", "n": 1}, {"id": 2, "g": "a", "n": last}, {"id": 3, "g": "b", "n": 3}]);
    for (key, code, ids) in [("primary_key: id\n    ", 0, [1, 2, 3]), ("", 6, [1, 2, 3])] {
        let resource = format!("{key}merge_key: g\n    write_disposition: merge\n    schema: schema.json");
        let api = Api::new(vec![rows(json!(2))]).await;
        assert_eq!(api.run(&resource, "", &files, &[]).await.code, 0);
        api.set_pages(vec![rows(json!("two"))]);
        let ran = api.run(&resource, "", &files, &[]).await;
        assert_eq!(ran.code, code, "{key}: {ran:?}");
        assert_eq!(api.column("id"), ids.map(Value::from), "{key}");
        // Without a refused record, what did not come again leaves with its group.
        api.set_pages(vec![json!([{"id": 1, "g": "a", "n": 1}])]);
        assert_eq!(api.run(&resource, "", &files, &[]).await.code, 0);
        assert_eq!(api.column("id"), [json!(1), json!(3)], "{key}");
    }
}
