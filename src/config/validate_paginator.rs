//! A paginator of the document becomes the pagination of a resource.

use super::paginator_document::{OffsetDocument, TotalPath};
use super::problems::Problems;
use crate::spec::{JsonPath, Method, OffsetSpec, Placement};

pub(super) fn json_path(text: &str, place: &str, problems: &Problems) -> Option<JsonPath> {
    JsonPath::parse(text).map_err(|error| problems.add(place, format!("is not a JSON path: {error}"))).ok()
}

pub(super) fn validate_offset(offset: &OffsetDocument, method: Method, problems: &Problems) -> Option<OffsetSpec> {
    let place = &offset.place;
    if offset.limit == Some(0) {
        problems.add(place, "'limit' must be at least 1");
    }
    let path =
        |text: Option<&String>, key: &str| text.and_then(|text| json_path(text, &format!("{place}/{key}"), problems));
    let total_path = match &offset.total_path {
        TotalPath::Default => Some(JsonPath::keys(["total"])),
        TotalPath::Null => None,
        TotalPath::Given(text) => path(text.as_ref(), "total_path"),
    };
    let has_more_path = path(offset.has_more_path.as_ref(), "has_more_path");
    let stop_after_empty_page = offset.stop_after_empty_page.unwrap_or(true);
    let can_end = !matches!(offset.total_path, TotalPath::Null)
        || offset.maximum_offset.is_some()
        || offset.has_more_path.is_some()
        || stop_after_empty_page;
    if !can_end {
        problems.add(
            place,
            "the listing could never end: give total_path, maximum_offset or has_more_path, or let stop_after_empty_page be true",
        );
    }
    let placement = |body: Option<&String>, param: Option<&String>, name: &str| {
        let Some(body) = body else {
            return Some(Placement::Query(param.cloned().unwrap_or_else(|| name.to_owned())));
        };
        let key = format!("{name}_body_path");
        if param.is_some() {
            problems.add(place, format!("'{name}_param' and '{key}' exclude each other; give one"));
        }
        if method != Method::Post {
            problems.add(place, format!("'{key}' needs `method: POST`, since a GET has no body"));
        }
        let path = json_path(body, &format!("{place}/{key}"), problems)?;
        if path.has_wildcard() || path.segments().is_empty() {
            problems.add(&format!("{place}/{key}"), "must name one place in the body");
        }
        Some(Placement::Body(path))
    };
    let offset_in = placement(offset.offset_body_path.as_ref(), offset.offset_param.as_ref(), "offset");
    let limit_in = placement(offset.limit_body_path.as_ref(), offset.limit_param.as_ref(), "limit");
    Some(OffsetSpec {
        limit: offset.limit?,
        offset: offset.offset.unwrap_or(0),
        offset_in: offset_in?,
        limit_in: limit_in?,
        total_path,
        maximum_offset: offset.maximum_offset,
        stop_after_empty_page,
        has_more_path,
    })
}
