//! How requests are authenticated.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use url::Url;

use lakefeed_model::spec::JsonPath;

use super::Header;
use lakefeed_model::secret::Secret;

/// How requests are authenticated.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Bearer <token>`.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// `Authorization: Basic <base64(username:password)>` (RFC 7617).
    HttpBasic {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A key under a name of the API's choice.
    ApiKey {
        /// The header, query parameter or cookie.
        name: String,
        /// The key.
        key: Secret,
        /// Where the key goes.
        location: ApiKeyLocation,
    },
    /// Headers that hold secrets.
    Headers(Vec<Header>),
    /// OAuth2 client credentials (RFC 6749 §4.4).
    OAuth2ClientCredentials(OAuth2Spec),
    /// An OAuth2 refresh token (RFC 6749 §6).
    OAuth2RefreshToken(RefreshTokenSpec),
    /// A signed JWT, as it is or in exchange for a token.
    Jwt(JwtSpec),
    /// A login, whose answer holds a token.
    Session(SessionSpec),
}

impl Auth {
    /// Returns where tokens are fetched, where they are.
    pub fn token_url(&self) -> Option<&Url> {
        match self {
            Self::OAuth2ClientCredentials(spec) => Some(&spec.token_url),
            Self::OAuth2RefreshToken(spec) => Some(&spec.client.token_url),
            Self::Jwt(spec) => spec.token_url.as_ref(),
            Self::Session(spec) => Some(&spec.login_url),
            Self::None | Self::Bearer { .. } | Self::HttpBasic { .. } | Self::ApiKey { .. } | Self::Headers(_) => None,
        }
    }

    /// Returns the name of the query parameter that carries a secret, where there is one.
    pub fn secret_parameter(&self) -> Option<&str> {
        match self {
            Self::ApiKey { name, location: ApiKeyLocation::Query, .. } => Some(name),
            Self::None
            | Self::Bearer { .. }
            | Self::HttpBasic { .. }
            | Self::ApiKey { .. }
            | Self::Headers(_)
            | Self::OAuth2ClientCredentials(_)
            | Self::OAuth2RefreshToken(_)
            | Self::Jwt(_)
            | Self::Session(_) => None,
        }
    }
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyLocation {
    /// A request header.
    Header,
    /// A query parameter.
    Query,
    /// A cookie.
    Cookie,
}

/// The OAuth2 client credentials grant.
#[derive(Debug, Clone)]
pub struct OAuth2Spec {
    /// The token endpoint.
    pub token_url: Url,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// How the client proves itself to the token endpoint.
    pub client_authentication: ClientAuthentication,
    /// Further form fields of the token request (`scope`, `audience`, …). A field named like one of
    /// ours replaces it.
    pub request_data: Vec<(String, Secret)>,
    /// How long a token lives whose answer has no `expires_in`.
    pub default_token_expiration: Duration,
    /// How long before its expiry a token is refreshed; at most half of the token's life is spent
    /// on it.
    pub expiry_leeway: Duration,
}

/// How an OAuth2 client proves itself (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_post`: id and secret as form fields. dlt's way, and the default.
    SecretPost,
    /// `client_secret_basic`: form-encoded id and secret in an `Authorization: Basic` header.
    SecretBasic,
}

/// An OAuth2 refresh token (RFC 6749 §6).
#[derive(Debug, Clone)]
pub struct RefreshTokenSpec {
    /// How the token endpoint is asked; a client without a secret has an empty one.
    pub client: OAuth2Spec,
    /// The token to begin with, where the file has none yet.
    pub refresh_token: Option<Secret>,
    /// Where a token that the server rotated is kept, and read from first.
    pub file: Option<PathBuf>,
}

/// A signed JWT (RFC 7519).
#[derive(Debug, Clone)]
pub struct JwtSpec {
    /// How it is signed.
    pub algorithm: JwtAlgorithm,
    /// The private key in PEM, or the shared secret.
    pub key: Secret,
    /// The `kid` of its header, if any.
    pub key_id: Option<String>,
    /// Its claims; `iat` and `exp` are added.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// How long it lives.
    pub lifetime: Duration,
    /// Where it is exchanged for a token (RFC 7523 §2.1); without it, it is the token itself.
    pub token_url: Option<Url>,
}

/// How a JWT is signed (RFC 7518 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// RSA with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
}

/// A login, whose answer holds a token.
#[derive(Debug, Clone)]
pub struct SessionSpec {
    /// Where to log in.
    pub login_url: Url,
    /// What to send, as JSON. It holds the credentials.
    pub body: Secret,
    /// Where the answer holds the token.
    pub token: SessionToken,
    /// The header that takes the token.
    pub header: HeaderName,
    /// What stands before the token in the header.
    pub prefix: String,
    /// How long a session lasts.
    pub lifetime: Duration,
}

/// Where the answer to a login holds the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionToken {
    /// At a place of its JSON body.
    Body(JsonPath),
    /// In a cookie of this name.
    Cookie(String),
}
