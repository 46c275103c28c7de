//! The token of a client: cached, refreshed before it expires, with one refresh in flight.

use std::time::Duration;

use tokio::sync::Mutex;

use super::grant;
use super::oauth::{self, Grant};
use super::send::Sender;
use super::token_answer::Fetched;
use crate::spec::{JwtSpec, OAuth2Spec, RefreshTokenSpec, SessionSpec};
use lakefeed_model::error::Result;
use lakefeed_model::event::RunEvent;
use lakefeed_model::secret::Secret;

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

    /// Returns the cached token, or a fresh one when there is none, it is about to expire, or it is
    /// the `refused` one.
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
            Self::ClientCredentials(spec) => {
                oauth::fetch_by_oauth2(spec, &Grant::ClientCredentials, sender, resource).await
            }
            Self::RefreshToken(spec) => oauth::fetch_by_refresh_token(spec, rotated, sender, resource).await,
            Self::Jwt(spec) => grant::fetch_by_jwt(spec, sender, resource).await,
            Self::Session(spec) => grant::fetch_by_login(spec, sender, resource).await,
        }
    }
}
