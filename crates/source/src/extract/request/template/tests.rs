//! Places in every part of a request, by example.

use serde_json::json;

use super::*;
use crate::spec::{GraphqlErrors, Method, PaginationSpec};
use lakefeed_model::spec::{CursorFormat, CursorValue};

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn endpoint(path: &str) -> EndpointSpec {
    EndpointSpec {
        url: EndpointUrl::Templated { base: Url::parse("https://api.example/v1/").unwrap(), path: template(path) },
        method: Method::Post,
        params: Vec::new(),
        body: BodySpec::None,
        headers: Vec::new(),
        data_selector: None,
        paginator: PaginationSpec::SinglePage,
        incremental: None,
        response_actions: Vec::new(),
        auth: None,
        record_format: None,
        graphql_errors: GraphqlErrors::Fail,
    }
}

fn row(raw: &str) -> ParentRow {
    ParentRow::new([("id".to_owned(), raw.to_owned())])
}

fn url_of(path: &str, raw: &str) -> Result<String> {
    let row = row(raw);
    render(&endpoint(path), Bindings { parent: Some(&row), cursor: None }).map(|request| request.url.to_string())
}

fn cursor(start: Option<CursorValue>, format: Option<CursorFormat>) -> CursorBindings {
    CursorBindings { initial: start.clone(), start, format, ..CursorBindings::default() }
}

#[test]
fn a_value_cannot_leave_its_path_segment() {
    for (raw, expected) in [
        ("7", "https://api.example/v1/posts/7/c"),
        ("\"a b/c?d#e%f\"", "https://api.example/v1/posts/a%20b%2Fc%3Fd%23e%25f/c"),
        ("\"é\"", "https://api.example/v1/posts/%C3%A9/c"),
        ("\"..\"", "https://api.example/v1/c"),
    ] {
        let url = url_of("posts/{resources.posts.id}/c", raw).unwrap();
        if raw == "\"..\"" {
            // URLs take %2E%2E for what it means; it stays within the origin and is asked for as
            // such.
            assert!(url.starts_with("https://api.example/v1/"), "{url}");
        } else {
            assert_eq!(url, expected);
        }
    }
}

#[test]
fn a_record_may_hold_the_whole_url() {
    assert_eq!(
        url_of("{resources.posts.id}", "\"https://api.example/p/1?x=2\"").unwrap(),
        "https://api.example/p/1?x=2"
    );
}

#[test]
fn a_missing_or_null_field_is_an_error() {
    assert!(url_of("{resources.posts.id}", "null").unwrap_err().message().contains("null"));
    let error =
        render(&endpoint("{resources.posts.uuid}"), Bindings { parent: Some(&row("1")), cursor: None }).unwrap_err();
    assert_eq!(error.message(), "a record of posts has no field uuid");
}

#[test]
fn json_keeps_the_type_of_a_text_that_is_one_place() {
    let spec = EndpointSpec {
        body: BodySpec::Json(json!({
            "from": "{incremental.start_value}",
            "text": "v{incremental.start_value}",
            "lit": "{{not_this}}",
            "name": "{free}",
            "arr": ["{incremental.initial_value}", 1, null],
            "parent": "{resources.posts.id}",
            "gone": "{incremental.end_value}",
        })),
        ..endpoint("search")
    };
    let (row, cursor) = (row("{\"a\":[1,2]}"), cursor(Some(CursorValue::Number("1".to_owned())), None));
    let request = render(&spec, Bindings { parent: Some(&row), cursor: Some(&cursor) }).unwrap();
    let RequestBody::Json(json) = request.body else { panic!("no JSON") };
    let expected = json!({
        "from": 1, "text": "v1", "lit": "{not_this}", "name": "{free}", "arr": [1, 1, null], "parent": {"a": [1, 2]},
    });
    assert_eq!(json, expected);
}

#[test]
fn parameters_have_the_format_that_they_ask_for_and_are_left_out_without_a_value() {
    let spec = EndpointSpec {
        params: vec![("since".to_owned(), template("{incremental.start_value}")), ("a".to_owned(), template("b"))],
        ..endpoint("events")
    };
    let query = |cursor: CursorBindings| render(&spec, Bindings { parent: None, cursor: Some(&cursor) }).unwrap().query;
    let date = CursorValue::Text("2024-01-02T03:04:05Z".to_owned());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        query(cursor(Some(date), Some(CursorFormat::EpochSeconds))),
        [pair("since", "1704164645"), pair("a", "b")]
    );
    assert_eq!(query(cursor(None, None)), [pair("a", "b")]);
}
