//! A request to the API, before it is authenticated.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::redact::{SafeUrl, is_secret_name};
use crate::spec::{Auth, Header, Method, ResponseAction};
use lakefeed_model::error::{Error, Result};

/// A request to the API, before it is authenticated.
#[derive(Clone)]
pub struct ApiRequest {
    /// The method.
    pub method: Method,
    /// The URL; a query that it has comes first.
    pub url: Url,
    /// Query parameters, in order.
    pub query: Vec<(String, String)>,
    /// Headers on top of the client's; they win per name.
    pub headers: Vec<Header>,
    /// The body, if any.
    pub body: RequestBody,
    /// What to do about answers of a certain kind, first match first.
    pub actions: Arc<[ResponseAction]>,
    /// How it is authenticated, instead of the client's way. Requests that share it share its
    /// tokens.
    pub auth: Option<Arc<Auth>>,
}

/// The body of a request.
#[derive(Clone, PartialEq)]
pub enum RequestBody {
    /// None.
    None,
    /// JSON.
    Json(Value),
    /// A form.
    Form(Vec<(String, String)>),
    /// Text as it is; its content type is the headers' business.
    Raw(String),
}

impl ApiRequest {
    pub(super) fn method_name(&self) -> &'static str {
        match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }

    pub(super) fn full_url(&self) -> Url {
        let mut url = self.url.clone();
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }

    /// Returns the client's headers with the request's own on top. Without `with_credentials`,
    /// those of the client's that usually carry credentials stay at home.
    pub(super) fn headers(&self, client: &[Header], with_credentials: bool) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let common = client.iter().filter(|header| with_credentials || !is_secret_name(header.name.as_str()));
        for Header { name, value } in common.chain(&self.headers) {
            let mut value = HeaderValue::try_from(value.expose())
                .map_err(|_| Error::config(format!("header {name} has characters that a header cannot carry")))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    pub(super) fn to_http(&self, url: &Url, mut headers: HeaderMap) -> Result<http::Request<Bytes>> {
        let mut is_a = |content_type: &'static str| {
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        };
        let body = match &self.body {
            RequestBody::None => Bytes::new(),
            RequestBody::Json(json) => {
                is_a("application/json");
                Bytes::from(json.to_string())
            }
            RequestBody::Form(fields) => {
                is_a("application/x-www-form-urlencoded");
                Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
            }
            RequestBody::Raw(text) => Bytes::from(text.clone()),
        };
        let mut request = http::Request::builder()
            .method(self.method_name())
            .uri(url.as_str())
            .body(body)
            .map_err(|error| Error::config("the request cannot be sent").with_source(error))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl fmt::Debug for RequestBody {
    /// Shows its kind only: anything in a body may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Json(_) => "Json(…)",
            Self::Form(_) => "Form(…)",
            Self::Raw(_) => "Raw(…)",
        })
    }
}

impl fmt::Debug for ApiRequest {
    /// Shows what may be shown: parameters and headers may be secrets, and so may anything in a
    /// body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = SafeUrl::new(&self.full_url(), &[]).to_string();
        f.debug_struct("ApiRequest")
            .field("method", &self.method)
            .field("url", &url)
            .field("headers", &self.headers)
            .field("has_body", &(self.body != RequestBody::None))
            .finish_non_exhaustive()
    }
}
