//! A `paginator` of a pipeline file as its user wrote it.

use serde_json::{Map, Value};

use super::fields::{Fields, kind};
use super::problems::accepted;

/// A paginator, by its `type` or as that type's name alone.
#[derive(Debug, Clone)]
pub(super) enum PaginatorDocument {
    SinglePage,
    Offset(Box<OffsetDocument>),
    /// It is a problem already.
    Refused,
}

/// dlt's offset paginator.
#[derive(Debug, Clone)]
pub(super) struct OffsetDocument {
    pub(super) place: String,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
    pub(super) offset_param: Option<String>,
    pub(super) limit_param: Option<String>,
    pub(super) offset_body_path: Option<String>,
    pub(super) limit_body_path: Option<String>,
    /// Where a page states the total: `total` unless given.
    pub(super) total_path: TotalPath,
    pub(super) maximum_offset: Option<u64>,
    pub(super) stop_after_empty_page: Option<bool>,
    pub(super) has_more_path: Option<String>,
}

/// `total_path`, of which null has a meaning of its own.
#[derive(Debug, Clone)]
pub(super) enum TotalPath {
    /// It is not there: the default holds.
    Default,
    /// It is null: the API does not state a total.
    Null,
    /// A path, or something that is a problem already.
    Given(Option<String>),
}

impl PaginatorDocument {
    pub(super) fn read(parent: &mut Fields<'_>, key: &'static str) -> Option<Self> {
        const LATER: &[&str] =
            &["auto", "page_number", "cursor", "header_cursor", "json_link", "json_response", "header_link"];
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
                    problems.add(&place, "'type' is missing (accepted: offset, single_page)");
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
        match chosen {
            "single_page" => {
                let mut fields = Fields::of(place, &object, problems)?;
                fields.raw("type");
                fields.finish();
                Some(Self::SinglePage)
            }
            "offset" => {
                Fields::of(place, &object, problems).map(|fields| Self::Offset(Box::new(OffsetDocument::read(fields))))
            }
            later if LATER.contains(&later) => {
                problems.add(&place, format!("the paginator '{later}' is not supported by this version of lakefeed (accepted: offset, single_page)"));
                Some(Self::Refused)
            }
            unknown => {
                let known = accepted(unknown, &["offset", "single_page"]);
                problems.add(&place, format!("the paginator '{unknown}' is not known {known}"));
                Some(Self::Refused)
            }
        }
    }
}

impl OffsetDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        fields.raw("type");
        let total_path = match fields.raw("total_path") {
            None => TotalPath::Default,
            Some(Value::Null) => TotalPath::Null,
            Some(_) => TotalPath::Given(fields.text("total_path")),
        };
        let offset = Self {
            place: fields.place.clone(),
            limit: fields.whole("limit"),
            offset: fields.whole("offset"),
            offset_param: fields.text("offset_param"),
            limit_param: fields.text("limit_param"),
            offset_body_path: fields.text("offset_body_path"),
            limit_body_path: fields.text("limit_body_path"),
            total_path,
            maximum_offset: fields.whole("maximum_offset"),
            stop_after_empty_page: fields.truth("stop_after_empty_page"),
            has_more_path: fields.text("has_more_path"),
        };
        if !fields.has("limit") {
            fields.problems.add(&fields.place, "'limit' is missing");
        }
        fields.finish();
        offset
    }
}
