//! From what the user wrote to what was agreed. Does no I/O: texts are interpolated and schema files are read by then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::document::{
    AuthDocument, ClientDocument, Document, LimitsDocument, OAuth2Document, ResourceDocument, RetryDocument,
};
use super::problems::Problems;
use super::validate_resource::validate_resource;
use crate::schema::RecordSchema;
use crate::secret::Secret;
use crate::spec::{
    Auth, ClientSpec, DestinationSpec, Header, Limits, OAuth2Spec, PipelineSpec, RateLimitSpec, RetrySpec, Timeouts,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// The schema files that the document names, by the path that it gives; `None` for one that is not usable, which is a problem already.
pub(super) type Schemas = HashMap<String, Option<Arc<RecordSchema>>>;

/// Validates a document; `None` when it has problems.
pub(super) fn validate(document: Document, stem: &str, schemas: &Schemas, problems: &Problems) -> Option<PipelineSpec> {
    let client = validate_client(&document.client, problems);
    let base_url = client.as_ref().map(|client| client.base_url.clone());
    refuse_duplicates(&document.resources, problems);
    let resources: Vec<_> = document
        .resources
        .iter()
        .filter_map(|resource| {
            let paginator = document.client.paginator.as_ref();
            validate_resource(resource, paginator, base_url.as_ref(), schemas, problems)
        })
        .collect();
    let limits = validate_limits(&document.limits, problems);
    let destination = document.destination.map(|destination| DestinationSpec {
        url: destination.url,
        endpoint: destination.endpoint,
        region: destination.region,
        path_style: destination.path_style.unwrap_or(true),
        allow_http: destination.allow_http.unwrap_or(false),
    });
    let name = document.name.unwrap_or_else(|| stem.to_owned());
    if !problems.is_empty() {
        return None;
    }
    Some(PipelineSpec { name, client: client?, resources, destination, limits })
}

fn refuse_duplicates(resources: &[ResourceDocument], problems: &Problems) {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut tables: HashMap<&str, &str> = HashMap::new();
    for resource in resources {
        if let Some(first) = names.insert(&resource.name, &resource.place) {
            problems.add(&resource.place, format!("resource '{}' is already defined at {first}", resource.name));
            continue;
        }
        let table = resource.table_name.as_ref().unwrap_or(&resource.name);
        if let Some(first) = tables.insert(table, &resource.place) {
            problems
                .add(&resource.place, format!("table '{table}' is already fed by {first}; give another table_name"));
        }
    }
}

fn validate_client(client: &ClientDocument, problems: &Problems) -> Option<ClientSpec> {
    let base_url = client.base_url.as_ref().and_then(|url| http_url(url, "./client/base_url", problems));
    let seconds = |value: Option<f64>, default: f64, place: &str| {
        let seconds = value.unwrap_or(default);
        if seconds <= 0.0 {
            problems.add(place, "must be more than 0");
        }
        duration(seconds)
    };
    let timeouts = Timeouts {
        connect: seconds(client.connect_seconds, 10.0, "./client/timeouts/connect_seconds"),
        read: seconds(client.read_seconds, 60.0, "./client/timeouts/read_seconds"),
        total: seconds(client.total_seconds, 300.0, "./client/timeouts/total_seconds"),
    };
    if client.requests_per_second.is_some_and(|rate| rate <= 0.0) {
        problems.add("./client/rate_limit/requests_per_second", "must be more than 0");
    }
    let auth = client.auth.as_ref().map_or(Some(Auth::None), |auth| validate_auth(auth, problems));
    let headers = headers(&client.headers, "./client/headers", problems);
    Some(ClientSpec {
        base_url: base_url?,
        headers,
        auth: auth?,
        retry: validate_retry(client.retry.as_ref(), problems),
        rate_limit: client.requests_per_second.map(|requests_per_second| RateLimitSpec { requests_per_second }),
        timeouts,
    })
}

/// An http(s) URL without credentials in it. The URL itself is not shown when it has some.
pub(super) fn http_url(text: &str, place: &str, problems: &Problems) -> Option<Url> {
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(error) => {
            problems.add(place, format!("is not a URL ({error}); write https://host/path"));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        problems.add(place, "has credentials in it; put them into client.auth");
        return None;
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        problems.add(place, format!("'{}' is not http or https", url.scheme()));
        return None;
    }
    Some(url)
}

fn validate_auth(auth: &AuthDocument, problems: &Problems) -> Option<Auth> {
    let carried = |text: &str, place: &str| {
        if HeaderValue::try_from(text).is_err() {
            problems.add(place, "has characters that a header cannot carry (a line break, perhaps)");
        }
    };
    match auth {
        AuthDocument::Bearer { token } => {
            carried(token, "./client/auth/token");
            Some(Auth::Bearer { token: Secret::new(token) })
        }
        AuthDocument::HttpBasic { username, password } => {
            if username.contains(':') {
                problems.add("./client/auth/username", "must not contain ':' (RFC 7617)");
            }
            Some(Auth::HttpBasic { username: username.clone(), password: Secret::new(password) })
        }
        AuthDocument::ApiKey { name, api_key, location } => {
            if *location == crate::spec::ApiKeyLocation::Header && HeaderName::try_from(name).is_err() {
                problems.add("./client/auth/name", format!("'{name}' is not the name of a header"));
            }
            if *location != crate::spec::ApiKeyLocation::Query {
                carried(api_key, "./client/auth/api_key");
            }
            Some(Auth::ApiKey { name: name.clone(), key: Secret::new(api_key), location: *location })
        }
        AuthDocument::OAuth2(document) => validate_oauth2(document, problems).map(Auth::OAuth2ClientCredentials),
    }
}

fn validate_oauth2(document: &OAuth2Document, problems: &Problems) -> Option<OAuth2Spec> {
    let token_url = http_url(&document.token_url, &format!("{}/token_url", document.place), problems)?;
    Some(OAuth2Spec {
        token_url,
        client_id: document.client_id.clone(),
        client_secret: Secret::new(&document.client_secret),
        client_authentication: document.client_authentication,
        request_data: document.request_data.iter().map(|(name, value)| (name.clone(), Secret::new(value))).collect(),
        default_token_expiration: document.default_token_expiration.map_or(HOUR, duration),
        expiry_leeway: duration(document.expiry_leeway_seconds.unwrap_or(60.0)),
    })
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

/// Headers by name; the values may be secrets and are not shown.
pub(super) fn headers(pairs: &[(String, String)], place: &str, problems: &Problems) -> Vec<Header> {
    let header = |(name, value): &(String, String)| {
        let Ok(header) = HeaderName::try_from(name) else {
            problems.add(place, format!("'{name}' is not the name of a header"));
            return None;
        };
        if HeaderValue::try_from(value).is_err() {
            problems.add(&format!("{place}/{name}"), "has characters that a header cannot carry");
            return None;
        }
        Some(Header { name: header, value: Secret::new(value) })
    };
    pairs.iter().filter_map(header).collect()
}

fn validate_limits(limits: &LimitsDocument, problems: &Problems) -> Limits {
    let default = Limits::default();
    let at_least_one = |value: Option<u64>, default: u64, name: &str| match value {
        Some(0) => {
            problems.add(&format!("./limits/{name}"), "must be at least 1");
            default
        }
        Some(value) => value,
        None => default,
    };
    let size = |value: Option<u64>, default: usize, name: &str| {
        usize::try_from(at_least_one(value, default as u64, name)).unwrap_or(usize::MAX)
    };
    Limits {
        page_bytes_max: at_least_one(limits.page_bytes_max, default.page_bytes_max, "page_bytes_max"),
        pages_max: at_least_one(limits.pages_max, default.pages_max, "pages_max"),
        run_time_max: limits.run_time_max_seconds.map_or(default.run_time_max, duration),
        nesting_depth_max: u32::try_from(at_least_one(
            limits.nesting_depth_max,
            u64::from(default.nesting_depth_max),
            "nesting_depth_max",
        ))
        .unwrap_or(u32::MAX)
        // The decoder's recursion stays far from the end of the stack.
        .min(512),
        batch_rows: size(limits.batch_rows, default.batch_rows, "batch_rows"),
        batch_bytes: size(limits.batch_bytes, default.batch_bytes, "batch_bytes"),
        writer_buffer_bytes: size(limits.writer_buffer_bytes, default.writer_buffer_bytes, "writer_buffer_bytes"),
        file_bytes_target: at_least_one(limits.file_bytes_target, default.file_bytes_target, "file_bytes_target"),
        row_group_rows: size(limits.row_group_rows, default.row_group_rows, "row_group_rows"),
    }
}

/// Seconds as a duration; what does not fit is for ever.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}
