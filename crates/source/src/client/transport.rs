//! The only socket: one request, one whole answer.
//!
//! An answer is returned when all of its body has arrived, decompressed and within its bound, or
//! not at all. Redirects are followed only within the origin of the request, so that credentials do
//! not leave it.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use crate::spec::{Timeouts, is_loopback};
use lakefeed_model::environment::Environment;
use lakefeed_model::error::Result;

const REDIRECTS_MAX: usize = 10;

/// Sends a request and returns the whole answer.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Returns one exchange, without a second try.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError>;
}

#[async_trait]
impl<T: Transport + ?Sized> Transport for Arc<T> {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        (**self).send(request, limits).await
    }
}

/// What a request is for; an extension of requests, for transports that keep what goes through
/// them. Requests without one are for data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// A token: request and answer are made of secrets.
    Credentials,
}

/// The bounds of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendLimits {
    /// How long to wait.
    pub timeouts: Timeouts,
    /// The most bytes of a body, decompressed.
    pub body_bytes_max: u64,
}

/// An exchange without a whole answer. Its text never holds a URL, since URLs may hold secrets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransportError {
    /// What kind of failure; decides whether another try is worth it.
    pub kind: TransportErrorKind,
    /// What happened, in words.
    pub message: String,
    /// What the transport itself has to say; must not hold a URL either.
    pub cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of failure an exchange ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection.
    Connect,
    /// Too slow.
    Timeout,
    /// The connection ended in the middle of the answer.
    Truncated,
    /// The connection ended before the answer began.
    Closed,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The answer leads to another origin.
    Redirect,
    /// A cassette cannot be written, or does not hold what is asked of it.
    Cassette,
    /// Anything else.
    Other,
}

impl TransportError {
    /// Returns a failure of a kind, in words.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }

    /// Attaches what the transport itself has to say.
    #[must_use]
    pub fn with_cause(self, cause: impl StdError + Send + Sync + 'static) -> Self {
        Self { cause: Some(Arc::new(cause)), ..self }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// The transport over real sockets. Keeps connections open between requests.
#[derive(Debug)]
pub struct ReqwestTransport {
    proxies: Vec<reqwest::Proxy>,
    trusts_machine: bool,
    /// One client per pair of connect and read timeout, with TLS and without, since those are fixed
    /// when a client is built.
    clients: Mutex<HashMap<(u128, u128, bool), reqwest::Client>>,
}

impl ReqwestTransport {
    /// Makes a transport that uses the proxies that `environment` names and trusts Mozilla's roots,
    /// which are built in; those of the machine, too, where it is the environment of the process.
    pub fn new(environment: &Environment) -> Self {
        Self { proxies: proxies(environment), trusts_machine: environment.trusts_machine(), clients: Mutex::default() }
    }

    /// Returns the client for addresses with or without TLS. The roots of trust are read when the
    /// first address wants them: that takes milliseconds.
    fn client(&self, timeouts: Timeouts, with_tls: bool) -> Result<reqwest::Client, TransportError> {
        let key = (timeouts.connect.as_nanos(), timeouts.read.as_nanos(), with_tls);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let builder =
            self.proxies.iter().cloned().fold(reqwest::Client::builder().no_proxy(), reqwest::ClientBuilder::proxy);
        let client = builder
            .user_agent(concat!("lakefeed/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .redirect(reqwest::redirect::Policy::none())
            .tls_built_in_webpki_certs(with_tls)
            .tls_built_in_native_certs(with_tls && self.trusts_machine)
            .build()
            .map_err(|error| classify(error, false))?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        #[expect(clippy::disallowed_methods, reason = "a socket that hangs does so in real time")]
        let answer = tokio::time::timeout(limits.timeouts.total, self.exchange(request, limits)).await;
        match answer {
            Ok(result) => result,
            Err(_) => Err(TransportError::new(
                TransportErrorKind::Timeout,
                format!("the answer took longer than {:?}", limits.timeouts.total),
            )),
        }
    }
}

impl ReqwestTransport {
    /// Sends the request, and again wherever it is redirected within its origin.
    async fn exchange(
        &self,
        mut request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        for _ in 0..=REDIRECTS_MAX {
            let outgoing = reqwest::Request::try_from(request.clone()).map_err(|error| classify(error, false))?;
            let from = outgoing.url().clone();
            // Nothing is between a process and its own machine.
            let is_plain = from.scheme() == "http" && is_loopback(&from);
            let client = self.client(limits.timeouts, !is_plain)?;
            let response = client.execute(outgoing).await.map_err(|error| classify(error, false))?;
            match redirected(request.method(), &from, &response)? {
                None => return whole(response, limits.body_bytes_max).await,
                Some(target) => *request.uri_mut() = target,
            }
        }
        Err(TransportError::new(
            TransportErrorKind::Redirect,
            format!("the API redirected more than {REDIRECTS_MAX} times"),
        ))
    }
}

/// Returns the proxies of the usual variables, by curl's rules. What is no URL is no proxy.
fn proxies(environment: &Environment) -> Vec<reqwest::Proxy> {
    let excluded = environment.first_of(&["NO_PROXY", "no_proxy"]).and_then(reqwest::NoProxy::from_string);
    // A client of a CGI program sets `HTTP_PROXY` by a header of its own.
    let http: &[&str] =
        if environment.variable("REQUEST_METHOD").is_some() { &[] } else { &["HTTP_PROXY", "http_proxy"] };
    let proxies = [
        environment.first_of(http).map(reqwest::Proxy::http),
        environment.first_of(&["HTTPS_PROXY", "https_proxy"]).map(reqwest::Proxy::https),
        environment.first_of(&["ALL_PROXY", "all_proxy"]).map(reqwest::Proxy::all),
    ];
    proxies.into_iter().flatten().flatten().map(|proxy| proxy.no_proxy(excluded.clone())).collect()
}

/// Returns where the answer leads, when it is a redirect within the origin of the request.
///
/// # Errors
/// When it leads to another origin, or would turn a POST into a GET, which asks for something else.
fn redirected(
    method: &http::Method,
    from: &url::Url,
    response: &reqwest::Response,
) -> Result<Option<http::Uri>, TransportError> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(target) = location.and_then(|location| from.join(location).ok()) else { return Ok(None) };
    if target.origin() != from.origin() {
        let origin = target.origin().ascii_serialization();
        return Err(TransportError::new(
            TransportErrorKind::Redirect,
            format!("the API redirects to {origin}, where credentials must not go"),
        ));
    }
    if method != http::Method::GET && !matches!(status, 307 | 308) {
        return Err(TransportError::new(
            TransportErrorKind::Redirect,
            format!("the API redirects a {method} with {status}, which would make it a GET without its body"),
        ));
    }
    let uri = target.as_str().parse();
    uri.map(Some).map_err(|_| TransportError::new(TransportErrorKind::Redirect, "the API redirects to what is no URL"))
}

/// Returns the answer with all of its body, or an error.
async fn whole(response: reqwest::Response, body_bytes_max: u64) -> Result<http::Response<Bytes>, TransportError> {
    let too_large = || {
        TransportError::new(TransportErrorKind::BodyTooLarge, format!("the body has more than {body_bytes_max} bytes"))
    };
    // What the API announces; a compressed body announces nothing here.
    if response.content_length().is_some_and(|announced| announced > body_bytes_max) {
        return Err(too_large());
    }
    let mut parts = http::Response::new(());
    *parts.status_mut() = response.status();
    *parts.headers_mut() = response.headers().clone();
    let (parts, ()) = parts.into_parts();
    let mut body = BytesMut::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| classify(error, true))?;
        if (body.len() + chunk.len()) as u64 > body_bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(http::Response::from_parts(parts, body.freeze()))
}

/// Returns what a client's error means. `in_body` says that the answer had begun.
fn classify(error: reqwest::Error, in_body: bool) -> TransportError {
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    let detail = causes.last().cloned().unwrap_or_else(|| "no details".to_owned());
    let (kind, what) = if error.is_timeout() {
        (TransportErrorKind::Timeout, "the answer took too long")
    } else if error.is_connect() {
        (TransportErrorKind::Connect, "no connection")
    } else if in_body || error.is_body() || error.is_decode() {
        (TransportErrorKind::Truncated, "the body ended early or is damaged")
    } else if error.is_request() {
        (TransportErrorKind::Closed, "the connection was closed before an answer")
    } else {
        (TransportErrorKind::Other, "the request failed")
    };
    TransportError::new(kind, format!("{what} ({detail})")).with_cause(error.without_url())
}

/// A transport that is shared.
pub(super) type SharedTransport = Arc<dyn Transport>;
