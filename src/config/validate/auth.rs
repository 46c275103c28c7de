//! The `auth` of a client or an endpoint becomes the way in which requests are authenticated.

use std::path::PathBuf;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::values::{headers, http_url, json_path};
use crate::client::check_jwt_key;
use crate::config::document::Mapping as _;
use crate::config::document::auth::{AuthDocument, JwtDocument, OAuth2Document, SessionDocument};
use crate::config::document::problems::Problems;
use crate::secret::Secret;
use crate::spec::{ApiKeyLocation, Auth, JwtSpec, OAuth2Spec, RefreshTokenSpec, SessionSpec, SessionToken};

pub(crate) fn validate_auth(auth: &AuthDocument, problems: &Problems) -> Option<Auth> {
    let carried = |text: &str, place: &str| {
        if HeaderValue::try_from(text).is_err() {
            problems.add(place, "has characters that a header cannot carry (a line break, perhaps)");
        }
    };
    match auth {
        AuthDocument::Bearer(bearer) => {
            let token = bearer.token.as_ref()?;
            carried(token, &format!("{}/token", bearer.place()));
            Some(Auth::Bearer { token: Secret::new(token) })
        }
        AuthDocument::HttpBasic(basic) => {
            let (username, password) = (basic.username.clone()?, basic.password.as_ref()?);
            if username.contains(':') {
                problems.add(&format!("{}/username", basic.place()), "must not contain ':' (RFC 7617)");
            }
            Some(Auth::HttpBasic { username, password: Secret::new(password) })
        }
        AuthDocument::ApiKey(key) => {
            let (name, api_key) = (&key.name, key.api_key.as_ref()?);
            if key.location == ApiKeyLocation::Header && HeaderName::try_from(name).is_err() {
                problems.add(&format!("{}/name", key.place()), format!("'{name}' is not the name of a header"));
            }
            if key.location != ApiKeyLocation::Query {
                carried(api_key, &format!("{}/api_key", key.place()));
            }
            Some(Auth::ApiKey { name: name.clone(), key: Secret::new(api_key), location: key.location })
        }
        AuthDocument::OAuth2(grant) => {
            let secret = grant.client_secret.as_ref()?;
            validate_oauth2(&grant.client, secret, problems).map(Auth::OAuth2ClientCredentials)
        }
        AuthDocument::RefreshToken(grant) => {
            if grant.refresh_token.is_none() && grant.refresh_token_file.is_none() {
                let what = "'refresh_token' is missing (or a 'refresh_token_file' that has one)";
                problems.add(grant.place(), what);
            }
            Some(Auth::OAuth2RefreshToken(RefreshTokenSpec {
                client: validate_oauth2(&grant.client, grant.client_secret.as_deref().unwrap_or_default(), problems)?,
                refresh_token: grant.refresh_token.as_ref().map(Secret::new),
                file: grant.refresh_token_file.as_ref().map(PathBuf::from),
            }))
        }
        AuthDocument::Jwt(jwt) => validate_jwt(jwt, problems).map(Auth::Jwt),
        AuthDocument::Session(session) => validate_session(session, problems).map(Auth::Session),
        AuthDocument::Headers(document) => {
            let place = format!("{}/headers", document.place());
            let pairs = document.headers.as_ref()?;
            if pairs.is_empty() {
                problems.add(&place, "must name at least one header");
            }
            Some(Auth::Headers(headers(pairs, &place, problems)))
        }
    }
}

fn validate_oauth2(document: &OAuth2Document, client_secret: &str, problems: &Problems) -> Option<OAuth2Spec> {
    let token_url = http_url(document.token_url.as_ref()?, &format!("{}/token_url", document.place()), problems)?;
    let joined =
        |name: &str, words: &Option<Vec<String>>| words.as_ref().map(|words| (name.to_owned(), words.join(" ")));
    let more = [joined("scope", &document.scope), joined("audience", &document.audience)];
    let data = document.access_token_request_data.iter().cloned().chain(more.into_iter().flatten());
    Some(OAuth2Spec {
        token_url,
        client_id: document.client_id.clone()?,
        client_secret: Secret::new(client_secret),
        client_authentication: document.client_authentication,
        request_data: data.map(|(name, value)| (name, Secret::new(value))).collect(),
        default_token_expiration: document.default_token_expiration,
        expiry_leeway: document.expiry_leeway_seconds,
    })
}

fn validate_jwt(jwt: &JwtDocument, problems: &Problems) -> Option<JwtSpec> {
    let token_url = match &jwt.token_url {
        Some(url) => Some(http_url(url, &format!("{}/token_url", jwt.place()), problems)?),
        None => None,
    };
    let mut claims: Map<String, Value> = jwt.claims.clone();
    for (claim, text) in [("iss", &jwt.issuer), ("sub", &jwt.subject), ("aud", &jwt.audience), ("scope", &jwt.scope)] {
        if let Some(text) = text {
            claims.insert(claim.to_owned(), Value::String(text.clone()));
        }
    }
    let spec = JwtSpec {
        algorithm: jwt.algorithm,
        key: Secret::new(jwt.private_key.as_ref()?),
        key_id: jwt.key_id.clone(),
        claims,
        lifetime: jwt.lifetime_seconds,
        token_url,
    };
    if let Err(error) = check_jwt_key(&spec) {
        problems.add_error(&format!("{}/private_key", jwt.place()), &error);
    }
    Some(spec)
}

fn validate_session(session: &SessionDocument, problems: &Problems) -> Option<SessionSpec> {
    let at = session.place();
    if session.token_path.is_some() && session.token_cookie.is_some() {
        problems.add(at, "'token_path' and 'token_cookie' exclude each other; give one");
    }
    let login_url = session.login_url.as_ref().and_then(|url| http_url(url, &format!("{at}/login_url"), problems));
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
        body: Secret::new(session.json.as_ref()?.to_string()),
        token: token?,
        header,
        prefix: session.prefix.clone().unwrap_or(prefix),
        lifetime: session.lifetime_seconds,
    })
}
