//! What must not get into a cassette, whatever way it comes; and requests that are looked up.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::Scrubber;

fn knowing(secrets: &[&str]) -> Scrubber {
    let scrubber = Scrubber::default();
    for secret in secrets {
        scrubber.learn(secret);
    }
    scrubber
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

#[test]
fn a_known_secret_is_hidden_plain_encoded_and_quoted() {
    let scrubber = knowing(&["s3cr3t+\"&", "s3cr3t+\"&longer", "short"]);
    for (text, expected) in [
        ("a s3cr3t+\"& b", "a *** b"),
        ("a=s3cr3t%2B%22%26&b=1", "a=***&b=1"),
        (r#"{"a":"s3cr3t+\"&longer"}"#, r#"{"a":"***"}"#),
        ("short words stay", "short words stay"),
    ] {
        assert_eq!(scrubber.text(text), expected);
    }
}

#[test]
fn a_url_loses_its_secrets_by_name_and_by_value_and_is_otherwise_untouched() {
    let scrubber = knowing(&["hush"]);
    for (url, expected) in [
        ("https://u:p@h.example/v1?b=%20x&a=1", "https://h.example/v1?b=%20x&a=1"),
        ("https://h.example/v1?api_key=k&q=a%20b", "https://h.example/v1?api_key=***&q=a+b"),
        ("https://h.example/v1?mine=hush", "https://h.example/v1?mine=***"),
    ] {
        assert_eq!(scrubber.url(&Url::parse(url).unwrap()), expected);
    }
}

#[test]
fn headers_are_hidden_unless_they_are_known_to_be_harmless() {
    let scrubber = knowing(&["token-12345"]);
    let sent = headers(&[
        ("accept", "application/json"),
        ("x-mine", "anything"),
        ("authorization", "Bearer token-12345"),
        ("x-api-version", "2026-11-01"),
    ]);
    assert_eq!(
        scrubber.request_headers(&sent),
        ["accept: application/json", "x-mine: ***", "authorization: ***", "x-api-version: 2026-11-01"]
    );
    let came = headers(&[
        ("link", "<https://h.example/?token=token-12345>; rel=\"next\""),
        ("set-cookie", "sid=abc; Path=/"),
        ("set-cookie", "plain"),
        ("x-total", "7"),
    ]);
    let mut shown = scrubber.response_headers(&came);
    shown.sort();
    assert_eq!(
        shown,
        [
            "link: <https://h.example/?token=***>; rel=\"next\"",
            "set-cookie: plain=***",
            "set-cookie: sid=***; Path=/",
            "x-total: 7"
        ]
    );
}

#[test]
fn bodies_of_requests_are_hidden_by_name_and_by_value() {
    let scrubber = knowing(&["hush"]);
    for (body, kind, expected) in [
        ("a=1&password=x&b=hush", "application/x-www-form-urlencoded", "a=1&password=***&b=***"),
        (
            r#"{"q":"x","deep":{"apiKey":"k"},"l":["hush"]}"#,
            "application/json",
            r#"{"q":"x","deep":{"apiKey":"***"},"l":["***"]}"#,
        ),
        ("plain", "text/plain", "plain"),
        ("", "application/json", ""),
    ] {
        assert_eq!(scrubber.request_body(body.as_bytes(), Some(kind)), expected);
    }
}

#[test]
fn an_answer_of_the_api_stays_byte_for_byte_unless_it_holds_a_secret() {
    let scrubber = knowing(&["token-12345"]);
    for (body, expected) in [
        (&b"{ \"token\" :  \"of the user's own\" }"[..], &b"{ \"token\" :  \"of the user's own\" }"[..]),
        (b"{\"echo\":\"token-12345\"}", b"{\"echo\":\"***\"}"),
        (b"\xff token-12345", b"\xff token-12345"),
    ] {
        assert_eq!(scrubber.response_body(Bytes::from_static(body)), expected);
    }
}

#[test]
fn a_token_is_left_out_and_known_from_then_on() {
    let scrubber = Scrubber::default();
    let answer =
        br#"{"access_token":"at-123456","expires_in":3600,"token_type":"Bearer","data":{"session":"se-123456"}}"#;
    let kept = scrubber.credentials(answer, &headers(&[("set-cookie", "sid=co-123456; Path=/")]));
    assert_eq!(kept, r#"{"access_token":"***","expires_in":3600,"token_type":"Bearer","data":{"session":"***"}}"#);
    assert_eq!(scrubber.text("at-123456 se-123456 co-123456"), "*** *** ***");
    assert_eq!(scrubber.credentials(b"<html>at-1</html>", &HeaderMap::new()), "***");
    assert_eq!(scrubber.credentials(b"", &HeaderMap::new()), "");
}
