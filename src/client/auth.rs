//! What authentication does to a request.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use super::send::Sender;
use super::token::{SharedTokens, TokenCache};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::spec::{ApiKeyLocation, Auth};

/// How the requests of a client are authenticated, tokens included.
#[derive(Debug)]
pub(super) enum Authenticator {
    None,
    Header(HeaderName, HeaderValue),
    Query(String, Secret),
    Cookie(HeaderValue),
    Token(SharedTokens),
}

impl Authenticator {
    pub(super) fn new(auth: &Auth) -> Result<Self> {
        Ok(match auth {
            Auth::None => Self::None,
            Auth::Bearer { token } => Self::Header(header::AUTHORIZATION, bearer(token)?),
            Auth::HttpBasic { username, password } => {
                let pair = Secret::new(format!("{username}:{}", password.expose()));
                let encoded = BASE64_STANDARD.encode(pair.expose());
                Self::Header(header::AUTHORIZATION, sensitive(&format!("Basic {encoded}"))?)
            }
            Auth::ApiKey { name, key, location: ApiKeyLocation::Header } => {
                let header = HeaderName::try_from(name).map_err(|error| {
                    Error::config(format!("api_key name {name:?} is not a header")).with_source(error)
                })?;
                Self::Header(header, sensitive(key.expose())?)
            }
            Auth::ApiKey { name, key, location: ApiKeyLocation::Query } => Self::Query(name.clone(), key.clone()),
            Auth::ApiKey { name, key, location: ApiKeyLocation::Cookie } => {
                Self::Cookie(sensitive(&format!("{name}={}", key.expose()))?)
            }
            Auth::OAuth2ClientCredentials(spec) => Self::Token(std::sync::Arc::new(TokenCache::new(spec.clone()))),
        })
    }

    /// What to do when the API refuses these credentials.
    pub(super) fn when_refused(&self) -> &'static str {
        match self {
            Self::None => "the API wants credentials: set client.auth",
            Self::Header(..) | Self::Query(..) | Self::Cookie(_) => {
                "check the credentials in client.auth, and what they are allowed to read"
            }
            Self::Token(_) => {
                "check what this OAuth2 client is allowed to read (scope, audience); a new token did not help"
            }
        }
    }

    /// Authenticates one request. Returns which token it carries, when it carries one; `refused` is a token that the API did not
    /// accept.
    pub(super) async fn apply(
        &self,
        url: &mut Url,
        headers: &mut HeaderMap,
        sender: &Sender,
        resource: &str,
        refused: Option<u64>,
    ) -> Result<Option<u64>> {
        match self {
            Self::None => {}
            Self::Header(name, value) => drop(headers.insert(name, value.clone())),
            Self::Query(name, key) => drop(url.query_pairs_mut().append_pair(name, key.expose())),
            Self::Cookie(value) => drop(headers.insert(header::COOKIE, beside_other_cookies(headers, value)?)),
            Self::Token(tokens) => {
                let token = tokens.get(sender, resource, refused).await?;
                headers.insert(header::AUTHORIZATION, bearer(&token.value)?);
                return Ok(Some(token.generation));
            }
        }
        Ok(None)
    }
}

/// The key's cookie after those that the pipeline's own headers name.
fn beside_other_cookies(headers: &HeaderMap, ours: &HeaderValue) -> Result<HeaderValue> {
    let Some(others) = headers.get(header::COOKIE) else { return Ok(ours.clone()) };
    let joined = [others.as_bytes(), b"; ", ours.as_bytes()].concat();
    let mut value = HeaderValue::from_bytes(&joined)
        .map_err(|_| Error::auth("a credential has characters that a cookie cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn bearer(token: &Secret) -> Result<HeaderValue> {
    sensitive(&format!("Bearer {}", token.expose()))
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| Error::auth("a credential has characters that a header cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}
