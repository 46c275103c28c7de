//! The `client` of a pipeline file as its user wrote it: where the API is, who we are, how patient we are.

use serde_json::Value;

use super::document::pairs;
use super::fields::Fields;
use super::paginator_document::PaginatorDocument;

/// `client`: how to talk to the API.
#[derive(Debug, Default)]
pub(super) struct ClientDocument {
    /// The URL that relative paths are joined to.
    pub(super) base_url: Option<String>,
    /// Headers of every request.
    pub(super) headers: Vec<(String, String)>,
    pub(super) auth: Option<AuthDocument>,
    /// The paginator of endpoints that name none.
    pub(super) paginator: Option<PaginatorDocument>,
    pub(super) retry: Option<RetryDocument>,
    /// Requests that may be under way at the same time: 32 unless given.
    pub(super) concurrency: Option<u64>,
    /// Hosts beside that of `base_url` that get the credentials, and that links may lead to.
    pub(super) allowed_hosts: Vec<String>,
    /// Whether plain http may be spoken to hosts that are not on loopback.
    pub(super) allow_http: Option<bool>,
    /// `rate_limit.requests_per_second`
    pub(super) requests_per_second: Option<f64>,
    /// `timeouts.connect_seconds`: 10 unless given.
    pub(super) connect_seconds: Option<f64>,
    /// `timeouts.read_seconds`, until the next byte: 60 unless given.
    pub(super) read_seconds: Option<f64>,
    /// `timeouts.total_seconds`, for the whole exchange: 300 unless given.
    pub(super) total_seconds: Option<f64>,
}

/// `client.auth`, by its `type`.
#[derive(Debug)]
pub(super) enum AuthDocument {
    /// `bearer`; also a mapping without `type`.
    Bearer { token: String },
    /// `http_basic`
    HttpBasic { username: String, password: String },
    /// `api_key`; `location` is `header` unless given.
    ApiKey { name: String, api_key: String, location: crate::spec::ApiKeyLocation },
    /// `oauth2_client_credentials`, or `oauth2`, where `token_url` is another word for `access_token_url`.
    OAuth2(OAuth2Document),
}

/// `oauth2_client_credentials`.
#[derive(Debug)]
pub(super) struct OAuth2Document {
    pub(super) place: String,
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// `client_secret_post` (as dlt does) unless `client_secret_basic`.
    pub(super) client_authentication: crate::spec::ClientAuthentication,
    /// Further form fields; `scope` and `audience` may stand beside it.
    pub(super) request_data: Vec<(String, String)>,
    /// Seconds that a token lives whose answer does not say: 3600 unless given.
    pub(super) default_token_expiration: Option<f64>,
    /// Seconds before its expiry at which a token is refreshed: 60 unless given.
    pub(super) expiry_leeway_seconds: Option<f64>,
}

/// `client.retry`.
#[derive(Debug, Default)]
pub(super) struct RetryDocument {
    pub(super) statuses: Option<Vec<u64>>,
    /// Tries after the first one.
    pub(super) max_retries: Option<u64>,
    /// The first wait, in seconds; it doubles from retry to retry.
    pub(super) backoff_factor: Option<f64>,
    pub(super) max_wait_seconds: Option<f64>,
    /// The share of a wait that is added at random at most.
    pub(super) jitter: Option<f64>,
}

impl ClientDocument {
    pub(super) fn read(mut fields: Fields<'_>) -> Self {
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

impl AuthDocument {
    pub(super) fn read(mut fields: Fields<'_>) -> Option<Self> {
        const TYPES: &[(&str, u8)] =
            &[("bearer", 0), ("http_basic", 1), ("api_key", 2), ("oauth2", 3), ("oauth2_client_credentials", 3)];
        let auth = match if fields.has("type") { fields.choice("type", TYPES)? } else { 0 } {
            0 => fields.required_text("token").map(|token| Self::Bearer { token }),
            1 => match (fields.required_text("username"), fields.required_text("password")) {
                (Some(username), Some(password)) => Some(Self::HttpBasic { username, password }),
                _ => None,
            },
            2 => Self::read_api_key(&mut fields),
            _ => OAuth2Document::read(&mut fields).map(Self::OAuth2),
        };
        fields.finish();
        auth
    }

    fn read_api_key(fields: &mut Fields<'_>) -> Option<Self> {
        use crate::spec::ApiKeyLocation::{Cookie, Header, Query};
        let choices = [("header", Header), ("query", Query), ("param", Query), ("cookie", Cookie)];
        let location = fields.choice("location", &choices).unwrap_or(Header);
        let name = fields.text("name").unwrap_or_else(|| "Authorization".to_owned());
        Some(Self::ApiKey { name, api_key: fields.required_text("api_key")?, location })
    }
}

impl OAuth2Document {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        use crate::spec::ClientAuthentication::{SecretBasic, SecretPost};
        let token_url = match (fields.text("access_token_url"), fields.text("token_url")) {
            (Some(_), Some(_)) => {
                fields.problems.add(&fields.place, "'token_url' and 'access_token_url' are the same thing; give one");
                None
            }
            (None, None) if fields.value("access_token_url").or(fields.value("token_url")).is_none() => {
                fields.problems.add(&fields.place, "'token_url' is missing");
                None
            }
            (url, None) | (None, url) => url,
        };
        let (client_id, client_secret) = (fields.required_text("client_id"), fields.required_text("client_secret"));
        let ways = [("client_secret_post", SecretPost), ("client_secret_basic", SecretBasic)];
        let client_authentication = fields.choice("client_authentication", &ways).unwrap_or(SecretPost);
        let mut request_data = pairs(fields, "access_token_request_data");
        for (key, name) in [("scope", "scope"), ("scopes", "scope"), ("audience", "audience")] {
            if let Some(texts) = fields.texts(key) {
                request_data.push((name.to_owned(), texts.join(" ")));
            }
        }
        let default_token_expiration = fields.number("default_token_expiration");
        let expiry_leeway_seconds = fields.number("expiry_leeway_seconds");
        // dlt treats a given token as expired and replaces it; so it changes nothing.
        fields.ignored(&["access_token"]);
        fields.unsupported(&["session"]);
        Some(Self {
            place: fields.place.clone(),
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            client_authentication,
            request_data,
            default_token_expiration,
            expiry_leeway_seconds,
        })
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
