//! The facts about an accepted page that a paginator may see.

/// The facts about one accepted page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageMeta {
    /// Records in the page, refused ones included.
    pub records: u64,
    /// What was found at each of the paths of [`super::Paginator::lookups`], in that order.
    pub values: Vec<Lookup>,
}

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing.
    Missing,
    /// A value.
    Found(Scalar),
}

/// A JSON value as far as paging needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as its JSON text.
    Number(String),
    /// A string.
    Text(String),
    /// An object or an array.
    Container,
}

impl Scalar {
    /// The value as a whole number that is not negative; a numeric text counts.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(text) | Self::Text(text) => text.trim().parse().ok(),
            Self::Null | Self::Bool(_) | Self::Container => None,
        }
    }

    /// The value as a truth value; the texts `true` and `false` count, in any case.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            Self::Null | Self::Number(_) | Self::Text(_) | Self::Container => None,
        }
    }

    /// The value for an error message, cut to a bearable length.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(text) => text.chars().take(40).collect(),
            Self::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
            Self::Container => "an object or array".to_owned(),
        }
    }
}
