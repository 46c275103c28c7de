//! Tokens by the grants of OAuth2 (RFC 6749 §4.4, §6).
//!
//! The `oauth2` crate writes the request and reads the answer; the exchange goes over our own
//! transport, with our own retries and limits.

use std::collections::HashSet;
use std::pin::Pin;

use bytes::Bytes;
use http::StatusCode;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken, RequestTokenError,
    StandardRevocableToken, TokenResponse as _, TokenUrl,
};
use tokio::sync::Mutex;

use super::excerpt;
use super::redact::SafeUrl;
use super::secrets::PUBLIC_FIELDS;
use super::send::{Asked, Cause, Failure, REFUSED_CLIENT, Sender};
use super::token_answer::{Fetched, LenientToken, no_token};
use super::token_file;
use crate::spec::{ClientAuthentication, OAuth2Spec, RefreshTokenSpec};
use lakefeed_model::error::{Error, HttpFailure, Result};
use lakefeed_model::secret::Secret;

type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    LenientToken,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

/// What a token is asked for with.
pub(super) enum Grant {
    ClientCredentials,
    RefreshToken(Secret),
}

/// Returns the rotated token of this run, that of the file, or the one to begin with; a new one is
/// kept in the file.
pub(super) async fn fetch_by_refresh_token(
    spec: &RefreshTokenSpec,
    rotated: Option<&Secret>,
    sender: &Sender,
    resource: &str,
) -> Result<Fetched> {
    let kept = match (&spec.file, rotated) {
        (_, Some(rotated)) => Some(rotated.clone()),
        (Some(file), None) => token_file::read(file)?,
        (None, None) => None,
    };
    let Some(refresh_token) = kept.or_else(|| spec.refresh_token.clone()) else {
        return Err(Error::auth(
            "there is no refresh token: the file has none, and client.auth.refresh_token is not set",
        )
        .with_hint("set client.auth.refresh_token for the first run"));
    };
    if let Some(file) = &spec.file {
        token_file::check(file)?;
    }
    let fetched = fetch_by_oauth2(&spec.client, &Grant::RefreshToken(refresh_token), sender, resource).await?;
    if let (Some(file), Some(new)) = (&spec.file, &fetched.refresh_token) {
        token_file::keep(file, new)?;
    }
    Ok(fetched)
}

pub(super) async fn fetch_by_oauth2(
    spec: &OAuth2Spec,
    grant: &Grant,
    sender: &Sender,
    resource: &str,
) -> Result<Fetched> {
    let place = SafeUrl::new(&spec.token_url, &[]).to_string();
    let token_url = TokenUrl::new(spec.token_url.to_string())
        .map_err(|error| Error::config(format!("token_url {place} is not a URL")).with_source(error))?;
    let mut client: OAuthClient = oauth2::Client::new(ClientId::new(spec.client_id.clone()));
    if !spec.client_secret.expose().is_empty() {
        client = client.set_client_secret(ClientSecret::new(spec.client_secret.expose().to_owned()));
    }
    let client = client
        .set_auth_type(match spec.client_authentication {
            ClientAuthentication::SecretPost => AuthType::RequestBody,
            ClientAuthentication::SecretBasic => AuthType::BasicAuth,
        })
        .set_token_uri(token_url);
    let http = Exchange { sender, resource, place: format!("POST {place}"), refusal: Mutex::default() };
    let extra = || spec.request_data.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    let answer = match grant {
        Grant::ClientCredentials => {
            let request = client.exchange_client_credentials();
            extra()
                .fold(request, |request, (name, value)| request.add_extra_param(name, value))
                .request_async(&http)
                .await
        }
        Grant::RefreshToken(token) => {
            let token = RefreshToken::new(token.expose().to_owned());
            let request = client.exchange_refresh_token(&token);
            extra()
                .fold(request, |request, (name, value)| request.add_extra_param(name, value))
                .request_async(&http)
                .await
        }
    };
    let token = match answer {
        Ok(token) => token,
        Err(error) => return Err(refused(spec, grant, &place, http.refusal.into_inner(), error)),
    };
    if token.access_token().secret().is_empty() {
        return Err(Error::auth(format!("the token endpoint {place} answered with an empty access_token"))
            .with_hint(REFUSED_CLIENT));
    }
    Ok(token.into_fetched(spec.default_token_expiration))
}

fn refused(
    spec: &OAuth2Spec,
    grant: &Grant,
    place: &str,
    refusal: Option<HttpFailure>,
    error: RequestTokenError<Failure, BasicErrorResponse>,
) -> Error {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let description = answer.error_description().map(|text| format!(": {text}")).unwrap_or_default();
            let said = format!("{}{description}", answer.error().as_ref());
            let said = excerpt::of_text(&said, &secrets_of(spec, grant));
            let status = refusal.as_ref().and_then(|refusal| refusal.status);
            let with_status = status.map(|status| format!(" with {status}")).unwrap_or_default();
            let mut error = Error::auth(format!("the token endpoint {place} refused the client{with_status}: {said}"))
                .with_hint(REFUSED_CLIENT);
            if let Some(refusal) = refusal {
                error = error.with_http(refusal);
            }
            match grant {
                Grant::ClientCredentials => error,
                Grant::RefreshToken(_) => {
                    error.with_hint("a refresh token that was used elsewhere, or is too old, has to be asked for anew")
                }
            }
        }
        RequestTokenError::Request(failure) => failure.into_error(&format!("POST {place}"), Asked::TokenEndpoint),
        RequestTokenError::Parse(error, _) => {
            no_token(place, &format!("at {}: {}", error.path(), error.inner().classify_text()))
        }
        RequestTokenError::Other(what) => no_token(place, &what),
    }
}

/// Returns what the server must not make us show, whatever it answers.
fn secrets_of(spec: &OAuth2Spec, grant: &Grant) -> Vec<String> {
    let fields = spec.request_data.iter().filter(|(name, _)| !PUBLIC_FIELDS.contains(&name.as_str()));
    let token = match grant {
        Grant::ClientCredentials => None,
        Grant::RefreshToken(token) => Some(token.expose()),
    };
    fields
        .map(|(_, value)| value.expose())
        .chain([spec.client_secret.expose()])
        .chain(token)
        .map(str::to_owned)
        .collect()
}

/// The exchange with a token endpoint as the `oauth2` crate wants it.
struct Exchange<'s> {
    sender: &'s Sender,
    resource: &'s str,
    place: String,
    /// An answer that refuses the client, of which the crate keeps the body only.
    refusal: Mutex<Option<HttpFailure>>,
}

impl<'c> AsyncHttpClient<'c> for Exchange<'_> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = request.map(|body| Bytes::from(last_of_each_name(&body)));
            match self.sender.send(self.resource, request).await {
                Ok(response) => Ok(as_the_crate_wants_it(response)),
                Err(failure) if is_refusal(&failure, &self.sender.retry.statuses) => {
                    *self.refusal.lock().await = Some(failure.facts(&self.place));
                    match failure.cause {
                        Cause::Status(response) => Ok(response.map(|body| body.to_vec())),
                        Cause::Transport(_) => Err(failure),
                    }
                }
                Err(failure) => Err(failure),
            }
        })
    }
}

/// Returns whether a final failure is the server's word on the client (RFC 6749 §5.2), which is
/// worth reading. A status that is tried again (429) speaks of the server instead.
fn is_refusal(failure: &Failure, retried: &[StatusCode]) -> bool {
    match &failure.cause {
        Cause::Status(response) => {
            let status = response.status();
            status.is_client_error()
                && !retried.contains(&status)
                && serde_json::from_slice::<BasicErrorResponse>(response.body()).is_ok()
        }
        Cause::Transport(_) => false,
    }
}

/// Makes an answer what the crate takes: 200 and JSON content types only, though servers also give
/// tokens with 201 or as text. What the body holds decides.
fn as_the_crate_wants_it(response: http::Response<Bytes>) -> HttpResponse {
    let mut response = response.map(|body| body.to_vec());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().remove(http::header::CONTENT_TYPE);
    response
}

/// What a parse error is, without the text that was parsed: that may be a token.
trait ClassifyText {
    fn classify_text(&self) -> &'static str;
}

impl ClassifyText for serde_json::Error {
    fn classify_text(&self) -> &'static str {
        match self.classify() {
            serde_json::error::Category::Io => "it cannot be read",
            serde_json::error::Category::Syntax => "it is not JSON",
            serde_json::error::Category::Data => "a field is missing or of another type",
            serde_json::error::Category::Eof => "the answer ends early",
        }
    }
}

/// Returns a form in which the last value of a name replaces the ones before, so that
/// `access_token_request_data` may override any field, as dlt lets it.
fn last_of_each_name(form: &[u8]) -> String {
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    let mut seen = HashSet::new();
    let mut last: Vec<_> = fields.iter().rev().filter(|(name, _)| seen.insert(name.as_str())).collect();
    last.reverse();
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(last).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_fields_replace_ours() {
        let form = b"grant_type=client_credentials&client_id=a&scope=x&grant_type=custom";
        assert_eq!(last_of_each_name(form), "client_id=a&scope=x&grant_type=custom");
    }
}
