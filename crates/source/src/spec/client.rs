//! How to talk to one API.

use std::time::Duration;

use http::{HeaderName, StatusCode};
use url::Url;

use super::Auth;
use lakefeed_model::secret::Secret;

/// One API: where it is, who we are, how patient we are.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    /// The URL that relative paths are joined to, with exactly one `/` between.
    pub base_url: Url,
    /// Headers of every request; an endpoint's headers win per name.
    pub headers: Vec<Header>,
    /// How requests are authenticated.
    pub auth: Auth,
    /// Which failures are tried again, and how patiently.
    pub retry: RetrySpec,
    /// How fast requests may follow each other.
    pub rate_limit: Option<RateLimitSpec>,
    /// How long to wait for an answer.
    pub timeouts: Timeouts,
    /// Requests that may be under way at the same time; at least 1.
    pub concurrency: usize,
    /// Hosts beside that of `base_url` that links may lead to and that get the credentials, as
    /// `host` or `host:port`.
    pub allowed_hosts: Vec<String>,
    /// Whether plain http may be spoken to hosts that are not on loopback.
    pub allow_http: bool,
}

impl ClientSpec {
    /// Returns whether credentials may go to `url`, and links may lead there: to the origin of
    /// `base_url` and to `allowed_hosts`.
    pub fn trusts(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        let is_allowed = |allowed: &String| allowed == host || with_port.as_ref() == Some(allowed);
        url.origin() == self.base_url.origin() || self.allowed_hosts.iter().any(is_allowed)
    }

    /// Returns whether `url` may be asked without encryption on the way: https, or loopback, or
    /// allowed.
    pub fn is_private_enough(&self, url: &Url) -> bool {
        self.allow_http || url.scheme() == "https" || is_loopback(url)
    }
}

/// Returns whether a URL leads to this very machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A header. Its value may be a secret, so it is treated as one.
#[derive(Debug, Clone)]
pub struct Header {
    /// The lower-case name.
    pub name: HeaderName,
    /// The value; valid as a header value.
    pub value: Secret,
}

/// Which failures are tried again, and how patiently.
///
/// Connection errors, timeouts and truncated bodies are always tried again, within the same bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct RetrySpec {
    /// The statuses that are worth another try.
    pub statuses: Vec<StatusCode>,
    /// Tries after the first one.
    pub max_retries: u32,
    /// The wait before retry `n` (from 1) is `backoff_factor · 2^(n-1)` seconds.
    pub backoff_factor: f64,
    /// No wait is longer than this, `Retry-After` included.
    pub max_wait: Duration,
    /// Up to this share of a wait is added at random, so that clients do not march in step; 0 for
    /// none.
    pub jitter: f64,
}

/// How fast requests may follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimitSpec {
    /// Requests per second, on average; at least one request may always go.
    pub requests_per_second: f64,
}

/// How long to wait for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection to stand.
    pub connect: Duration,
    /// For the next byte to arrive.
    pub read: Duration,
    /// For the whole exchange, body included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), read: Duration::from_secs(60), total: Duration::from_secs(300) }
    }
}
