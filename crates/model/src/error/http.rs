//! A request that failed, as facts.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A request to the API or to a token endpoint that failed, after its last try. Nothing in it is a
/// secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct HttpFailure {
    /// The method.
    pub method: String,
    /// The URL, with `***` for what may be secret.
    pub url: String,
    /// The status of the last answer; absent when none came, or not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the last answer said: the first 500 bytes or so of a body of text, on one line, with
    /// `***` for what may be secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_excerpt: Option<String>,
    /// How often the request was sent.
    pub tries: u32,
    /// How long all tries took together, waits included.
    #[serde(rename = "seconds", with = "seconds")]
    #[schemars(with = "f64")]
    pub elapsed: Duration,
}

impl HttpFailure {
    /// Returns a request that was sent once, in no time, and was not answered. For lakefeed's own
    /// crates.
    #[doc(hidden)]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            status: None,
            body_excerpt: None,
            tries: 1,
            elapsed: Duration::ZERO,
        }
    }
}

/// Seconds, to the millisecond.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((duration.as_secs_f64() * 1_000.0).round() / 1_000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_written_and_read() {
        let failure = HttpFailure {
            status: Some(400),
            body_excerpt: Some("page size must be at most 50".to_owned()),
            elapsed: Duration::from_micros(1_500_400),
            ..HttpFailure::new("GET", "https://api.example/v1")
        };
        let json = serde_json::to_value(&failure).unwrap();
        assert_eq!(json["seconds"], 1.5);
        let read: HttpFailure = serde_json::from_value(json).unwrap();
        assert_eq!(read, HttpFailure { elapsed: Duration::from_millis(1_500), ..failure });
    }
}
