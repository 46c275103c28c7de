//! What becomes of answers and failures: the kind, the exit code, whether another run can help, and
//! the facts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::super::{ApiRequest, RequestBody, TransportErrorKind};
use super::{Answer, SECRET, Stage, TOKEN_1, header, oauth2, ok, posted, request, spec, stage, status};
use crate::spec::{Action, Auth, ClientAuthentication, ClientSpec, ResponseAction};
use lakefeed_model::error::{Error, ErrorKind};
use lakefeed_model::secret::Secret;

async fn failure(spec: &ClientSpec, answers: Vec<Answer>, actions: &[ResponseAction]) -> Error {
    let stage = stage(spec, answers);
    let request = ApiRequest { actions: Arc::from(actions), ..request("https://api.example/v1/events") };
    let error = stage.client.fetch("events", &request).await.unwrap_err();
    assert!(stage.script.answers.lock().unwrap().is_empty(), "{error}: not every answer was wanted");
    error
}

fn on(status: u16, action: Action) -> ResponseAction {
    ResponseAction { status: StatusCode::from_u16(status).ok(), content: None, action }
}

#[tokio::test]
async fn a_situation_has_a_kind_a_code_and_a_word_on_trying_again() {
    use TransportErrorKind::{BodyTooLarge, Cassette, Closed, Connect, Other, Redirect, Timeout, Truncated};

    let plain = spec(Auth::None);
    let mut forgiving = spec(Auth::None);
    forgiving.retry.statuses.extend([StatusCode::FORBIDDEN, StatusCode::CONFLICT]);
    let mut strict = spec(Auth::None);
    strict.retry.statuses.clear();
    let fails = |kind| vec![Answer::Fails(kind)];
    let four = |answer: Answer| vec![answer; 4];
    let none: &[ResponseAction] = &[];
    for (spec, answers, actions, kind, code, retryable) in [
        // The API failed, after all retries or with what passes by itself.
        (&plain, four(status(500)), none, ErrorKind::Source, 4, true),
        (&plain, four(status(429)), none, ErrorKind::Source, 4, true),
        (&strict, vec![status(503)], none, ErrorKind::Source, 4, true),
        (&strict, vec![status(429)], none, ErrorKind::Source, 4, true),
        (&plain, vec![status(501)], none, ErrorKind::Source, 4, true),
        (&plain, vec![status(408)], none, ErrorKind::Source, 4, true),
        (&forgiving, four(status(403)), none, ErrorKind::Source, 4, true),
        (&forgiving, four(status(409)), none, ErrorKind::Source, 4, true),
        (&plain, four(status(404)), &[on(404, Action::Retry)], ErrorKind::Source, 4, true),
        (&plain, four(Answer::Fails(Connect)), none, ErrorKind::Source, 4, true),
        (&plain, four(Answer::Fails(Timeout)), none, ErrorKind::Source, 4, true),
        (&plain, four(Answer::Fails(Truncated)), none, ErrorKind::Source, 4, true),
        (&plain, four(Answer::Fails(Closed)), none, ErrorKind::Source, 4, true),
        // Its answer cannot be taken, and will not be the next time.
        (&plain, fails(BodyTooLarge), none, ErrorKind::Source, 4, false),
        (&plain, fails(Cassette), none, ErrorKind::Source, 4, false),
        (&plain, fails(Other), none, ErrorKind::Source, 4, false),
        (&plain, vec![ok("quota")], &[on(200, Action::Fail)], ErrorKind::Source, 4, false),
        // It refuses the credentials.
        (&plain, vec![status(401)], none, ErrorKind::Auth, 3, false),
        (&plain, vec![status(403)], none, ErrorKind::Auth, 3, false),
        (&plain, vec![status(403)], &[on(403, Action::Fail)], ErrorKind::Auth, 3, false),
        // It refuses for good.
        (&plain, vec![status(400)], none, ErrorKind::Refused, 9, false),
        (&plain, vec![status(404)], none, ErrorKind::Refused, 9, false),
        (&plain, vec![status(405)], none, ErrorKind::Refused, 9, false),
        (&plain, vec![status(410)], none, ErrorKind::Refused, 9, false),
        (&plain, vec![status(422)], none, ErrorKind::Refused, 9, false),
        (&plain, vec![status(451)], none, ErrorKind::Refused, 9, false),
        (&plain, vec![status(302)], none, ErrorKind::Refused, 9, false),
        (&plain, vec![status(304)], none, ErrorKind::Refused, 9, false),
        (&plain, fails(Redirect), none, ErrorKind::Refused, 9, false),
    ] {
        let error = failure(spec, answers.clone(), actions).await;
        let found = (error.kind(), error.kind().exit_code(), error.is_retryable());
        assert_eq!(found, (kind, code, retryable), "{answers:?} {actions:?}: {error}");
        assert!(!error.hints().is_empty() || matches!(answers[..], [.., Answer::Fails(_)]), "{error:?}");
        let http = error.http().unwrap();
        assert_eq!((http.method.as_str(), http.url.as_str()), ("GET", "https://api.example/v1/events"));
        assert_eq!(http.tries as usize, answers.len());
    }
}

#[tokio::test]
async fn a_link_elsewhere_and_plain_http_are_refused_before_a_request_goes_out() {
    let stage = stage(&spec(Auth::None), []);
    let elsewhere = url::Url::parse("https://elsewhere.example/x").unwrap();
    let link = stage.client.check_link(&elsewhere).unwrap_err();
    let plain = stage.fetch_from("http://api.example/v1/events").await.unwrap_err();
    for error in [link, plain] {
        assert_eq!((error.kind(), error.is_retryable(), error.http()), (ErrorKind::Refused, false, None), "{error}");
        assert!(!error.hints().is_empty(), "{error:?}");
    }
}

#[tokio::test]
async fn the_facts_of_a_failure_are_fields() {
    const REFUSAL: Answer = Answer::Status(400, &[], r#"{"error":{"message":"page size must be at most 50"}}"#);
    let stage = stage(&spec(Auth::None), [status(503), Answer::Fails(TransportErrorKind::Closed), REFUSAL]);
    let error = stage.fetch_from("https://api.example/v1/events?limit=100&api_key=hush").await.unwrap_err();
    let http = error.http().unwrap();
    assert_eq!(http.url, "https://api.example/v1/events?limit=100&api_key=***");
    assert_eq!((http.status, http.tries), (Some(400), 3));
    assert_eq!(http.body_excerpt.as_deref(), Some(r#"{"error":{"message":"page size must be at most 50"}}"#));
    // Two waits of two and four seconds.
    assert_eq!(http.elapsed, Duration::from_secs(6));
    // What the API said is a field; who shows the message decides whether to show it.
    assert_eq!(error.message(), format!("GET {} answered 400 Bad Request after 3 tries", http.url));
}

#[tokio::test]
async fn a_transport_keeps_its_own_words() {
    let refused = super::super::TransportError::new(TransportErrorKind::Other, "no connection (refused)")
        .with_cause(std::io::Error::other("refused"));
    let stage = stage(&spec(Auth::None), [Answer::Error(refused)]);
    let error = stage.fetch().await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "no connection (refused)");
    assert!(source.source().unwrap().is::<std::io::Error>());
    assert_eq!(error.message(), "GET https://api.example/v1/events failed: no connection (refused)");
    assert!(error.causes().is_empty(), "the message says it all");
    let http = error.http().unwrap();
    assert_eq!((http.status, &http.body_excerpt), (None, &None));
}

/// An API that answers with all that it was sent.
fn echo(request: &http::Request<Bytes>) -> String {
    let headers = request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let headers: Vec<String> = headers.collect();
    serde_json::json!({
        "message": format!("cannot take {}", request.uri()),
        "request": {"headers": headers, "body": String::from_utf8_lossy(request.body())},
    })
    .to_string()
}

#[tokio::test]
async fn an_api_that_sends_back_what_it_was_sent_does_not_make_us_show_a_secret() {
    let bearer = Auth::Bearer { token: Secret::new("hush-1") };
    let basic = Auth::HttpBasic { username: "u".to_owned(), password: Secret::new("hush-1") };
    let headers = Auth::Headers(vec![header("x-own", "hush-1")]);
    for auth in [bearer, basic, headers, posted(), oauth2(ClientAuthentication::SecretBasic)] {
        let answers = match &auth {
            Auth::OAuth2ClientCredentials(_) => vec![TOKEN_1, Answer::Echo(422, echo)],
            _ => vec![Answer::Echo(422, echo)],
        };
        let mut spec = spec(auth);
        spec.headers.push(header("x-api-key", "hush-2"));
        let stage: Stage = stage(&spec, answers);
        let mut request = request("https://user:hush-3@api.example/v1/events?api_key=hush-4");
        request.query = vec![("token".to_owned(), "hush-5".to_owned()), ("page".to_owned(), "7".to_owned())];
        request.body = RequestBody::Json(serde_json::json!({"password": "hush-6", "filter": "open"}));
        let error = stage.client.fetch("events", &request).await.unwrap_err();
        let excerpt = error.http().unwrap().body_excerpt.clone().unwrap();
        assert!(excerpt.contains("cannot take https://") && excerpt.contains("page=7"), "{excerpt}");
        let shown = format!("{error:?} {} {excerpt}", serde_json::to_string(error.http().unwrap()).unwrap());
        for secret in ["hush", SECRET, "Bearer t1", "dTpodXNoLTE="] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

#[tokio::test]
async fn a_token_endpoint_that_refuses_tells_its_facts_without_what_it_was_sent() {
    for (answers, code, status, excerpt) in [
        (vec![Answer::Status(401, &[], r#"{"error":"invalid_client"}"#)], 3, 401, r#"{"error":"invalid_client"}"#),
        (vec![Answer::Status(404, &[], "<h1>not here</h1>")], 9, 404, "<h1>not here</h1>"),
        (vec![Answer::Status(400, &[], r#"{"message":"m","echo":"abc"}"#)], 3, 400, r#"{"message":"m","echo":"***"}"#),
        (vec![Answer::Status(503, &[], "busy"); 4], 4, 503, "busy"),
    ] {
        let stage = stage(&spec(posted()), answers);
        let error = stage.fetch().await.unwrap_err();
        let http = error.http().unwrap();
        assert_eq!((error.kind().exit_code(), http.status), (code, Some(status)), "{error:?}");
        assert_eq!((http.method.as_str(), http.url.as_str()), ("POST", "https://id.example/token?tenant=1"));
        assert_eq!(http.body_excerpt.as_deref(), Some(excerpt));
    }
}
