//! The only socket: one request, one whole answer.
//!
//! An answer is returned when all of its body has arrived, decompressed and within its bound, or not at all. Redirects are followed only within the
//! origin of the request, so that credentials do not leave it.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;

use crate::error::{Error, Result};
use crate::spec::Timeouts;

const REDIRECTS_MAX: usize = 10;

/// Sends a request and returns the whole answer.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// One exchange, without a second try.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: SendLimits,
    ) -> Result<http::Response<Bytes>, TransportError>;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError {
    /// What kind of failure; decides whether another try is worth it.
    pub kind: TransportErrorKind,
    /// What happened, in words.
    pub message: String,
}

/// What kind of failure an exchange ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Anything else.
    Other,
}

impl TransportError {
    /// A failure of a kind, in words.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for TransportError {}

/// The transport over real sockets. Keeps connections open between requests.
#[derive(Debug)]
pub struct ReqwestTransport {
    /// One client per set of timeouts, since a client's timeouts are fixed when it is built.
    clients: Mutex<HashMap<(u128, u128, u128), reqwest::Client>>,
}

impl ReqwestTransport {
    /// A transport with the machine's TLS roots and proxies as usual.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> Result<Self> {
        let transport = Self { clients: Mutex::default() };
        let second = std::time::Duration::from_secs(1);
        transport
            .client(Timeouts { connect: second, read: second, total: second })
            .map_err(|error| Error::config(format!("cannot set up TLS: {error}")))?;
        Ok(transport)
    }

    fn client(&self, timeouts: Timeouts) -> Result<reqwest::Client, TransportError> {
        let key = (timeouts.connect.as_nanos(), timeouts.read.as_nanos(), timeouts.total.as_nanos());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("lakefeed/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeouts.connect)
            .read_timeout(timeouts.read)
            .timeout(timeouts.total)
            .redirect(reqwest::redirect::Policy::custom(same_origin_only))
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
        let request = reqwest::Request::try_from(request).map_err(|error| classify(error, false))?;
        let response = self.client(limits.timeouts)?.execute(request).await.map_err(|error| classify(error, false))?;
        let mut parts = http::Response::new(());
        *parts.status_mut() = response.status();
        *parts.headers_mut() = response.headers().clone();
        let (parts, ()) = parts.into_parts();
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| classify(error, true))?;
            if (body.len() + chunk.len()) as u64 > limits.body_bytes_max {
                return Err(TransportError::new(
                    TransportErrorKind::BodyTooLarge,
                    format!("the body has more than {} bytes", limits.body_bytes_max),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(http::Response::from_parts(parts, body.freeze()))
    }
}

/// Follows a redirect within the origin of the request; stops at any other, so that the caller sees where it led.
fn same_origin_only(attempt: reqwest::redirect::Attempt<'_>) -> reqwest::redirect::Action {
    let Some(first) = attempt.previous().first() else { return attempt.stop() };
    if attempt.previous().len() > REDIRECTS_MAX {
        return attempt.error(TransportError::new(
            TransportErrorKind::Redirect,
            format!("the API redirected more than {REDIRECTS_MAX} times"),
        ));
    }
    if first.origin() == attempt.url().origin() {
        return attempt.follow();
    }
    let target = attempt.url().origin().ascii_serialization();
    attempt.error(TransportError::new(
        TransportErrorKind::Redirect,
        format!("the API redirects to {target}, where credentials must not go"),
    ))
}

/// What a client's error means. `in_body` says that the answer had begun.
#[expect(clippy::needless_pass_by_value, reason = "an error is consumed so that its URL cannot be shown elsewhere")]
fn classify(error: reqwest::Error, in_body: bool) -> TransportError {
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(ours) = cause.downcast_ref::<TransportError>() {
            return ours.clone();
        }
        causes.push(cause.to_string());
        next = cause.source();
    }
    let detail = causes.last().cloned().unwrap_or_else(|| "no details".to_owned());
    let (kind, what) = if error.is_timeout() {
        (TransportErrorKind::Timeout, "the answer took too long")
    } else if error.is_connect() {
        (TransportErrorKind::Connect, "no connection")
    } else if in_body || error.is_body() || error.is_decode() {
        (TransportErrorKind::Truncated, "the body ended early")
    } else if error.is_request() {
        (TransportErrorKind::Closed, "the connection was closed before an answer")
    } else {
        (TransportErrorKind::Other, "the request failed")
    };
    TransportError::new(kind, format!("{what} ({detail})"))
}

/// A transport that is shared.
pub(super) type SharedTransport = Arc<dyn Transport>;
