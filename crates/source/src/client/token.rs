//! Tokens that are fetched: cached, refreshed before they expire, with one refresh in flight. OAuth2 (RFC 6749 §4.4, §6) here, the others in [`grant`].
//!
//! The `oauth2` crate writes the request and reads the answer; the exchange goes over our own transport, with our own retries and limits.

use std::collections::HashSet;
use std::pin::Pin;
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

use super::excerpt;
use super::grant;
use super::redact::SafeUrl;
use super::secrets::PUBLIC_FIELDS;
use super::send::{Asked, Cause, Failure, REFUSED_CLIENT, Sender};
use crate::spec::{ClientAuthentication, JwtSpec, OAuth2Spec, RefreshTokenSpec, SessionSpec};
use lakefeed_model::error::{Error, HttpFailure, Result};
use lakefeed_model::event::RunEvent;
use lakefeed_model::secret::Secret;

type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    LenientToken,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// How long before its expiry a token is refreshed whose source does not say.
const LEEWAY: Duration = Duration::from_secs(60);

/// Where tokens come from.
#[derive(Debug)]
pub(super) enum TokenSource {
    ClientCredentials(OAuth2Spec),
    RefreshToken(RefreshTokenSpec),
    Jwt(JwtSpec),
    Session(SessionSpec),
}

/// The token of a client, shared by all of its requests.
#[derive(Debug)]
pub(super) struct TokenCache {
    source: TokenSource,
    /// Held while a token is fetched, so that everybody else waits for the same one.
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    token: Option<Token>,
    /// How many tokens were fetched; names the current one.
    generation: u64,
    /// The refresh token that the server gave last.
    refresh_token: Option<Secret>,
}

/// A token that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) value: Secret,
    pub(super) lifetime: Duration,
    pub(super) refresh_token: Option<Secret>,
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
    pub(super) fn new(source: TokenSource) -> Self {
        Self { source, cached: Mutex::default() }
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
        let Fetched { value, lifetime, refresh_token } =
            Box::pin(self.source.fetch(sender, resource, cached.refresh_token.as_ref())).await?;
        sender.secrets.learn(value.expose());
        if let Some(refresh_token) = &refresh_token {
            sender.secrets.learn(refresh_token.expose());
        }
        if refresh_token.is_some() {
            cached.refresh_token = refresh_token;
        }
        sender.observe(&RunEvent::TokenFetched { resource: resource.to_owned(), lifetime });
        // A short-lived token would be stale all the time if the leeway could eat its whole life.
        let leeway = self.source.expiry_leeway().min(lifetime / 2);
        let refresh_at = asked_at.saturating_add(lifetime.saturating_sub(leeway));
        cached.token = Some(Token { value: value.clone(), refresh_at });
        cached.generation += 1;
        Ok(IssuedToken { value, generation: cached.generation })
    }
}

impl TokenSource {
    fn expiry_leeway(&self) -> Duration {
        match self {
            Self::ClientCredentials(spec) => spec.expiry_leeway,
            Self::RefreshToken(spec) => spec.client.expiry_leeway,
            Self::Jwt(_) | Self::Session(_) => LEEWAY,
        }
    }

    async fn fetch(&self, sender: &Sender, resource: &str, rotated: Option<&Secret>) -> Result<Fetched> {
        match self {
            Self::ClientCredentials(spec) => fetch_by_oauth2(spec, &Grant::ClientCredentials, sender, resource).await,
            Self::RefreshToken(spec) => fetch_by_refresh_token(spec, rotated, sender, resource).await,
            Self::Jwt(spec) => grant::fetch_by_jwt(spec, sender, resource).await,
            Self::Session(spec) => grant::fetch_by_login(spec, sender, resource).await,
        }
    }
}

/// What a token is asked for with.
pub(super) enum Grant {
    ClientCredentials,
    RefreshToken(Secret),
}

/// The rotated token of this run, that of the file, or the one to begin with; a new one is kept in the file.
async fn fetch_by_refresh_token(
    spec: &RefreshTokenSpec,
    rotated: Option<&Secret>,
    sender: &Sender,
    resource: &str,
) -> Result<Fetched> {
    let kept = match (&spec.file, rotated) {
        (_, Some(rotated)) => Some(rotated.clone()),
        (Some(file), None) => grant::read_token_file(file)?,
        (None, None) => None,
    };
    let Some(refresh_token) = kept.or_else(|| spec.refresh_token.clone()) else {
        return Err(Error::auth(
            "there is no refresh token: the file has none, and client.auth.refresh_token is not set",
        )
        .with_hint("set client.auth.refresh_token for the first run"));
    };
    if let Some(file) = &spec.file {
        grant::check_token_file(file)?;
    }
    let fetched = fetch_by_oauth2(&spec.client, &Grant::RefreshToken(refresh_token), sender, resource).await?;
    if let (Some(file), Some(new)) = (&spec.file, &fetched.refresh_token) {
        grant::keep_token_file(file, new)?;
    }
    Ok(fetched)
}

async fn fetch_by_oauth2(spec: &OAuth2Spec, grant: &Grant, sender: &Sender, resource: &str) -> Result<Fetched> {
    let place = SafeUrl::new(&spec.token_url, &[]).to_string();
    let token_url = TokenUrl::new(spec.token_url.to_string())
        .map_err(|error| Error::config(format!("token_url {place} is not a URL")).with_source(error))?;
    let mut client: OAuthClient = oauth2::Client::new(ClientId::new(spec.client_id.clone()));
    if !spec.client_secret.expose().is_empty() {
        client = client.set_client_secret(ClientSecret::new(spec.client_secret.expose().to_owned()));
    }
    let client = client
        .set_auth_type(match spec.client_authentication {
            ClientAuthentication::SecretPost => AuthType::RequestBody,
            ClientAuthentication::SecretBasic => AuthType::BasicAuth,
        })
        .set_token_uri(token_url);
    let http = Exchange { sender, resource, place: format!("POST {place}"), refusal: Mutex::default() };
    let extra = || spec.request_data.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let answer = match grant {
        Grant::ClientCredentials => {
            let request = client.exchange_client_credentials();
            extra()
                .fold(request, |request, (name, value)| request.add_extra_param(name, value))
                .request_async(&http)
                .await
        }
        Grant::RefreshToken(token) => {
            let token = RefreshToken::new(token.expose().to_owned());
            let request = client.exchange_refresh_token(&token);
            extra()
                .fold(request, |request, (name, value)| request.add_extra_param(name, value))
                .request_async(&http)
                .await
        }
    };
    let token = match answer {
        Ok(token) => token,
        Err(error) => return Err(refused(spec, grant, &place, http.refusal.into_inner(), error)),
    };
    if token.access_token.secret().is_empty() {
        return Err(Error::auth(format!("the token endpoint {place} answered with an empty access_token"))
            .with_hint(REFUSED_CLIENT));
    }
    Ok(token.into_fetched(spec.default_token_expiration))
}

fn refused(
    spec: &OAuth2Spec,
    grant: &Grant,
    place: &str,
    refusal: Option<HttpFailure>,
    error: RequestTokenError<Failure, BasicErrorResponse>,
) -> Error {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let description = answer.error_description().map(|text| format!(": {text}")).unwrap_or_default();
            let said = format!("{}{description}", answer.error().as_ref());
            let said = excerpt::of_text(&said, &secrets_of(spec, grant));
            let status = refusal.as_ref().and_then(|refusal| refusal.status);
            let with_status = status.map(|status| format!(" with {status}")).unwrap_or_default();
            let mut error = Error::auth(format!("the token endpoint {place} refused the client{with_status}: {said}"))
                .with_hint(REFUSED_CLIENT);
            if let Some(refusal) = refusal {
                error = error.with_http(refusal);
            }
            match grant {
                Grant::ClientCredentials => error,
                Grant::RefreshToken(_) => {
                    error.with_hint("a refresh token that was used elsewhere, or is too old, has to be asked for anew")
                }
            }
        }
        RequestTokenError::Request(failure) => failure.into_error(&format!("POST {place}"), Asked::TokenEndpoint),
        RequestTokenError::Parse(error, _) => {
            no_token(place, &format!("at {}: {}", error.path(), error.inner().classify_text()))
        }
        RequestTokenError::Other(what) => no_token(place, &what),
    }
}

/// The answer of a token endpoint holds no token.
pub(super) fn no_token(place: &str, what: &str) -> Error {
    Error::auth(format!("{place} did not answer with a token"))
        .with_source(std::io::Error::other(what.to_owned()))
        .with_hint("check the URL in client.auth")
}

/// What the server must not make us show, whatever it answers.
fn secrets_of(spec: &OAuth2Spec, grant: &Grant) -> Vec<String> {
    let fields = spec.request_data.iter().filter(|(name, _)| !PUBLIC_FIELDS.contains(&name.as_str()));
    let token = match grant {
        Grant::ClientCredentials => None,
        Grant::RefreshToken(token) => Some(token.expose()),
    };
    fields
        .map(|(_, value)| value.expose())
        .chain([spec.client_secret.expose()])
        .chain(token)
        .map(str::to_owned)
        .collect()
}

/// The exchange with a token endpoint as the `oauth2` crate wants it.
struct Exchange<'s> {
    sender: &'s Sender,
    resource: &'s str,
    place: String,
    /// An answer that refuses the client, of which the crate keeps the body only.
    refusal: Mutex<Option<HttpFailure>>,
}

impl<'c> AsyncHttpClient<'c> for Exchange<'_> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = request.map(|body| Bytes::from(last_of_each_name(&body)));
            match self.sender.send(self.resource, request).await {
                Ok(response) => Ok(as_the_crate_wants_it(response)),
                Err(failure) if is_refusal(&failure, &self.sender.retry.statuses) => {
                    *self.refusal.lock().await = Some(failure.facts(&self.place));
                    match failure.cause {
                        Cause::Status(response) => Ok(response.map(|body| body.to_vec())),
                        Cause::Transport(_) => Err(failure),
                    }
                }
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
pub(super) struct LenientToken {
    access_token: AccessToken,
    /// Always bearer: that is how it is sent, and how servers mean it when they leave the field out or call it something else.
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds", skip_serializing)]
    expires_in: Option<Duration>,
    #[serde(default, skip_serializing)]
    refresh_token: Option<RefreshToken>,
}

impl LenientToken {
    pub(super) fn into_fetched(self, default_lifetime: Duration) -> Fetched {
        Fetched {
            lifetime: self.expires_in.unwrap_or(default_lifetime),
            value: Secret::new(self.access_token.into_secret()),
            refresh_token: self.refresh_token.map(|token| Secret::new(token.into_secret())),
        }
    }
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
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

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
