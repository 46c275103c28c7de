//! How an API pages, when nobody says: dlt's rules, by what the first page looks like.
//!
//! In this order: a `Link` header with the relation `next`; a link under a key that starts with
//! `next`; a number of pages; any other value under a key that starts with `next`, which is a token
//! for the parameter `cursor`; else there is one page. An offset is never detected.

use super::follow::Follow;
use super::page_meta::{Lookup, PageMeta, PagingHints, Scalar};
use super::page_number::PageNumber;
use super::paginator::Paginator;
use crate::spec::{FollowFrom, FollowSpec, FollowTo, FollowTotal, PageNumberSpec, Placement};
use lakefeed_model::spec::JsonPath;

/// Returns the paginator that the first page asks for, and the page as that paginator sees it.
pub(super) fn detect(page: &PageMeta) -> (Paginator, PageMeta) {
    let hints = page.hints.as_deref().cloned().unwrap_or_default();
    let seen = |values: Vec<Lookup>| PageMeta { values, ..page.clone() };
    if page.headers.first().and_then(Lookup::found).is_some() {
        let spec = follow(FollowFrom::LinkHeader("next".to_owned()), FollowTo::Url);
        return (Paginator::Follow(Follow::new(&spec)), seen(Vec::new()));
    }
    let PagingHints { next, pages, page: number, .. } = hints;
    if let Some((path, link)) = next.as_ref().filter(|(_, value)| is_link(value)) {
        let spec = follow(FollowFrom::Body(path.clone()), FollowTo::Url);
        return (Paginator::Follow(Follow::new(&spec)), seen(vec![Lookup::Found(link.clone())]));
    }
    if let Some((path, pages)) = pages.filter(|(_, pages)| pages.as_u64().is_some()) {
        return (numbered(path, number.as_ref()), seen(vec![Lookup::Found(pages)]));
    }
    if let Some((path, token)) = next {
        let to = FollowTo::Value(Placement::Query("cursor".to_owned()));
        let spec = follow(FollowFrom::Body(path), to);
        return (Paginator::Follow(Follow::new(&spec)), seen(vec![Lookup::Found(token)]));
    }
    (Paginator::SinglePage, seen(Vec::new()))
}

/// Returns whether a value is a URL or an absolute path.
fn is_link(value: &Scalar) -> bool {
    matches!(value, Scalar::Text(text) if text.starts_with("http://") || text.starts_with("https://") || text.starts_with('/'))
}

fn follow(from: FollowFrom, to: FollowTo) -> FollowSpec {
    FollowSpec { from, to, stop_after_empty_page: false, has_more_path: None, total: FollowTotal::Hinted }
}

fn numbered(total_path: JsonPath, number: Option<&Scalar>) -> Paginator {
    let known = number.and_then(Scalar::as_u64);
    let base_page = known.unwrap_or(0);
    let spec = PageNumberSpec {
        base_is_open: false,
        total_is_required: false,
        base_page,
        page: base_page,
        page_in: Placement::Query("page".to_owned()),
        total_path: Some(total_path),
        maximum_page: None,
        stop_after_empty_page: true,
        has_more_path: None,
    };
    Paginator::PageNumber(PageNumber::detected(&spec, known.is_none()))
}
