//! Rules by example, and the property that every record is read once.

use proptest::prelude::*;

use crate::paginate::{Lookup, PageMeta, PageRequest, PaginationError, Paginator, Scalar, Step, StopReason};
use crate::spec::{OffsetSpec, PaginationSpec, Placement};
use lakefeed_model::spec::JsonPath;

fn spec(limit: u64) -> OffsetSpec {
    OffsetSpec {
        base_offset: Some(0),
        total_is_required: false,
        limit,
        offset: 0,
        offset_in: Placement::Query("offset".to_owned()),
        limit_in: Placement::Query("limit".to_owned()),
        total_path: Some(JsonPath::keys(["total"])),
        maximum_offset: None,
        stop_after_empty_page: true,
        has_more_path: None,
    }
}

fn number(value: u64) -> Lookup {
    Lookup::Found(Scalar::Number(value.to_string()))
}

fn page(records: u64, values: Vec<Lookup>) -> PageMeta {
    PageMeta { records, values, ..PageMeta::default() }
}

fn offset_of(request: &PageRequest) -> u64 {
    request
        .values
        .iter()
        .find(|(place, _)| *place == Placement::Query("offset".to_owned()))
        .unwrap()
        .1
        .as_u64()
        .unwrap()
}

/// Feeds `pages` one by one; returns the offsets that were asked for and how the listing ended.
fn drive(spec: &OffsetSpec, pages: Vec<PageMeta>) -> (Vec<u64>, Result<Option<StopReason>, PaginationError>) {
    let mut paginator = Paginator::new(&PaginationSpec::Offset(spec.clone()));
    let mut offsets = vec![offset_of(&paginator.first())];
    for page in pages {
        match paginator.next(&page) {
            Ok(Step::Fetch(request)) => offsets.push(offset_of(&request)),
            Ok(Step::Done(reason)) => return (offsets, Ok(Some(reason))),
            Err(error) => return (offsets, Err(error)),
        }
    }
    (offsets, Ok(None))
}

#[test]
fn the_listing_ends_when_the_next_offset_reaches_the_total() {
    let pages = vec![page(2, vec![number(5)]), page(2, vec![number(5)]), page(1, vec![number(5)])];
    assert_eq!(drive(&spec(2), pages), (vec![0, 2, 4], Ok(Some(StopReason::TotalReached))));
}

#[test]
fn a_numeric_text_is_a_total() {
    let pages = vec![page(2, vec![Lookup::Found(Scalar::Text("2".to_owned()))])];
    assert_eq!(drive(&spec(2), pages), (vec![0], Ok(Some(StopReason::TotalReached))));
}

#[test]
fn a_missing_total_is_an_error_that_names_the_path() {
    let (_, end) = drive(&spec(2), vec![page(2, vec![Lookup::Missing])]);
    assert_eq!(end.unwrap_err().to_string(), "total_path total was not found in the response");
}

#[test]
fn a_total_of_another_kind_is_an_error() {
    let (_, end) = drive(&spec(2), vec![page(2, vec![Lookup::Found(Scalar::Text("many".to_owned()))])]);
    assert_eq!(end.unwrap_err().to_string(), "total_path total is \"many\", not an integer");
}

#[test]
fn an_empty_first_page_needs_no_total() {
    let pages = vec![page(0, vec![Lookup::Missing])];
    assert_eq!(drive(&spec(2), pages), (vec![0], Ok(Some(StopReason::EmptyPage))));
}

#[test]
fn an_empty_page_before_the_total_does_not_end_the_listing() {
    let pages = vec![page(2, vec![number(6)]), page(0, vec![number(6)]), page(2, vec![number(6)])];
    assert_eq!(drive(&spec(2), pages), (vec![0, 2, 4], Ok(Some(StopReason::TotalReached))));
}

#[test]
fn a_short_page_does_not_end_the_listing() {
    let spec = OffsetSpec { total_path: None, ..spec(2) };
    let pages = vec![page(2, vec![]), page(1, vec![]), page(0, vec![])];
    assert_eq!(drive(&spec, pages), (vec![0, 2, 4], Ok(Some(StopReason::EmptyPage))));
}

#[test]
fn has_more_ends_a_listing_but_never_prolongs_it() {
    let has_more = |value| vec![Lookup::Found(Scalar::Bool(value))];
    let spec = OffsetSpec {
        total_path: None,
        has_more_path: Some(JsonPath::keys(["has_more"])),
        maximum_offset: Some(4),
        ..spec(2)
    };
    let pages = vec![page(2, has_more(true)), page(2, has_more(true))];
    assert_eq!(drive(&spec, pages), (vec![0, 2], Ok(Some(StopReason::MaximumReached))));
    assert_eq!(drive(&spec, vec![page(2, has_more(false))]), (vec![0], Ok(Some(StopReason::NoMore))));
}

#[test]
fn an_offset_past_64_bits_is_an_error() {
    let spec = OffsetSpec { offset: u64::MAX, total_path: None, ..spec(2) };
    assert_eq!(drive(&spec, vec![page(2, vec![])]).1, Err(PaginationError::Overflow));
}

#[test]
fn a_missing_or_unusable_has_more_is_an_error_and_leaves_the_state() {
    let spec = OffsetSpec { total_path: None, has_more_path: Some(JsonPath::keys(["more"])), ..spec(2) };
    for (value, words) in [
        (Lookup::Missing, "has_more_path more was not found in the response"),
        (Lookup::Found(Scalar::Null), "has_more_path more is null, not true or false"),
        (Lookup::Found(Scalar::Number("1".to_owned())), "has_more_path more is 1, not true or false"),
    ] {
        assert_eq!(drive(&spec, vec![page(2, vec![value])]).1.unwrap_err().to_string(), words);
    }
}

#[test]
fn the_text_false_says_that_there_is_no_more() {
    let spec = OffsetSpec { total_path: None, has_more_path: Some(JsonPath::keys(["more"])), ..spec(2) };
    let more = |text: &str| page(2, vec![Lookup::Found(Scalar::Text(text.to_owned()))]);
    assert_eq!(drive(&spec, vec![more("True"), more("FALSE")]), (vec![0, 2], Ok(Some(StopReason::NoMore))));
}

#[test]
fn an_empty_page_is_no_end_when_it_is_not_meant_to_be() {
    let spec = OffsetSpec { stop_after_empty_page: false, ..spec(2) };
    let pages = vec![page(0, vec![number(3)]), page(1, vec![number(3)])];
    assert_eq!(drive(&spec, pages), (vec![0, 2], Ok(Some(StopReason::TotalReached))));
}

#[test]
fn the_total_is_read_anew_on_every_page() {
    let pages = vec![page(2, vec![number(9)]), page(2, vec![number(4)])];
    assert_eq!(drive(&spec(2), pages), (vec![0, 2], Ok(Some(StopReason::TotalReached))));
    let pages = vec![page(2, vec![number(3)]), page(2, vec![number(5)]), page(1, vec![number(5)])];
    assert_eq!(drive(&spec(2), pages), (vec![0, 2, 4], Ok(Some(StopReason::TotalReached))));
}

#[test]
fn what_a_page_says_is_found_behind_the_right_option() {
    let both = OffsetSpec { has_more_path: Some(JsonPath::keys(["more"])), ..spec(2) };
    let truth = Lookup::Found(Scalar::Bool(true));
    for (spec, values, total, more) in [
        (both.clone(), vec![number(7), truth.clone()], Some(7), Some(true)),
        (both.clone(), vec![Lookup::Missing, truth.clone()], None, Some(true)),
        (both.clone(), vec![number(7), Lookup::Missing], Some(7), None),
        (OffsetSpec { total_path: None, ..both }, vec![truth], None, Some(true)),
        (spec(2), vec![number(7)], Some(7), None),
    ] {
        let paginator = Paginator::new(&PaginationSpec::Offset(spec));
        let meta = page(2, values);
        assert_eq!((paginator.stated_total(&meta), paginator.says_more(&meta)), (total, more));
    }
}

proptest! {
    /// Whatever the size of the listing and of the page, each record is asked for once, in order,
    /// and the listing ends.
    #[test]
    fn every_record_is_read_once(total in 0_u64..500, limit in 1_u64..60, knows_total in any::<bool>(), resume_at in 0_usize..20) {
        let spec = OffsetSpec { total_path: knows_total.then(|| JsonPath::keys(["total"])), ..spec(limit) };
        let mut paginator = Paginator::new(&PaginationSpec::Offset(spec));
        let mut read = Vec::new();
        let mut request = paginator.first();
        for round in 0.. {
            let start = offset_of(&request);
            let records = start..(start + limit).min(total).max(start);
            read.extend(records.clone());
            let values = if knows_total { vec![number(total)] } else { vec![] };
            let meta = page(records.end - records.start, values);
            if round == resume_at {
                // The state survives being written down and read back.
                let text = serde_json::to_string(&paginator).unwrap();
                paginator = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(paginator.first(), request.clone());
            }
            match paginator.next(&meta).unwrap() {
                Step::Fetch(next) => {
                    prop_assert!(offset_of(&next) > start, "the offset must grow");
                    request = next;
                }
                Step::Done(_) => break,
            }
        }
        prop_assert_eq!(read, (0..total).collect::<Vec<_>>());
    }

    #[test]
    fn no_page_makes_it_panic_or_stand_still(records in any::<u64>(), total in prop::option::of(any::<u64>()), start in any::<u64>(), limit in 1_u64..) {
        let spec = OffsetSpec { offset: start, ..spec(limit) };
        let mut paginator = Paginator::new(&PaginationSpec::Offset(spec));
        let meta = page(records, vec![total.map_or(Lookup::Missing, number)]);
        if let Ok(Step::Fetch(request)) = paginator.next(&meta) {
            prop_assert!(offset_of(&request) > start);
        }
    }
}
