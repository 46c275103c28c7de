//! The `client` of a pipeline file as its user wrote it.

use std::time::Duration;

use super::auth::AuthDocument;
use super::containers::{List, OneOrMore, Pairs};
use super::paginator::PaginatorDocument;
use super::read::mapping;
use super::values::{Boolean, Count, Integer, Number, Positive, PositiveSeconds, Seconds, Share, Text, Url};

mapping! {
    /// How to talk to the API.
    ClientDocument "client" {
        /// The URL that relative paths are joined to, with exactly one `/` between. http or https,
        /// without credentials in it. May be empty where every `path` is a whole URL; the origins
        /// of these are then the API's.
        base_url: Url [required] like "https://api.example.com/v2",
        /// Headers of every request, by name. A header of an endpoint wins over one of the same
        /// name.
        headers: Pairs [list] like r#"{"X-Api-Version": "2026-01"}"#,
        /// How requests are authenticated: [auth](#auth).
        auth: AuthDocument [none],
        /// The [paginator](#paginators) of endpoints that name none.
        paginator: PaginatorDocument [usually "`auto`"],
        /// Which failures are tried again: [retry](#retry).
        retry: RetryDocument [usually "see there"],
        /// How fast requests may follow each other: [rate limit](#rate-limit).
        rate_limit: RateLimitDocument [none],
        /// How long to wait for an answer: [timeouts](#timeouts).
        timeouts: TimeoutsDocument [empty],
        /// Requests that may be under way at the same time. The result is the same at any number. A
        /// 429 halves it for a while.
        // Until a 429 slows the client down, waiting for one answer after the other costs a listing
        // most of its time.
        concurrency: Count [32],
        /// Hosts (`host` or `host:port`) beside that of `base_url` that links may lead to. They get
        /// the credentials, too.
        allowed_hosts: OneOrMore<Text> [list] like r#"["files.example.com", "eu.example.com:8443"]"#,
        /// Whether plain http may be spoken to hosts that are not on loopback.
        allow_http: Boolean [false],
        refused ["session"],
    }
}

impl ClientDocument {
    /// Returns whether `base_url` is there, and empty: every path is a whole URL then.
    pub(crate) fn has_empty_base(&self) -> bool {
        self.base_url.as_ref().is_some_and(|url| url.trim().is_empty())
    }
}

mapping! {
    /// Which failures are tried again.
    RetryDocument "retry" {
        /// The statuses that are worth another try.
        statuses: List<Integer<100, 599>> [vec![429, 500, 502, 503, 504]],
        /// Tries after the first one.
        max_retries: Integer<0, 1000> [3],
        /// Seconds before the first retry; the wait doubles from retry to retry.
        backoff_factor: Number [2.0],
        /// No wait is longer, `Retry-After` included.
        max_wait_seconds: Seconds [Duration::from_secs(300)],
        /// Up to this share of a wait is added at random.
        jitter: Share [0.1],
    }
}

mapping! {
    /// How fast requests may follow each other.
    RateLimitDocument "rate_limit" {
        /// The average; a burst may have as many requests as one second allows. Budgets that the
        /// API states (`RateLimit-*`, `X-RateLimit-*`) are kept without being asked for.
        requests_per_second: Positive [none] like "10",
    }
}

mapping! {
    /// How long to wait for an answer.
    TimeoutsDocument "timeouts" {
        /// Until the connection stands.
        connect_seconds: PositiveSeconds [Duration::from_secs(10)],
        /// Until the next byte.
        read_seconds: PositiveSeconds [Duration::from_secs(60)],
        /// For the whole exchange.
        total_seconds: PositiveSeconds [Duration::from_secs(300)],
    }
}
