//! What must not get into a cassette, and how it is kept out.
//!
//! Two rules work together. By name: headers, parameters and fields that usually hold secrets, and
//! every request header that is not known to be harmless. By value: whatever the pipeline treats as
//! a secret, and every token that was fetched, wherever it turns up.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderName, header};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::MARK;
use crate::client::{hide, is_harmless_header, is_secret_name, secrets_of};
use crate::spec::{Header, PipelineSpec};

/// A shorter secret is not looked for in strings, where it would hit innocent ones.
const LENGTH_MIN: usize = 6;

/// Fields of a token endpoint's answer that may be shown.
const HARMLESS_FIELDS: &[&str] =
    &["error", "error_description", "error_uri", "expires_in", "issued_token_type", "scope", "token_type"];

/// Replaces secrets by `***`. Learns new ones as they come.
#[derive(Default)]
pub(crate) struct Scrubber {
    /// As they are looked for: plain, form-encoded and as in JSON; the longest first, so that none
    /// tears another one apart.
    forms: Mutex<Vec<String>>,
}

impl Scrubber {
    /// Returns a scrubber that knows the secrets of a pipeline.
    pub(crate) fn of(spec: &PipelineSpec) -> Self {
        let scrubber = Self::default();
        let endpoints = spec.resources.iter().map(|resource| &resource.endpoint);
        for auth in std::iter::once(&spec.client.auth).chain(endpoints.clone().filter_map(|end| end.auth.as_deref())) {
            for secret in secrets_of(auth) {
                scrubber.learn(&secret);
            }
        }
        for Header { name, value } in &spec.client.headers {
            if is_secret_name(name.as_str()) {
                scrubber.learn(value.expose());
            }
        }
        scrubber
    }

    /// Returns whether `value` is a secret of the pipeline.
    pub(crate) fn knows(&self, value: &str) -> bool {
        self.forms().iter().any(|form| form == value)
    }

    /// Learns that `secret` is one.
    pub(crate) fn learn(&self, secret: &str) {
        if secret.is_empty() || secret == MARK {
            return;
        }
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let quoted = Value::from(secret).to_string();
        let in_json = quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned();
        let mut forms = self.forms();
        for form in [secret.to_owned(), encoded, in_json] {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Returns text without the secrets in it.
    pub(super) fn text(&self, text: &str) -> String {
        let forms = self.forms();
        let present = forms.iter().filter(|form| form.len() >= LENGTH_MIN && text.contains(form.as_str()));
        present.fold(text.to_owned(), |text, form| text.replace(form.as_str(), MARK))
    }

    /// Returns a URL without user info, and without secrets among its parameters or anywhere else.
    pub(super) fn url(&self, url: &Url) -> String {
        let mut clean = url.clone();
        // A URL that cannot have user info has none.
        let _no_password = clean.set_password(None);
        let _no_name = clean.set_username("");
        let is_secret = |name: &str, value: &str| is_secret_name(name) || self.knows(value);
        if url.query_pairs().any(|(name, value)| is_secret(&name, &value)) {
            let pairs = url.query_pairs().map(|(name, value)| {
                let value = if is_secret(&name, &value) { MARK.into() } else { value };
                (name, value)
            });
            clean.query_pairs_mut().clear().extend_pairs(pairs);
        }
        self.text(clean.as_str())
    }

    /// Returns the headers of a request: those that are not known to be harmless keep only their
    /// names.
    pub(super) fn request_headers(&self, headers: &HeaderMap) -> Vec<String> {
        self.headers(headers, |name| !is_harmless_header(name))
    }

    /// Returns the headers of an answer. Cookies keep their names.
    pub(super) fn response_headers(&self, headers: &HeaderMap) -> Vec<String> {
        self.headers(headers, |name| *name != header::SET_COOKIE && is_secret_name(name.as_str()))
    }

    fn headers(&self, headers: &HeaderMap, is_secret: impl Fn(&HeaderName) -> bool) -> Vec<String> {
        let shown = |name: &HeaderName, value: &http::HeaderValue| {
            let text = String::from_utf8_lossy(value.as_bytes());
            if is_secret(name) {
                MARK.to_owned()
            } else if name == header::SET_COOKIE {
                cookie_without_value(&text)
            } else {
                self.text(&text)
            }
        };
        headers.iter().map(|(name, value)| format!("{name}: {}", shown(name, value))).collect()
    }

    /// Returns the body of a request.
    pub(super) fn request_body(&self, body: &[u8], content_type: Option<&str>) -> String {
        let text = String::from_utf8_lossy(body);
        if content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            let pairs = form_urlencoded::parse(body).map(|(name, value)| {
                let is_secret = is_secret_name(&name) || self.knows(&value);
                let value = if is_secret { MARK.into() } else { value };
                (name, value)
            });
            return self.text(&form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish());
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(mut value @ (Value::Object(_) | Value::Array(_))) => {
                hide(&mut value, &|name, text| name.is_some_and(is_secret_name) || self.knows(text), &mut |_| {});
                self.text(&value.to_string())
            }
            Ok(_) | Err(_) => self.text(&text),
        }
    }

    /// Returns the body of an answer of the API: its data stay as they are, byte for byte, unless a
    /// known secret is among them.
    pub(super) fn response_body(&self, body: bytes::Bytes) -> bytes::Bytes {
        let Ok(text) = std::str::from_utf8(&body) else { return body };
        let forms = self.forms();
        if forms.iter().any(|form| form.len() >= LENGTH_MIN && text.contains(form.as_str())) {
            drop(forms);
            return self.text(text).into();
        }
        drop(forms);
        body
    }

    /// Returns the body of an answer to a request for credentials. What it gives is learned, and
    /// left out.
    pub(super) fn credentials(&self, body: &[u8], headers: &HeaderMap) -> String {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let value = cookie.to_str().unwrap_or_default().split(';').next().and_then(|pair| pair.split_once('='));
            self.learn(value.map(|(_, value)| value.trim()).unwrap_or_default());
        }
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
            return if body.is_empty() { String::new() } else { MARK.to_owned() };
        };
        let is_secret = |name: Option<&str>, _: &str| name.is_none_or(|name| !HARMLESS_FIELDS.contains(&name));
        hide(&mut value, &is_secret, &mut |secret| self.learn(secret));
        self.text(&value.to_string())
    }

    fn forms(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

fn cookie_without_value(cookie: &str) -> String {
    let (pair, attributes) = cookie.split_once(';').map_or((cookie, ""), |(pair, rest)| (pair, rest));
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    if attributes.is_empty() { format!("{name}={MARK}") } else { format!("{name}={MARK};{attributes}") }
}
