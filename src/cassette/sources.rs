//! Where `${env:…}` and `${file:…}` come from while a cassette is recorded or replayed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{MARK, Scrubber};
use crate::config::Sources;

/// Parts of a variable's name that say that its value is a secret.
const SECRET_PARTS: &[&str] = &["auth", "credential", "key", "pass", "pwd", "secret", "sig", "token"];

/// Sources that remember what was asked of them.
#[derive(Debug)]
pub(crate) struct TrackingSources<S> {
    inner: S,
    seen: Mutex<BTreeMap<String, String>>,
}

impl<S> TrackingSources<S> {
    /// Remembers what is asked of `inner`.
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, seen: Mutex::default() }
    }

    /// Returns what was asked, as `env:NAME` or `file:path`, and is no secret, neither by its name
    /// nor by what `scrubber` knows. Those that are secrets by their name become known to it.
    pub(crate) fn into_public(self, scrubber: &Scrubber) -> BTreeMap<String, String> {
        let mut public = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        public.retain(|reference, value| {
            let name = reference.to_ascii_lowercase();
            let is_named_like_one = SECRET_PARTS.iter().any(|part| name.contains(part));
            let is_secret = reference.starts_with("file:") || (is_named_like_one && !is_plain_url(value));
            if is_secret {
                scrubber.learn(value);
            }
            !is_secret && !scrubber.knows(value)
        });
        public
    }

    fn note(&self, reference: String, value: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(reference, value.to_owned());
    }
}

/// Returns whether a value is an address and nothing else, such as that of a token endpoint.
fn is_plain_url(value: &str) -> bool {
    let is_plain = |url: &url::Url| url.username().is_empty() && url.password().is_none() && url.query().is_none();
    url::Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && is_plain(&url))
}

impl<S: Sources> Sources for TrackingSources<S> {
    fn env(&self, name: &str) -> Option<String> {
        let value = self.inner.env(name)?;
        self.note(format!("env:{name}"), &value);
        Some(value)
    }

    fn env_or(&self, name: &str, default: &str) -> String {
        // What a replay must be told is what was used: there, a variable that nobody knows is a
        // secret.
        let value = self.inner.env_or(name, default);
        self.note(format!("env:{name}"), &value);
        value
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        self.inner.file(path)
    }

    fn value_file(&self, path: &str) -> std::io::Result<String> {
        let value = self.inner.value_file(path)?;
        self.note(format!("file:{path}"), value.trim_end_matches(['\n', '\r']));
        Ok(value)
    }
}

/// The sources of a replay: what the cassette says, else what there is, else `***`. So nobody needs
/// the secrets to replay.
#[derive(Debug)]
pub(crate) struct ReplaySources<S> {
    inner: S,
    variables: BTreeMap<String, String>,
}

impl<S> ReplaySources<S> {
    /// Takes sources; `variables` are those of the cassette.
    pub(crate) fn new(inner: S, variables: BTreeMap<String, String>) -> Self {
        Self { inner, variables }
    }
}

impl<S: Sources> Sources for ReplaySources<S> {
    fn env(&self, name: &str) -> Option<String> {
        let known = self.variables.get(&format!("env:{name}")).cloned();
        Some(known.or_else(|| self.inner.env(name)).unwrap_or_else(|| MARK.to_owned()))
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        self.inner.file(path)
    }

    fn value_file(&self, path: &str) -> std::io::Result<String> {
        Ok(self.inner.value_file(path).unwrap_or_else(|_| MARK.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment in which one variable is set.
    struct One;

    impl Sources for One {
        fn env(&self, name: &str) -> Option<String> {
            (name == "SET").then(|| "mine".to_owned())
        }

        fn file(&self, _: &str) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn a_replay_takes_the_defaults_that_the_recording_took() {
        let recorded = TrackingSources::new(One);
        for (name, used) in [("SET", "mine"), ("UNSET", "https://api.example"), ("SECRET", "s3cr3t")] {
            let default = if name == "SECRET" { "s3cr3t" } else { "https://api.example" };
            assert_eq!(recorded.env_or(name, default), used);
        }
        let variables = recorded.into_public(&Scrubber::default());
        let replayed = ReplaySources::new(One, variables);
        assert_eq!(replayed.env_or("UNSET", "https://another.example"), "https://api.example");
        assert_eq!(replayed.env_or("SET", "x"), "mine");
        assert_eq!(replayed.env_or("SECRET", "x"), MARK);
    }
}
