//! Pipelines that contradict themselves: each is refused, and the message says why.

use serde_json::json;

use super::{assert_refused, pipeline, resource};

#[test]
fn contradictions_are_named() {
    assert_refused([
        (resource(|r| r["primary_key"] = json!(null)), "write_disposition merge needs a primary_key"),
        (resource(|r| r["primary_key"] = json!("evnt_id")), "did you mean 'event_id'?"),
        (resource(|r| r["primary_key"] = json!("who")), "is nested"),
        (resource(|r| r["table_name"] = json!("../x")), "cannot be a folder"),
        (resource(|r| r["partition_by"] = json!({"column": "kind", "transform": "day"})), "has no day"),
        (resource(|r| r["partition_by"] = json!({"column": "day", "transform": "hour"})), "has no hour"),
        (resource(|r| r["partition_by"] = json!({"column": "day", "name": "kind"})), "is a column"),
        (
            resource(|r| r["partition_by"] = json!({"column": "day", "transform": "truncate", "width": 3})),
            "has no truncate",
        ),
        (resource(|r| r["partition_by"] = json!({"column": "kind", "transform": "bucket"})), "'buckets' is missing"),
        (
            resource(|r| r["partition_by"] = json!({"column": "kind", "transform": "truncate", "width": 0})),
            "width: expected an integer from 1 to 4294967295, found 0",
        ),
        (
            resource(|r| r["partition_by"] = json!({"column": "kind", "width": 3})),
            "width: belongs to another transform",
        ),
        (resource(|r| r["partition_by"] = json!(["kind", "kind"])), "is there twice"),
        (resource(|r| r["schema"] = json!("gone.json")), "gone.json cannot be read"),
        (resource(|r| r["schema"] = json!("broken.json")), "broken.json at #/properties/a/type"),
        (resource(|r| r["endpoint"]["paginator"] = json!("curser")), "did you mean 'cursor'?"),
        (
            resource(|r| r["endpoint"]["paginator"] = json!({"type": "keyset", "value_path": "id"})),
            "'param' is missing",
        ),
        (
            resource(|r| {
                r["endpoint"]["paginator"] = json!({"type": "cursor", "cursor_body_path": "pages[-1].after"});
            }),
            "must name one place in the body",
        ),
        (
            resource(|r| {
                r["endpoint"]["paginator"] =
                    json!({"type": "cursor", "cursor_param": "c", "cursor_body_path": "after"});
            }),
            "exclude each other: give one, not both",
        ),
        (resource(|r| r["endpoint"]["paginator"]["limit_param"] = json!("")), "paginator/limit_param: is empty"),
    ]);
}

#[test]
fn contradictions_between_resources_are_named() {
    let beside = |name: &str, table: Option<&str>| {
        pipeline(|p| {
            let mut other = p["resources"][0].clone();
            other["name"] = json!(name);
            if let Some(table) = table {
                other["table_name"] = json!(table);
            }
            p["resources"].as_array_mut().unwrap().push(other);
        })
    };
    assert_refused([
        (beside("events", None), "resource 'events' is already defined at ./resources[0]"),
        (beside("other", Some("events")), "table 'events' is already fed by ./resources[0]; give another table_name"),
        (
            resource(|r| r["endpoint"]["path"] = json!("x/{resources.a.id}")),
            "depends on the non existing 'a', which is not a resource",
        ),
        (resource(|r| r["endpoint"]["path"] = json!("x/{resources.events.id}")), "in a circle: events → events"),
        (
            resource(|r| r["endpoint"]["path"] = json!("x/{id}/y")),
            "the path 'x/{id}/y' of resource 'events' requires a param named 'id'",
        ),
        (
            resource(|r| r["endpoint"]["params"] = json!({"a": {"type": "resolve", "resource": "x", "field": "id"}})),
            "the param 'a' of type resolve is not bound in the path '/events'",
        ),
        (resource(|r| r["endpoint"]["params"] = json!({"a": "{b}"})), "the expression '{b}' is not valid"),
        (
            resource(|r| r["endpoint"]["params"] = json!({"a": "{incremental.start}"})),
            "{incremental.start} is not known",
        ),
        (resource(|r| r["endpoint"]["params"] = json!({"a": "{incremental.lag}"})), "needs 'incremental'"),
        (
            resource(|r| r["endpoint"]["params"] = json!({"a": "{resources.x.id}", "b": "{resources.y.id}"})),
            "resource 'events' has multiple parent resources (x, y)",
        ),
        (resource(|r| r["include_from_parent"] = json!(["id"])), "is not dependent on another resource"),
        (resource(|r| r["endpoint"]["incremental"] = json!({"initial_value": 1})), "'cursor_path' is missing"),
        (
            resource(|r| r["endpoint"]["incremental"] = json!({"cursor_path": "a", "step": "1d"})),
            "step: needs 'initial_value'",
        ),
        (
            resource(|r| r["endpoint"]["incremental"] = json!({"cursor_path": "a", "step": "soon"})),
            "expected a duration such as 30m, 6h or 1d, found 'soon'",
        ),
    ]);
}

#[test]
fn contradictions_of_endpoints_are_named() {
    assert_refused([
        (
            resource(|r| r["endpoint"]["response_actions"] = json!([{"action": "ignore"}])),
            "an action needs a condition",
        ),
        (resource(|r| r["endpoint"]["response_actions"] = json!([{"status_code": 404}])), "'action' is missing"),
        (resource(|r| r["endpoint"]["data"] = json!([["a"]])), "data[0]: expected a pair: [name, value]"),
        (
            resource(|r| {
                r["endpoint"]["auth"] =
                    json!({"type": "session", "login_url": "http://other.example/l", "json": {"a": 1}});
            }),
            "./resources[0]/endpoint/auth: is plain http to another machine",
        ),
        (
            resource(|r| r["endpoint"]["auth"] = json!({"type": "jwt", "algorithm": "RS512", "private_key": "k"})),
            "'RS512' is not known (accepted: RS256, ES256, HS256",
        ),
        (
            resource(|r| r["endpoint"]["auth"] = json!({"type": "jwt", "algorithm": "ES256", "private_key": "k"})),
            "auth/private_key: client.auth.private_key is not a key for the algorithm; RS256 wants",
        ),
        (
            resource(|r| {
                r["endpoint"]["auth"] =
                    json!({"type": "oauth2_refresh_token", "token_url": "https://a/t", "client_id": "i"});
            }),
            "'refresh_token' is missing",
        ),
        (resource(|r| r["processing_steps"] = json!([{"filter": "a", "map": {}}])), "give either 'filter' or 'map'"),
        (
            resource(|r| r["schema_contract"] = json!({"columns": "frozen"})),
            "'frozen' is not known (accepted: evolve, freeze",
        ),
        (
            resource(|r| r["endpoint"]["paginator"]["limit"] = json!(0)),
            "limit: expected an integer, at least 1, found 0",
        ),
    ]);
}

#[test]
fn contradictions_of_clients_and_destinations_are_named() {
    assert_refused([
        (pipeline(|p| p["client"]["base_url"] = json!("ftp://x")), "'ftp' is not http or https"),
        (pipeline(|p| p["client"]["base_url"] = json!("https://u:p@x")), "has credentials in it"),
        (pipeline(|p| p["client"]["auth"]["token_url"] = json!(null)), "'token_url' is missing"),
        (
            pipeline(|p| p["client"]["rate_limit"] = json!({"requests_per_second": 0})),
            "expected a number, more than 0, found 0",
        ),
        (pipeline(|p| p["limits"] = json!({"pages_max": 0})), "expected an integer, at least 1"),
        (
            pipeline(|p| p["limits"] = json!({"run_time_max_seconds": 0})),
            "run_time_max_seconds: expected a number of seconds, more than 0, found 0",
        ),
        (pipeline(|p| p["limits"] = json!({"page_max": 1})), "did you mean 'pages_max'?"),
        (pipeline(|p| p["resources"] = json!([])), "resources: is empty: name at least one"),
        (
            pipeline(|p| p["destination"] = json!("gs://bucket/x")),
            "scheme \"gs\" is not known; a destination is a local path",
        ),
        (
            pipeline(|p| p["destination"] = json!({"url": "s3:///x"})),
            "./destination/url: destination s3:///x names no bucket",
        ),
        (
            pipeline(|p| p["destination"] = json!({"url": "s3://lake", "endpoint": "minio:9000"})),
            "./destination/endpoint: endpoint minio:9000: scheme \"minio\" is neither http nor https",
        ),
        (
            resource(|r| {
                r["endpoint"]["incremental"] =
                    json!({"cursor_path": "day", "initial_value": "last week", "step": "1d"});
            }),
            "incremental/initial_value: \"last week\" is not a date, a date-time or a time since 1970, which 'step'",
        ),
        (
            resource(|r| r["primary_key"] = json!(["event_id", "event_id"])),
            "./resources[0]/primary_key: has the column 'event_id' twice",
        ),
        (
            resource(|r| {
                r["endpoint"] = json!({"path": "e/{incremental.last_value}", "incremental": {"cursor_path": "day"}});
            }),
            "endpoint/path: {incremental.last_value} has no value in the first run: set incremental.initial_value",
        ),
        (pipeline(|p| p["client"]["session"] = json!({})), "'session' is not supported"),
        (json!([1]), "expected a mapping, found a list"),
    ]);
}
