//! Rules by example, and the property that every page is read once.

use proptest::prelude::*;

use super::*;
use crate::paginate::{Lookup, Paginator};
use crate::spec::{PaginationSpec, Placement};

fn spec(base_page: u64) -> PageNumberSpec {
    PageNumberSpec {
        base_is_open: false,
        total_is_required: false,
        base_page,
        page: base_page,
        page_in: Placement::Query("page".to_owned()),
        total_path: Some(JsonPath::keys(["pages"])),
        maximum_page: None,
        stop_after_empty_page: true,
        has_more_path: None,
    }
}

fn page(records: u64, pages: u64) -> PageMeta {
    PageMeta { records, values: vec![Lookup::Found(Scalar::whole(pages))], ..PageMeta::default() }
}

fn number_of(request: &PageRequest) -> u64 {
    request.values.first().unwrap().1.as_u64().unwrap()
}

fn drive(spec: &PageNumberSpec, pages: Vec<PageMeta>) -> (Vec<u64>, Option<StopReason>) {
    let mut paginator = Paginator::new(&PaginationSpec::PageNumber(spec.clone()));
    let mut asked = vec![number_of(&paginator.first())];
    for page in pages {
        match paginator.next(&page).unwrap() {
            Step::Fetch(request) => asked.push(number_of(&request)),
            Step::Done(reason) => return (asked, Some(reason)),
        }
    }
    (asked, None)
}

#[test]
fn the_number_of_pages_counts_from_the_base() {
    let pages = |count: u64| (0..count).map(|_| page(2, count)).collect();
    assert_eq!(drive(&spec(1), pages(3)), (vec![1, 2, 3], Some(StopReason::TotalReached)));
    assert_eq!(drive(&spec(0), pages(3)), (vec![0, 1, 2], Some(StopReason::TotalReached)));
}

#[test]
fn the_maximum_is_exclusive() {
    let spec = PageNumberSpec { total_path: None, maximum_page: Some(3), ..spec(1) };
    let full = PageMeta { records: 2, ..PageMeta::default() };
    assert_eq!(drive(&spec, vec![full.clone(), full]), (vec![1, 2], Some(StopReason::MaximumReached)));
}

#[test]
fn an_empty_page_ends_the_listing_unless_more_pages_are_stated() {
    assert_eq!(drive(&spec(1), vec![page(2, 3), page(0, 3), page(2, 3)]).1, Some(StopReason::TotalReached));
    let without_total = PageNumberSpec { total_path: None, ..spec(1) };
    let pages = vec![PageMeta { records: 2, ..PageMeta::default() }, PageMeta::default()];
    assert_eq!(drive(&without_total, pages), (vec![1, 2], Some(StopReason::EmptyPage)));
}

#[test]
fn a_detected_listing_that_counts_from_one_is_noticed() {
    let mut paginator = PageNumber::detected(&spec(0), true);
    assert_eq!(paginator.next(&page(2, 3)).map(|step| matches!(step, Step::Fetch(_))), Ok(true));
    let again = paginator.count_from_one().unwrap();
    assert_eq!(number_of(&again), 2);
    assert!(matches!(paginator.next(&page(2, 3)), Ok(Step::Fetch(request)) if number_of(&request) == 3));
    assert_eq!(paginator.next(&page(2, 3)), Ok(Step::Done(StopReason::TotalReached)));
    assert_eq!(paginator.count_from_one(), None);
}

proptest! {
    #[test]
    fn every_page_is_asked_for_once_and_predicted_right(base in 0_u64..3, pages in 1_u64..60, ahead in 0_u64..60) {
        let mut paginator = Paginator::new(&PaginationSpec::PageNumber(spec(base)));
        let mut asked = vec![number_of(&paginator.first())];
        let mut predicted = None;
        for number in 0..pages {
            let Ok(Step::Fetch(request)) = paginator.next(&page(1, pages)) else { break };
            asked.push(number_of(&request));
            if number == 0 {
                predicted = paginator.ahead(ahead, &page(1, pages)).map(|request| number_of(&request));
            }
        }
        prop_assert_eq!(&asked, &(base..base + pages).collect::<Vec<_>>());
        let expected = asked.get(usize::try_from(ahead).unwrap() + 1).copied();
        prop_assert_eq!(predicted, expected);
    }
}
