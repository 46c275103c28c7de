//! URLs as they may be shown.

use std::fmt;

use url::Url;

/// Query parameters whose values are secrets, in any case.
const SECRET_NAMES: &[&str] = &[
    "access_key",
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "client_secret",
    "code",
    "key",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "secret",
    "sig",
    "signature",
    "token",
    "x-api-key",
];

/// Shows a URL without its user info, and with `***` for the values of parameters that may be secrets.
pub(crate) struct SafeUrl<'a> {
    url: &'a Url,
    more_secrets: &'a [String],
}

impl<'a> SafeUrl<'a> {
    /// `more_secrets` are names of further secret parameters.
    pub(crate) fn new(url: &'a Url, more_secrets: &'a [String]) -> Self {
        Self { url, more_secrets }
    }

    fn is_secret(&self, name: &str) -> bool {
        SECRET_NAMES.iter().any(|secret| secret.eq_ignore_ascii_case(name))
            || self.more_secrets.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.url.origin().ascii_serialization(), self.url.path())?;
        for (position, (name, value)) in self.url.query_pairs().enumerate() {
            let separator = if position == 0 { '?' } else { '&' };
            let value = if self.is_secret(&name) { "***" } else { &value };
            write!(f, "{separator}{name}={value}")?;
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
}
