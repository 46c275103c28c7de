//! What people read when a pipeline file is wrong, what is accepted, and that no secret is ever
//! shown.

mod columns;
mod contradictions;
mod merging;
mod positions;
mod reference;
mod schema;
mod shapes;
mod validator;

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Format, Sources, parse};
use crate::error::{ErrorKind, Result};
use crate::spec::{
    ApiKeyLocation, Auth, ClientAuthentication, PaginationSpec, PipelineSpec, Placement, Transform, WriteDisposition,
};

const SECRET: &str = "hush-hush-1234";

/// An environment and files out of a list.
#[derive(Default)]
struct Listed(HashMap<&'static str, &'static str>);

impl Sources for Listed {
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        self.0.get(path).map(|text| (*text).to_owned()).ok_or_else(|| std::io::Error::other("no such file"))
    }
}

fn sources() -> Listed {
    Listed(HashMap::from([
        ("CLIENT_ID", "me"),
        ("CLIENT_SECRET", SECRET),
        ("LIMIT", "250"),
        ("EMPTY", ""),
        ("secret.txt", "hush-hush-1234\n"),
        (
            "events.json",
            r#"{"properties": {"event_id": {"type": "string"}, "start_time": {"type": "string", "format": "date-time"},
                "day": {"type": "string", "format": "date"}, "kind": {"type": "string"}, "who": {"type": "array"}}}"#,
        ),
        (
            "api.yaml",
            "openapi: 3.1.0\ncomponents:\n  schemas:\n    Event:\n      properties:\n        event_id: {type: string}\n        price: {type: number}\n        \
             at: {type: integer, format: unix-time}\n        start_time: {type: [string, 'null'], format: date-time, x-on-error: 'null'}\n",
        ),
        (
            "nested.json",
            r#"{"properties": {"eventId": {"type": "string"}, "startTime": {"type": "string", "format": "date-time"}, "theDay": {"type": "string", "format": "date"},
                "theOwner": {"properties": {"displayName": {"type": "string"}, "seat": {"type": "integer"}}}, "aB": {"type": "string"}}}"#,
        ),
        (
            "lists.json",
            r#"{"properties": {"id": {"type": "string"}, "rev": {"type": "integer"}, "day": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}}}}"#,
        ),
        (
            "renamed.json",
            r#"{"properties": {"id": {"type": "string"},
                "labels": {"x-aliases": "tags", "type": "array", "items": {"type": "string"}}}}"#,
        ),
        ("broken.json", r#"{"properties": {"a": {"type": "text"}}}"#),
    ]))
}

fn read(pipeline: &Value) -> Result<PipelineSpec> {
    parse("pipeline.json", &pipeline.to_string(), Format::Json, &sources())
}

/// The message for a pipeline with problems.
fn problems(pipeline: &Value) -> String {
    let error = read(pipeline).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

/// A good pipeline, changed.
fn pipeline(edit: impl FnOnce(&mut Value)) -> Value {
    let mut pipeline = json!({
        "client": {"base_url": "https://api.example/v2/", "auth": {"type": "oauth2", "client_id": "${env:CLIENT_ID}",
            "client_secret": "${env:CLIENT_SECRET}", "token_url": "https://api.example/oauth/token"}},
        "resource_defaults": {"primary_key": "event_id", "write_disposition": "merge"},
        "resources": [{"name": "events", "schema": "events.json",
            "endpoint": {"path": "/events", "data_selector": "items", "paginator": {"type": "offset", "limit": 100}}}],
    });
    edit(&mut pipeline);
    pipeline
}

fn resource(edit: impl FnOnce(&mut Value)) -> Value {
    pipeline(|pipeline| edit(&mut pipeline["resources"][0]))
}

#[test]
fn every_problem_is_reported_at_once_with_its_place_and_the_nearest_match() {
    let text = "\
version: 2
client:
  base_ur: https://api.example
  auth: {type: oauth2, client_id: '${env:CLIENT_ID}', client_secret: '${env:NOT_SET}', token_url: not a url}
  retry: {max_retrys: 3, statuses: [99]}
resource_defaults: {write_disposition: merge}
resources:
  - name: events
    endpoint: {paginator: {type: ofset, limit: 100}, data_selector: 'items[', incremental: {cursor_path: x}}
    schema: broken.json
  - name: events
    endpoint: {paginator: {type: offset, limit: 0, total_path: null, stop_after_empty_page: false}}
";
    let error = parse("calendar.yaml", text, Format::Yaml, &sources()).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"
    calendar.yaml has 14 problems:
      calendar.yaml:1:10: ./version: expected 1, found 2
      calendar.yaml:2:1: ./client: 'base_url' is missing
      calendar.yaml:3:3: ./client: received unexpected field 'base_ur' (accepted: allow_http, allowed_hosts, auth, base_url, concurrency, headers, paginator, rate_limit, retry, timeouts; did you mean 'base_url'?)
      calendar.yaml:4:70: ./client/auth/client_secret: the environment variable NOT_SET is not set; export NOT_SET=… and run again
      calendar.yaml:4:99: ./client/auth/token_url: is not a URL (relative URL without a base); write https://host/path
      calendar.yaml:5:11: ./client/retry: received unexpected field 'max_retrys' (accepted: backoff_factor, jitter, max_retries, max_wait_seconds, statuses; did you mean 'max_retries'?)
      calendar.yaml:5:37: ./client/retry/statuses[0]: expected an integer from 100 to 599, found 99
      calendar.yaml:6:40: ./resources[0]/write_disposition: write_disposition merge needs a primary_key
      calendar.yaml:9:34: ./resources[0]/endpoint/paginator/type: 'ofset' is not known (accepted: auto, cursor, header_cursor, header_link, json_link, keyset, offset, page_number, single_page; did you mean 'offset'?)
      calendar.yaml:9:69: ./resources[0]/endpoint/data_selector: is not a JSON path: expected a quoted key, an index or * at character 6 of "items["
      calendar.yaml:10:13: ./resources[0]/schema: broken.json at #/properties/a/type: "text" is not a type (accepted: string, integer, number, boolean, object, array, null)
      calendar.yaml:11:11: ./resources[1]/name: resource 'events' is already defined at ./resources[0]
      calendar.yaml:12:16: ./resources[1]/endpoint/paginator: the listing could never end: give total_path, maximum_offset or has_more_path, or let stop_after_empty_page be true
      calendar.yaml:12:49: ./resources[1]/endpoint/paginator/limit: expected an integer, at least 1, found 0
    "#);
}

#[test]
fn a_file_that_is_no_yaml_json_or_toml_is_refused_with_its_place() {
    for (text, format, name) in
        [("a: [1", Format::Yaml, "YAML"), ("{\"a\": }", Format::Json, "JSON"), ("a = [1", Format::Toml, "TOML")]
    {
        let error = parse("p", text, format, &sources()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("p is not valid {name}: ")), "{error}");
        assert!(error.contains("line 1"), "no place: {error}");
    }
}

#[test]
fn a_syntax_error_does_not_show_the_text_around_it() {
    for (text, format) in [
        (format!("secret: {SECRET}\nx: [{SECRET}"), Format::Yaml),
        (format!("{{\"secret\": \"{SECRET}\" \"x\""), Format::Json),
        (format!("secret = '{SECRET}'\nx = [1 '{SECRET}'"), Format::Toml),
    ] {
        let error = parse("p", &text, format, &sources()).unwrap_err();
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

#[test]
fn what_a_file_leaves_out_has_dlts_defaults() {
    let spec =
        read(&json!({"client": {"base_url": "https://h/api"}, "resources": [{"name": "a/b?c", "table_name": "t",
        "endpoint": {"path": "x?y=1", "paginator": "single_page"}}]}))
        .unwrap();
    assert_eq!(
        (spec.name.as_str(), spec.resources[0].endpoint.url.as_fixed().unwrap().as_str()),
        ("pipeline", "https://h/api/x?y=1")
    );
    assert_eq!(spec.resources[0].write_disposition, WriteDisposition::Append);
    let retry = &spec.client.retry;
    assert_eq!((retry.max_retries, retry.statuses.len(), retry.max_wait), (4, 101, Duration::from_secs(300)));
    assert!((retry.backoff_factor - 1.0).abs() < f64::EPSILON);
}

#[test]
fn the_reference_pipeline_is_understood() {
    let spec = read(&resource(|resource| {
        resource["partition_by"] = json!([{"column": "start_time", "transform": "day"}, "kind"]);
        resource["endpoint"]["params"] = json!({"a": 1, "b": true, "c": null, "d": ["x", "y"]});
    }))
    .unwrap();
    let events = &spec.resources[0];
    assert_eq!(events.endpoint.url.as_fixed().unwrap().as_str(), "https://api.example/v2/events");
    let params: Vec<String> = events.endpoint.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(params, ["a=1", "b=true", "d=x", "d=y"]);
    let names: Vec<_> = events.partition_by.iter().map(|field| (field.name.as_str(), field.transform)).collect();
    assert_eq!(names, [("start_time_day", Transform::Day), ("kind_identity", Transform::Identity)]);
    let schema = events.schema.as_ref().unwrap();
    assert!(!schema.column("event_id").unwrap().nullable && schema.column("kind").unwrap().nullable);
    let Auth::OAuth2ClientCredentials(oauth2) = &spec.client.auth else { panic!("{:?}", spec.client.auth) };
    assert_eq!((oauth2.client_id.as_str(), oauth2.client_secret.expose()), ("me", SECRET));
    assert_eq!(oauth2.client_authentication, ClientAuthentication::SecretPost);
    let PaginationSpec::Offset(offset) = &events.endpoint.paginator else { panic!("no offset") };
    assert_eq!((offset.limit, offset.total_path.as_ref().unwrap().to_string()), (100, "total".to_owned()));
}

#[test]
fn yaml_json_and_toml_mean_the_same() {
    let json = pipeline(|_| {});
    let yaml = "\
client:
  base_url: https://api.example/v2/
  auth: {type: oauth2, client_id: '${env:CLIENT_ID}', client_secret: '${env:CLIENT_SECRET}', token_url: 'https://api.example/oauth/token'}
resource_defaults: {primary_key: event_id, write_disposition: merge}
resources:
- {name: events, schema: events.json, endpoint: {path: /events, data_selector: items, paginator: {type: offset, limit: 100}}}
";
    let toml = "\
client.base_url = 'https://api.example/v2/'
client.auth = {type = 'oauth2', client_id = '${env:CLIENT_ID}', client_secret = '${env:CLIENT_SECRET}', token_url = 'https://api.example/oauth/token'}
resource_defaults = {primary_key = 'event_id', write_disposition = 'merge'}
[[resources]]
name = 'events'
schema = 'events.json'
endpoint = {path = '/events', data_selector = 'items', paginator = {type = 'offset', limit = 100}}
";
    let expected = format!("{:?}", read(&json).unwrap());
    for (text, format) in [(yaml, Format::Yaml), (toml, Format::Toml)] {
        let spec = parse("pipeline.json", text, format, &sources()).unwrap();
        assert_eq!(format!("{spec:?}"), expected);
    }
}

#[test]
fn defaults_merge_as_in_dlt() {
    let spec = read(&pipeline(|pipeline| {
        pipeline["resource_defaults"]["endpoint"] =
            json!({"paginator": "single_page", "params": {"a": "1", "b": "2"}, "data_selector": "data"});
        pipeline["resources"] = json!([
            "plain",
            {"name": "own", "primary_key": null, "write_disposition": "append",
             "endpoint": {"params": {"b": "3", "c": "4"}, "data_selector": null}},
            {"name": "off", "selected": false},
        ]);
    }))
    .unwrap();
    let [plain, own] = spec.resources.as_slice() else { panic!("{:?}", spec.resources) };
    assert_eq!(plain.endpoint.url.as_fixed().unwrap().path(), "/v2/plain");
    assert_eq!(plain.primary_key, ["event_id"]);
    assert!(own.primary_key.is_empty() && own.endpoint.data_selector.is_none());
    let params: Vec<_> = own.endpoint.params.iter().map(|(name, value)| format!("{name}{value}")).collect();
    assert_eq!(params, ["a1", "b3", "c4"]);
}

#[test]
fn an_api_without_a_total_is_told_in_every_language() {
    for total in [json!(null), json!(""), json!(false)] {
        let spec = read(&resource(|resource| {
            resource["endpoint"]["paginator"] =
                json!({"type": "offset", "limit": 5, "total_path": total, "has_more_path": ""});
        }))
        .unwrap();
        let PaginationSpec::Offset(offset) = &spec.resources[0].endpoint.paginator else { panic!("no offset") };
        assert!(offset.total_path.is_none() && offset.has_more_path.is_none(), "{total}");
    }
    let endless = |total: Value| {
        resource(|resource| {
            resource["endpoint"]["paginator"] =
                json!({"type": "offset", "limit": 5, "total_path": total, "stop_after_empty_page": false});
        })
    };
    assert_refused([
        (endless(json!("")), "could never end"),
        (endless(json!(false)), "could never end"),
        (endless(json!(true)), "total_path: expected a string"),
    ]);
}

#[test]
fn what_is_wrong_with_the_defaults_is_said_once_and_there() {
    let message = problems(&pipeline(|pipeline| {
        pipeline["resource_defaults"] = json!({"primry_key": "id", "endpoint": {"paginator": "pages"}});
        pipeline["resources"] = json!(["a", "b", {"name": "c", "endpoint": {"methd": "GET"}}]);
    }));
    assert!(message.contains("has 3 problems"), "{message}");
    for place in ["./resource_defaults: ", "./resource_defaults/endpoint/paginator: ", "./resources[2]/endpoint: "] {
        assert!(message.contains(place), "{place} is not in {message}");
    }
}

#[test]
fn name_and_path_are_a_resources_own() {
    let spec = read(&pipeline(|pipeline| {
        pipeline["resource_defaults"] = json!({"endpoint": {"path": "default", "paginator": "single_page"}});
        pipeline["resources"] = json!(["users/list", {"name": "b", "endpoint": {"params": {"x": 1}}}]);
    }))
    .unwrap();
    let paths: Vec<_> =
        spec.resources.iter().map(|resource| resource.endpoint.url.as_fixed().unwrap().path()).collect();
    assert_eq!(paths, ["/v2/users/list", "/v2/b"]);
    assert_eq!((spec.resources[0].name.as_str(), spec.resources[0].table_name.as_str()), ("users/list", "users_list"));
}

#[test]
fn without_a_base_url_paths_are_whole_and_say_whose_the_credentials_are() {
    let without_base = |paths: Value| {
        let resources: Vec<Value> = paths
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(number, path)| json!({"name": format!("r{number}"), "endpoint": {"path": path}}))
            .collect();
        json!({"client": {"base_url": "", "auth": {"token": "t"}}, "resources": resources})
    };
    let spec =
        read(&without_base(json!(["https://a.example/x/1", "https://b.example:8443/y/{resources.r0.id}"]))).unwrap();
    for (url, trusted) in [
        ("https://a.example/other", true),
        ("https://b.example:8443/y/2", true),
        ("https://b.example/y/2", false),
        ("https://c.example/", false),
    ] {
        assert_eq!(spec.client.trusts(&url::Url::parse(url).unwrap()), trusted, "{url}");
    }
    assert_refused([
        (without_base(json!(["https://a.example/x", "y"])), "./resources[1]/endpoint/path: is relative"),
        (without_base(json!(["x"])), "./client/base_url: is empty"),
        (without_base(json!(["http://a.example/x"])), "is plain http to another machine"),
    ]);
}

#[test]
fn an_endpoint_may_have_no_authentication_although_its_client_has() {
    let auth_of = |auth: Option<Value>| {
        let changed = resource(|resource| {
            if let Some(auth) = auth {
                resource["endpoint"]["auth"] = auth;
            }
        });
        read(&changed).unwrap().resources[0].endpoint.auth.clone()
    };
    assert!(auth_of(None).is_none());
    assert!(matches!(auth_of(Some(json!(null))).as_deref(), Some(Auth::None)));
    assert!(matches!(auth_of(Some(json!({"token": "t"}))).as_deref(), Some(Auth::Bearer { .. })));
}

#[test]
fn texts_are_interpolated_and_what_is_missing_is_named() {
    let spec = read(&pipeline(|pipeline| {
        pipeline["client"]["auth"] = json!({"token": "${file:secret.txt}"});
        pipeline["client"]["headers"] = json!({
            "x-literal": "$${env:X} ${env:CLIENT_ID}!",
            "x-default": "${env:NOWHERE:-https://a.example:1/b}${env:NOWHERE:-} ${env:EMPTY:-full} ${env:CLIENT_ID:-you}",
        });
        pipeline["resources"][0]["endpoint"]["paginator"]["limit"] = json!("${env:LIMIT}");
    }))
    .unwrap();
    assert!(matches!(&spec.client.auth, Auth::Bearer { token } if token.expose() == SECRET));
    assert_eq!(spec.client.headers[0].value.expose(), "${env:X} me!");
    assert_eq!(spec.client.headers[1].value.expose(), "https://a.example:1/b full me");
    assert!(matches!(&spec.resources[0].endpoint.paginator, PaginationSpec::Offset(offset) if offset.limit == 250));
    for (text, expected) in [
        ("${env:NOWHERE}", "NOWHERE is not set"),
        ("${file:gone.txt}", "the file gone.txt cannot be read"),
        ("${vault:x}", "'${vault:x}' is not known"),
        ("${env:X", "'${' has no '}'"),
    ] {
        let message = problems(&pipeline(|pipeline| pipeline["client"]["headers"] = json!({"x": text})));
        assert!(message.contains(expected) && message.contains("./client/headers/x"), "{message}");
    }
}

#[test]
fn every_kind_of_authentication_is_read() {
    let auth = |auth: Value| read(&pipeline(|pipeline| pipeline["client"]["auth"] = auth)).unwrap().client.auth;
    assert!(matches!(auth(json!({"type": "http_basic", "username": "u", "password": "p"})), Auth::HttpBasic { .. }));
    for (word, location) in [
        ("header", ApiKeyLocation::Header),
        ("param", ApiKeyLocation::Query),
        ("query", ApiKeyLocation::Query),
        ("cookie", ApiKeyLocation::Cookie),
    ] {
        let key = auth(json!({"type": "api_key", "api_key": "k", "location": word}));
        assert!(matches!(key, Auth::ApiKey { location: found, .. } if found == location), "{word}");
    }
    let oauth2 = json!({"type": "oauth2_client_credentials", "access_token_url": "https://a/t", "client_id": "i",
        "client_secret": "s", "scope": ["a", "b"], "access_token_request_data": {"audience": "x"},
        "client_authentication": "client_secret_basic", "default_token_expiration": 60});
    let Auth::OAuth2ClientCredentials(spec) = auth(oauth2) else { panic!("no oauth2") };
    let data: Vec<_> = spec.request_data.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
    assert_eq!(data, ["audience=x", "scope=a b"]);
    assert_eq!(spec.client_authentication, ClientAuthentication::SecretBasic);
    assert_eq!(spec.default_token_expiration, Duration::from_secs(60));
}

#[test]
fn paging_values_go_into_the_body() {
    let body = |method: &str| {
        resource(|resource| {
            resource["endpoint"]["method"] = json!(method);
            resource["endpoint"]["paginator"]["offset_body_path"] = json!("page.offset");
        })
    };
    // As in dlt, a GET may have a body too.
    for method in ["POST", "GET"] {
        let spec = read(&body(method)).unwrap();
        let PaginationSpec::Offset(offset) = &spec.resources[0].endpoint.paginator else { panic!("no offset") };
        assert!(matches!(&offset.offset_in, Placement::Body(path) if path.to_string() == "page.offset"));
        assert_eq!(offset.limit_in, Placement::Query("limit".to_owned()));
    }
}

/// Each pipeline is refused, and the message says why.
fn assert_refused<const N: usize>(cases: [(Value, &str); N]) {
    for (pipeline, expected) in cases {
        let message = problems(&pipeline);
        assert!(message.contains(expected), "{expected:?} is not in {message}");
    }
}

#[test]
fn a_secret_is_in_no_message_whatever_is_wrong_with_it() {
    for pipeline in [
        pipeline(|p| p["client"]["auth"]["client_id"] = json!([SECRET])),
        pipeline(|p| p["client"]["auth"]["token_url"] = json!(format!("https://u:{SECRET}@x/t"))),
        pipeline(|p| p["client"]["base_url"] = json!(format!("https://u:{SECRET}@x"))),
        pipeline(|p| p["client"]["auth"] = json!({"token": format!("{SECRET}\n")})),
        pipeline(|p| p["client"]["headers"] = json!({"x-key": format!("{SECRET}\u{0}")})),
        pipeline(|p| p["client"]["auth"]["expiry_leeway_seconds"] = json!(SECRET)),
        pipeline(|p| p["client"]["auth"]["cleint_secret"] = json!(SECRET)),
        pipeline(|p| p["client"]["concurrency"] = json!("${env:CLIENT_SECRET}")),
        pipeline(|p| {
            p["client"]["concurrency"] = json!("too long to be shown as a whole, or nearly so: ${env:CLIENT_SECRET}");
        }),
        pipeline(|p| p["resources"][0]["endpoint"]["path"] = json!("x/{id}?api_key=${env:CLIENT_SECRET}")),
        pipeline(|p| p["resources"][0]["endpoint"]["data_selector"] = json!("items.${env:CLIENT_SECRET}[")),
        pipeline(|p| p["resources"][0]["write_disposition"] = json!("${env:CLIENT_SECRET}")),
    ] {
        let message = problems(&pipeline);
        assert!(!message.contains(SECRET), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
    let message = problems(&pipeline(|p| p["client"]["concurrency"] = json!("${env:CLIENT_SECRET}")));
    assert!(message.contains("found '${env:CLIENT_SECRET}'"), "{message}");
    assert!(!format!("{:?}", read(&pipeline(|_| {})).unwrap()).contains(SECRET));
}

/// Any JSON, up to a depth.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z${}:./]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        for format in [Format::Yaml, Format::Json, Format::Toml] {
            drop(parse("p", &text, format, &sources()));
        }
    }

    /// A good pipeline with any JSON in the place of one of its values is refused or accepted, but
    /// never a panic.
    #[test]
    fn no_value_in_a_wrong_place_makes_it_panic(value in any_json(), place in 0_usize..12) {
        const PLACES: [&str; 12] = [
            "/client", "/client/auth", "/client/base_url", "/client/auth/type", "/resource_defaults", "/resources", "/resources/0",
            "/resources/0/name", "/resources/0/endpoint", "/resources/0/endpoint/paginator", "/resources/0/endpoint/paginator/limit",
            "/resources/0/schema",
        ];
        let mut changed = pipeline(|_| {});
        *changed.pointer_mut(PLACES[place]).unwrap() = value;
        if let Err(error) = read(&changed) {
            prop_assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
}
