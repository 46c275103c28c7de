//! The `client` of a pipeline file as its user wrote it: where the API is, who we are, how patient we are.

use serde_json::Value;

use super::auth::AuthDocument;
use super::fields::{Fields, pairs};
use super::paginator::PaginatorDocument;

/// `client`: how to talk to the API.
#[derive(Debug, Default)]
pub(crate) struct ClientDocument {
    /// The URL that relative paths are joined to; empty where there are none.
    pub(crate) base_url: Option<String>,
    /// Headers of every request.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) auth: Option<AuthDocument>,
    /// The paginator of endpoints that name none.
    pub(crate) paginator: Option<PaginatorDocument>,
    pub(crate) retry: Option<RetryDocument>,
    /// Requests that may be under way at the same time: 32 unless given.
    pub(crate) concurrency: Option<u64>,
    /// Hosts beside that of `base_url` that get the credentials, and that links may lead to.
    pub(crate) allowed_hosts: Vec<String>,
    /// Whether plain http may be spoken to hosts that are not on loopback.
    pub(crate) allow_http: Option<bool>,
    /// `rate_limit.requests_per_second`
    pub(crate) requests_per_second: Option<f64>,
    /// `timeouts.connect_seconds`: 10 unless given.
    pub(crate) connect_seconds: Option<f64>,
    /// `timeouts.read_seconds`, until the next byte: 60 unless given.
    pub(crate) read_seconds: Option<f64>,
    /// `timeouts.total_seconds`, for the whole exchange: 300 unless given.
    pub(crate) total_seconds: Option<f64>,
}

/// `client.retry`.
#[derive(Debug, Default)]
pub(crate) struct RetryDocument {
    pub(crate) statuses: Option<Vec<u64>>,
    /// Tries after the first one.
    pub(crate) max_retries: Option<u64>,
    /// The first wait, in seconds; it doubles from retry to retry.
    pub(crate) backoff_factor: Option<f64>,
    pub(crate) max_wait_seconds: Option<f64>,
    /// The share of a wait that is added at random at most.
    pub(crate) jitter: Option<f64>,
}

impl ClientDocument {
    /// Whether `base_url` is there, and empty: every path is a whole URL then.
    pub(crate) fn has_empty_base(&self) -> bool {
        self.base_url.as_ref().is_some_and(|url| url.trim().is_empty())
    }

    pub(crate) fn read(mut fields: Fields<'_>) -> Self {
        let mut client = Self {
            base_url: fields.required_text("base_url"),
            headers: pairs(&mut fields, "headers"),
            auth: fields.object("auth").and_then(AuthDocument::read),
            paginator: PaginatorDocument::read(&mut fields, "paginator"),
            retry: fields.object("retry").map(RetryDocument::read),
            concurrency: fields.whole("concurrency"),
            allowed_hosts: fields.texts("allowed_hosts").unwrap_or_default(),
            allow_http: fields.truth("allow_http"),
            ..Self::default()
        };
        if let Some(mut limit) = fields.object("rate_limit") {
            client.requests_per_second = limit.number("requests_per_second");
            limit.finish();
        }
        if let Some(mut timeouts) = fields.object("timeouts") {
            client.connect_seconds = timeouts.number("connect_seconds");
            client.read_seconds = timeouts.number("read_seconds");
            client.total_seconds = timeouts.number("total_seconds");
            timeouts.finish();
        }
        fields.unsupported(&["session"]);
        fields.finish();
        client
    }
}

impl RetryDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        let statuses = fields.convert("statuses", "a list of statuses (100 to 599)", |value| {
            let status = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            let statuses: Option<Vec<u64>> = value.as_array()?.iter().map(status).collect();
            statuses.filter(|statuses| statuses.iter().all(|status| (100..600).contains(status)))
        });
        let retry = Self {
            statuses,
            max_retries: fields.whole("max_retries"),
            backoff_factor: fields.number("backoff_factor"),
            max_wait_seconds: fields.number("max_wait_seconds"),
            jitter: fields.number("jitter"),
        };
        fields.finish();
        retry
    }
}
