//! The `client` of the document becomes the client of the pipeline.

use http::StatusCode;
use url::Url;

use super::auth::validate_auth;
use super::values::{headers, http_url, refuse_plain_http};
use crate::config::document::Mapping as _;
use crate::config::document::client::{ClientDocument, RetryDocument};
use crate::config::document::problems::Problems;
use crate::config::document::resource::ResourceDocument;
use crate::spec::{Auth, ClientSpec, RateLimitSpec, RetrySpec, Timeouts};

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
    let auth = client.auth.as_ref().map_or(Some(Auth::None), |auth| validate_auth(auth, problems));
    let headers = headers(&client.headers, "./client/headers", problems);
    for host in &client.allowed_hosts {
        if host.is_empty() || host.contains(['/', '*', '@', ' ']) {
            problems.add("./client/allowed_hosts", format!("'{host}' is not a host: write host or host:port"));
        }
    }
    refuse_plain_http(base_url.as_ref(), client.allow_http, "./client/base_url", problems);
    if let Some(auth) = &auth {
        refuse_plain_http(auth.token_url(), client.allow_http, "./client/auth", problems);
    }
    let named = named.iter().filter_map(|url| Some((url.host_str()?, url.port())));
    let named = named.map(|(host, port)| port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")));
    let rate = client.rate_limit.as_ref().and_then(|limit| limit.requests_per_second);
    Some(ClientSpec {
        allowed_hosts: client.allowed_hosts.iter().map(|host| host.to_lowercase()).chain(named).collect(),
        allow_http: client.allow_http,
        base_url: base_url?,
        headers,
        auth: auth?,
        retry: retry(client.retry.as_ref()),
        rate_limit: rate.map(|requests_per_second| RateLimitSpec { requests_per_second }),
        timeouts: Timeouts {
            connect: client.timeouts.connect_seconds,
            read: client.timeouts.read_seconds,
            total: client.timeouts.total_seconds,
        },
        concurrency: usize::try_from(client.concurrency).unwrap_or(usize::MAX),
    })
}

/// Returns where the whole URLs of the resources' paths lead, the first one last. Without a
/// `base_url`, these are the API's origins.
fn named_origins(resources: &[ResourceDocument]) -> Vec<Url> {
    let origin = |resource: &ResourceDocument| {
        let path = resource.endpoint.path.as_deref()?.split(['{', '?', '#']).next()?;
        let mut url = Url::parse(path).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        url.set_path("/");
        Some(url)
    };
    resources.iter().rev().filter_map(origin).collect()
}

/// Returns, without a `retry` block, dlt's defaults: 429 and every 5xx, five tries, waits of 1, 2,
/// 4 and 8 seconds.
fn retry(retry: Option<&RetryDocument>) -> RetrySpec {
    let status = |status: u64| u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let spec = |retry: &RetryDocument| RetrySpec {
        statuses: retry.statuses.iter().copied().filter_map(status).collect(),
        max_retries: u32::try_from(retry.max_retries).unwrap_or(u32::MAX),
        backoff_factor: retry.backoff_factor,
        max_wait: retry.max_wait_seconds,
        jitter: retry.jitter,
    };
    match retry {
        Some(retry) => spec(retry),
        None => RetrySpec {
            statuses: std::iter::once(429).chain(500..600).filter_map(status).collect(),
            max_retries: 4,
            backoff_factor: 1.0,
            ..spec(&RetryDocument::absent(""))
        },
    }
}
