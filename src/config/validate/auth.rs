//! The `auth` of a client or an endpoint becomes the way in which requests are authenticated.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::values::{duration, headers, http_url};
use crate::config::document::auth::{AuthDocument, JwtDocument, OAuth2Document, SessionDocument};
use crate::config::document::fields::json_path;
use crate::config::document::problems::Problems;
use crate::secret::Secret;
use crate::spec::{Auth, JwtSpec, OAuth2Spec, RefreshTokenSpec, SessionSpec, SessionToken};

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn validate_auth(auth: &AuthDocument, at: &str, problems: &Problems) -> Option<Auth> {
    let carried = |text: &str, place: &str| {
        if HeaderValue::try_from(text).is_err() {
            problems.add(place, "has characters that a header cannot carry (a line break, perhaps)");
        }
    };
    match auth {
        AuthDocument::Bearer { token } => {
            carried(token, &format!("{at}/token"));
            Some(Auth::Bearer { token: Secret::new(token) })
        }
        AuthDocument::HttpBasic { username, password } => {
            if username.contains(':') {
                problems.add(&format!("{at}/username"), "must not contain ':' (RFC 7617)");
            }
            Some(Auth::HttpBasic { username: username.clone(), password: Secret::new(password) })
        }
        AuthDocument::ApiKey { name, api_key, location } => {
            if *location == crate::spec::ApiKeyLocation::Header && HeaderName::try_from(name).is_err() {
                problems.add(&format!("{at}/name"), format!("'{name}' is not the name of a header"));
            }
            if *location != crate::spec::ApiKeyLocation::Query {
                carried(api_key, &format!("{at}/api_key"));
            }
            Some(Auth::ApiKey { name: name.clone(), key: Secret::new(api_key), location: *location })
        }
        AuthDocument::OAuth2(document) => validate_oauth2(document, problems).map(Auth::OAuth2ClientCredentials),
        AuthDocument::RefreshToken { client, refresh_token, file } => {
            Some(Auth::OAuth2RefreshToken(RefreshTokenSpec {
                client: validate_oauth2(client, problems)?,
                refresh_token: refresh_token.as_ref().map(Secret::new),
                file: file.as_ref().map(PathBuf::from),
            }))
        }
        AuthDocument::Jwt(jwt) => validate_jwt(jwt, at, problems).map(Auth::Jwt),
        AuthDocument::Session(session) => validate_session(session, at, problems).map(Auth::Session),
        AuthDocument::Headers(pairs) => {
            if pairs.is_empty() {
                problems.add(&format!("{at}/headers"), "must name at least one header");
            }
            Some(Auth::Headers(headers(pairs, &format!("{at}/headers"), problems)))
        }
    }
}

fn validate_oauth2(document: &OAuth2Document, problems: &Problems) -> Option<OAuth2Spec> {
    let token_url = http_url(&document.token_url, &format!("{}/token_url", document.place), problems)?;
    Some(OAuth2Spec {
        token_url,
        client_id: document.client_id.clone(),
        client_secret: Secret::new(&document.client_secret),
        client_authentication: document.client_authentication,
        request_data: document.request_data.iter().map(|(name, value)| (name.clone(), Secret::new(value))).collect(),
        default_token_expiration: document.default_token_expiration.map_or(HOUR, duration),
        expiry_leeway: duration(document.expiry_leeway_seconds.unwrap_or(60.0)),
    })
}

fn validate_jwt(jwt: &JwtDocument, at: &str, problems: &Problems) -> Option<JwtSpec> {
    let token_url = match &jwt.token_url {
        Some(url) => Some(http_url(url, &format!("{at}/token_url"), problems)?),
        None => None,
    };
    Some(JwtSpec {
        algorithm: jwt.algorithm,
        key: Secret::new(&jwt.private_key),
        key_id: jwt.key_id.clone(),
        claims: jwt.claims.clone(),
        lifetime: jwt.lifetime_seconds.map_or(HOUR, duration),
        token_url,
    })
}

fn validate_session(session: &SessionDocument, at: &str, problems: &Problems) -> Option<SessionSpec> {
    let login_url = http_url(&session.login_url, &format!("{at}/login_url"), problems);
    let token = match (&session.token_cookie, &session.token_path) {
        (Some(cookie), _) => Some(SessionToken::Cookie(cookie.clone())),
        (None, path) => {
            let path = path.as_deref().unwrap_or("token");
            json_path(path, &format!("{at}/token_path"), problems).map(SessionToken::Body)
        }
    };
    let (name, prefix) = match (&session.token_cookie, &session.header) {
        // A cookie goes back as it came, unless a header is named.
        (Some(cookie), None) => ("Cookie", format!("{cookie}=")),
        (_, header) => (header.as_deref().unwrap_or("Authorization"), "Bearer ".to_owned()),
    };
    let Ok(header) = HeaderName::try_from(name) else {
        problems.add(&format!("{at}/header"), format!("'{name}' is not the name of a header"));
        return None;
    };
    Some(SessionSpec {
        login_url: login_url?,
        body: Secret::new(session.json.to_string()),
        token: token?,
        header,
        prefix: session.prefix.clone().unwrap_or(prefix),
        lifetime: session.lifetime_seconds.map_or(HOUR, duration),
    })
}
