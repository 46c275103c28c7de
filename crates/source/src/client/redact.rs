//! URLs as they may be shown.

use std::fmt;

use url::Url;

/// Names of query parameters and headers whose values are secrets; written without case, `-`, `_`
/// and `.`.
const SECRET_NAMES: &[&str] = &[
    "apikey",
    "auth",
    "authorization",
    "awsaccesskeyid",
    "code",
    "cookie",
    "key",
    "passwd",
    "proxyauthorization",
    "pwd",
    "sessionid",
    "sig",
    "subscriptionkey",
    "token",
    "xamzcredential",
];

/// Ends of such names: `client_secret`, `X-Api-Key`, `X-Amz-Signature`, ….
const SECRET_ENDS: &[&str] = &[
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "authtoken",
    "idtoken",
    "password",
    "refreshtoken",
    "secret",
    "secretkey",
    "securitytoken",
    "signature",
    "subscriptionkey",
];

/// Returns whether a parameter or header of that name usually carries a secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(|character| !"-_.".contains(*character)).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAMES.contains(&plain.as_str()) || SECRET_ENDS.iter().any(|end| plain.ends_with(end))
}

/// Shows a URL without its user info, and with `***` for the values of parameters that may be
/// secrets.
pub(crate) struct SafeUrl<'a> {
    url: &'a Url,
    more_secrets: &'a [String],
}

impl<'a> SafeUrl<'a> {
    /// Takes a URL; `more_secrets` are names of further secret parameters.
    pub(crate) fn new(url: &'a Url, more_secrets: &'a [String]) -> Self {
        Self { url, more_secrets }
    }

    fn is_secret(&self, name: &str) -> bool {
        is_secret_name(name) || self.more_secrets.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.url.origin().ascii_serialization(), self.url.path())?;
        for (position, (name, value)) in self.url.query_pairs().enumerate() {
            let separator = if position == 0 { '?' } else { '&' };
            let value = if self.is_secret(&name) { "***" } else { &value };
            write!(f, "{separator}")?;
            for character in name.chars().chain(['=']).chain(value.chars()) {
                // A line break in a value must not start a line of a log.
                if character.is_control() {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    write!(f, "{character}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_stars_and_the_rest_is_readable() {
        let url = Url::parse("https://user:pw@h.example/v1?api_key=hush&normal=v%20w&Token=t&mine=m#frag").unwrap();
        let shown = SafeUrl::new(&url, &["mine".to_owned()]).to_string();
        assert_eq!(shown, "https://h.example/v1?api_key=***&normal=v w&Token=***&mine=***");
    }

    #[test]
    fn a_value_cannot_start_a_line_of_its_own() {
        let url = Url::parse("https://h.example/v1?q=a%0Aerror%1B[31m").unwrap();
        assert_eq!(SafeUrl::new(&url, &[]).to_string(), "https://h.example/v1?q=a\\nerror\\u{1b}[31m");
    }

    #[test]
    fn names_are_secret_however_they_are_written() {
        for name in [
            "api_key",
            "apiKey",
            "X-API-Key",
            "access_token",
            "refreshToken",
            "client_secret",
            "Secret",
            "pwd",
            "user_password",
            "sig",
            "X-Amz-Signature",
            "X-Amz-Credential",
            "X-Amz-Security-Token",
            "Ocp-Apim-Subscription-Key",
            "key",
            "code",
            "Authorization",
            "Cookie",
            "x-auth-token",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in
            ["offset", "limit", "page_token", "sort_key", "keyword", "author", "country_code", "design", "q", ""]
        {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
