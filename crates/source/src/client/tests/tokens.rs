//! Tokens: how long they live, who fetches them, and what becomes of a token endpoint's answers.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::super::TransportErrorKind;
use super::{Answer, TOKEN_1, TOKEN_2, ok, posted, spec, stage, status};
use crate::spec::{Auth, JwtAlgorithm, JwtSpec, RateLimitSpec, SessionSpec, SessionToken};
use lakefeed_model::error::{ErrorKind, Result};
use lakefeed_model::event::RunEvent;
use lakefeed_model::secret::Secret;
use lakefeed_model::spec::JsonPath;

#[tokio::test]
async fn a_replaced_token_does_not_cost_a_retry() {
    let answers = [TOKEN_1, status(401), TOKEN_2, status(503), status(503), status(503), ok("a")];
    let stage = stage(&spec(posted()), answers);
    assert_eq!(stage.fetch().await.unwrap(), "a");
    assert_eq!(stage.sleeps(), [2, 4, 8]);
}

#[tokio::test]
async fn many_refused_requests_share_one_new_token() {
    const AT_ONCE: usize = 8;
    let answers = std::iter::once(TOKEN_1)
        .chain(std::iter::repeat_n(status(401), AT_ONCE))
        .chain(std::iter::once(TOKEN_2))
        .chain(std::iter::repeat_n(ok("a"), AT_ONCE));
    let stage = stage(&spec(posted()), answers);
    let results = futures::future::join_all((0..AT_ONCE).map(|_| stage.fetch())).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let seen = stage.seen();
    assert_eq!(seen.iter().filter(|request| request.starts_with("/token")).count(), 2);
    assert_eq!(seen.iter().filter(|request| request.ends_with("Bearer t2")).count(), AT_ONCE);
}

#[tokio::test]
async fn the_leeway_is_half_of_a_short_life_at_most() {
    const SHORT: Answer = Answer::Status(200, &[], r#"{"access_token":"short","expires_in":40}"#);
    let stage = stage(&spec(posted()), [SHORT, ok("a"), ok("b"), TOKEN_2, ok("c")]);
    stage.fetch().await.unwrap();
    stage.clock.advance(Duration::from_secs(19));
    stage.fetch().await.unwrap();
    stage.clock.advance(Duration::from_secs(1));
    stage.fetch().await.unwrap();
    let expected =
        ["/token -", "/v1/events Bearer short", "/v1/events Bearer short", "/token -", "/v1/events Bearer t2"];
    assert_eq!(stage.seen(), expected);
}

#[tokio::test]
async fn a_token_without_a_life_is_used_once() {
    const DEAD: Answer = Answer::Status(200, &[], r#"{"access_token":"once","expires_in":0}"#);
    let stage = stage(&spec(posted()), [DEAD, ok("a"), DEAD, ok("b")]);
    stage.fetch().await.unwrap();
    stage.fetch().await.unwrap();
    assert_eq!(stage.seen(), ["/token -", "/v1/events Bearer once", "/token -", "/v1/events Bearer once"]);
}

#[tokio::test]
async fn a_token_of_unknown_or_absurd_life_is_no_problem() {
    for (token, lives) in [
        (r#"{"access_token":"t"}"#, 3_600.0),
        (r#"{"access_token":"t","expires_in":"soon"}"#, 3_600.0),
        (r#"{"access_token":"t","expires_in":1e30}"#, 3_600.0),
        (r#"{"access_token":"t","expires_in":1.8e19}"#, 1.8e19),
    ] {
        let stage = stage(&spec(posted()), [Answer::Status(201, &[("content-type", "text/plain")], token), ok("a")]);
        stage.clock.advance(Duration::from_secs(1_000_000));
        assert_eq!(stage.fetch().await.unwrap(), "a", "{token}");
        let events = stage.events.0.lock().unwrap();
        let lifetime = events.iter().find_map(|event| match event {
            RunEvent::TokenFetched { lifetime, .. } => Some(lifetime.as_secs_f64()),
            _ => None,
        });
        assert!((lifetime.unwrap() / lives - 1.0).abs() < 1e-9, "{token}: {lifetime:?}");
    }
}

#[tokio::test]
async fn a_token_is_fresh_also_after_a_long_wait_for_a_turn() {
    const SHORT: Answer = Answer::Status(200, &[], r#"{"access_token":"short","expires_in":40}"#);
    let mut spec = spec(posted());
    spec.rate_limit = Some(RateLimitSpec { requests_per_second: 0.01 });
    let stage = stage(&spec, [SHORT, ok("a"), TOKEN_2, ok("b")]);
    stage.fetch().await.unwrap();
    stage.fetch().await.unwrap();
    assert_eq!(stage.seen()[2..], ["/token -", "/v1/events Bearer t2"]);
    let seen_at = stage.script.seen_at.lock().unwrap();
    let ages: Vec<_> = seen_at.chunks(2).map(|pair| pair[1].saturating_sub(pair[0]).as_secs()).collect();
    assert_eq!(ages, [0, 0], "ages of the tokens when they went out");
}

#[tokio::test]
async fn the_token_endpoint_fails_with_the_kind_that_the_operator_needs() {
    for (answers, kind, words) in [
        (
            vec![Answer::Status(401, &[], "<html>no</html>")],
            ErrorKind::Auth,
            "POST https://id.example/token?tenant=1 answered 401",
        ),
        (vec![Answer::Status(403, &[], "")], ErrorKind::Auth, "answered 403"),
        (vec![Answer::Status(404, &[], "<html>")], ErrorKind::Refused, "answered 404"),
        (vec![Answer::Status(422, &[], r#"{"error":"invalid_request"}"#)], ErrorKind::Auth, "invalid_request"),
        (
            vec![Answer::Status(429, &[], r#"{"error":"slow_down"}"#); 4],
            ErrorKind::Source,
            "answered 429 Too Many Requests after 4 tries",
        ),
        (vec![status(503); 4], ErrorKind::Source, "after 4 tries"),
        (vec![Answer::Fails(TransportErrorKind::Connect); 4], ErrorKind::Source, "failed after 4 tries"),
        (vec![ok("")], ErrorKind::Auth, "did not answer with a token"),
        (vec![ok(r#"{"access_token":""}"#)], ErrorKind::Auth, "empty access_token"),
        (vec![ok(r#"{"access_token":null}"#)], ErrorKind::Auth, "did not answer with a token"),
    ] {
        let stage = stage(&spec(posted()), answers.clone());
        let error = stage.fetch().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answers:?}: {error:?}");
        assert!(error.to_string().contains(words) && !error.hints().is_empty(), "{error:?}");
        assert!(!error.hints().iter().any(|hint| hint.contains("base_url")), "{error:?}");
    }
}

#[tokio::test]
async fn what_the_token_endpoint_says_is_shown_on_one_line_without_secrets() {
    const ECHO: Answer = Answer::Status(
        400,
        &[],
        r#"{"error":"invalid_request","error_description":"client_secret=s3cr3t-with%3Aspecial%2Fchars%2B%26\nassertion hunter2 of scope events.read"}"#,
    );
    let Auth::OAuth2ClientCredentials(mut oauth2) = posted() else { unreachable!() };
    oauth2.request_data.push(("assertion".to_owned(), Secret::new("hunter2")));
    let spoken = stage(&spec(Auth::OAuth2ClientCredentials(oauth2.clone())), [ECHO]);
    let error = spoken.fetch().await.unwrap_err();
    assert!(error.to_string().ends_with("client_secret=*** assertion *** of scope events.read"), "{error}");
    // An empty secret must not turn every place between two letters into stars.
    oauth2.client_secret = Secret::new("");
    let empty =
        stage(&spec(Auth::OAuth2ClientCredentials(oauth2)), [Answer::Status(400, &[], r#"{"error":"invalid_scope"}"#)]);
    assert!(empty.fetch().await.unwrap_err().to_string().ends_with("refused the client with 400: invalid_scope"));
}

#[tokio::test]
async fn a_login_that_fails_shows_neither_what_was_sent_nor_what_came() {
    const PASSWORD: &str = "hunter2-of-mine";
    const ELSEWHERE: Answer = Answer::Status(200, &[], r#"{"session": {"tokn": "came-back"}}"#);
    let session = Auth::Session(SessionSpec {
        login_url: Url::parse("https://api.example/login").unwrap(),
        body: Secret::new(format!(r#"{{"user": "me", "password": "{PASSWORD}"}}"#)),
        token: SessionToken::Body(JsonPath::parse("session.token").unwrap()),
        header: http::HeaderName::from_static("x-session"),
        prefix: String::new(),
        lifetime: Duration::from_secs(60),
    });
    let jwt = Auth::Jwt(JwtSpec {
        algorithm: JwtAlgorithm::Hs256,
        key: Secret::new(PASSWORD),
        key_id: None,
        claims: serde_json::Map::new(),
        lifetime: Duration::from_secs(60),
        token_url: Some(Url::parse("https://api.example/token").unwrap()),
    });
    let echo = |request: &http::Request<Bytes>| String::from_utf8_lossy(request.body()).into_owned();
    let refused = || Answer::Echo(401, echo);
    for (auth, answer, words) in [
        (&session, refused(), "POST https://api.example/login answered 401"),
        (&session, ELSEWHERE, "there is no session.token in the answer"),
        (&jwt, refused(), "POST https://api.example/token answered 401"),
        (&jwt, ELSEWHERE, "there is no access_token in the answer"),
    ] {
        let stage = stage(&spec(auth.clone()), [answer]);
        let error = stage.fetch().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        let sent = stage.script.seen.lock().unwrap()[0].body().clone();
        let sent = String::from_utf8_lossy(&sent).into_owned();
        let assertion = sent.split_once("assertion=").map_or("hunter2", |(_, assertion)| assertion);
        let shown = format!("{error:?} {error} {:?} {:?}", error.causes(), stage.events);
        assert!(shown.contains(words), "{shown}");
        for secret in ["hunter2", "came-back", assertion] {
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
}
