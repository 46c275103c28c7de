//! How to talk to one API.

use std::time::Duration;

use http::{HeaderName, StatusCode};
use url::Url;

use crate::secret::Secret;

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
    /// Hosts beside that of `base_url` that links may lead to and that get the credentials, as `host` or `host:port`.
    pub allowed_hosts: Vec<String>,
    /// Whether plain http may be spoken to hosts that are not on loopback.
    pub allow_http: bool,
}

impl ClientSpec {
    /// Whether credentials may go to `url`, and links may lead there: to the origin of `base_url` and to `allowed_hosts`.
    pub fn trusts(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        let is_allowed = |allowed: &String| allowed == host || with_port.as_ref() == Some(allowed);
        url.origin() == self.base_url.origin() || self.allowed_hosts.iter().any(is_allowed)
    }

    /// Whether `url` may be asked without encryption on the way: https, or loopback, or allowed.
    pub fn is_private_enough(&self, url: &Url) -> bool {
        self.allow_http || url.scheme() == "https" || is_loopback(url)
    }
}

/// Whether a URL leads to this very machine.
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

/// How requests are authenticated.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer <token>`.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// `Authorization: Basic <base64(username:password)>` (RFC 7617).
    HttpBasic {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A key under a name of the API's choice.
    ApiKey {
        /// The header, query parameter or cookie.
        name: String,
        /// The key.
        key: Secret,
        /// Where the key goes.
        location: ApiKeyLocation,
    },
    /// OAuth2 client credentials (RFC 6749 §4.4).
    OAuth2ClientCredentials(OAuth2Spec),
}

impl Auth {
    /// The name of the query parameter that carries a secret, where there is one.
    pub fn secret_parameter(&self) -> Option<&str> {
        match self {
            Self::ApiKey { name, location: ApiKeyLocation::Query, .. } => Some(name),
            Self::None
            | Self::Bearer { .. }
            | Self::HttpBasic { .. }
            | Self::ApiKey { .. }
            | Self::OAuth2ClientCredentials(_) => None,
        }
    }
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyLocation {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

/// The OAuth2 client credentials grant.
#[derive(Debug, Clone)]
pub struct OAuth2Spec {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// How the client proves itself to the token endpoint.
    pub client_authentication: ClientAuthentication,
    /// Further form fields of the token request (`scope`, `audience`, …). A field named like one of ours replaces it.
    pub request_data: Vec<(String, Secret)>,
    /// How long a token lives whose answer has no `expires_in`.
    pub default_token_expiration: Duration,
    /// How long before its expiry a token is refreshed; at most half of the token's life is spent on it.
    pub expiry_leeway: Duration,
}

/// How an OAuth2 client proves itself (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_post`: id and secret as form fields. dlt's way, and the default.
    SecretPost,
    /// `client_secret_basic`: form-encoded id and secret in an `Authorization: Basic` header.
    SecretBasic,
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
    /// Up to this share of a wait is added at random, so that clients do not march in step; 0 for none.
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
