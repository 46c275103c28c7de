//! Tokens that are not OAuth2's own grants: signed JWTs, logins, and the file in which a rotated refresh token is kept.

use std::io::Write as _;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::redact::SafeUrl;
use super::send::{Asked, Sender};
use super::token::{Fetched, LenientToken, no_token};
use crate::spec::{JwtAlgorithm, JwtSpec, SessionSpec, SessionToken};
use lakefeed_model::error::{Error, Result};
use lakefeed_model::secret::Secret;
use lakefeed_model::spec::JsonPath;
use lakefeed_model::spec::json_path::Segment;

/// Signs a JWT now; exchanges it for a token where the API wants that (RFC 7523 §2.1).
pub(super) async fn fetch_by_jwt(spec: &JwtSpec, sender: &Sender, resource: &str) -> Result<Fetched> {
    let jwt = sign(spec, sender.clock().now().timestamp())?;
    let Some(token_url) = &spec.token_url else {
        return Ok(Fetched { value: jwt, lifetime: spec.lifetime, refresh_token: None });
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
        .append_pair("assertion", jwt.expose())
        .finish();
    let body = post(token_url, "application/x-www-form-urlencoded", form.into(), sender, resource).await?.into_body();
    let token: LenientToken = serde_json::from_slice(&body)
        .map_err(|_| no_token(&SafeUrl::new(token_url, &[]).to_string(), "there is no access_token in the answer"))?;
    Ok(token.into_fetched(spec.lifetime))
}

/// A JWT that is issued at `now`, in seconds since 1970.
///
/// # Errors
/// When the key is not one for the algorithm.
pub(super) fn sign(spec: &JwtSpec, now: i64) -> Result<Secret> {
    let key = spec.key.expose().as_bytes();
    let (algorithm, key) = match spec.algorithm {
        JwtAlgorithm::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_pem(key)),
        JwtAlgorithm::Es256 => (Algorithm::ES256, EncodingKey::from_ec_pem(key)),
        JwtAlgorithm::Hs256 => (Algorithm::HS256, Ok(EncodingKey::from_secret(key))),
    };
    // The library's error may quote the key.
    let bad_key = || {
        Error::config("client.auth.private_key is not a key for the algorithm")
            .with_hint("RS256 wants an RSA key in PEM, ES256 a P-256 key in PKCS #8 PEM; ${file:key.pem} reads a file")
    };
    let mut header = jsonwebtoken::Header::new(algorithm);
    header.kid.clone_from(&spec.key_id);
    let mut claims = spec.claims.clone();
    claims.entry("iat").or_insert(json!(now));
    claims
        .entry("exp")
        .or_insert(json!(now.saturating_add(i64::try_from(spec.lifetime.as_secs()).unwrap_or(i64::MAX))));
    let key = key.map_err(|_| bad_key())?;
    jsonwebtoken::encode(&header, &claims, &key).map(Secret::new).map_err(|_| bad_key())
}

/// Logs in, and takes the token out of the answer.
pub(super) async fn fetch_by_login(spec: &SessionSpec, sender: &Sender, resource: &str) -> Result<Fetched> {
    let body = Bytes::from(spec.body.expose().to_owned());
    let response = post(&spec.login_url, "application/json", body, sender, resource).await?;
    let (found, wanted) = match &spec.token {
        SessionToken::Body(path) => {
            let answer: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            (token_at(&answer, path), path.to_string())
        }
        SessionToken::Cookie(name) => (cookie(response.headers(), name), format!("cookie {name}")),
    };
    let Some(token) = found else {
        let place = SafeUrl::new(&spec.login_url, &[]).to_string();
        return Err(no_token(&place, &format!("there is no {wanted} in the answer")));
    };
    Ok(Fetched { value: Secret::new(token), lifetime: spec.lifetime, refresh_token: None })
}

fn token_at(answer: &Value, path: &JsonPath) -> Option<String> {
    let mut place = answer;
    for segment in path.segments() {
        place = match segment {
            Segment::Key(key) => place.get(key)?,
            Segment::Index(index) => place.get(*index)?,
            Segment::FromEnd(index) => place.as_array()?.iter().nth_back(index.checked_sub(1)?)?,
            Segment::Wildcard => return None,
        };
    }
    place.as_str().filter(|token| !token.is_empty()).map(str::to_owned)
}

fn cookie(headers: &http::HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies
        .filter_map(|cookie| cookie.split(';').next()?.split_once('='))
        .find(|(known, _)| known.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
}

async fn post(
    url: &Url,
    content_type: &'static str,
    body: Bytes,
    sender: &Sender,
    resource: &str,
) -> Result<http::Response<Bytes>> {
    let mut request = http::Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url
        .as_str()
        .parse()
        .map_err(|error| Error::config("a URL in client.auth cannot be asked").with_source(error))?;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let place = format!("POST {}", SafeUrl::new(url, &[]));
    sender.send(resource, request).await.map_err(|failure| failure.into_error(&place, Asked::TokenEndpoint))
}

/// The refresh token that an earlier run kept.
pub(super) fn read_token_file(file: &Path) -> Result<Option<Secret>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Error::auth(format!("the refresh token file {} cannot be read", file.display())).with_source(error))
        }
    }
}

/// Checks that a rotated refresh token could be kept, before it is asked for: the answer makes the old one void.
pub(super) fn check_token_file(file: &Path) -> Result<()> {
    tempfile::NamedTempFile::new_in(folder_of(file)).map(drop).map_err(|error| {
        Error::auth(format!("a rotated refresh token could not be kept in {}, so none was asked for", file.display()))
            .with_source(error)
            .with_hint("make the folder of client.auth.refresh_token_file, and make it writable")
    })
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Keeps a rotated refresh token: the old one may be void from now on, so the file is replaced as a whole or not at all.
pub(super) fn keep_token_file(file: &Path, token: &Secret) -> Result<()> {
    let keep = || {
        // A temporary file is for its owner only.
        let mut temporary = tempfile::NamedTempFile::new_in(folder_of(file))?;
        temporary.write_all(token.expose().as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(file).map_err(|error| error.error)?;
        Ok::<_, std::io::Error>(())
    };
    keep().map_err(|error| {
        Error::auth(format!("the rotated refresh token cannot be kept in {}", file.display()))
            .with_source(error)
            .with_hint("the old token may be void now: make the file writable and get a new refresh token")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn jwt(algorithm: JwtAlgorithm, key: &str) -> JwtSpec {
        let claims = json!({"iss": "me", "aud": "them"});
        JwtSpec {
            algorithm,
            key: Secret::new(key),
            key_id: Some("k1".to_owned()),
            claims: claims.as_object().unwrap().clone(),
            lifetime: Duration::from_secs(600),
            token_url: None,
        }
    }

    /// Checked with the library's other half, by the shared secret.
    #[test]
    fn a_jwt_carries_its_claims_and_is_signed() {
        let token = sign(&jwt(JwtAlgorithm::Hs256, "shared"), 1_795_392_000).unwrap();
        let mut validation = jsonwebtoken::Validation::new(Algorithm::HS256);
        validation.set_audience(&["them"]);
        validation.validate_exp = false;
        let decode = |secret: &[u8]| {
            jsonwebtoken::decode::<Value>(token.expose(), &jsonwebtoken::DecodingKey::from_secret(secret), &validation)
        };
        let read = decode(b"shared").unwrap();
        assert_eq!(read.header.kid.as_deref(), Some("k1"));
        assert_eq!(read.claims, json!({"iss": "me", "aud": "them", "iat": 1_795_392_000, "exp": 1_795_392_600}));
        assert!(decode(b"other").is_err());
    }

    /// Checked with the public keys, as an API does.
    #[test]
    fn rsa_and_elliptic_keys_sign() {
        let rsa =
            jsonwebtoken::DecodingKey::from_rsa_pem(include_bytes!("../../../../tests/keys/rsa.pub.pem")).unwrap();
        let ec = jsonwebtoken::DecodingKey::from_ec_pem(include_bytes!("../../../../tests/keys/ec.pub.pem")).unwrap();
        for (algorithm, key, public, expected) in [
            (JwtAlgorithm::Rs256, include_str!("../../../../tests/keys/rsa.pem"), rsa, Algorithm::RS256),
            (JwtAlgorithm::Es256, include_str!("../../../../tests/keys/ec.pem"), ec, Algorithm::ES256),
        ] {
            let token = sign(&jwt(algorithm, key), 1_795_392_000).unwrap();
            let mut validation = jsonwebtoken::Validation::new(expected);
            validation.set_audience(&["them"]);
            validation.validate_exp = false;
            let read = jsonwebtoken::decode::<Value>(token.expose(), &public, &validation).unwrap();
            assert_eq!((read.header.alg, &read.claims["iss"]), (expected, &json!("me")));
        }
    }

    #[test]
    fn a_key_of_another_kind_is_an_error_that_does_not_show_it() {
        for algorithm in [JwtAlgorithm::Rs256, JwtAlgorithm::Es256] {
            let error = sign(&jwt(algorithm, "hush-hush"), 0).unwrap_err();
            assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        }
    }

    #[test]
    fn a_rotated_token_is_kept_as_a_whole_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        assert!(read_token_file(&file).unwrap().is_none());
        for token in ["first", "second"] {
            keep_token_file(&file, &Secret::new(token)).unwrap();
            assert_eq!(read_token_file(&file).unwrap().unwrap().expose(), token);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        check_token_file(&file).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(check_token_file(&folder.path().join("gone/token")).is_err());
        assert!(keep_token_file(&folder.path().join("gone/token"), &Secret::new("x")).is_err());
    }

    #[test]
    fn tokens_are_found_in_bodies_and_cookies() {
        let answer = json!({"data": {"tokens": ["a", "b"]}, "empty": ""});
        let at = |path: &str| token_at(&answer, &JsonPath::parse(path).unwrap());
        assert_eq!((at("data.tokens[1]"), at("empty"), at("data")), (Some("b".to_owned()), None, None));
        let mut headers = http::HeaderMap::new();
        headers.append(header::SET_COOKIE, HeaderValue::from_static("other=1; Path=/"));
        headers.append(header::SET_COOKIE, HeaderValue::from_static("sid=abc=; HttpOnly"));
        assert_eq!(cookie(&headers, "sid").as_deref(), Some("abc="));
        assert_eq!(cookie(&headers, "none"), None);
    }
}
