//! A paginator of the document becomes the pagination of a resource.

use super::values::json_path;
use crate::config::document::Mapping as _;
use crate::config::document::paginator::{
    CountingDocument, EndingDocument, KeysetDocument, OffsetDocument, PageNumberDocument, PaginatorDocument,
};
use crate::config::document::problems::Problems;
use crate::config::document::values::TotalPath;
use crate::spec::json_path::{SETTABLE_INDEX_MAX, Segment};
use crate::spec::{
    FollowFrom, FollowSpec, FollowTo, FollowTotal, JsonPath, OffsetSpec, PageNumberSpec, PaginationSpec, Placement,
};

/// What ends a listing, and what it is held against.
type Ending<'d> = (&'d CountingDocument, &'d EndingDocument);

/// What a paginator must fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) data_selector: Option<&'a JsonPath>,
    pub(crate) problems: &'a Problems,
}

pub(crate) fn validate_paginator(document: &PaginatorDocument, around: Around<'_>) -> Option<PaginationSpec> {
    let body = |path: &str, place: &str, key: &str| {
        json_path(path, &format!("{place}/{key}"), around.problems).map(FollowFrom::Body)
    };
    let follow = |from: Option<FollowFrom>, to: Option<FollowTo>, (counting, ending): Ending<'_>, stops: bool| {
        let total = match around.total_path(counting.total_path.as_ref(), counting.place()) {
            (Some(path), true) => FollowTotal::At(path),
            (Some(_), false) => FollowTotal::Hinted,
            (None, _) => FollowTotal::Nowhere,
        };
        Some(PaginationSpec::Follow(FollowSpec {
            total,
            from: from?,
            to: to?,
            stop_after_empty_page: ending.stop_after_empty_page.unwrap_or(stops),
            has_more_path: around.has_more_path(ending),
        }))
    };
    match document {
        PaginatorDocument::SinglePage => Some(PaginationSpec::SinglePage),
        PaginatorDocument::Auto => Some(PaginationSpec::Auto),
        PaginatorDocument::Offset(offset) => validate_offset(offset, around).map(PaginationSpec::Offset),
        PaginatorDocument::PageNumber(pages) => validate_page_number(pages, around).map(PaginationSpec::PageNumber),
        PaginatorDocument::Cursor(cursor) => {
            let place = cursor.place();
            let to = around.placement(
                place,
                (cursor.cursor_body_path.as_ref(), "cursor_body_path"),
                (cursor.cursor_param.as_ref(), "cursor_param"),
                "cursor",
            );
            follow(
                body(&cursor.cursor_path, place, "cursor_path"),
                to.map(FollowTo::Value),
                (&cursor.counting, &cursor.ending),
                false,
            )
        }
        PaginatorDocument::HeaderCursor(cursor) => {
            let place = cursor.place();
            let to = around.placement(place, (None, ""), (cursor.cursor_param.as_ref(), "cursor_param"), "cursor");
            let from = header_name(&cursor.cursor_key, place, around.problems).map(FollowFrom::Header);
            follow(from, to.map(FollowTo::Value), (&cursor.counting, &cursor.ending), false)
        }
        PaginatorDocument::JsonLink(link) => {
            let from = body(&link.next_url_path, link.place(), "next_url_path");
            follow(from, Some(FollowTo::Url), (&link.counting, &link.ending), false)
        }
        PaginatorDocument::HeaderLink(link) => {
            let from = FollowFrom::LinkHeader(link.links_next_key.clone());
            follow(Some(from), Some(FollowTo::Url), (&link.counting, &link.ending), false)
        }
        PaginatorDocument::Keyset(keyset) => {
            let place = keyset.place();
            if keyset.param.is_none() && keyset.body_path.is_none() {
                around.problems.add(place, "'param' is missing: name the query parameter, or give 'body_path'");
            }
            let to = around.placement(
                place,
                (keyset.body_path.as_ref(), "body_path"),
                (keyset.param.as_ref(), "param"),
                "after",
            );
            let from = last_record(keyset, around).map(FollowFrom::LastRecord);
            follow(from, to.map(FollowTo::Value), (&keyset.counting, &keyset.ending), true)
        }
    }
}

impl Around<'_> {
    /// Returns where the total is, and whether the pipeline file says so.
    fn total_path(self, given: Option<&TotalPath>, place: &str) -> (Option<JsonPath>, bool) {
        match given {
            Some(TotalPath::None) => (None, false),
            Some(TotalPath::Given(text)) => (json_path(text, &format!("{place}/total_path"), self.problems), true),
            None => (Some(JsonPath::keys(["total"])), false),
        }
    }

    /// Returns the path of the flag that says whether more follows; an empty string is none in dlt.
    fn has_more_path(self, ending: &EndingDocument) -> Option<JsonPath> {
        let text = ending.has_more_path.as_ref().filter(|text| !text.is_empty())?;
        json_path(text, &format!("{}/has_more_path", ending.place()), self.problems)
    }

    /// Returns a query parameter, or a place in the body.
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
        let place = format!("{place}/{body_key}");
        let path = json_path(body, &place, self.problems)?;
        if !path.is_settable() {
            let what = format!("must name one place in the body, with no index of more than {SETTABLE_INDEX_MAX}");
            self.problems.add(&place, what);
        }
        Some(Placement::Body(path))
    }

    /// Notes a listing that nothing would end. Whether an empty page ends it.
    fn must_end(
        self,
        place: &str,
        total: Option<&TotalPath>,
        maximum: (Option<u64>, &str),
        ending: &EndingDocument,
    ) -> bool {
        let stops = ending.stop_after_empty_page.unwrap_or(true);
        let has_more = ending.has_more_path.as_ref().is_some_and(|path| !path.is_empty());
        if matches!(total, Some(TotalPath::None)) && maximum.0.is_none() && !has_more && !stops {
            self.problems.add(
                place,
                format!(
                    "the listing could never end: give total_path, {} or has_more_path, or let stop_after_empty_page be true",
                    maximum.1
                ),
            );
        }
        stops
    }
}

fn validate_offset(offset: &OffsetDocument, around: Around<'_>) -> Option<OffsetSpec> {
    let place = offset.place();
    let maximum = (offset.maximum_offset, "maximum_offset");
    let stop_after_empty_page = around.must_end(place, offset.total_path.as_ref(), maximum, &offset.ending);
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
    let (total_path, total_is_required) = around.total_path(offset.total_path.as_ref(), place);
    let is_open = offset.base_offset.is_none() && offset.offset == Some(1);
    let base_offset = offset.base_offset.unwrap_or(0);
    Some(OffsetSpec {
        limit: offset.limit?,
        offset: offset.offset.unwrap_or(base_offset),
        base_offset: (!is_open).then_some(base_offset),
        offset_in: offset_in?,
        limit_in: limit_in?,
        total_path,
        total_is_required,
        maximum_offset: offset.maximum_offset,
        stop_after_empty_page,
        has_more_path: around.has_more_path(&offset.ending),
    })
}

fn validate_page_number(pages: &PageNumberDocument, around: Around<'_>) -> Option<PageNumberSpec> {
    let place = pages.place();
    let maximum = (pages.maximum_page, "maximum_page");
    let stop_after_empty_page = around.must_end(place, pages.total_path.as_ref(), maximum, &pages.ending);
    let page_in = around.placement(
        place,
        (pages.page_body_path.as_ref(), "page_body_path"),
        (pages.page_param.as_ref(), "page_param"),
        "page",
    );
    let (total_path, total_is_required) = around.total_path(pages.total_path.as_ref(), place);
    let base_page = pages.base_page.unwrap_or(0);
    Some(PageNumberSpec {
        base_page,
        base_is_open: pages.base_page.is_none() && pages.page.is_none(),
        page: pages.page.unwrap_or(base_page),
        page_in: page_in?,
        total_path,
        total_is_required,
        maximum_page: pages.maximum_page,
        stop_after_empty_page,
        has_more_path: around.has_more_path(&pages.ending),
    })
}

fn header_name(name: &str, place: &str, problems: &Problems) -> Option<String> {
    if http::HeaderName::try_from(name).is_err() {
        problems.add(&format!("{place}/cursor_key"), format!("'{name}' is not the name of a header"));
        return None;
    }
    Some(name.to_owned())
}

/// Returns the path through the last record of a page to the value that the next page starts after.
fn last_record(keyset: &KeysetDocument, around: Around<'_>) -> Option<JsonPath> {
    let place = keyset.place();
    let value = json_path(keyset.value_path.as_ref()?, &format!("{place}/value_path"), around.problems)?;
    let Some(selector) = around.data_selector else {
        let what = "a keyset needs endpoint.data_selector, to know which record is the last one";
        around.problems.add(place, what);
        return None;
    };
    let segments =
        selector.segments().iter().cloned().chain([Segment::FromEnd(1)]).chain(value.segments().iter().cloned());
    Some(JsonPath::of(segments))
}
