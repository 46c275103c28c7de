//! OAuth2 client credentials (RFC 6749 §4.4): a cached token, refreshed before it expires, with one refresh in flight.
//!
//! The `oauth2` crate writes the request and reads the answer; the exchange goes over our own transport, with our own retries and limits.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::Mutex;

use super::redact::{SafeUrl, shown};
use super::send::{Asked, Cause, Failure, REFUSED_CLIENT, Sender};
use crate::error::{Error, Result};
use crate::event::RunEvent;
use crate::secret::Secret;
use crate::spec::{ClientAuthentication, OAuth2Spec};

type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    LenientToken,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// Form fields of a token request that are no secrets.
const PUBLIC_FIELDS: [&str; 5] = ["audience", "client_id", "grant_type", "resource", "scope"];

/// The token of a client, shared by all of its requests.
#[derive(Debug)]
pub(super) struct TokenCache {
    spec: OAuth2Spec,
    /// Held while a token is fetched, so that everybody else waits for the same one.
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    token: Option<Token>,
    /// How many tokens were fetched; names the current one.
    generation: u64,
}

#[derive(Debug)]
struct Token {
    value: Secret,
    /// On the monotonic clock; from then on the token is not used any more.
    refresh_at: Duration,
}

/// A token as it goes into a request, and which one it is.
#[derive(Debug, Clone)]
pub(super) struct IssuedToken {
    pub(super) value: Secret,
    pub(super) generation: u64,
}

impl TokenCache {
    pub(super) fn new(spec: OAuth2Spec) -> Self {
        Self { spec, cached: Mutex::default() }
    }

    /// The cached token, or a fresh one when there is none, it is about to expire, or it is the `refused` one.
    pub(super) async fn get(&self, sender: &Sender, resource: &str, refused: Option<u64>) -> Result<IssuedToken> {
        let mut cached = self.cached.lock().await;
        let usable = cached
            .token
            .as_ref()
            .filter(|token| refused != Some(cached.generation) && sender.clock().monotonic() < token.refresh_at);
        if let Some(token) = usable {
            return Ok(IssuedToken { value: token.value.clone(), generation: cached.generation });
        }
        cached.token = None;
        let asked_at = sender.clock().monotonic();
        let (value, lifetime) = self.fetch(sender, resource).await?;
        sender.observe(&RunEvent::TokenFetched { resource: resource.to_owned(), lifetime });
        // A short-lived token would be stale all the time if the leeway could eat its whole life.
        let leeway = self.spec.expiry_leeway.min(lifetime / 2);
        let refresh_at = asked_at.saturating_add(lifetime.saturating_sub(leeway));
        cached.token = Some(Token { value: value.clone(), refresh_at });
        cached.generation += 1;
        Ok(IssuedToken { value, generation: cached.generation })
    }

    async fn fetch(&self, sender: &Sender, resource: &str) -> Result<(Secret, Duration)> {
        let spec = &self.spec;
        let place = SafeUrl::new(&spec.token_url, &[]).to_string();
        let token_url = TokenUrl::new(spec.token_url.to_string())
            .map_err(|error| Error::config(format!("token_url {place} is not a URL")).with_source(error))?;
        let client: OAuthClient = oauth2::Client::new(ClientId::new(spec.client_id.clone()));
        let client = client
            .set_client_secret(ClientSecret::new(spec.client_secret.expose().to_owned()))
            .set_auth_type(match spec.client_authentication {
                ClientAuthentication::SecretPost => AuthType::RequestBody,
                ClientAuthentication::SecretBasic => AuthType::BasicAuth,
            })
            .set_token_uri(token_url);
        let mut request = client.exchange_client_credentials();
        for (name, value) in &spec.request_data {
            request = request.add_extra_param(name.clone(), value.expose().to_owned());
        }
        let http = Exchange { sender, resource };
        let token = request.request_async(&http).await.map_err(|error| self.refused(&place, error))?;
        if token.access_token.secret().is_empty() {
            return Err(Error::auth(format!("the token endpoint {place} answered with an empty access_token"))
                .with_hint(REFUSED_CLIENT));
        }
        let lifetime = token.expires_in.unwrap_or(spec.default_token_expiration);
        Ok((Secret::new(token.access_token.into_secret()), lifetime))
    }

    fn refused(&self, place: &str, error: RequestTokenError<Failure, BasicErrorResponse>) -> Error {
        match error {
            RequestTokenError::ServerResponse(answer) => {
                let description = answer.error_description().map(|text| format!(": {text}")).unwrap_or_default();
                let said = format!("{}{description}", answer.error().as_ref());
                let said = shown(&said, &self.secrets());
                Error::auth(format!("the token endpoint {place} refused the client: {said}")).with_hint(REFUSED_CLIENT)
            }
            RequestTokenError::Request(failure) => failure.into_error(&format!("POST {place}"), Asked::TokenEndpoint),
            RequestTokenError::Parse(error, _) => {
                Error::auth(format!("the token endpoint {place} did not answer with a token"))
                    .with_source(std::io::Error::other(format!(
                        "at {}: {}",
                        error.path(),
                        error.inner().classify_text()
                    )))
                    .with_hint("check client.auth.token_url")
            }
            RequestTokenError::Other(what) => {
                Error::auth(format!("the token endpoint {place} did not answer with a token: {what}"))
                    .with_hint("check client.auth.token_url")
            }
        }
    }

    /// What the server must not make us show, whatever it answers.
    fn secrets(&self) -> Vec<&str> {
        let fields = self.spec.request_data.iter().filter(|(name, _)| !PUBLIC_FIELDS.contains(&name.as_str()));
        fields.map(|(_, value)| value.expose()).chain([self.spec.client_secret.expose()]).collect()
    }
}

/// The exchange with a token endpoint as the `oauth2` crate wants it.
struct Exchange<'s> {
    sender: &'s Sender,
    resource: &'s str,
}

impl<'c> AsyncHttpClient<'c> for Exchange<'_> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = request.map(|body| Bytes::from(last_of_each_name(&body)));
            match self.sender.send(self.resource, request).await {
                Ok(response) => Ok(as_the_crate_wants_it(response)),
                Err(failure) if is_refusal(&failure, &self.sender.retry.statuses) => match failure.cause {
                    Cause::Status(response) => Ok(response.map(|body| body.to_vec())),
                    Cause::Transport(_) => Err(failure),
                },
                Err(failure) => Err(failure),
            }
        })
    }
}

/// Whether a final failure is the server's word on the client (RFC 6749 §5.2), which is worth reading. A status that is tried again
/// (429) speaks of the server instead.
fn is_refusal(failure: &Failure, retried: &[StatusCode]) -> bool {
    match &failure.cause {
        Cause::Status(response) => {
            let status = response.status();
            status.is_client_error()
                && !retried.contains(&status)
                && serde_json::from_slice::<BasicErrorResponse>(response.body()).is_ok()
        }
        Cause::Transport(_) => false,
    }
}

/// The crate takes 200 and JSON content types only; servers also give tokens with 201 or as text. What the body holds decides.
fn as_the_crate_wants_it(response: http::Response<Bytes>) -> HttpResponse {
    let mut response = response.map(|body| body.to_vec());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().remove(http::header::CONTENT_TYPE);
    response
}

/// What a parse error is, without the text that was parsed: that may be a token.
trait ClassifyText {
    fn classify_text(&self) -> &'static str;
}

impl ClassifyText for serde_json::Error {
    fn classify_text(&self) -> &'static str {
        match self.classify() {
            serde_json::error::Category::Io => "it cannot be read",
            serde_json::error::Category::Syntax => "it is not JSON",
            serde_json::error::Category::Data => "a field is missing or of another type",
            serde_json::error::Category::Eof => "the answer ends early",
        }
    }
}

/// A form in which the last value of a name replaces the ones before, so that `access_token_request_data` may override any field, as dlt
/// lets it.
fn last_of_each_name(form: &[u8]) -> String {
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    let mut seen = HashSet::new();
    let mut last: Vec<_> = fields.iter().rev().filter(|(name, _)| seen.insert(name.as_str())).collect();
    last.reverse();
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(last).finish()
}

/// A token answer as APIs really give it: `token_type` may be missing, `expires_in` may be a text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LenientToken {
    access_token: AccessToken,
    /// Always bearer: that is how it is sent, and how servers mean it when they leave the field out or call it something else.
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds", skip_serializing)]
    expires_in: Option<Duration>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(f64),
        Text(String),
    }
    let seconds = match Option::<Seconds>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Seconds::Number(number)) => Some(number),
        Some(Seconds::Text(text)) => text.trim().parse().ok(),
    };
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

impl TokenResponse for LenientToken {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// The cache of a client, shared.
pub(super) type SharedTokens = Arc<TokenCache>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_fields_replace_ours() {
        let form = b"grant_type=client_credentials&client_id=a&scope=x&grant_type=custom";
        assert_eq!(last_of_each_name(form), "client_id=a&scope=x&grant_type=custom");
    }

    #[test]
    fn answers_of_real_apis_are_understood() {
        for (text, expected) in [
            (r#"{"access_token":"t","expires_in":3600}"#, Some(3_600)),
            (r#"{"access_token":"t","expires_in":"60","token_type":"Bearer"}"#, Some(60)),
            (r#"{"access_token":"t","expires_in":null}"#, None),
            (r#"{"access_token":"t","expires_in":-1}"#, None),
            (r#"{"access_token":"t"}"#, None),
            (r#"{"access_token":"t","expires_in":0}"#, Some(0)),
            (r#"{"access_token":"t","expires_in":59.0,"token_type":null}"#, Some(59)),
            (r#"{"access_token":"t","expires_in":7,"token_type":"BearerToken","scope":"a b"}"#, Some(7)),
        ] {
            let token: LenientToken = serde_json::from_str(text).unwrap();
            assert_eq!(token.expires_in, expected.map(Duration::from_secs), "{text}");
        }
    }
}
