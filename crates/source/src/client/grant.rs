//! Tokens that are not OAuth2's own grants: signed JWTs and logins.

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::jwt;
use super::redact::SafeUrl;
use super::send::{Asked, Sender};
use super::token_answer::{Fetched, LenientToken, no_token};
use crate::spec::{JwtSpec, SessionSpec, SessionToken};
use lakefeed_model::error::{Error, Result};
use lakefeed_model::secret::Secret;
use lakefeed_model::spec::JsonPath;
use lakefeed_model::spec::json_path::Segment;

/// Signs a JWT now; exchanges it for a token where the API wants that (RFC 7523 §2.1).
pub(super) async fn fetch_by_jwt(spec: &JwtSpec, sender: &Sender, resource: &str) -> Result<Fetched> {
    let jwt = jwt::sign(spec, sender.clock().now().timestamp())?;
    let Some(token_url) = &spec.token_url else {
        return Ok(Fetched { value: jwt, lifetime: spec.lifetime, refresh_token: None });
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .append_pair("assertion", jwt.expose())
        .finish();
    let body = post(token_url, "application/x-www-form-urlencoded", form.into(), sender, resource).await?.into_body();
    let token: LenientToken = serde_json::from_slice(&body)
        .map_err(|_| no_token(&SafeUrl::new(token_url, &[]).to_string(), "there is no access_token in the answer"))?;
    Ok(token.into_fetched(spec.lifetime))
}

/// Logs in, and takes the token out of the answer.
pub(super) async fn fetch_by_login(spec: &SessionSpec, sender: &Sender, resource: &str) -> Result<Fetched> {
    let body = Bytes::from(spec.body.expose().to_owned());
    let response = post(&spec.login_url, "application/json", body, sender, resource).await?;
    let (found, wanted) = match &spec.token {
        SessionToken::Body(path) => {
            let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            (token_at(&answer, path), path.to_string())
        }
        SessionToken::Cookie(name) => (cookie(response.headers(), name), format!("cookie {name}")),
    };
    let Some(token) = found else {
        let place = SafeUrl::new(&spec.login_url, &[]).to_string();
        return Err(no_token(&place, &format!("there is no {wanted} in the answer")));
    };
    Ok(Fetched { value: Secret::new(token), lifetime: spec.lifetime, refresh_token: None })
}

fn token_at(answer: &Value, path: &JsonPath) -> Option<String> {
    let mut place = answer;
    for segment in path.segments() {
        place = match segment {
            Segment::Key(key) => place.get(key)?,
            Segment::Index(index) => place.get(*index)?,
            Segment::FromEnd(index) => place.as_array()?.iter().nth_back(index.checked_sub(1)?)?,
            Segment::Wildcard => return None,
        };
    }
    place.as_str().filter(|token| !token.is_empty()).map(str::to_owned)
}

fn cookie(headers: &http::HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .filter_map(|cookie| cookie.split(';').next()?.split_once('='))
        .find(|(known, _)| known.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}

async fn post(
    url: &Url,
    content_type: &'static str,
    body: Bytes,
    sender: &Sender,
    resource: &str,
) -> Result<http::Response<Bytes>> {
    let mut request = http::Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url
        .as_str()
        .parse()
        .map_err(|error| Error::config("a URL in client.auth cannot be asked").with_source(error))?;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let place = format!("POST {}", SafeUrl::new(url, &[]));
    sender.send(resource, request).await.map_err(|failure| failure.into_error(&place, Asked::TokenEndpoint))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_are_found_in_bodies_and_cookies() {
        let answer = json!({"data": {"tokens": ["a", "b"]}, "empty": ""});
        let at = |path: &str| token_at(&answer, &JsonPath::parse(path).unwrap());
        assert_eq!((at("data.tokens[1]"), at("empty"), at("data")), (Some("b".to_owned()), None, None));
        let mut headers = http::HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("other=1; Path=/"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("sid=abc=; HttpOnly"));
        assert_eq!(cookie(&headers, "sid").as_deref(), Some("abc="));
        assert_eq!(cookie(&headers, "none"), None);
    }
}
