//! The demo's HTTP server.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::{get, post};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::faults::{Fault, Faults};
use super::world::{Changes, Detail, World};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, Result};

const CLIENT_ID: &str = "demo-client";

/// Not a secret, but it has the characters that real ones trip over.
const CLIENT_SECRET: &str = "demo-s3cr3t-with:special/chars+&";

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// How the demo's API is set up.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Events in the calendar at first.
    pub events: usize,
    /// Where the calendar's randomness starts.
    pub seed: u64,
    /// Days over which the events are spread, two at least.
    pub days: u32,
    /// How long a token lives.
    pub token_lifetime: Duration,
    /// The port on 127.0.0.1; 0 for a free one.
    pub port: u16,
    /// What goes wrong from the start.
    pub faults: Faults,
    /// How long every page takes, besides what it costs to make it.
    pub latency: Duration,
    /// Whether a page that was made is kept until the calendar changes, so that a benchmark does
    /// not measure how it is made.
    pub keeps_pages: bool,
    /// Whether pages are compressed with gzip for clients that take it.
    pub compresses: bool,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            events: 1_000,
            seed: 42,
            days: 30,
            token_lifetime: Duration::from_secs(3_600),
            port: 0,
            faults: Faults::none(),
            latency: Duration::ZERO,
            keeps_pages: false,
            compresses: false,
        }
    }
}

/// A running API. It ends when this is dropped.
#[derive(Debug)]
pub struct DemoServer {
    base_url: String,
    state: Arc<ServerState>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct ServerState {
    world: Mutex<World>,
    tokens: Mutex<Tokens>,
    faults: Mutex<(Faults, u64)>,
    latency: Duration,
    compresses: bool,
    /// Pages that were made, when they are kept.
    pages: Option<Mutex<HashMap<PageKey, Bytes>>>,
    clock: lakefeed_model::clock::SystemClock,
}

/// What a page was asked for by: offset, limit, detail, and whether it is compressed.
type PageKey = (usize, usize, Detail, bool);

#[derive(Debug)]
struct Tokens {
    lifetime: Duration,
    issued: u64,
    /// Valid tokens and when they expire, on the monotonic clock.
    valid: HashMap<String, Duration>,
}

impl DemoServer {
    /// Starts the API on loopback.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: DemoOptions) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(|error| {
            Error::config(format!("the demo API cannot listen on 127.0.0.1:{}", options.port))
                .with_source(error)
                .with_hint("choose another --port, or 0 for a free one")
        })?;
        let address =
            listener.local_addr().map_err(|error| Error::config("the demo API has no address").with_source(error))?;
        let state = Arc::new(ServerState {
            world: Mutex::new(World::new(options.events, options.seed, options.days)),
            tokens: Mutex::new(Tokens { lifetime: options.token_lifetime, issued: 0, valid: HashMap::new() }),
            faults: Mutex::new((options.faults, 0)),
            latency: options.latency,
            compresses: options.compresses,
            pages: options.keeps_pages.then(Mutex::default),
            clock: lakefeed_model::clock::SystemClock::new(),
        });
        let app = Router::new()
            .route("/oauth/token", post(token))
            .route("/v1/events", get(events))
            .route("/healthz", get(|| async { "ok" }))
            .with_state(Arc::clone(&state));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let serving = axum::serve(listener, app);
            tokio::select! {
                _ended = async { serving.await } => {}
                _stopped = stopped => {}
            }
        });
        Ok(Self { base_url: format!("http://{address}"), state, _stop: stop })
    }

    /// Returns `http://127.0.0.1:<port>`
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Returns the one client that the token endpoint knows.
    pub fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// Returns the client's secret.
    pub fn client_secret(&self) -> &'static str {
        CLIENT_SECRET
    }

    /// Lets time pass in the calendar.
    pub fn advance(&self) -> Changes {
        let mut world = lock(&self.state.world);
        if let Some(pages) = &self.state.pages {
            lock(pages).clear();
        }
        world.advance()
    }

    /// Sets what goes wrong; requests are counted anew.
    pub fn set_faults(&self, faults: Faults) {
        *lock(&self.state.faults) = (faults, 0);
    }

    /// Returns how many requests for events have come since faults were set.
    pub fn requests(&self) -> u64 {
        lock(&self.state.faults).1
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers by RFC 6749 §4.4, with `client_secret_basic` and `client_secret_post`.
async fn token(State(state): State<Arc<ServerState>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (id, secret) = basic_credentials(&headers).unwrap_or_else(|| (field("client_id"), field("client_secret")));
    if (id.as_str(), secret.as_str()) != (CLIENT_ID, CLIENT_SECRET) {
        let error = r#"{"error":"invalid_client","error_description":"client authentication failed"}"#;
        return json(StatusCode::UNAUTHORIZED, error.to_owned());
    }
    if field("grant_type") != "client_credentials" {
        return json(StatusCode::BAD_REQUEST, r#"{"error":"unsupported_grant_type"}"#.to_owned());
    }
    let now = state.clock.monotonic();
    let mut tokens = lock(&state.tokens);
    tokens.issued += 1;
    let token = format!("demo-token-{:06}", tokens.issued);
    let lifetime = tokens.lifetime;
    tokens.valid.retain(|_, expiry| *expiry > now);
    tokens.valid.insert(token.clone(), now + lifetime);
    let seconds = lifetime.as_secs();
    json(StatusCode::OK, format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{seconds}}}"#))
}

async fn events(
    State(state): State<Arc<ServerState>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response<Body> {
    let fault = {
        let mut faults = lock(&state.faults);
        let number = faults.1;
        faults.1 += 1;
        faults.0.of_request(number)
    };
    if fault == Some(Fault::TokenRevoked) {
        lock(&state.tokens).valid.clear();
    }
    if !is_authorised(&state, &headers) {
        return json(StatusCode::UNAUTHORIZED, r#"{"error":"invalid_token"}"#.to_owned());
    }
    let number = |name: &str, default: usize| query.get(name).map_or(Some(default), |text| text.parse().ok());
    let (Some(offset), Some(limit)) = (number("offset", 0), number("limit", LIMIT_DEFAULT)) else {
        return json(StatusCode::BAD_REQUEST, r#"{"error":"offset and limit are integers"}"#.to_owned());
    };
    if limit == 0 || limit > LIMIT_MAX {
        return json(StatusCode::BAD_REQUEST, format!(r#"{{"error":"limit is between 1 and {LIMIT_MAX}"}}"#));
    }
    let detail = match query.get("detail").map(String::as_str) {
        None | Some("basic") => Detail::Basic,
        Some("full") => Detail::Full,
        Some(_) => return json(StatusCode::BAD_REQUEST, r#"{"error":"detail is basic or full"}"#.to_owned()),
    };
    if !state.latency.is_zero() {
        state.clock.sleep(state.latency).await;
    }
    match fault {
        None => {
            let compressed = state.compresses && takes_gzip(&headers);
            let mut response = json(StatusCode::OK, state.page((offset, limit, detail, compressed)));
            if compressed {
                response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
            }
            response
        }
        Some(fault) => {
            let page = {
                let world = lock(&state.world);
                let too_many = if fault == Fault::TotalTooLarge { 10 } else { 0 };
                world.page((offset, limit), world.events().len() + too_many, detail)
            };
            answer(&state, fault, page).await
        }
    }
}

impl ServerState {
    fn page(&self, key: PageKey) -> Bytes {
        let (offset, limit, detail, compressed) = key;
        if let Some(page) = self.pages.as_ref().and_then(|pages| lock(pages).get(&key).cloned()) {
            return page;
        }
        let world = lock(&self.world);
        let page = world.page((offset, limit), world.events().len(), detail);
        let page = Bytes::from(if compressed { gzip(&page) } else { page.into_bytes() });
        if let Some(pages) = &self.pages {
            lock(pages).insert(key, page.clone());
        }
        page
    }
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    codings.split(',').any(|coding| coding.trim() == "gzip")
}

fn gzip(page: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _infallible = out.write_all(page.as_bytes());
    out.finish().unwrap_or_default()
}

/// Returns what the fault makes of a page.
async fn answer(state: &ServerState, fault: Fault, page: String) -> Response<Body> {
    match fault {
        Fault::TotalTooLarge | Fault::TokenRevoked => json(StatusCode::OK, page),
        Fault::Slow(delay) => {
            state.clock.sleep(delay).await;
            json(StatusCode::OK, page)
        }
        Fault::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json(status, r#"{"error":"on demand"}"#.to_owned())
        }
        Fault::RateLimited(seconds) => {
            let mut response = json(StatusCode::TOO_MANY_REQUESTS, r#"{"error":"slow down"}"#.to_owned());
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            response
        }
        Fault::TruncatedBody => {
            let half = page.get(..page.len() / 4 * 2).map(str::to_owned).unwrap_or_default();
            broken_after(Some(half), page.len())
        }
        Fault::ConnectionDropped => broken_after(None, page.len()),
        Fault::HtmlInsteadOfJson => {
            let mut response = Response::new(Body::from("<!doctype html><title>Sign in</title>"));
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/html"));
            response
        }
        Fault::ItemsMissing => json(StatusCode::OK, r#"{"data":[],"total":250}"#.to_owned()),
        Fault::PageCutInHalf => {
            let mut middle = page.len() / 2;
            while !page.is_char_boundary(middle) {
                middle -= 1;
            }
            json(StatusCode::OK, page.get(..middle).unwrap_or_default().to_owned())
        }
    }
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// Returns an answer that promises `length` bytes and breaks the connection after `start`.
fn broken_after(start: Option<String>, length: usize) -> Response<Body> {
    let broken = Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "on demand"));
    let chunks = start.map(|start| Ok(Bytes::from(start))).into_iter().chain(std::iter::once(broken));
    let mut response = Response::new(Body::from_stream(futures::stream::iter(chunks)));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

fn is_authorised(state: &ServerState, headers: &HeaderMap) -> bool {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let now = state.clock.monotonic();
    token.is_some_and(|token| lock(&state.tokens).valid.get(token).is_some_and(|expiry| *expiry > now))
}

/// Returns id and secret of an `Authorization: Basic` header, each form-encoded inside (RFC 6749
/// §2.3.1).
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let encoded = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |text: &str| -> Option<String> {
        url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
