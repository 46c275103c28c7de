//! The facts about an accepted page that a paginator may see.

use serde::{Deserialize, Serialize};

use lakefeed_model::spec::JsonPath;

/// What a paginator wants to know of the next page's body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Questions {
    /// The paths whose values it wants.
    pub lookups: Vec<JsonPath>,
    /// Whether it wants the hints by which the way of paging is detected.
    pub wants_hints: bool,
}

impl Questions {
    /// No question at all.
    pub const NONE: &Self = &Self { lookups: Vec::new(), wants_hints: false };
}

/// The facts about one accepted page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageMeta {
    /// Records in the page, refused ones included.
    pub records: u64,
    /// What was found at each of [`Questions::lookups`], in that order.
    pub values: Vec<Lookup>,
    /// What was found for each of [`super::Paginator::header_lookups`], in that order.
    pub headers: Vec<Lookup>,
    /// What the body of the first page hints at, where the paginator is yet to be detected.
    pub hints: Option<Box<PagingHints>>,
    /// What tells its records from those of other pages; none for a page without records.
    pub content: Option<Content>,
}

/// The records of a page, as far as it takes to know them again. What stands beside them, such as a
/// token, plays no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// A hash of their text, and of the commas and the whitespace between them.
    pub hash: u128,
    /// Whether not all of them are equal.
    pub is_varied: bool,
}

/// What a paginator wants to know of a page's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderLookup {
    /// The value of a header.
    Value(String),
    /// The target of the `Link` header with a relation (RFC 8288).
    Link(String),
}

/// What the body of a page hints at, when nobody says how the API pages: dlt's rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PagingHints {
    /// The first value under a key that starts with `next`.
    pub next: Option<(JsonPath, Scalar)>,
    /// The number of pages.
    pub pages: Option<(JsonPath, Scalar)>,
    /// The number of this page.
    pub page: Option<Scalar>,
    /// The number of records in the whole listing.
    pub total: Option<(JsonPath, Scalar)>,
    /// The path of a boolean that says that there is another page.
    pub more: Option<JsonPath>,
}

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing.
    Missing,
    /// A value.
    Found(Scalar),
}

impl Lookup {
    /// Returns the value, if one was found.
    pub fn found(&self) -> Option<&Scalar> {
        match self {
            Self::Missing => None,
            Self::Found(value) => Some(value),
        }
    }
}

/// A JSON value as far as paging needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Makes an integer.
    pub fn whole(value: u64) -> Self {
        Self::Number(value.to_string())
    }

    /// Returns the value as an integer that is not negative; a numeric text counts, and so does
    /// `3.0`.
    pub fn as_u64(&self) -> Option<u64> {
        let (Self::Number(text) | Self::Text(text)) = self else { return None };
        let text = text.trim();
        let whole = text.split_once('.').filter(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
        whole.map_or(text, |(whole, _)| whole).parse().ok()
    }

    /// Returns the value as a boolean; the strings that dlt takes for one count, in any case:
    /// `true`, `yes`, `t`, `y`, `1` and their opposites.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "t" | "y" | "1" => Some(true),
                "false" | "no" | "f" | "n" | "0" => Some(false),
                _ => None,
            },
            Self::Null | Self::Number(_) | Self::Container => None,
        }
    }

    /// Returns the value as the text of a query parameter; none where there is nothing to send.
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
            Self::Null | Self::Container => None,
        }
    }

    /// Returns whether the value says that there is no next page: null, false, 0 or an empty text,
    /// as in dlt.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => true,
            Self::Number(text) => text.parse::<f64>().is_ok_and(|number| number == 0.0),
            Self::Text(text) => text.is_empty(),
            Self::Bool(true) | Self::Container => false,
        }
    }

    /// Returns the value for an error message, cut to a bearable length.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_truth_values_may_be_texts() {
        for (text, number, truth) in [
            ("3", Some(3), None),
            (" 3 ", Some(3), None),
            ("3.0", Some(3), None),
            ("3.5", None, None),
            ("-1", None, None),
            ("1", Some(1), Some(true)),
            ("0", Some(0), Some(false)),
            ("Yes", None, Some(true)),
            ("FALSE", None, Some(false)),
            ("n", None, Some(false)),
            ("maybe", None, None),
            ("", None, None),
        ] {
            let value = Scalar::Text(text.to_owned());
            assert_eq!((value.as_u64(), value.as_bool()), (number, truth), "{text:?}");
        }
        assert_eq!(Scalar::Number("1".to_owned()).as_bool(), None);
        assert_eq!(Scalar::Number("2.00".to_owned()).as_u64(), Some(2));
    }
}
