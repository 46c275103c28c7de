//! `auth` of a client or an endpoint as its user wrote it.

use serde_json::{Map, Value};

use super::fields::{Fields, pairs};

/// `client.auth`, by its `type`.
#[derive(Debug)]
pub(crate) enum AuthDocument {
    /// `bearer`; also a mapping without `type`.
    Bearer { token: String },
    /// `http_basic`
    HttpBasic { username: String, password: String },
    /// `api_key`; `location` is `header` unless given.
    ApiKey { name: String, api_key: String, location: crate::spec::ApiKeyLocation },
    /// `oauth2_client_credentials`, or `oauth2`, where `token_url` is another word for `access_token_url`.
    OAuth2(OAuth2Document),
    /// `oauth2_refresh_token`
    RefreshToken { client: OAuth2Document, refresh_token: Option<String>, file: Option<String> },
    /// `jwt`
    Jwt(Box<JwtDocument>),
    /// `session`
    Session(Box<SessionDocument>),
    /// `headers`
    Headers(Vec<(String, String)>),
}

/// `jwt`: signed with a private key or a shared secret, sent as it is or exchanged at `token_url`.
#[derive(Debug)]
pub(crate) struct JwtDocument {
    pub(crate) algorithm: crate::spec::JwtAlgorithm,
    /// PEM of the private key, or the shared secret.
    pub(crate) private_key: String,
    pub(crate) key_id: Option<String>,
    /// `issuer`, `subject`, `audience` and `scope`, and the further `claims`.
    pub(crate) claims: Map<String, Value>,
    /// Seconds: 3600 unless given.
    pub(crate) lifetime_seconds: Option<f64>,
    pub(crate) token_url: Option<String>,
}

/// `session`: a login, whose answer holds a token.
#[derive(Debug)]
pub(crate) struct SessionDocument {
    pub(crate) login_url: String,
    pub(crate) json: Value,
    /// Where the body holds the token; `token` unless given, or a cookie is.
    pub(crate) token_path: Option<String>,
    pub(crate) token_cookie: Option<String>,
    /// The header that takes the token: `Authorization` unless given.
    pub(crate) header: Option<String>,
    /// What stands before it there: `Bearer ` unless given.
    pub(crate) prefix: Option<String>,
    /// Seconds: 3600 unless given.
    pub(crate) lifetime_seconds: Option<f64>,
}

/// `oauth2_client_credentials`.
#[derive(Debug)]
pub(crate) struct OAuth2Document {
    pub(crate) place: String,
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// `client_secret_post` (as dlt does) unless `client_secret_basic`.
    pub(crate) client_authentication: crate::spec::ClientAuthentication,
    /// Further form fields; `scope` and `audience` may stand beside it.
    pub(crate) request_data: Vec<(String, String)>,
    /// Seconds that a token lives whose answer does not say: 3600 unless given.
    pub(crate) default_token_expiration: Option<f64>,
    /// Seconds before its expiry at which a token is refreshed: 60 unless given.
    pub(crate) expiry_leeway_seconds: Option<f64>,
}

impl AuthDocument {
    pub(crate) fn read(mut fields: Fields<'_>) -> Option<Self> {
        const TYPES: &[(&str, u8)] = &[
            ("bearer", 0),
            ("http_basic", 1),
            ("api_key", 2),
            ("oauth2", 3),
            ("oauth2_client_credentials", 3),
            ("oauth2_refresh_token", 4),
            ("jwt", 5),
            ("session", 6),
            ("headers", 7),
        ];
        let auth = match if fields.has("type") { fields.choice("type", TYPES)? } else { 0 } {
            0 => fields.required_text("token").map(|token| Self::Bearer { token }),
            1 => match (fields.required_text("username"), fields.required_text("password")) {
                (Some(username), Some(password)) => Some(Self::HttpBasic { username, password }),
                _ => None,
            },
            2 => Self::read_api_key(&mut fields),
            3 => OAuth2Document::read(&mut fields, true).map(Self::OAuth2),
            4 => {
                let (refresh_token, file) = (fields.text("refresh_token"), fields.text("refresh_token_file"));
                if refresh_token.is_none() && file.is_none() {
                    fields
                        .problems
                        .add(&fields.place, "'refresh_token' is missing (or a 'refresh_token_file' that has one)");
                }
                let client = OAuth2Document::read(&mut fields, false);
                client.map(|client| Self::RefreshToken { client, refresh_token, file })
            }
            5 => JwtDocument::read(&mut fields).map(|jwt| Self::Jwt(Box::new(jwt))),
            6 => SessionDocument::read(&mut fields).map(|session| Self::Session(Box::new(session))),
            _ => Some(Self::Headers(pairs(&mut fields, "headers"))),
        };
        fields.finish();
        auth
    }

    fn read_api_key(fields: &mut Fields<'_>) -> Option<Self> {
        use crate::spec::ApiKeyLocation::{Cookie, Header, Query};
        let choices = [("header", Header), ("query", Query), ("param", Query), ("cookie", Cookie)];
        let location = fields.choice("location", &choices).unwrap_or(Header);
        let name = fields.text("name").unwrap_or_else(|| "Authorization".to_owned());
        Some(Self::ApiKey { name, api_key: fields.required_text("api_key")?, location })
    }
}

impl OAuth2Document {
    fn read(fields: &mut Fields<'_>, needs_secret: bool) -> Option<Self> {
        use crate::spec::ClientAuthentication::{SecretBasic, SecretPost};
        let token_url = match (fields.text("access_token_url"), fields.text("token_url")) {
            (Some(_), Some(_)) => {
                fields.problems.add(&fields.place, "'token_url' and 'access_token_url' are the same thing; give one");
                None
            }
            (None, None) if fields.value("access_token_url").or(fields.value("token_url")).is_none() => {
                fields.problems.add(&fields.place, "'token_url' is missing");
                None
            }
            (url, None) | (None, url) => url,
        };
        let client_id = fields.required_text("client_id");
        let client_secret = if needs_secret {
            fields.required_text("client_secret")
        } else {
            Some(fields.text("client_secret").unwrap_or_default())
        };
        let ways = [("client_secret_post", SecretPost), ("client_secret_basic", SecretBasic)];
        let client_authentication = fields.choice("client_authentication", &ways).unwrap_or(SecretPost);
        let mut request_data = pairs(fields, "access_token_request_data");
        for (key, name) in [("scope", "scope"), ("scopes", "scope"), ("audience", "audience")] {
            if let Some(texts) = fields.texts(key) {
                request_data.push((name.to_owned(), texts.join(" ")));
            }
        }
        let default_token_expiration = fields.number("default_token_expiration");
        let expiry_leeway_seconds = fields.number("expiry_leeway_seconds");
        // dlt treats a given token as expired and replaces it; so it changes nothing.
        fields.ignored(&["access_token"]);
        fields.unsupported(&["session"]);
        Some(Self {
            place: fields.place.clone(),
            token_url: token_url?,
            client_id: client_id?,
            client_secret: client_secret?,
            client_authentication,
            request_data,
            default_token_expiration,
            expiry_leeway_seconds,
        })
    }
}

impl JwtDocument {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        use crate::spec::JwtAlgorithm::{Es256, Hs256, Rs256};
        let algorithms = [("RS256", Rs256), ("ES256", Es256), ("HS256", Hs256)];
        let algorithm = fields.choice("algorithm", &algorithms).unwrap_or(Rs256);
        let private_key = fields.required_text("private_key");
        let mut claims = fields.value("claims").and_then(Value::as_object).cloned().unwrap_or_default();
        if fields.value("claims").is_some_and(|claims| !claims.is_object()) {
            fields.problems.add(&fields.place_of("claims"), "expected a mapping");
        }
        for (key, claim) in [("issuer", "iss"), ("subject", "sub"), ("audience", "aud"), ("scope", "scope")] {
            if let Some(text) = fields.text(key) {
                claims.insert(claim.to_owned(), Value::String(text));
            }
        }
        Some(Self {
            algorithm,
            key_id: fields.text("key_id"),
            claims,
            lifetime_seconds: fields.number("lifetime_seconds"),
            token_url: fields.text("token_url"),
            private_key: private_key?,
        })
    }
}

impl SessionDocument {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let login_url = fields.required_text("login_url");
        if fields.value("json").is_none() {
            fields.problems.add(&fields.place, "'json' is missing: what the login sends");
        }
        let json = fields.value("json").cloned();
        let (token_path, token_cookie) = (fields.text("token_path"), fields.text("token_cookie"));
        if token_path.is_some() && token_cookie.is_some() {
            fields.problems.add(&fields.place, "'token_path' and 'token_cookie' exclude each other; give one");
        }
        Some(Self {
            token_path,
            token_cookie,
            header: fields.text("header"),
            prefix: fields.text("prefix"),
            lifetime_seconds: fields.number("lifetime_seconds"),
            login_url: login_url?,
            json: json?,
        })
    }
}
