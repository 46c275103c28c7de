//! What tests of listings share: an endpoint of an API on no network, and a client that talks to a
//! double of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use url::{Url, form_urlencoded};

use crate::client::{Client, Components, Transport};
use crate::spec::{
    Asked, Auth, BodySpec, ClientSpec, EndpointSpec, EndpointUrl, GraphqlErrors, Method, PaginationSpec, RetrySpec,
    Timeouts,
};
use lakefeed_model::clock::ManualClock;
use lakefeed_model::event::Silent;
use lakefeed_model::spec::{JsonPath, Limits};

/// Reads a number from a request's query; the last one of that name counts.
pub(super) fn parameter(request: &http::Request<Bytes>, name: &str) -> Option<u64> {
    let pairs = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    pairs.filter(|(known, _)| known == name).last().and_then(|(_, value)| value.parse().ok())
}

/// Returns the endpoint of a listing whose records are at `items`.
pub(super) fn endpoint(paginator: PaginationSpec) -> EndpointSpec {
    EndpointSpec {
        url: EndpointUrl::Fixed(Url::parse("https://api.example/v1/events").unwrap()),
        method: Method::Get,
        params: Vec::new(),
        body: BodySpec::None,
        headers: Vec::new(),
        data_selector: Some(JsonPath::keys(["items"])),
        paginator,
        incremental: None,
        response_actions: Vec::new(),
        auth: None,
        record_format: None,
        graphql_errors: GraphqlErrors::Fail,
    }
}

/// Asks `endpoint` for records that have a key.
pub(super) fn asked(endpoint: &EndpointSpec) -> Asked<'_> {
    Asked { resource: "events", endpoint, has_key: true }
}

/// Returns a client that tries again at once after one of `statuses`, `max_retries` times.
pub(super) fn client(
    transport: Arc<dyn Transport>,
    clock: Arc<ManualClock>,
    limits: &Limits,
    concurrency: usize,
    statuses: &[StatusCode],
    max_retries: u32,
) -> Arc<Client> {
    let second = Duration::from_secs(1);
    let spec = ClientSpec {
        base_url: Url::parse("https://api.example/v1").unwrap(),
        headers: Vec::new(),
        auth: Auth::None,
        retry: RetrySpec {
            statuses: statuses.to_vec(),
            max_retries,
            backoff_factor: 0.0,
            max_wait: second,
            jitter: 0.0,
        },
        rate_limit: None,
        timeouts: Timeouts { connect: second, read: second, total: second },
        concurrency,
        allowed_hosts: Vec::new(),
        allow_http: false,
    };
    let components = Components { transport, clock, observer: Arc::new(Silent), jitter_seed: 1 };
    Arc::new(Client::new(&spec, limits, components))
}
