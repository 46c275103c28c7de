//! What a token endpoint answers, as APIs really do it.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Deserializer, Serialize};

use lakefeed_model::error::{Error, Result};
use lakefeed_model::secret::Secret;

/// A token that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) value: Secret,
    pub(super) lifetime: Duration,
    pub(super) refresh_token: Option<Secret>,
}

/// Returns the error of an answer of a token endpoint that holds no token.
pub(super) fn no_token(place: &str, what: &str) -> Error {
    Error::auth(format!("{place} did not answer with a token"))
        .with_source(std::io::Error::other(what.to_owned()))
        .with_hint("check the URL in client.auth")
}

/// A token answer as APIs really give it: `token_type` may be missing, `expires_in` may be a
/// string.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LenientToken {
    access_token: AccessToken,
    /// Always bearer: that is how it is sent, and how servers mean it when they leave the field out
    /// or call it something else.
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
