//! Texts of a request with places that a run fills in: `{resources.posts.id}`,
//! `{incremental.start_value}`.
//!
//! `{{name}}` stands for a literal `{name}`. Other braces are literal, so that a GraphQL query
//! needs no escapes; only a lone `{name}` is a [`Placeholder::Name`], which a path binds to the
//! parameter of that name.

use std::fmt;

use lakefeed_model::spec::{IncrementalValue, JsonPath};

/// A string with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<TemplatePart>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    /// Text that stays as it is.
    Literal(String),
    /// A place to fill in.
    Placeholder(Placeholder),
}

/// A place to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// `{resources.parent.field}`: a field of the parent's record.
    Parent {
        /// The parent resource.
        resource: String,
        /// The field of its records.
        field: JsonPath,
    },
    /// `{incremental.…}`: a value of the cursor.
    Incremental(IncrementalValue),
    /// `{name}`
    Name(String),
}

/// Why a string is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder of a group that has none of that name.
    #[error("the placeholder {{{placeholder}}} is not known (accepted: {accepted})")]
    Unknown {
        /// What stands between the braces.
        placeholder: String,
        /// What could.
        accepted: &'static str,
    },
}

const INCREMENTAL_VALUES: [(&str, IncrementalValue); 5] = [
    ("start_value", IncrementalValue::StartValue),
    ("initial_value", IncrementalValue::InitialValue),
    ("last_value", IncrementalValue::LastValue),
    ("end_value", IncrementalValue::EndValue),
    ("lag", IncrementalValue::Lag),
];

impl Template {
    /// Returns a template without places.
    pub fn literal(text: impl Into<String>) -> Self {
        Self { parts: vec![TemplatePart::Literal(text.into())] }
    }

    /// Returns a template that is one place.
    pub fn placeholder(placeholder: Placeholder) -> Self {
        Self { parts: vec![TemplatePart::Placeholder(placeholder)] }
    }

    /// Returns a template of `parts`.
    pub fn new(parts: Vec<TemplatePart>) -> Self {
        Self { parts }
    }

    /// Reads a template.
    ///
    /// # Errors
    /// When a placeholder of `resources` or `incremental` is not one.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(brace) = rest.find('{') {
            let (before, at) = rest.split_at(brace);
            literal.push_str(before);
            if let Some((inner, after)) = escaped(at) {
                literal.extend(["{", inner, "}"]);
                rest = after;
            } else if let Some((inner, after)) = single(at) {
                match parse_placeholder(inner)? {
                    Some(placeholder) => {
                        if !literal.is_empty() {
                            parts.push(TemplatePart::Literal(std::mem::take(&mut literal)));
                        }
                        parts.push(TemplatePart::Placeholder(placeholder));
                    }
                    None => literal.extend(["{", inner, "}"]),
                }
                rest = after;
            } else {
                literal.push('{');
                rest = at.strip_prefix('{').unwrap_or_default();
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() || parts.is_empty() {
            parts.push(TemplatePart::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// Returns the pieces, in order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// Returns the places, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Placeholder(placeholder) => Some(placeholder),
            TemplatePart::Literal(_) => None,
        })
    }

    /// Returns the text of a template without places.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TemplatePart::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Returns the placeholder of a template that is nothing else.
    pub fn as_placeholder(&self) -> Option<&Placeholder> {
        match self.parts.as_slice() {
            [TemplatePart::Placeholder(placeholder)] => Some(placeholder),
            _ => None,
        }
    }

    /// Returns whether a path with this text leads to a single entity: its last segment has a
    /// place, as in `posts/{id}`, `posts/{id}.json` or `posts/{id}/`.
    pub fn leads_to_single_entity(&self) -> bool {
        let mut has_place = false;
        let mut is_after_slash = false;
        for part in &self.parts {
            let text = match part {
                TemplatePart::Literal(text) => text.as_str(),
                TemplatePart::Placeholder(_) => {
                    has_place = true;
                    is_after_slash = false;
                    continue;
                }
            };
            for character in text.chars() {
                if character == '/' {
                    is_after_slash = true;
                } else if std::mem::take(&mut is_after_slash) {
                    has_place = false;
                }
            }
        }
        has_place
    }
}

/// Returns what is between the braces of `{{name}}`, and what follows.
fn escaped(at: &str) -> Option<(&str, &str)> {
    let inner = at.strip_prefix("{{")?;
    let end = inner.find(['{', '}'])?;
    let (inner, after) = inner.split_at(end);
    Some((inner, after.strip_prefix("}}")?))
}

/// Returns what is between the braces of `{name}`, and what follows.
fn single(at: &str) -> Option<(&str, &str)> {
    let inner = at.strip_prefix('{')?;
    let end = inner.find(['{', '}'])?;
    let (inner, after) = inner.split_at(end);
    Some((inner, after.strip_prefix('}')?))
}

fn parse_placeholder(inner: &str) -> Result<Option<Placeholder>, TemplateError> {
    let unknown = |accepted| Err(TemplateError::Unknown { placeholder: inner.to_owned(), accepted });
    if let Some(rest) = inner.strip_prefix("resources.") {
        return match rest.split_once('.').map(|(resource, field)| (resource, JsonPath::parse(field))) {
            Some((resource, Ok(field))) if !resource.is_empty() && !field.has_wildcard() => {
                Ok(Some(Placeholder::Parent { resource: resource.to_owned(), field }))
            }
            Some(_) | None => unknown("resources.NAME.FIELD"),
        };
    }
    if let Some(name) = inner.strip_prefix("incremental.") {
        return match INCREMENTAL_VALUES.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(Some(Placeholder::Incremental(*value))),
            None => unknown(
                "incremental.start_value, incremental.initial_value, incremental.last_value, incremental.end_value, incremental.lag",
            ),
        };
    }
    let is_name = inner.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && inner.chars().all(|character| character.is_ascii_alphanumeric() || "_.-".contains(character));
    Ok(is_name.then(|| Placeholder::Name(inner.to_owned())))
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                TemplatePart::Literal(text) => f.write_str(text)?,
                TemplatePart::Placeholder(placeholder) => write!(f, "{placeholder}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parent { resource, field } => write!(f, "{{resources.{resource}.{field}}}"),
            Self::Incremental(value) => {
                let name = INCREMENTAL_VALUES.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name);
                write!(f, "{{incremental.{name}}}")
            }
            Self::Name(name) => write!(f, "{{{name}}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn literal(text: &str) -> TemplatePart {
        TemplatePart::Literal(text.to_owned())
    }

    fn parent(field: &str) -> TemplatePart {
        let field = JsonPath::parse(field).unwrap();
        TemplatePart::Placeholder(Placeholder::Parent { resource: "posts".to_owned(), field })
    }

    #[test]
    fn places_escapes_and_other_braces_are_told_apart() {
        for (text, parts) in [
            ("", vec![literal("")]),
            ("plain", vec![literal("plain")]),
            ("posts/{resources.posts.id}/c", vec![literal("posts/"), parent("id"), literal("/c")]),
            ("{resources.posts.author.id}", vec![parent("author.id")]),
            ("{{not_this}}", vec![literal("{not_this}")]),
            ("query { viewer { id }}", vec![literal("query { viewer { id }}")]),
            ("{\"a\":{\"b\":1}}", vec![literal("{\"a\":{\"b\":1}}")]),
            ("a{", vec![literal("a{")]),
            ("{x}", vec![TemplatePart::Placeholder(Placeholder::Name("x".to_owned()))]),
            (
                "v{incremental.start_value}",
                vec![literal("v"), TemplatePart::Placeholder(Placeholder::Incremental(IncrementalValue::StartValue))],
            ),
        ] {
            assert_eq!(Template::parse(text).unwrap().parts(), parts, "{text}");
        }
    }

    #[test]
    fn a_placeholder_that_does_not_exist_is_refused() {
        for text in ["{incremental.start}", "{resources.posts}", "{resources..id}", "{resources.posts.a[*]}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_in_the_last_segment_leads_to_a_single_entity() {
        for (path, expected) in [
            ("posts/{id}", true),
            ("{resources.posts.url}", true),
            ("posts/{resources.posts.id}.json", true),
            ("posts/{id}/", true),
            ("posts/v{id}?full=1", true),
            ("posts/{id}/comments", false),
            ("posts/{id}/comments/", false),
            ("posts", false),
            ("posts/{{id}}", false),
        ] {
            assert_eq!(Template::parse(path).unwrap().leads_to_single_entity(), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[{}a-z.\\[\\]*$ ]{0,40}") {
            drop(Template::parse(&text));
        }

        #[test]
        fn text_without_braces_stays(text in "[^{}]{0,40}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(template.as_literal(), Some(text.as_str()));
        }
    }
}
