//! A paginator of the document becomes the pagination of a resource.

use crate::config::document::fields::json_path;
use crate::config::document::paginator::{
    FollowDocument, FollowKind, OffsetDocument, PageNumberDocument, PaginatorDocument, TotalPath,
};
use crate::config::document::problems::Problems;
use crate::spec::json_path::Segment;
use crate::spec::{FollowFrom, FollowSpec, FollowTo, JsonPath, OffsetSpec, PageNumberSpec, PaginationSpec, Placement};

/// What a paginator must fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) data_selector: Option<&'a JsonPath>,
    pub(crate) problems: &'a Problems,
}

pub(crate) fn validate_paginator(document: &PaginatorDocument, around: Around<'_>) -> Option<PaginationSpec> {
    match document {
        PaginatorDocument::Refused => None,
        PaginatorDocument::SinglePage => Some(PaginationSpec::SinglePage),
        PaginatorDocument::Auto => Some(PaginationSpec::Auto),
        PaginatorDocument::Offset(offset) => validate_offset(offset, around).map(PaginationSpec::Offset),
        PaginatorDocument::PageNumber(pages) => validate_page_number(pages, around).map(PaginationSpec::PageNumber),
        PaginatorDocument::Follow(follow) => validate_follow(follow, around).map(PaginationSpec::Follow),
    }
}

impl Around<'_> {
    /// The path of an option; none when it is not there, or is a problem.
    fn path(self, text: Option<&String>, place: &str, key: &str) -> Option<JsonPath> {
        text.and_then(|text| json_path(text, &format!("{place}/{key}"), self.problems))
    }

    fn total_path(self, given: &TotalPath, place: &str) -> Option<JsonPath> {
        match given {
            TotalPath::Default => Some(JsonPath::keys(["total"])),
            TotalPath::Null => None,
            TotalPath::Given(text) => self.path(text.as_ref(), place, "total_path"),
        }
    }

    /// A query parameter, or a place in the body.
    fn placement(
        self,
        place: &str,
        body: (Option<&String>, &str),
        param: (Option<&String>, &str),
        default: &str,
    ) -> Option<Placement> {
        let ((body, body_key), (param, param_key)) = (body, param);
        for (text, key) in [(body, body_key), (param, param_key)] {
            if text.is_some_and(String::is_empty) {
                self.problems.add(&format!("{place}/{key}"), "is empty: leave it out, or give a name");
                return None;
            }
        }
        let Some(body) = body else {
            return Some(Placement::Query(param.cloned().unwrap_or_else(|| default.to_owned())));
        };
        if param.is_some() {
            self.problems.add(place, format!("'{param_key}' and '{body_key}' exclude each other: give one, not both"));
        }
        let path = json_path(body, &format!("{place}/{body_key}"), self.problems)?;
        if !path.is_settable() {
            self.problems.add(&format!("{place}/{body_key}"), "must name one place in the body");
        }
        Some(Placement::Body(path))
    }

    fn must_end(self, place: &str, can_end: bool, maximum: &str) {
        if !can_end {
            self.problems.add(
                place,
                format!("the listing could never end: give total_path, {maximum} or has_more_path, or let stop_after_empty_page be true"),
            );
        }
    }
}

fn validate_offset(offset: &OffsetDocument, around: Around<'_>) -> Option<OffsetSpec> {
    let place = &offset.place;
    if offset.limit == Some(0) {
        around.problems.add(place, "'limit' must be at least 1");
    }
    let stop_after_empty_page = offset.stop_after_empty_page.unwrap_or(true);
    let can_end = !matches!(offset.total_path, TotalPath::Null)
        || offset.maximum_offset.is_some()
        || offset.has_more_path.is_some()
        || stop_after_empty_page;
    around.must_end(place, can_end, "maximum_offset");
    let offset_in = around.placement(
        place,
        (offset.offset_body_path.as_ref(), "offset_body_path"),
        (offset.offset_param.as_ref(), "offset_param"),
        "offset",
    );
    let limit_in = around.placement(
        place,
        (offset.limit_body_path.as_ref(), "limit_body_path"),
        (offset.limit_param.as_ref(), "limit_param"),
        "limit",
    );
    Some(OffsetSpec {
        limit: offset.limit?,
        offset: offset.offset.unwrap_or(0),
        offset_in: offset_in?,
        limit_in: limit_in?,
        total_path: around.total_path(&offset.total_path, place),
        maximum_offset: offset.maximum_offset,
        stop_after_empty_page,
        has_more_path: around.path(offset.has_more_path.as_ref(), place, "has_more_path"),
    })
}

fn validate_page_number(pages: &PageNumberDocument, around: Around<'_>) -> Option<PageNumberSpec> {
    let place = &pages.place;
    let stop_after_empty_page = pages.stop_after_empty_page.unwrap_or(true);
    let can_end = !matches!(pages.total_path, TotalPath::Null)
        || pages.maximum_page.is_some()
        || pages.has_more_path.is_some()
        || stop_after_empty_page;
    around.must_end(place, can_end, "maximum_page");
    let base_page = pages.base_page.unwrap_or(0);
    let page_in = around.placement(
        place,
        (pages.page_body_path.as_ref(), "page_body_path"),
        (pages.page_param.as_ref(), "page_param"),
        "page",
    );
    Some(PageNumberSpec {
        base_page,
        page: pages.page.unwrap_or(base_page),
        page_in: page_in?,
        total_path: around.total_path(&pages.total_path, place),
        maximum_page: pages.maximum_page,
        stop_after_empty_page,
        has_more_path: around.path(pages.has_more_path.as_ref(), place, "has_more_path"),
    })
}

fn validate_follow(follow: &FollowDocument, around: Around<'_>) -> Option<FollowSpec> {
    let place = &follow.place;
    let from = |default: &str| follow.from.clone().unwrap_or_else(|| default.to_owned());
    let (from, stop_after_empty_page) = match follow.kind {
        FollowKind::Cursor => (
            json_path(&from("cursors.next"), &format!("{place}/cursor_path"), around.problems).map(FollowFrom::Body),
            false,
        ),
        FollowKind::JsonLink => {
            (json_path(&from("next"), &format!("{place}/next_url_path"), around.problems).map(FollowFrom::Body), false)
        }
        FollowKind::HeaderCursor => (header_name(&from("next"), place, around.problems).map(FollowFrom::Header), false),
        FollowKind::HeaderLink => (Some(FollowFrom::LinkHeader(from("next"))), false),
        FollowKind::Keyset => (last_record(follow, around).map(FollowFrom::LastRecord), true),
    };
    let to = match follow.kind {
        FollowKind::JsonLink | FollowKind::HeaderLink => Some(FollowTo::Url),
        FollowKind::Cursor | FollowKind::HeaderCursor => around
            .placement(
                place,
                (follow.body_path.as_ref(), "cursor_body_path"),
                (follow.param.as_ref(), "cursor_param"),
                "cursor",
            )
            .map(FollowTo::Value),
        FollowKind::Keyset => {
            if follow.param.is_none() && follow.body_path.is_none() {
                around.problems.add(place, "'param' is missing: name the query parameter, or give 'body_path'");
            }
            around
                .placement(place, (follow.body_path.as_ref(), "body_path"), (follow.param.as_ref(), "param"), "after")
                .map(FollowTo::Value)
        }
    };
    Some(FollowSpec {
        from: from?,
        to: to?,
        stop_after_empty_page: follow.stop_after_empty_page.unwrap_or(stop_after_empty_page),
        has_more_path: around.path(follow.has_more_path.as_ref(), place, "has_more_path"),
    })
}

fn header_name(name: &str, place: &str, problems: &Problems) -> Option<String> {
    if http::HeaderName::try_from(name).is_err() {
        problems.add(&format!("{place}/cursor_key"), format!("'{name}' is not the name of a header"));
        return None;
    }
    Some(name.to_owned())
}

/// The path through the last record of a page to the value that the next page starts after.
fn last_record(follow: &FollowDocument, around: Around<'_>) -> Option<JsonPath> {
    let value = around.path(follow.from.as_ref(), &follow.place, "value_path")?;
    let Some(selector) = around.data_selector else {
        around
            .problems
            .add(&follow.place, "a keyset needs endpoint.data_selector, to know which record is the last one");
        return None;
    };
    let segments =
        selector.segments().iter().cloned().chain([Segment::FromEnd(1)]).chain(value.segments().iter().cloned());
    Some(JsonPath::of(segments))
}
