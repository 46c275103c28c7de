//! Rules by example, and the properties that every page is read once and that every circle is
//! found.

use proptest::prelude::*;

use super::*;
use crate::paginate::Paginator;
use crate::spec::{PaginationSpec, Placement};

fn cursor() -> FollowSpec {
    FollowSpec {
        total: FollowTotal::Hinted,
        from: FollowFrom::Body(JsonPath::keys(["next"])),
        to: FollowTo::Value(Placement::Query("cursor".to_owned())),
        stop_after_empty_page: false,
        has_more_path: None,
    }
}

fn text(text: &str) -> Lookup {
    Lookup::Found(Scalar::Text(text.to_owned()))
}

fn page(records: u64, values: Vec<Lookup>) -> PageMeta {
    PageMeta { records, values, ..PageMeta::default() }
}

/// What the pages are asked with (nothing first), and how the listing ends.
fn drive(spec: &FollowSpec, pages: Vec<PageMeta>) -> (Vec<String>, Result<Option<StopReason>, PaginationError>) {
    let mut paginator = Paginator::new(&PaginationSpec::Follow(spec.clone()));
    assert_eq!(paginator.first(), PageRequest::default());
    let mut asked = Vec::new();
    for page in pages {
        match paginator.next(&page) {
            Ok(Step::Fetch(request)) => {
                asked.extend(
                    request.link.into_iter().chain(request.values.iter().filter_map(|(_, value)| value.as_text())),
                );
            }
            Ok(Step::Done(reason)) => return (asked, Ok(Some(reason))),
            Err(error) => return (asked, Err(error)),
        }
    }
    (asked, Ok(None))
}

#[test]
fn a_token_that_says_nothing_ends_the_listing() {
    let number = |text: &str| Lookup::Found(Scalar::Number(text.to_owned()));
    for last in
        [Lookup::Missing, Lookup::Found(Scalar::Null), text(""), number("0"), Lookup::Found(Scalar::Bool(false))]
    {
        let pages = vec![page(2, vec![text("a")]), page(0, vec![number("7")]), page(1, vec![last])];
        assert_eq!(drive(&cursor(), pages), (vec!["a".to_owned(), "7".to_owned()], Ok(Some(StopReason::NoNext))));
    }
}

#[test]
fn an_empty_page_ends_the_listing_only_where_it_is_told_to() {
    let spec = FollowSpec { stop_after_empty_page: true, ..cursor() };
    assert_eq!(drive(&spec, vec![page(0, vec![text("a")])]).1, Ok(Some(StopReason::EmptyPage)));
    assert_eq!(drive(&cursor(), vec![page(0, vec![text("a")])]).1, Ok(None));
}

#[test]
fn a_flag_apart_from_the_token_ends_the_listing_and_is_a_promise() {
    let spec = FollowSpec { has_more_path: Some(JsonPath::keys(["more"])), ..cursor() };
    let flag = |more| Lookup::Found(Scalar::Bool(more));
    assert_eq!(drive(&spec, vec![page(1, vec![flag(false), text("a")])]).1, Ok(Some(StopReason::NoMore)));
    assert_eq!(drive(&spec, vec![page(1, vec![flag(true), text("a")])]).1, Ok(None));
    let broken = drive(&spec, vec![page(1, vec![flag(true), Lookup::Missing])]).1;
    assert!(matches!(broken, Err(PaginationError::MoreWithoutNext { .. })), "{broken:?}");
    assert!(matches!(drive(&spec, vec![page(1, vec![Lookup::Missing])]).1, Err(PaginationError::Missing { .. })));
}

#[test]
fn links_and_headers_lead_on() {
    let link = FollowSpec { to: FollowTo::Url, ..cursor() };
    assert_eq!(drive(&link, vec![page(1, vec![text("/events?page=2")])]).0, ["/events?page=2"]);
    let header = FollowSpec { from: FollowFrom::LinkHeader("next".to_owned()), ..link };
    let headers = |found| PageMeta { records: 1, headers: vec![found], ..PageMeta::default() };
    let pages = vec![headers(text("https://a/2")), headers(Lookup::Missing)];
    assert_eq!(drive(&header, pages), (vec!["https://a/2".to_owned()], Ok(Some(StopReason::NoNext))));
}

#[test]
fn a_keyset_goes_on_after_the_last_record_until_a_page_is_empty() {
    let spec = FollowSpec {
        from: FollowFrom::LastRecord(JsonPath::parse("data[*].id").unwrap()),
        stop_after_empty_page: true,
        ..cursor()
    };
    let pages = vec![page(2, vec![text("b")]), page(1, vec![text("c")]), page(0, vec![Lookup::Missing])];
    assert_eq!(drive(&spec, pages), (vec!["b".to_owned(), "c".to_owned()], Ok(Some(StopReason::EmptyPage))));
    assert!(matches!(drive(&spec, vec![page(2, vec![Lookup::Missing])]).1, Err(PaginationError::Missing { .. })));
}

#[test]
fn what_cannot_be_sent_is_an_error() {
    let pages = vec![page(1, vec![Lookup::Found(Scalar::Container)])];
    assert_eq!(
        drive(&cursor(), pages).1.unwrap_err().to_string(),
        "cursor_path next is an object or array, not a string or a number"
    );
}

proptest! {
    /// An API whose tokens lead into a circle after a while: it is found, within a small multiple
    /// of the way and the circle.
    #[test]
    fn every_circle_is_found(tail in 0_u64..200, circle in 1_u64..200) {
        let mut paginator = Paginator::new(&PaginationSpec::Follow(cursor()));
        let token = |step: u64| if step < tail { step } else { tail + (step - tail) % circle };
        let found = (0..4 * (tail + circle) + 4).position(|step| {
            let page = page(1, vec![Lookup::Found(Scalar::Text(format!("t{}", token(step))))]);
            matches!(paginator.next(&page), Err(PaginationError::Loop { .. }))
        });
        prop_assert!(found.is_some_and(|step| step as u64 >= circle.min(1)));
    }

    /// Tokens that never come again are followed to the end, and a listing that stopped goes on
    /// where it was.
    #[test]
    fn every_page_is_asked_for_once(pages in 1_u64..300, stop_at in 0_u64..300) {
        let mut paginator = Paginator::new(&PaginationSpec::Follow(cursor()));
        let mut asked = vec![0];
        for number in 1..=pages {
            if number == stop_at {
                paginator = serde_json::from_str(&serde_json::to_string(&paginator).unwrap()).unwrap();
            }
            let next = if number == pages { Lookup::Missing } else { Lookup::Found(Scalar::whole(number)) };
            if let Step::Fetch(request) = paginator.next(&page(1, vec![next])).unwrap() {
                asked.push(request.values[0].1.as_u64().unwrap());
            }
        }
        prop_assert_eq!(asked, (0..pages).collect::<Vec<_>>());
    }
}
