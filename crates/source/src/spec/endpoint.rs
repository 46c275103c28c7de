//! What to ask an API for.

use std::sync::Arc;

use url::Url;

use lakefeed_model::spec::{Incremental, JsonPath};

use super::{Auth, Header, PaginationSpec, Template};

/// What to ask the API for.
#[derive(Debug, Clone)]
pub struct EndpointSpec {
    /// The URL without the query of [`Self::params`].
    pub url: EndpointUrl,
    /// The request's method.
    pub method: Method,
    /// Query parameters, in the order of the file.
    pub params: Vec<(String, Template)>,
    /// The body, if any.
    pub body: BodySpec,
    /// Headers on top of the client's. Their values may have placeholders.
    pub headers: Vec<Header>,
    /// Where the records are in a page; `None` to look for them as dlt does.
    pub data_selector: Option<JsonPath>,
    /// How the listing is cut into pages.
    pub paginator: PaginationSpec,
    /// How only what is new is read.
    pub incremental: Option<Incremental>,
    /// What to do about answers of a certain kind, first match first.
    pub response_actions: Vec<ResponseAction>,
    /// How its requests are authenticated, instead of the client's way.
    pub auth: Option<Arc<Auth>>,
    /// How pages hold records; by what the API says of each page when `None`.
    pub record_format: Option<RecordFormat>,
    /// What GraphQL errors beside the data mean.
    pub graphql_errors: GraphqlErrors,
}

/// What `errors` beside `data` mean, where the records are within `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphqlErrors {
    /// The run fails with the first of them.
    Fail,
    /// The listing is not known to be whole.
    Warn,
    /// Nothing.
    Ignore,
}

/// What is listed.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The resource's name, for messages.
    pub resource: &'a str,
    /// The endpoint.
    pub endpoint: &'a EndpointSpec,
    /// Whether records have a key, so that two equal ones are one record.
    pub has_key: bool,
}

/// How a page holds records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// One JSON document, with the records at the selector.
    Json,
    /// One JSON document a line, each of them a record (<https://github.com/ndjson/ndjson-spec>).
    Ndjson,
    /// Separated values, the first line being the names of the columns (RFC 4180).
    Delimited {
        /// What stands between two values.
        delimiter: u8,
    },
}

impl RecordFormat {
    /// Returns the format of a page, by its content type.
    pub fn of_content_type(content_type: Option<&str>) -> Self {
        let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
        let lines = [
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/x-jsonlines",
            "application/jsonlines",
        ];
        match kind.as_str() {
            kind if lines.contains(&kind) => Self::Ndjson,
            "text/csv" | "application/csv" => Self::Delimited { delimiter: b',' },
            "text/tab-separated-values" => Self::Delimited { delimiter: b'\t' },
            _ => Self::Json,
        }
    }
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointUrl {
    /// Always at the same place.
    Fixed(Url),
    /// Where the placeholders of its path lead.
    Templated {
        /// What the path is joined to, with exactly one `/` between.
        base: Url,
        /// The path; a whole http(s) URL stands for itself.
        path: Template,
    },
}

impl EndpointUrl {
    /// Returns the URL, where it is always the same.
    pub fn as_fixed(&self) -> Option<&Url> {
        match self {
            Self::Fixed(url) => Some(url),
            Self::Templated { .. } => None,
        }
    }
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum BodySpec {
    /// None.
    None,
    /// JSON; its strings may have placeholders.
    Json(serde_json::Value),
    /// A form.
    Form(Vec<(String, Template)>),
    /// Text as it is.
    Raw(Template),
}

/// What to do about answers of a certain kind. An answer must fit everything that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseAction {
    /// The answer's status.
    pub status: Option<http::StatusCode>,
    /// A string within the answer's body.
    pub content: Option<String>,
    /// What to do.
    pub action: Action,
}

/// What a response action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The listing, or this slice of it, ends without this answer.
    Ignore,
    /// The run fails.
    Fail,
    /// The request is sent again, as after a status of `client.retry`.
    Retry,
}

/// Joins base and path with exactly one `/` between; a path that is an http(s) URL stands for
/// itself.
///
/// # Errors
/// When the two do not make a URL.
pub fn join_url(base: &Url, path: &str) -> Result<Url, url::ParseError> {
    if path.starts_with("http://") || path.starts_with("https://") {
        return Url::parse(path);
    }
    let (base_path, base_query) = (base.path().trim_end_matches('/'), base.query());
    let path = path.trim_start_matches('/');
    let joined = if path.is_empty() { base.path().to_owned() } else { format!("{base_path}/{path}") };
    let mut origin = base.clone();
    origin.set_query(None);
    origin.set_fragment(None);
    let mut url = origin.join(&joined)?;
    if url.query().is_none() {
        url.set_query(base_query);
    }
    Ok(url)
}

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}
