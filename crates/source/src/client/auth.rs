//! What authentication does to a request.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use super::send::Sender;
use super::token::{TokenCache, TokenSource};
use crate::spec::{ApiKeyLocation, Auth};
use lakefeed_model::error::{Error, Result};
use lakefeed_model::secret::Secret;

/// How the requests of a client are authenticated, tokens included.
#[derive(Debug)]
pub(super) enum Authenticator {
    None,
    Header(HeaderName, HeaderValue),
    Query(String, Secret),
    Cookie(HeaderValue),
    Headers(Vec<(HeaderName, HeaderValue)>),
    /// A token that is fetched, the header that takes it, and what stands before it there.
    Token {
        tokens: Box<TokenCache>,
        header: HeaderName,
        prefix: String,
    },
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
            Auth::Headers(headers) => {
                let pairs: Result<Vec<_>> =
                    headers.iter().map(|header| Ok((header.name.clone(), sensitive(header.value.expose())?))).collect();
                Self::Headers(pairs?)
            }
            Auth::OAuth2ClientCredentials(spec) => Self::bearer_token(TokenSource::ClientCredentials(spec.clone())),
            Auth::OAuth2RefreshToken(spec) => Self::bearer_token(TokenSource::RefreshToken(spec.clone())),
            Auth::Jwt(spec) => Self::bearer_token(TokenSource::Jwt(spec.clone())),
            Auth::Session(spec) => Self::Token {
                header: spec.header.clone(),
                prefix: spec.prefix.clone(),
                tokens: Box::new(TokenCache::new(TokenSource::Session(spec.clone()))),
            },
        })
    }

    fn bearer_token(source: TokenSource) -> Self {
        Self::Token {
            tokens: Box::new(TokenCache::new(source)),
            header: header::AUTHORIZATION,
            prefix: "Bearer ".to_owned(),
        }
    }

    /// Returns what to do when the API refuses these credentials.
    pub(super) fn when_refused(&self) -> &'static str {
        match self {
            Self::None => "the API wants credentials: set client.auth",
            Self::Header(..) | Self::Headers(_) | Self::Query(..) | Self::Cookie(_) => {
                "check the credentials in client.auth, and what they are allowed to read"
            }
            Self::Token { .. } => {
                "check what this client is allowed to read (scope, audience); a new token did not help"
            }
        }
    }

    /// Authenticates one request. Returns which token it carries, when it carries one; `refused` is
    /// a token that the API did not accept.
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
            Self::Headers(pairs) => {
                for (name, value) in pairs {
                    headers.insert(name, value.clone());
                }
            }
            Self::Token { tokens, header, prefix } => {
                let token = tokens.get(sender, resource, refused).await?;
                let mut value = sensitive(&format!("{prefix}{}", token.value.expose()))?;
                if *header == header::COOKIE {
                    value = beside_other_cookies(headers, &value)?;
                }
                headers.insert(header, value);
                return Ok(Some(token.generation));
            }
        }
        Ok(None)
    }
}

/// Returns the key's cookie after those that the pipeline's own headers name.
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
