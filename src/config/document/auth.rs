//! `auth` of a client or an endpoint as its user wrote it.

use std::time::Duration;

use super::containers::{OneOrMore, Pairs};
use super::read::{mapping, tagged, words};
use super::values::{File, Json, JsonMap, OneOf, Path, Seconds, Secret, Text, Url};
use crate::spec::{ApiKeyLocation, ClientAuthentication, JwtAlgorithm};

const HOUR: Duration = Duration::from_secs(3_600);

tagged! {
    /// How requests are authenticated. Without `type`, it is `bearer`.
    AuthDocument "auth" by "type" else "bearer", short: false {
        "bearer" => Bearer(BearerDocument),
        "http_basic" => HttpBasic(BasicDocument),
        "api_key" => ApiKey(ApiKeyDocument),
        "headers" => Headers(HeadersDocument),
        "oauth2_client_credentials" | "oauth2" => OAuth2(ClientCredentialsDocument),
        "oauth2_refresh_token" => RefreshToken(RefreshTokenDocument),
        "jwt" => Jwt(JwtDocument),
        "session" => Session(SessionDocument),
    }
}

mapping! {
    /// `Authorization: Bearer <token>`.
    BearerDocument "bearer" {
        /// The token.
        token: Secret [required] like "${env:TOKEN}",
    }
}

mapping! {
    /// `Authorization: Basic …` (RFC 7617).
    BasicDocument "http_basic" {
        /// The user's name, without `:` in it.
        username: Text [required],
        /// The password.
        password: Secret [required],
    }
}

words! {
    ApiKeyLocation {
        "header" = Self::Header, "query" = Self::Query, "cookie" = Self::Cookie;
        also "param" = Self::Query
    }
    ClientAuthentication { "client_secret_post" = Self::SecretPost, "client_secret_basic" = Self::SecretBasic }
    JwtAlgorithm { "RS256" = Self::Rs256, "ES256" = Self::Es256, "HS256" = Self::Hs256 }
}

mapping! {
    /// A key under a name of the API's choice.
    ApiKeyDocument "api_key" {
        /// The key.
        api_key: Secret [required],
        /// The header, query parameter or cookie.
        name: Text ["Authorization".to_owned()],
        /// Where the key goes. `param` is another word for `query`.
        location: OneOf<ApiKeyLocation> [ApiKeyLocation::Header],
    }
}

mapping! {
    /// Several headers that are secrets.
    HeadersDocument "headers" {
        /// The headers by name; at least one.
        headers: Pairs [required] like r#"{"DD-API-KEY": "${env:API_KEY}"}"#,
    }
}

mapping! {
    /// What all OAuth2 grants have.
    OAuth2Document "oauth2" {
        /// The token endpoint. `access_token_url` is another word for it.
        token_url | access_token_url: Url [required] like "https://login.example.com/oauth/token",
        /// The client's id.
        client_id: Text [required],
        /// How the client says who it is: `client_secret_post` sends id and secret as form fields,
        /// `client_secret_basic` form-encoded in a Basic header.
        client_authentication: OneOf<ClientAuthentication> [ClientAuthentication::SecretPost],
        /// Joined with spaces. `scopes` is another word for it.
        scope | scopes: OneOrMore<Text> [none],
        /// The form field `audience`; joined with spaces.
        audience: OneOrMore<Text> [none],
        /// Further form fields. One that is named like one of ours (`grant_type`, …) replaces it.
        access_token_request_data: Pairs [list],
        /// How long a token lives whose answer has no `expires_in`.
        default_token_expiration: Seconds [HOUR],
        /// How long before its expiry a token is renewed; half of the token's life at most.
        expiry_leeway_seconds: Seconds [Duration::from_secs(60)],
        // dlt treats a given token as expired and replaces it; so it changes nothing.
        ignored ["access_token"],
        refused ["session"],
    }
}

mapping! {
    /// The client credentials grant (RFC 6749 §4.4).
    ClientCredentialsDocument "oauth2_client_credentials" {
        /// The client's secret.
        client_secret: Secret [required],
        ..client: OAuth2Document,
    }
}

mapping! {
    /// The refresh token grant (RFC 6749 §6). It needs one or both of `refresh_token` and
    /// `refresh_token_file`.
    RefreshTokenDocument "oauth2_refresh_token" {
        /// The client's secret, where it has one.
        client_secret: Secret [none],
        /// The token to begin with.
        refresh_token: Secret [none],
        /// A file for tokens that the server rotates, relative to the working directory. Its folder
        /// must be there. It is read before `refresh_token`, replaced as a whole, and readable for
        /// its owner only. A server that rotates tokens needs it: without it, the next run begins
        /// with a token that is void.
        refresh_token_file: File [none] like "state/refresh_token",
        ..client: OAuth2Document,
    }
}

mapping! {
    /// A signed JWT (RFC 7519), sent as the bearer token or exchanged for one (RFC 7523 §2.1).
    JwtDocument "jwt" {
        /// PEM of the private key (RSA, or P-256 in PKCS #8), or the shared secret of `HS256`.
        private_key: Secret [required] like "${file:key.pem}",
        /// How it is signed.
        algorithm: OneOf<JwtAlgorithm> [JwtAlgorithm::Rs256],
        /// The `kid` of the JWT's header.
        key_id: Text [none],
        /// The claim `iss`.
        issuer: Text [none],
        /// The claim `sub`.
        subject: Text [none],
        /// The claim `aud`.
        audience: Text [none],
        /// The claim `scope`.
        scope: Text [none],
        /// Further claims, as they are. `iat` and `exp` are added unless they are here.
        claims: JsonMap [list],
        /// How long a JWT lives.
        lifetime_seconds: Seconds [HOUR],
        /// Where the JWT is exchanged for a token; without it, the JWT is the token.
        token_url: Url [none],
    }
}

mapping! {
    /// A login by POST, whose answer holds a token.
    SessionDocument "session" {
        /// Where to log in.
        login_url: Url [required],
        /// What to send.
        json: Json [required] like r#"{"user": "reader", "password": "${env:PASSWORD}"}"#,
        /// Where the JSON of the answer holds the token. Excludes `token_cookie`.
        token_path: Path [usually "`token`"],
        /// The cookie that is the token.
        token_cookie: Text [none],
        /// The header that takes the token.
        header: Text [usually "`Authorization`; `Cookie` for a cookie"],
        /// What stands before the token there.
        prefix: Text [usually "`\"Bearer \"`; for a cookie that goes back as one, its name and `=`"],
        /// How long a session lasts; a new one begins 60 seconds earlier.
        lifetime_seconds: Seconds [HOUR],
    }
}
