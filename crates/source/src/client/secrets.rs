//! The secrets that a client knows: what its authentication was made of, and what it was given
//! since.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::redact::is_secret_name;
use super::transport::Purpose;
use crate::spec::{Auth, OAuth2Spec, RefreshTokenSpec};

/// Tokens and cookies that are remembered; they are replaced all the time.
const GIVEN_MAX: usize = 64;
/// A value of a header that may be harmless is hidden only when it is longer than words are.
const UNSURE_BYTES_MIN: usize = 6;
/// Request headers that may be shown as they are.
const HARMLESS_HEADERS: &[HeaderName] =
    &[header::ACCEPT, header::ACCEPT_LANGUAGE, header::CONTENT_TYPE, header::RANGE, header::USER_AGENT];

/// Form fields of a token request that are no secrets.
pub(super) const PUBLIC_FIELDS: [&str; 5] = ["audience", "client_id", "grant_type", "resource", "scope"];

/// Secrets that are known.
#[derive(Default)]
pub(super) struct Secrets(Mutex<Known>);

#[derive(Default)]
struct Known {
    of_auth: Vec<String>,
    given: VecDeque<String>,
}

impl Secrets {
    /// Takes note of what `auth` keeps secret.
    pub(super) fn learn_auth(&self, auth: &Auth) {
        self.known().of_auth.extend(secrets_of(auth));
    }

    /// Takes note of a token that was fetched.
    pub(super) fn learn(&self, token: &str) {
        let mut known = self.known();
        if token.is_empty() || known.given.iter().any(|given| given == token) {
            return;
        }
        if known.given.len() == GIVEN_MAX {
            known.given.pop_front();
        }
        known.given.push_back(token.to_owned());
    }

    /// Takes note of the cookies that an answer sets.
    pub(super) fn learn_cookies(&self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            self.learn(pair.split_once('=').map_or("", |(_, value)| value.trim()));
        }
    }

    /// Returns all of them, and those in `request`.
    pub(super) fn with_those_of(&self, request: &http::Request<Bytes>) -> Vec<String> {
        let known = self.known();
        let mut secrets: Vec<String> = known.of_auth.iter().chain(&known.given).cloned().collect();
        drop(known);
        of_headers(request.headers(), &mut secrets);
        of_url(request.uri(), &mut secrets);
        let is_secret = match request.extensions().get() {
            Some(Purpose::Credentials) => |name: &str| !PUBLIC_FIELDS.contains(&name),
            None => is_secret_name,
        };
        of_request_body(request.body(), is_secret, &mut secrets);
        secrets
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Returns whether a request header may be shown as it is.
pub fn is_harmless_header(name: &HeaderName) -> bool {
    HARMLESS_HEADERS.contains(name) || name.as_str().ends_with("version")
}

/// Adds headers as they go out: each value that may be secret, and what stands behind a scheme
/// or in a cookie alone.
fn of_headers(headers: &HeaderMap, secrets: &mut Vec<String>) {
    for (name, value) in headers.iter().filter(|(name, _)| !is_harmless_header(name)) {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if !is_secret_name(name.as_str()) && value.len() < UNSURE_BYTES_MIN {
            continue;
        }
        if *name == header::COOKIE {
            let cookies = value.split(';').filter_map(|cookie| cookie.split_once('='));
            secrets.extend(cookies.map(|(_, value)| value.trim().to_owned()));
        } else if let Some((_, credentials)) = value.split_once(' ').filter(|_| *name == header::AUTHORIZATION) {
            let pair = BASE64_STANDARD.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok());
            secrets.extend(pair.and_then(|pair| pair.split_once(':').map(|(_, password)| password.to_owned())));
            secrets.push(credentials.trim().to_owned());
        }
        secrets.push(value);
    }
}

fn of_url(uri: &http::Uri, secrets: &mut Vec<String>) {
    let Ok(url) = Url::parse(&uri.to_string()) else { return };
    secrets.extend(url.password().map(str::to_owned));
    let pairs = url.query_pairs().filter(|(name, _)| is_secret_name(name));
    secrets.extend(pairs.map(|(_, value)| value.into_owned()));
}

/// Returns the fields of a form or of JSON that are secret by their names.
fn of_request_body(body: &[u8], is_secret: fn(&str) -> bool, secrets: &mut Vec<String>) {
    if let Ok(mut value) = serde_json::from_slice::<Value>(body) {
        hide(&mut value, &|name, _| name.is_some_and(is_secret), &mut |secret| secrets.push(secret.to_owned()));
    } else {
        let pairs = form_urlencoded::parse(body).filter(|(name, _)| is_secret(name));
        secrets.extend(pairs.map(|(_, value)| value.into_owned()));
    }
}

/// Replaces the strings that are secret by the name of their field or by their value, and tells of
/// each.
pub fn hide(value: &mut Value, is_secret: &dyn Fn(Option<&str>, &str) -> bool, tell: &mut dyn FnMut(&str)) {
    fn walk(
        value: &mut Value,
        name: Option<&str>,
        is_secret: &dyn Fn(Option<&str>, &str) -> bool,
        tell: &mut dyn FnMut(&str),
    ) {
        match value {
            Value::String(text) if is_secret(name, text) => {
                tell(text);
                "***".clone_into(text);
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| walk(element, name, is_secret, tell)),
            Value::Object(fields) => {
                fields.iter_mut().for_each(|(name, field)| walk(field, Some(name), is_secret, tell));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    walk(value, None, is_secret, tell);
}

/// Returns what `auth` keeps secret.
pub fn secrets_of(auth: &Auth) -> Vec<String> {
    let of_client = |spec: &OAuth2Spec| {
        let extra = spec.request_data.iter().filter(|(name, _)| is_secret_name(name));
        let mut secrets = vec![spec.client_secret.expose().to_owned()];
        secrets.extend(extra.map(|(_, value)| value.expose().to_owned()));
        secrets
    };
    match auth {
        Auth::None => Vec::new(),
        Auth::Bearer { token: secret }
        | Auth::HttpBasic { password: secret, .. }
        | Auth::ApiKey { key: secret, .. } => {
            vec![secret.expose().to_owned()]
        }
        Auth::Headers(headers) => headers.iter().map(|header| header.value.expose().to_owned()).collect(),
        Auth::OAuth2ClientCredentials(spec) => of_client(spec),
        Auth::OAuth2RefreshToken(RefreshTokenSpec { client, refresh_token, .. }) => {
            of_client(client).into_iter().chain(refresh_token.iter().map(|token| token.expose().to_owned())).collect()
        }
        Auth::Jwt(spec) => vec![spec.key.expose().to_owned()],
        Auth::Session(spec) => {
            let mut secrets = Vec::new();
            of_request_body(spec.body.expose().as_bytes(), is_secret_name, &mut secrets);
            secrets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_its_secrets() {
        let request = http::Request::builder()
            .uri("https://u:pw1@api.example/x?api_key=s2&page=3")
            .header("authorization", "Basic dTpzMw==")
            .header("cookie", "sid=s4; theme=dark")
            .header("x-tenant", "acme")
            .header("x-trace", "trace-long")
            .header("x-api-key", "s5")
            .body(Bytes::from_static(br#"{"login": {"password": "s6", "user": "me"}}"#));
        let found = Secrets::default().with_those_of(&request.unwrap());
        let mut found: Vec<&str> = found.iter().map(String::as_str).collect();
        found.sort_unstable();
        let expected = [
            "Basic dTpzMw==",
            "dTpzMw==",
            "dark",
            "pw1",
            "s2",
            "s3",
            "s4",
            "s5",
            "s6",
            "sid=s4; theme=dark",
            "trace-long",
        ];
        assert_eq!(found, expected);
        let form = http::Request::new(Bytes::from_static(b"client_secret=a%26b&scope=x"));
        assert_eq!(Secrets::default().with_those_of(&form), ["a&b"]);
        let mut login = http::Request::new(Bytes::from_static(b"client_id=me&scope=x&assertion=s"));
        login.extensions_mut().insert(Purpose::Credentials);
        assert_eq!(Secrets::default().with_those_of(&login), ["s"]);
    }

    #[test]
    fn tokens_and_cookies_are_remembered_while_they_may_be_in_use() {
        let secrets = Secrets::default();
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, "sid=abc=; Path=/".parse().unwrap());
        headers.append(header::SET_COOKIE, "theme=dark".parse().unwrap());
        secrets.learn_cookies(&headers);
        secrets.learn("abc=");
        let known = || secrets.with_those_of(&http::Request::new(Bytes::new()));
        assert_eq!(known(), ["abc=", "dark"]);
        for number in 0..GIVEN_MAX {
            secrets.learn(&format!("token {number}"));
        }
        assert_eq!((known().len(), known()[0].as_str()), (GIVEN_MAX, "token 0"));
    }
}
