//! Values that several parts of a pipeline have: URLs, headers, paths, templates, expressions.

use http::{HeaderName, HeaderValue};
use url::Url;

use crate::config::document::problems::Problems;
use crate::expression::Expression;
use crate::secret::Secret;
use crate::spec::{Header, JsonPath, Template, is_loopback};

/// Refuses plain http: without encryption, credentials and records can be read on the way.
pub(crate) fn refuse_plain_http(url: Option<&Url>, allow_http: bool, place: &str, problems: &Problems) {
    if let Some(url) = url
        && !allow_http
        && url.scheme() == "http"
        && !is_loopback(url)
    {
        problems.add(place, "is plain http to another machine; use https, or set client.allow_http: true");
    }
}

/// Returns an http(s) URL without credentials in it. The URL itself is not shown when it has some.
pub(crate) fn http_url(text: &str, place: &str, problems: &Problems) -> Option<Url> {
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

/// Reads headers by name; the values may be secrets and are not shown.
pub(crate) fn headers(pairs: &[(String, String)], place: &str, problems: &Problems) -> Vec<Header> {
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

/// Returns the path that a string is.
pub(crate) fn json_path(text: &str, place: &str, problems: &Problems) -> Option<JsonPath> {
    JsonPath::parse(text).map_err(|error| problems.add(place, format!("is not a JSON path: {error}"))).ok()
}

/// Returns the text with placeholders that a string is.
pub(crate) fn template(text: &str, place: &str, problems: &Problems) -> Option<Template> {
    Template::parse(text).map_err(|error| problems.add(place, error.to_string())).ok()
}

/// Returns the expression that a string is.
pub(crate) fn expression(text: &str, place: &str, problems: &Problems) -> Option<Expression> {
    Expression::parse(text).map_err(|error| problems.add(place, error.to_string())).ok()
}
