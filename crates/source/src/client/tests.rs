//! The loop over a scripted transport and a clock that is moved by hand, and the real transport
//! over real sockets.

mod failures;
mod sockets;
mod tokens;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderName, StatusCode};
use url::Url;

use super::{
    ApiRequest, Client, Components, Fetched, RequestBody, SendLimits, Transport, TransportError, TransportErrorKind,
};
use crate::spec::{
    ApiKeyLocation, Auth, ClientAuthentication, ClientSpec, Header, Method, OAuth2Spec, RateLimitSpec, RetrySpec,
    Timeouts,
};
use lakefeed_model::clock::{Clock as _, ManualClock};
use lakefeed_model::error::{Error, ErrorKind, Result};
use lakefeed_model::event::{Observer, RunEvent};
use lakefeed_model::secret::Secret;
use lakefeed_model::spec::Limits;

const SECRET: &str = "s3cr3t-with:special/chars+&";

/// What the script answers with.
#[derive(Debug, Clone)]
enum Answer {
    Status(u16, &'static [(&'static str, &'static str)], &'static str),
    Fails(TransportErrorKind),
    Error(TransportError),
    /// What is made of the request.
    Echo(u16, fn(&http::Request<Bytes>) -> String),
}

fn ok(body: &'static str) -> Answer {
    Answer::Status(200, &[], body)
}

fn status(status: u16) -> Answer {
    Answer::Status(status, &[], "{}")
}

/// A transport that answers from a list and remembers what it was asked. Answering takes some time.
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<http::Request<Bytes>>>,
    seen_at: Mutex<Vec<Duration>>,
    clock: Arc<ManualClock>,
    delay: Duration,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.seen.lock().unwrap().push(request.clone());
        self.seen_at.lock().unwrap().push(self.clock.monotonic());
        tokio::task::yield_now().await;
        self.clock.advance(self.delay);
        let answer = self.answers.lock().unwrap().pop_front().expect("the script has no more answers");
        match answer {
            Answer::Fails(kind) => Err(TransportError::new(kind, "on demand")),
            Answer::Error(error) => Err(error),
            Answer::Echo(status, echo) => {
                let mut response = http::Response::new(Bytes::from(echo(&request)));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok(response)
            }
            Answer::Status(status, headers, body) => {
                let mut response = http::Response::new(Bytes::from_static(body.as_bytes()));
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                for (name, value) in headers {
                    response.headers_mut().insert(*name, value.parse().unwrap());
                }
                Ok(response)
            }
        }
    }
}

#[derive(Debug, Default)]
struct Events(Mutex<Vec<RunEvent>>);

impl Observer for Events {
    fn observe(&self, event: &RunEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

struct Stage {
    script: Arc<Script>,
    clock: Arc<ManualClock>,
    events: Arc<Events>,
    client: Client,
}

fn spec(auth: Auth) -> ClientSpec {
    ClientSpec {
        base_url: Url::parse("https://api.example/v1").unwrap(),
        headers: vec![header("x-version", "7"), header("x-team", "data")],
        auth,
        retry: RetrySpec {
            statuses: [429, 500, 502, 503, 504].map(|status| StatusCode::from_u16(status).unwrap()).to_vec(),
            max_retries: 3,
            backoff_factor: 2.0,
            max_wait: Duration::from_secs(300),
            jitter: 0.0,
        },
        rate_limit: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(1),
            read: Duration::from_secs(1),
            total: Duration::from_secs(1),
        },
        concurrency: 8,
        allowed_hosts: Vec::new(),
        allow_http: false,
    }
}

fn header(name: &'static str, value: &str) -> Header {
    Header { name: HeaderName::from_static(name), value: Secret::new(value) }
}

fn oauth2(client_authentication: ClientAuthentication) -> Auth {
    Auth::OAuth2ClientCredentials(OAuth2Spec {
        token_url: Url::parse("https://id.example/token?tenant=1").unwrap(),
        client_id: "me".to_owned(),
        client_secret: Secret::new(SECRET),
        client_authentication,
        request_data: vec![("scope".to_owned(), Secret::new("events.read"))],
        default_token_expiration: Duration::from_secs(3_600),
        expiry_leeway: Duration::from_secs(60),
    })
}

fn posted() -> Auth {
    oauth2(ClientAuthentication::SecretPost)
}

fn stage(spec: &ClientSpec, answers: impl IntoIterator<Item = Answer>) -> Stage {
    let clock = Arc::new(ManualClock::new(chrono::DateTime::from_timestamp(1_795_392_000, 0).unwrap()));
    let events = Arc::new(Events::default());
    let script = Arc::new(Script {
        answers: Mutex::new(answers.into_iter().collect()),
        seen: Mutex::default(),
        seen_at: Mutex::default(),
        clock: Arc::clone(&clock),
        delay: Duration::ZERO,
    });
    let components = Components {
        transport: Arc::<Script>::clone(&script),
        clock: Arc::<ManualClock>::clone(&clock),
        observer: Arc::<Events>::clone(&events),
        jitter_seed: 1,
    };
    Stage { client: Client::new(spec, &Limits::default(), components), script, clock, events }
}

fn request(url: &str) -> ApiRequest {
    ApiRequest {
        method: Method::Get,
        url: Url::parse(url).unwrap(),
        query: Vec::new(),
        headers: Vec::new(),
        body: RequestBody::None,
        actions: Arc::from([]),
        auth: None,
    }
}

impl Stage {
    async fn fetch(&self) -> Result<Bytes> {
        self.fetch_from("https://api.example/v1/events").await
    }

    async fn fetch_from(&self, url: &str) -> Result<Bytes> {
        self.client.fetch("events", &request(url)).await.map(|fetched| match fetched {
            Fetched::Answer(response) => response.body,
            Fetched::Ignored => Bytes::from_static(b"ignored"),
        })
    }

    /// Each request that went out: its path and its credentials.
    fn seen(&self) -> Vec<String> {
        let shown = |request: &http::Request<Bytes>| {
            let authorization = request.headers().get("authorization").map_or("-", |value| value.to_str().unwrap());
            format!("{} {authorization}", request.uri().path())
        };
        self.script.seen.lock().unwrap().iter().map(shown).collect()
    }

    fn sleeps(&self) -> Vec<u64> {
        self.clock.sleeps().iter().map(Duration::as_secs).collect()
    }
}

const TOKEN_1: Answer = Answer::Status(200, &[], r#"{"access_token":"t1","expires_in":3600}"#);
const TOKEN_2: Answer = Answer::Status(200, &[], r#"{"access_token":"t2","expires_in":3600,"token_type":"bearer"}"#);

#[tokio::test]
async fn failures_are_tried_again_and_nothing_of_them_is_kept() {
    let answers = [
        status(503),
        Answer::Fails(TransportErrorKind::Truncated),
        Answer::Fails(TransportErrorKind::Closed),
        ok("page"),
    ];
    let stage = stage(&spec(Auth::None), answers);
    assert_eq!(stage.fetch().await.unwrap(), "page");
    assert_eq!(stage.sleeps(), [2, 4, 8]);
    let events = stage.events.0.lock().unwrap();
    let retries: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::RetryScheduled { retry, .. } => Some((retry.status, retry.reason.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(retries, [(Some(503), "status 503"), (None, "on demand"), (None, "on demand")]);
}

#[tokio::test]
async fn hope_ends_after_three_retries_with_the_status_and_the_tries() {
    let stage = stage(&spec(Auth::None), [status(500), status(500), status(500), status(502)]);
    let error = stage.fetch().await.unwrap_err();
    assert_eq!(error.to_string(), "GET https://api.example/v1/events answered 502 Bad Gateway after 4 tries");
    assert_eq!(error.kind(), ErrorKind::Source);
}

#[tokio::test]
async fn a_token_is_fetched_once_and_goes_with_every_request() {
    let stage = stage(&spec(posted()), [TOKEN_1, ok("a"), ok("b")]);
    stage.fetch().await.unwrap();
    stage.fetch().await.unwrap();
    assert_eq!(stage.seen(), ["/token -", "/v1/events Bearer t1", "/v1/events Bearer t1"]);
    let seen = stage.script.seen.lock().unwrap();
    let form: Vec<(String, String)> = url::form_urlencoded::parse(seen[0].body()).into_owned().collect();
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(field("grant_type"), Some("client_credentials"));
    assert_eq!((field("client_id"), field("client_secret")), (Some("me"), Some(SECRET)));
    assert_eq!(field("scope"), Some("events.read"));
    assert_eq!(seen[0].uri().query(), Some("tenant=1"));
}

#[tokio::test]
async fn basic_client_authentication_encodes_as_the_rfc_says() {
    let stage = stage(&spec(oauth2(ClientAuthentication::SecretBasic)), [TOKEN_1, ok("a")]);
    stage.fetch().await.unwrap();
    // base64 of me:s3cr3t-with%3Aspecial%2Fchars%2B%26 (RFC 6749 §2.3.1).
    assert_eq!(stage.seen()[0], "/token Basic bWU6czNjcjN0LXdpdGglM0FzcGVjaWFsJTJGY2hhcnMlMkIlMjY=");
    assert!(!String::from_utf8_lossy(stage.script.seen.lock().unwrap()[0].body()).contains("client_secret"));
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_expires_also_between_two_tries() {
    let stage = stage(&spec(posted()), [TOKEN_1, ok("a"), TOKEN_2, ok("b"), status(503), TOKEN_1, ok("c")]);
    stage.fetch().await.unwrap();
    stage.clock.advance(Duration::from_secs(3_545));
    stage.fetch().await.unwrap();
    assert_eq!(stage.seen()[2..], ["/token -", "/v1/events Bearer t2"]);
    // The second token gets old while a retry waits.
    stage.clock.advance(Duration::from_secs(3_539));
    stage.fetch().await.unwrap();
    assert_eq!(stage.seen()[4..], ["/v1/events Bearer t2", "/token -", "/v1/events Bearer t1"]);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let replaced = stage(&spec(posted()), [TOKEN_1, status(401), TOKEN_2, ok("a")]);
    assert_eq!(replaced.fetch().await.unwrap(), "a");
    assert_eq!(replaced.seen()[1..], ["/v1/events Bearer t1", "/token -", "/v1/events Bearer t2"]);
    assert!(replaced.sleeps().is_empty());

    let refused = stage(&spec(posted()), [TOKEN_1, status(401), TOKEN_2, status(401)]);
    let error = refused.fetch().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("401"), "{error}");
}

#[tokio::test]
async fn many_requests_at_once_share_one_refresh() {
    let answers = std::iter::once(TOKEN_1).chain(std::iter::repeat_n(ok("a"), 20));
    let stage = stage(&spec(posted()), answers);
    let results = futures::future::join_all((0..20).map(|_| stage.fetch())).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(stage.seen().iter().filter(|request| request.starts_with("/token")).count(), 1);
}

#[tokio::test]
async fn a_token_endpoint_that_refuses_is_an_authentication_error_without_the_secret() {
    let description = r#"{"error":"invalid_client","error_description":"s3cr3t-with:special/chars+& is wrong"}"#;
    for (answers, words) in [
        (vec![Answer::Status(401, &[], description)], "refused the client with 401: invalid_client: *** is wrong"),
        (vec![Answer::Status(400, &[], r#"{"error":"invalid_scope"}"#)], "invalid_scope"),
        (vec![ok(r#"{"token":"t"}"#)], "did not answer with a token"),
        (vec![ok("<html>")], "did not answer with a token"),
    ] {
        let stage = stage(&spec(posted()), answers);
        let error = stage.fetch().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        let shown = format!("{error} {:?} {:?} {error:?}", error.causes(), error.hints());
        assert!(shown.contains(words) && shown.contains("https://id.example/token"), "{shown}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
    let flaky = stage(&spec(posted()), [status(503), TOKEN_1, ok("a")]);
    assert_eq!(flaky.fetch().await.unwrap(), "a");
    assert_eq!(flaky.sleeps(), [2]);
}

#[tokio::test]
async fn credentials_stay_on_their_origin() {
    let key = |location| Auth::ApiKey { name: "key".to_owned(), key: Secret::new(SECRET), location };
    for auth in [
        Auth::Bearer { token: Secret::new("tok") },
        Auth::HttpBasic { username: "u".to_owned(), password: Secret::new("p") },
        key(ApiKeyLocation::Header),
        key(ApiKeyLocation::Query),
        key(ApiKeyLocation::Cookie),
        posted(),
    ] {
        for url in ["https://elsewhere.example/x", "http://127.0.0.1/v1/events", "https://api.example:8443/v1/events"] {
            let stage = stage(&spec(auth.clone()), [ok("a")]);
            stage.fetch_from(url).await.unwrap();
            let seen = stage.script.seen.lock().unwrap();
            let headers = seen[0].headers();
            assert!(["authorization", "cookie", "key"].iter().all(|name| !headers.contains_key(*name)), "{auth:?}");
            assert_eq!(seen[0].uri().query(), None);
        }
    }
}

#[tokio::test]
async fn a_budget_that_is_used_up_is_waited_for_instead_of_running_into_a_429() {
    let used_up = Answer::Status(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "30")], "a");
    let endless = Answer::Status(200, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "86400")], "b");
    let stage = stage(&spec(Auth::None), [used_up, endless, ok("c")]);
    for _ in 0..3 {
        stage.fetch().await.unwrap();
    }
    // A wait is never longer than retry.max_wait_seconds.
    assert_eq!(stage.clock.sleeps(), [Duration::from_secs(30), Duration::from_secs(300)]);
}

#[tokio::test]
async fn allowed_hosts_get_the_credentials_and_links_may_lead_there() {
    let bearer = Auth::Bearer { token: Secret::new("tok") };
    let spec =
        ClientSpec { allowed_hosts: vec!["more.example".to_owned(), "odd.example:8443".to_owned()], ..spec(bearer) };
    for (url, is_allowed) in [
        ("https://more.example/x", true),
        ("https://odd.example:8443/x", true),
        ("https://odd.example/x", false),
        ("https://api.example/x", true),
        ("https://evil-more.example/x", false),
    ] {
        let stage = stage(&spec, [ok("a")]);
        stage.fetch_from(url).await.unwrap();
        let seen = stage.script.seen.lock().unwrap();
        assert_eq!(seen[0].headers().contains_key("authorization"), is_allowed, "{url}");
        assert_eq!(stage.client.check_link(&Url::parse(url).unwrap()).is_ok(), is_allowed, "{url}");
    }
}

#[tokio::test]
async fn plain_http_to_another_machine_is_not_spoken_unless_it_is_allowed() {
    let refused = stage(&spec(Auth::None), [ok("a")]);
    let error = refused.fetch_from("http://api.example/v1/events").await.unwrap_err();
    assert!(error.hints()[0].contains("allow_http"), "{error:?}");
    assert!(refused.script.seen.lock().unwrap().is_empty());
    let allowed = stage(&ClientSpec { allow_http: true, ..spec(Auth::None) }, [ok("a")]);
    allowed.fetch_from("http://api.example/v1/events").await.unwrap();
}

#[tokio::test]
async fn each_kind_of_credentials_goes_where_it_belongs_and_is_never_shown() {
    let key = |location| Auth::ApiKey { name: "Key".to_owned(), key: Secret::new("kkk"), location };
    for (auth, expected) in [
        (Auth::Bearer { token: Secret::new("kkk") }, "authorization: Bearer kkk"),
        (Auth::HttpBasic { username: "u".to_owned(), password: Secret::new("kkk") }, "authorization: Basic dTpra2s="),
        (key(ApiKeyLocation::Header), "key: kkk"),
        (key(ApiKeyLocation::Cookie), "cookie: Key=kkk"),
        (key(ApiKeyLocation::Query), "query: Key=kkk"),
    ] {
        let stage = stage(&spec(auth), [status(404)]);
        let error: Error = stage.fetch().await.unwrap_err();
        let shown = format!("{error} {error:?} {:?} {:?}", stage.client, stage.events);
        assert!(!shown.contains("kkk") && !shown.contains("dTpra2s"), "{shown}");
        let seen = stage.script.seen.lock().unwrap();
        let (place, value) = expected.split_once(": ").unwrap();
        let found = match place {
            "query" => seen[0].uri().query(),
            name => seen[0].headers().get(name).map(|value| value.to_str().unwrap()),
        };
        assert_eq!(found, Some(value));
    }
}

#[tokio::test]
async fn headers_of_the_request_win_and_the_body_is_json() {
    let stage = stage(&spec(Auth::None), [ok("a")]);
    let mut request = request("https://api.example/v1/events?fixed=1");
    request.method = Method::Post;
    request.headers = vec![header("x-version", "8")];
    request.query = vec![("q".to_owned(), "a b&c".to_owned())];
    request.body = RequestBody::Json(serde_json::json!({"page": 1}));
    stage.client.fetch("events", &request).await.unwrap();
    let seen = stage.script.seen.lock().unwrap();
    assert_eq!((seen[0].method().as_str(), seen[0].uri().query()), ("POST", Some("fixed=1&q=a+b%26c")));
    let header = |name: &str| seen[0].headers().get(name).unwrap().to_str().unwrap();
    assert_eq!((header("x-version"), header("x-team"), header("content-type")), ("8", "data", "application/json"));
    assert_eq!(seen[0].body(), r#"{"page":1}"#);
}

#[tokio::test]
async fn requests_keep_to_the_rate() {
    let mut spec = spec(Auth::None);
    spec.rate_limit = Some(RateLimitSpec { requests_per_second: 2.0 });
    let stage = stage(&spec, std::iter::repeat_n(ok("a"), 12));
    let started = stage.clock.monotonic();
    for _ in 0..12 {
        stage.fetch().await.unwrap();
    }
    let took = stage.clock.monotonic().saturating_sub(started).as_secs_f64();
    assert!((4.9..5.2).contains(&took), "12 requests at 2 a second, the first two at once, took {took} s");
}

#[tokio::test]
async fn extra_request_data_replaces_our_fields() {
    let Auth::OAuth2ClientCredentials(mut oauth2) = posted() else { unreachable!() };
    oauth2.request_data.push(("grant_type".to_owned(), Secret::new("account_credentials")));
    let stage = stage(&spec(Auth::OAuth2ClientCredentials(oauth2)), [TOKEN_1, ok("a")]);
    stage.fetch().await.unwrap();
    let seen = stage.script.seen.lock().unwrap();
    let fields = url::form_urlencoded::parse(seen[0].body()).filter(|(name, _)| name == "grant_type");
    assert_eq!(fields.map(|(_, value)| value.into_owned()).collect::<Vec<_>>(), ["account_credentials"]);
}

#[tokio::test]
async fn headers_of_the_client_that_carry_credentials_stay_on_their_origin() {
    let mut spec = spec(Auth::None);
    spec.headers.extend([header("x-api-key", "kkk"), header("cookie", "a=kkk"), header("authorization", "Basic kkk")]);
    for (url, expected) in [("https://api.example/v1/events", 3), ("https://elsewhere.example/x", 0)] {
        let stage = stage(&spec, [ok("a")]);
        stage.fetch_from(url).await.unwrap();
        let seen = stage.script.seen.lock().unwrap();
        let carried = seen[0].headers().values().filter(|value| value.to_str().unwrap().contains("kkk")).count();
        assert_eq!(carried, expected, "{url}");
        assert_eq!(seen[0].headers()["x-team"], "data");
    }
}

#[tokio::test]
async fn a_refusal_says_where_to_look() {
    let key = || Auth::Bearer { token: Secret::new("k") };
    for (auth, url, words) in [
        (Auth::None, "https://api.example/v1/events", "set client.auth"),
        (key(), "https://api.example/v1/events", "check the credentials in client.auth"),
        (key(), "https://elsewhere.example/x", "not the origin of client.base_url"),
    ] {
        let stage = stage(&spec(auth), [status(401)]);
        let error = stage.fetch_from(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.hints()[0].contains(words), "{:?}", error.hints());
    }
}

#[tokio::test]
async fn a_cookie_of_ours_stands_beside_those_of_the_pipeline() {
    let mut spec =
        spec(Auth::ApiKey { name: "sid".to_owned(), key: Secret::new("k"), location: ApiKeyLocation::Cookie });
    spec.headers.push(header("cookie", "theme=dark"));
    let stage = stage(&spec, [ok("a")]);
    stage.fetch().await.unwrap();
    assert_eq!(stage.script.seen.lock().unwrap()[0].headers()["cookie"], "theme=dark; sid=k");
}

#[tokio::test]
async fn nothing_that_is_printed_shows_a_secret() {
    let mut request = request("https://user:hush-1@api.example/v1/events?api_key=hush-2");
    request.query = vec![("token".to_owned(), "hush-3".to_owned()), ("normal".to_owned(), "v".to_owned())];
    request.headers = vec![header("x-key", "hush-4")];
    request.body = RequestBody::Json(serde_json::json!({"password": "hush-5"}));
    for auth in [
        Auth::Bearer { token: Secret::new("hush-6") },
        Auth::HttpBasic { username: "u".to_owned(), password: Secret::new("hush-6") },
        Auth::ApiKey { name: "mine".to_owned(), key: Secret::new("hush-6"), location: ApiKeyLocation::Query },
        Auth::ApiKey { name: "mine".to_owned(), key: Secret::new("hush-6"), location: ApiKeyLocation::Cookie },
        Auth::ApiKey { name: "mine".to_owned(), key: Secret::new("hush-6"), location: ApiKeyLocation::Header },
        Auth::OAuth2ClientCredentials(OAuth2Spec {
            client_secret: Secret::new("hush-6"),
            request_data: vec![("password".to_owned(), Secret::new("hush-7"))],
            ..match posted() {
                Auth::OAuth2ClientCredentials(spec) => spec,
                _ => unreachable!(),
            }
        }),
    ] {
        let uses_token = matches!(auth, Auth::OAuth2ClientCredentials(_));
        let token = uses_token.then_some(Answer::Status(200, &[], r#"{"access_token":"hush-8","expires_in":3600}"#));
        let answers = [
            Answer::Status(200, &[("set-cookie", "sid=hush-9")], "hush-9"),
            Answer::Fails(TransportErrorKind::Closed),
            Answer::Status(404, &[], "Resource hush-9 not found"),
        ];
        let stage = stage(&spec(auth), token.into_iter().chain(answers));
        let response = stage.client.fetch("events", &request).await.unwrap();
        let error = stage.client.fetch("events", &request).await.unwrap_err();
        let place = stage.client.place(&request);
        assert_eq!(place, "GET https://api.example/v1/events?api_key=***&token=***&normal=v");
        assert!(error.to_string().starts_with(&place), "{error}");
        let client = &stage.client;
        let shown = format!(
            "{request:?} {response:?} {client:?} {:?} {error} {error:?} {:?} {:?} {place}",
            stage.events,
            error.causes(),
            error.hints()
        );
        assert!(!shown.contains("hush"), "{shown}");
    }
}
