//! One API, politely: authenticate, wait for a turn, send, try again.
//!
//! [`Client::fetch`] is the one loop. What it decides by is pure (`retry`, `backoff`,
//! `rate_limit`), what it sends through is one trait ([`Transport`]). Credentials are attached only
//! to requests to the origin of `base_url` and to hosts that are allowed by name.

mod auth;
mod backoff;
mod excerpt;
mod grant;
mod jwt;
mod oauth;
mod pace;
mod rate_limit;
mod redact;
mod request;
mod retry;
mod secrets;
mod send;
mod token;
mod token_answer;
mod token_file;
mod transport;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::sync::Notify;
use url::Url;

pub use request::{ApiRequest, RequestBody};
pub use transport::{Purpose, ReqwestTransport, SendLimits, Transport, TransportError, TransportErrorKind};

use auth::Authenticator;
use backoff::Jitter;
pub use jwt::check_jwt_key;
use rate_limit::RateLimiter;
use redact::SafeUrl;
pub use redact::is_secret_name;
use retry::RetryState;
use secrets::Secrets;
pub use secrets::{hide, is_harmless_header, secrets_of};
use send::{Asked, Attempt, Paces, Sender};

use crate::spec::{Auth, ClientSpec};
use lakefeed_model::clock::Clock;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::event::Observer;
use lakefeed_model::spec::Limits;

/// What touches the world, injected.
#[derive(Debug, Clone)]
pub struct Components {
    /// The only socket.
    pub transport: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Hears of requests, retries and tokens.
    pub observer: Arc<dyn Observer>,
    /// Where the jitter of retries starts.
    pub jitter_seed: u64,
}

/// An API client. One per pipeline, so that all of its resources share tokens and rate limit.
#[derive(Debug)]
pub struct Client {
    spec: ClientSpec,
    auth: Arc<Auth>,
    /// The authenticators of the client and of endpoints with their own, each by what it was made
    /// of.
    authenticators: Mutex<Vec<(Arc<Auth>, Arc<Authenticator>)>>,
    sender: Sender,
    secret_parameters: Vec<String>,
}

/// What came of a request.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// An answer to read.
    Answer(ApiResponse),
    /// An answer that a response action ignores.
    Ignored,
}

/// A whole answer with a success status.
#[derive(Clone)]
pub struct ApiResponse {
    /// The status; 2xx.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Client {
    /// A client of the API that `spec` describes.
    pub fn new(spec: &ClientSpec, limits: &Limits, components: Components) -> Self {
        let now = components.clock.monotonic();
        Self {
            spec: spec.clone(),
            auth: Arc::new(spec.auth.clone()),
            authenticators: Mutex::default(),
            sender: Sender {
                transport: components.transport,
                clock: components.clock,
                observer: components.observer,
                retry: spec.retry.clone(),
                limits: SendLimits { timeouts: spec.timeouts, body_bytes_max: limits.page_bytes_max },
                rate_limiter: spec.rate_limit.map(|spec| Mutex::new(RateLimiter::new(spec, now))),
                paces: Mutex::new(Paces::new(spec.concurrency)),
                ended: Notify::new(),
                jitter: Mutex::new(Jitter::new(components.jitter_seed)),
                secrets: Secrets::default(),
            },
            secret_parameters: spec.auth.secret_parameter().into_iter().map(str::to_owned).collect(),
        }
    }

    /// Returns how many requests may be under way at the same time.
    pub fn concurrency(&self) -> usize {
        self.spec.concurrency
    }

    /// The method and the URL of a request as they may be shown.
    pub fn place(&self, request: &ApiRequest) -> String {
        let url = request.full_url();
        let own = request.auth.as_ref().and_then(|auth| auth.secret_parameter());
        let secrets: Vec<String> = self.secret_parameters.iter().cloned().chain(own.map(str::to_owned)).collect();
        format!("{} {}", request.method_name(), SafeUrl::new(&url, &secrets))
    }

    /// Sends a request until it is answered with a success, or there is no more hope.
    ///
    /// A 401 to a request with a token fetches one new token and sends the request once more.
    ///
    /// # Errors
    /// `Auth` for 401, 403 and a token endpoint that refuses; `Source` for what may pass (5xx, 429,
    /// the network, what `retry.statuses` names) and did not; `Refused` for every other 4xx and for
    /// links and redirects that lead elsewhere.
    pub async fn fetch(&self, resource: &str, request: &ApiRequest) -> Result<Fetched> {
        let mut tries = RetryState::default();
        let mut refused = None;
        let host = request.url.host_str().unwrap_or_default().to_owned();
        loop {
            // The turn comes first: a token that was taken before a long wait could be stale after
            // it.
            let turn = self.sender.wait_for_turn(&host).await;
            let (request_now, token) = self.prepare(resource, request, refused).await?;
            match self.sender.attempt(turn, resource, request_now, &request.actions, &mut tries).await {
                Attempt::Accepted(response) => {
                    let (parts, body) = response.into_parts();
                    return Ok(Fetched::Answer(ApiResponse { status: parts.status, headers: parts.headers, body }));
                }
                Attempt::Ignored => return Ok(Fetched::Ignored),
                Attempt::Again => {}
                Attempt::Failed(failure) => {
                    let is_first_401 = failure.status() == Some(StatusCode::UNAUTHORIZED) && refused.is_none();
                    if token.is_none() || !is_first_401 {
                        let asked = Asked::Api { when_refused: self.when_refused(request) };
                        return Err(failure.into_error(&self.place(request), asked));
                    }
                    tries.forgive();
                    refused = token;
                }
            }
        }
    }

    /// The request as it goes out now: a token may have changed since the last try.
    async fn prepare(
        &self,
        resource: &str,
        request: &ApiRequest,
        refused: Option<u64>,
    ) -> Result<(http::Request<Bytes>, Option<u64>)> {
        let mut url = request.full_url();
        if !self.spec.is_private_enough(&url) {
            let origin = url.origin().ascii_serialization();
            return Err(Error::refused(format!("a request to {origin} would go out as plain http"))
                .with_hint("use https, or set client.allow_http: true"));
        }
        let is_at_home = self.is_at_home(&url);
        let mut headers = request.headers(&self.spec.headers, is_at_home)?;
        let mut token = None;
        if is_at_home {
            let authenticator = self.authenticator(request)?;
            token = authenticator.apply(&mut url, &mut headers, &self.sender, resource, refused).await?;
        }
        Ok((request.to_http(&url, headers)?, token))
    }

    /// The authenticator of a request: the client's, or that of the endpoint's own `auth`.
    fn authenticator(&self, request: &ApiRequest) -> Result<Arc<Authenticator>> {
        let auth = request.auth.as_ref().unwrap_or(&self.auth);
        let mut known = self.authenticators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, authenticator)) = known.iter().find(|(known, _)| Arc::ptr_eq(known, auth)) {
            return Ok(Arc::clone(authenticator));
        }
        let authenticator = Arc::new(Authenticator::new(auth)?);
        self.sender.secrets.learn_auth(auth);
        known.push((Arc::clone(auth), Arc::clone(&authenticator)));
        Ok(authenticator)
    }

    /// Whether credentials may go there.
    fn is_at_home(&self, url: &Url) -> bool {
        self.spec.trusts(url)
    }

    /// Whether a link or a field of a record may lead there.
    ///
    /// # Errors
    /// When it may not: what the API answers must not decide where requests go.
    pub fn check_link(&self, url: &Url) -> Result<()> {
        if self.is_at_home(url) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        Err(Error::refused(format!(
            "the API leads to {}, which is not the origin of client.base_url",
            url.origin().ascii_serialization()
        ))
        .with_hint(format!(
            "if the API really continues there, set client.allowed_hosts: [{host}]; it then gets the credentials too"
        )))
    }

    fn when_refused(&self, request: &ApiRequest) -> &'static str {
        match self.authenticator(request) {
            Ok(authenticator) if self.is_at_home(&request.url) => authenticator.when_refused(),
            Ok(_) | Err(_) => "no credentials were sent, since this is not the origin of client.base_url",
        }
    }
}

impl fmt::Debug for ApiResponse {
    /// Shows neither headers nor body: both are the API's own, and may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
