//! A `paginator` of a pipeline file as its user wrote it.

use serde_json::{Map, Value};

use super::fields::{Fields, kind};
use super::problems::accepted;

/// A paginator, by its `type` or as that type's name alone.
#[derive(Debug, Clone)]
pub(crate) enum PaginatorDocument {
    SinglePage,
    Auto,
    Offset(Box<OffsetDocument>),
    PageNumber(Box<PageNumberDocument>),
    Follow(Box<FollowDocument>),
    /// It is a problem already.
    Refused,
}

/// dlt's offset paginator.
#[derive(Debug, Clone)]
pub(crate) struct OffsetDocument {
    pub(crate) place: String,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
    pub(crate) offset_param: Option<String>,
    pub(crate) limit_param: Option<String>,
    pub(crate) offset_body_path: Option<String>,
    pub(crate) limit_body_path: Option<String>,
    /// Where a page states the number of records: `total` unless given.
    pub(crate) total_path: TotalPath,
    pub(crate) maximum_offset: Option<u64>,
    pub(crate) stop_after_empty_page: Option<bool>,
    pub(crate) has_more_path: Option<String>,
}

/// dlt's page number paginator.
#[derive(Debug, Clone)]
pub(crate) struct PageNumberDocument {
    pub(crate) place: String,
    pub(crate) base_page: Option<u64>,
    pub(crate) page: Option<u64>,
    pub(crate) page_param: Option<String>,
    pub(crate) page_body_path: Option<String>,
    /// Where a page states the number of pages: `total` unless given.
    pub(crate) total_path: TotalPath,
    pub(crate) maximum_page: Option<u64>,
    pub(crate) stop_after_empty_page: Option<bool>,
    pub(crate) has_more_path: Option<String>,
}

/// dlt's `cursor`, `header_cursor`, `json_link` and `header_link`, and `keyset`.
#[derive(Debug, Clone)]
pub(crate) struct FollowDocument {
    pub(crate) place: String,
    pub(crate) kind: FollowKind,
    /// `cursor_path`, `cursor_key`, `next_url_path`, `links_next_key` or `value_path`, by the kind.
    pub(crate) from: Option<String>,
    /// `cursor_param`, or `param` of a keyset.
    pub(crate) param: Option<String>,
    /// `cursor_body_path`, or `body_path` of a keyset.
    pub(crate) body_path: Option<String>,
    pub(crate) stop_after_empty_page: Option<bool>,
    pub(crate) has_more_path: Option<String>,
}

/// How a page leads to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowKind {
    Cursor,
    HeaderCursor,
    JsonLink,
    HeaderLink,
    Keyset,
}

/// `total_path`, of which null has a meaning of its own.
#[derive(Debug, Clone)]
pub(crate) enum TotalPath {
    /// It is not there: the default holds.
    Default,
    /// It is null, or as good as that: the API does not state a total.
    Null,
    /// A path, or something that is a problem already.
    Given(Option<String>),
}

const TYPES: &[&str] =
    &["auto", "cursor", "header_cursor", "header_link", "json_link", "keyset", "offset", "page_number", "single_page"];

impl PaginatorDocument {
    pub(crate) fn read(parent: &mut Fields<'_>, key: &'static str) -> Option<Self> {
        let place = parent.place_of(key);
        let problems = parent.problems;
        let value = parent.value(key)?;
        let chosen = match value {
            Value::String(name) => name.as_str(),
            Value::Object(object) => match object.get("type") {
                Some(Value::String(name)) => name.as_str(),
                Some(other) => {
                    problems.add(&place, format!("'type' must be a text, found {}", kind(other)));
                    return Some(Self::Refused);
                }
                None => {
                    problems.add(&place, format!("'type' is missing (accepted: {})", TYPES.join(", ")));
                    return Some(Self::Refused);
                }
            },
            other => {
                problems.add(&place, format!("expected a paginator, found {}", kind(other)));
                return Some(Self::Refused);
            }
        };
        let empty = Map::new();
        let object = Value::Object(value.as_object().unwrap_or(&empty).clone());
        let mut fields = Fields::of(place.clone(), &object, problems)?;
        fields.raw("type");
        let paginator = match chosen {
            "single_page" => Self::SinglePage,
            "auto" => Self::Auto,
            "offset" => Self::Offset(Box::new(OffsetDocument::read(&mut fields))),
            "page_number" => Self::PageNumber(Box::new(PageNumberDocument::read(&mut fields))),
            "cursor" => FollowDocument::read(&mut fields, FollowKind::Cursor),
            "header_cursor" => FollowDocument::read(&mut fields, FollowKind::HeaderCursor),
            // dlt's older name of the same paginator.
            "json_link" | "json_response" => FollowDocument::read(&mut fields, FollowKind::JsonLink),
            "header_link" => FollowDocument::read(&mut fields, FollowKind::HeaderLink),
            "keyset" => FollowDocument::read(&mut fields, FollowKind::Keyset),
            unknown => {
                problems.add(&place, format!("the paginator '{unknown}' is not known {}", accepted(unknown, TYPES)));
                return Some(Self::Refused);
            }
        };
        fields.finish();
        Some(paginator)
    }
}

impl OffsetDocument {
    fn read(fields: &mut Fields<'_>) -> Self {
        let offset = Self {
            place: fields.place.clone(),
            limit: fields.whole("limit"),
            offset: fields.whole("offset"),
            offset_param: fields.text("offset_param"),
            limit_param: fields.text("limit_param"),
            offset_body_path: fields.text("offset_body_path"),
            limit_body_path: fields.text("limit_body_path"),
            total_path: TotalPath::read(fields),
            maximum_offset: fields.whole("maximum_offset"),
            stop_after_empty_page: fields.truth("stop_after_empty_page"),
            has_more_path: has_more_path(fields),
        };
        if !fields.has("limit") {
            fields.problems.add(&fields.place, "'limit' is missing: an offset paginator needs it");
        }
        offset
    }
}

impl PageNumberDocument {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            place: fields.place.clone(),
            base_page: fields.whole("base_page"),
            page: fields.whole("page"),
            page_param: fields.text("page_param"),
            page_body_path: fields.text("page_body_path"),
            total_path: TotalPath::read(fields),
            maximum_page: fields.whole("maximum_page"),
            stop_after_empty_page: fields.truth("stop_after_empty_page"),
            has_more_path: has_more_path(fields),
        }
    }
}

impl FollowDocument {
    fn read(fields: &mut Fields<'_>, kind: FollowKind) -> PaginatorDocument {
        let (from, param, body_path) = match kind {
            FollowKind::Cursor => {
                (fields.text("cursor_path"), fields.text("cursor_param"), fields.text("cursor_body_path"))
            }
            FollowKind::HeaderCursor => (fields.text("cursor_key"), fields.text("cursor_param"), None),
            FollowKind::JsonLink => (fields.text("next_url_path"), None, None),
            FollowKind::HeaderLink => (fields.text("links_next_key"), None, None),
            FollowKind::Keyset => (fields.required_text("value_path"), fields.text("param"), fields.text("body_path")),
        };
        PaginatorDocument::Follow(Box::new(Self {
            place: fields.place.clone(),
            kind,
            from,
            param,
            body_path,
            stop_after_empty_page: fields.truth("stop_after_empty_page"),
            has_more_path: has_more_path(fields),
        }))
    }
}

/// An empty text is none in dlt.
fn has_more_path(fields: &mut Fields<'_>) -> Option<String> {
    fields.text("has_more_path").filter(|path| !path.is_empty())
}

impl TotalPath {
    fn read(fields: &mut Fields<'_>) -> Self {
        match fields.raw("total_path") {
            None => Self::Default,
            // An empty text is none in dlt; false says it in TOML, which has no null.
            Some(Value::Null | Value::Bool(false)) => Self::Null,
            Some(Value::String(text)) if text.is_empty() => Self::Null,
            Some(_) => Self::Given(fields.text("total_path")),
        }
    }
}
