//! A value that must never be shown.

use std::fmt;

/// A secret: a token, a password, a client secret.
///
/// It has no `Display` and no `Serialize` on purpose; `Debug` prints `Secret(***)`.
///
/// ```compile_fail,E0277
/// let secret = lakefeed_model::secret::Secret::new("hush");
/// println!("{secret}");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value itself. Callers put it on the wire and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret(***)");
    }
}
