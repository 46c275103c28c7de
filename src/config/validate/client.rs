//! The `client` of the document becomes the client of the pipeline.

use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::auth::validate_auth;
use super::values::{duration, headers, http_url, refuse_plain_http};
use crate::config::document::client::{ClientDocument, RetryDocument};
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::spec::{Auth, ClientSpec, RateLimitSpec, RetrySpec, Timeouts};

/// Requests under way at the same time, unless the file says otherwise. A 429 slows a client down; until then, waiting for one
/// answer after the other costs a listing most of its time.
const CONCURRENCY: u64 = 32;

pub(crate) fn validate_client(
    client: &ClientDocument,
    resources: &[ResourceDocument],
    problems: &Problems,
) -> Option<ClientSpec> {
    let mut named = if client.has_empty_base() { named_origins(resources) } else { Vec::new() };
    let base_url = match &client.base_url {
        Some(_) if client.has_empty_base() => {
            if named.is_empty() {
                problems.add("./client/base_url", "is empty, and no endpoint.path is a whole http(s) URL");
            }
            named.pop()
        }
        url => url.as_ref().and_then(|url| http_url(url, "./client/base_url", problems)),
    };
    let seconds = |value: Option<f64>, usual: Duration, place: &str| {
        let Some(seconds) = value else { return usual };
        if seconds <= 0.0 {
            problems.add(place, "must be more than 0");
        }
        duration(seconds)
    };
    let usual = Timeouts::default();
    let timeouts = Timeouts {
        connect: seconds(client.connect_seconds, usual.connect, "./client/timeouts/connect_seconds"),
        read: seconds(client.read_seconds, usual.read, "./client/timeouts/read_seconds"),
        total: seconds(client.total_seconds, usual.total, "./client/timeouts/total_seconds"),
    };
    if client.requests_per_second.is_some_and(|rate| rate <= 0.0) {
        problems.add("./client/rate_limit/requests_per_second", "must be more than 0");
    }
    if client.concurrency == Some(0) {
        problems.add("./client/concurrency", "must be at least 1");
    }
    let auth = client.auth.as_ref().map_or(Some(Auth::None), |auth| validate_auth(auth, "./client/auth", problems));
    let headers = headers(&client.headers, "./client/headers", problems);
    for host in &client.allowed_hosts {
        if host.is_empty() || host.contains(['/', '*', '@', ' ']) {
            problems.add("./client/allowed_hosts", format!("'{host}' is not a host: write host or host:port"));
        }
    }
    let allow_http = client.allow_http.unwrap_or(false);
    refuse_plain_http(base_url.as_ref(), allow_http, "./client/base_url", problems);
    if let Some(auth) = &auth {
        refuse_plain_http(auth.token_url(), allow_http, "./client/auth", problems);
    }
    let named = named.iter().filter_map(|url| Some((url.host_str()?, url.port())));
    let named = named.map(|(host, port)| port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
    Some(ClientSpec {
        allowed_hosts: client.allowed_hosts.iter().map(|host| host.to_lowercase()).chain(named).collect(),
        allow_http,
        base_url: base_url?,
        headers,
        auth: auth?,
        retry: validate_retry(client.retry.as_ref(), problems),
        rate_limit: client.requests_per_second.map(|requests_per_second| RateLimitSpec { requests_per_second }),
        timeouts,
        concurrency: usize::try_from(client.concurrency.unwrap_or(CONCURRENCY)).unwrap_or(usize::MAX),
    })
}

/// Where the whole URLs of the resources' paths lead, the first one last. Without a `base_url`, these are the API's origins.
fn named_origins(resources: &[ResourceDocument]) -> Vec<Url> {
    let origin = |resource: &ResourceDocument| {
        let path = resource.endpoint.path.as_deref()?.split(['{', '?', '#']).next()?;
        let mut url = Url::parse(path).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        url.set_path("/");
        Some(url)
    };
    resources.iter().rev().filter_map(origin).collect()
}

/// Without a `retry` block, dlt's defaults: 429 and every 5xx, five tries, waits of 1, 2, 4 and 8 seconds. With one, those of the reference
/// pipeline for what it leaves out.
fn validate_retry(retry: Option<&RetryDocument>, problems: &Problems) -> RetrySpec {
    let status = |status: u64| u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let default = RetryDocument::default();
    let (statuses, max_retries, backoff_factor): (Vec<u64>, u64, f64) = match retry {
        None => (std::iter::once(429).chain(500..600).collect(), 4, 1.0),
        Some(_) => (vec![429, 500, 502, 503, 504], 3, 2.0),
    };
    let retry = retry.unwrap_or(&default);
    if retry.max_retries.is_some_and(|retries| retries > 1_000) {
        problems.add("./client/retry/max_retries", "must be 1000 at most");
    }
    if retry.jitter.is_some_and(|jitter| jitter > 1.0) {
        problems.add("./client/retry/jitter", "must be between 0 and 1");
    }
    RetrySpec {
        statuses: retry.statuses.clone().unwrap_or(statuses).into_iter().filter_map(status).collect(),
        max_retries: u32::try_from(retry.max_retries.unwrap_or(max_retries)).unwrap_or(u32::MAX),
        backoff_factor: retry.backoff_factor.unwrap_or(backoff_factor),
        max_wait: duration(retry.max_wait_seconds.unwrap_or(300.0)),
        jitter: retry.jitter.unwrap_or(0.1),
    }
}
