//! Whether a listing was read whole, and how that is known. Pure.
//!
//! A listing may only count as whole when nothing contradicts it:
//!
//! * Where the API states a total, the records read must be as many. Where they are asked for by
//!   position, the total must not have fallen on the way: what goes before the reader pulls another
//!   record past it.
//! * Where the API says whether there is more, its last word must not be that there is.
//! * Where it states no total, pages must not look cut: an API that caps its pages below `limit`
//!   skips records between them.

use crate::paginate::StopReason;
use lakefeed_model::event::{Completeness, Verdict};

/// What was noted of a listing's pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) pages: u64,
    /// Pages at the start that turned out to be none of the listing.
    pages_before: u64,
    pub(crate) records: u64,
    /// The total that the first page with a total stated.
    first_total: Option<u64>,
    /// The total that the last page with a total stated.
    pub(crate) last_total: Option<u64>,
    /// Whether the last page said that there is another one.
    says_more: Option<bool>,
    /// Records of the listing that come before the first one that was asked for.
    skipped: u64,
    /// Whether the first offset may be that of the first record, or of the second.
    base_is_open: bool,
    /// Whether a total is a lower bound alone: pages lead to each other, and it may be a guess.
    total_is_floor: bool,
    /// Pages are asked for by position, so that a record that goes pulls another one past the
    /// reader.
    is_by_position: bool,
    /// The highest total and the first lower one after it.
    fell: Option<(u64, u64)>,
    /// Records asked for per page, where the listing asks for a number.
    page_size: Option<u64>,
    fill: Fill,
}

/// How full the pages were, to tell a cap of the API from pages that it filters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Fill {
    /// Records of the first page.
    first: u64,
    /// Records of the last page that had any.
    last: u64,
    /// Whether every page with records but the last one held as many as the first.
    is_even: bool,
    /// Whether a page with fewer records than asked for was followed by one with records.
    had_short_page: bool,
}

/// What one page said and held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PageFacts {
    pub(crate) records: u64,
    pub(crate) total: Option<u64>,
    pub(crate) says_more: Option<bool>,
}

impl Tally {
    /// Returns the tally of a listing that skips `skipped` records and asks for `page_size` at a
    /// time.
    pub(crate) fn new(skipped: u64, page_size: Option<u64>) -> Self {
        Self { skipped, page_size, ..Self::default() }
    }

    /// Returns the same of a listing that is read by position.
    pub(crate) fn by_position(self) -> Self {
        Self { is_by_position: true, ..self }
    }

    /// Returns the same of a listing from offset 1, of which it may be open whether offsets count
    /// from 0 or from 1.
    pub(crate) fn begins_at_zero_or_one(self, base_is_open: bool) -> Self {
        Self { base_is_open, ..self }
    }

    /// Returns the same of a listing whose pages lead to each other: fewer records than the total
    /// are too few, and more are none too many.
    pub(crate) fn with_total_as_floor(self) -> Self {
        Self { total_is_floor: true, ..self }
    }

    pub(crate) fn note(&mut self, page: PageFacts) {
        if page.records > 0 {
            self.fill = self.fill.with(self.pages - self.pages_before, page.records, self.page_size);
        }
        self.pages += 1;
        self.records += page.records;
        self.first_total = self.first_total.or(page.total);
        if let (Some(before), Some(now), None) = (self.last_total, page.total, self.fell) {
            self.fell = (now < before).then_some((before, now));
        }
        self.last_total = page.total.or(self.last_total);
        self.says_more = page.says_more;
    }

    /// Notes that the pages so far are none of the listing: it begins with the next one.
    pub(crate) fn begin_here(&mut self) {
        self.pages_before = self.pages;
    }

    /// Returns whether the stated total changed on the way.
    pub(crate) fn total_moved(&self) -> bool {
        self.first_total != self.last_total
    }

    /// Returns the size at which the API seems to cap its pages, when that is less than what they
    /// were asked to hold.
    pub(crate) fn page_cap(&self) -> Option<u64> {
        let Fill { first, last, is_even, had_short_page } = self.fill;
        (had_short_page && is_even && last <= first && self.page_size.is_some_and(|asked| first < asked))
            .then_some(first)
    }

    /// Returns the verdict once the listing has ended.
    pub(crate) fn verdict(&self, stop_reason: StopReason) -> Completeness {
        let (verdict, reason) = match (stop_reason, self.expected()) {
            (StopReason::SinglePage, Some(expected)) if expected > self.records => (
                Verdict::False,
                format!("one page of {} records was read, and it speaks of {expected} records in all", self.records),
            ),
            (StopReason::SinglePage, _) if self.says_more == Some(true) => (
                Verdict::False,
                "one page was read, and it says that there are others, but not how to get them".to_owned(),
            ),
            (StopReason::SinglePage, Some(expected)) if expected == self.records => {
                (Verdict::True, format!("all {expected} records of the stated total were on one page"))
            }
            (StopReason::SinglePage, _) => {
                (Verdict::Unknown, "one page was read, and it does not say whether there are more".to_owned())
            }
            (StopReason::EmptyPage | StopReason::NoMore | StopReason::NoNext, Some(expected))
                if self.total_is_floor =>
            {
                self.above_floor(stop_reason, expected)
            }
            (StopReason::TotalReached | StopReason::EmptyPage | StopReason::NoMore, Some(expected))
                if self.base_is_open && self.records.checked_add(1) == Some(expected) =>
            {
                (
                    Verdict::Unknown,
                    format!(
                        "{} of {expected} records were read from offset 1 on: write base_offset: 1 or base_offset: 0 to say whether that is the first record",
                        self.records
                    ),
                )
            }
            (StopReason::EmptyPage | StopReason::NoMore | StopReason::NoNext, None) if self.records == 0 => {
                (Verdict::Unknown, "no record came, and the API states no total of 0".to_owned())
            }
            (StopReason::RangeEnded, _) => {
                (Verdict::True, "the records that follow are past the range, by incremental.row_order".to_owned())
            }
            (StopReason::Ignored, _) => {
                (Verdict::Unknown, "a response action ignored an answer, as configured".to_owned())
            }
            (StopReason::NoNext, _) => (Verdict::True, "the last page led to no other".to_owned()),
            (
                StopReason::TotalReached | StopReason::EmptyPage | StopReason::NoMore | StopReason::MaximumReached,
                Some(expected),
            ) if expected == self.records => self.at_the_total(stop_reason, expected),
            (StopReason::TotalReached | StopReason::EmptyPage | StopReason::NoMore, Some(expected)) => {
                (Verdict::False, self.mismatch(expected))
            }
            (StopReason::MaximumReached, _) => self.unless_capped((
                Verdict::Unknown,
                "the listing stopped at the paginator's maximum, as configured".to_owned(),
            )),
            (StopReason::EmptyPage | StopReason::TotalReached, None) if self.says_more == Some(true) => {
                (Verdict::False, "the last page said that there is more".to_owned())
            }
            (StopReason::TotalReached, None) => {
                (Verdict::True, "every page of the stated number of pages was read".to_owned())
            }
            (StopReason::EmptyPage, None) => {
                self.unless_capped(self.unless_short("an empty page followed the last record"))
            }
            (StopReason::NoMore, None) => self.unless_capped(self.unless_short("the API said that there is no more")),
        };
        Completeness { verdict, reason }
    }

    fn expected(&self) -> Option<u64> {
        let total = if self.total_is_floor { self.last_total.min(self.first_total) } else { self.last_total };
        total.map(|total| total.saturating_sub(self.skipped))
    }

    /// Judges a listing whose pages lead to each other beside a total.
    fn above_floor(&self, stop_reason: StopReason, expected: u64) -> (Verdict, String) {
        if self.records < expected {
            return (Verdict::False, self.mismatch(expected));
        }
        if self.records == expected {
            return self.at_the_total(stop_reason, expected);
        }
        // What looked like a total was none, or records came on the way.
        let Completeness { verdict, reason } = Self { last_total: None, ..*self }.verdict(stop_reason);
        (verdict, reason)
    }

    /// Judges as many records as the total promises: is that the API's whole word?
    fn at_the_total(&self, stop_reason: StopReason, expected: u64) -> (Verdict, String) {
        if self.says_more == Some(true) && stop_reason != StopReason::MaximumReached {
            return (
                Verdict::False,
                format!(
                    "all {expected} records of the stated total were read, but the last page said that there is more"
                ),
            );
        }
        if let (true, Some((before, after))) = (self.is_by_position, self.fell) {
            return (
                Verdict::False,
                format!(
                    "the stated total fell from {before} to {after} while the listing was read by position, which may have pulled records past the reader"
                ),
            );
        }
        (Verdict::True, format!("all {expected} records of the stated total were read"))
    }

    /// Returns `verdict`, unless the pages look as if the API had cut them.
    fn unless_capped(&self, verdict: (Verdict, String)) -> (Verdict, String) {
        match (self.page_cap(), self.page_size) {
            (Some(cap), Some(asked)) => (
                Verdict::False,
                format!(
                    "pages were asked to hold {asked} records and held {cap}, so that the ones between were skipped"
                ),
            ),
            (Some(_) | None, _) => verdict,
        }
    }

    /// Returns that it is proven by `reason`, unless short pages on the way leave it open what they
    /// lacked.
    fn unless_short(&self, reason: &str) -> (Verdict, String) {
        if self.fill.had_short_page {
            let doubt =
                "pages on the way held fewer records than asked for, and the API states no total to count against";
            return (Verdict::Unknown, format!("{reason}, but {doubt}"));
        }
        (Verdict::True, reason.to_owned())
    }

    fn mismatch(&self, expected: u64) -> String {
        let moved = match (self.first_total, self.last_total) {
            (Some(first), Some(last)) if first != last => {
                format!("; the total moved from {first} to {last} while the listing was read")
            }
            _ => String::new(),
        };
        format!("{} records were read where the stated total promises {expected}{moved}", self.records)
    }
}

impl Fill {
    fn with(self, pages_before: u64, records: u64, page_size: Option<u64>) -> Self {
        if self.first == 0 {
            // Empty pages before the first record are a filter's work, not a cap's.
            let is_even = pages_before == 0;
            return Self { first: records, last: records, is_even, had_short_page: !is_even };
        }
        Self {
            first: self.first,
            last: records,
            is_even: self.is_even && self.last == self.first,
            had_short_page: self.had_short_page || page_size.is_some_and(|asked| self.last < asked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 4;

    fn judged(pages: &[(u64, Option<u64>)], says_more: Option<bool>, reason: StopReason) -> Completeness {
        let mut tally = Tally::new(0, Some(LIMIT));
        for (records, total) in pages {
            tally.note(PageFacts { records: *records, total: *total, says_more });
        }
        tally.verdict(reason)
    }

    #[test]
    fn a_stated_total_decides() {
        for (pages, reason, expected) in [
            (&[(4, Some(6)), (2, Some(6))][..], StopReason::TotalReached, Verdict::True),
            (&[(4, Some(12)), (0, Some(12)), (4, Some(12))], StopReason::TotalReached, Verdict::False),
            (&[(4, Some(8)), (3, Some(7))], StopReason::TotalReached, Verdict::True),
            (&[(4, Some(7)), (4, Some(7))], StopReason::TotalReached, Verdict::False),
            (&[(4, Some(9)), (0, None)], StopReason::EmptyPage, Verdict::False),
            (&[(4, Some(9))], StopReason::NoMore, Verdict::False),
            (&[(4, Some(9))], StopReason::MaximumReached, Verdict::Unknown),
            (&[(4, Some(4))], StopReason::MaximumReached, Verdict::True),
            (&[(0, Some(0))], StopReason::TotalReached, Verdict::True),
        ] {
            assert_eq!(judged(pages, None, reason).verdict, expected, "{pages:?} {reason}");
        }
    }

    #[test]
    fn without_a_total_full_pages_and_a_clear_end_are_proof() {
        for (pages, reason, expected) in [
            (&[(4, None), (1, None), (0, None)][..], StopReason::EmptyPage, Verdict::True),
            (&[(0, None)], StopReason::EmptyPage, Verdict::Unknown),
            (&[(0, None)], StopReason::NoNext, Verdict::Unknown),
            (&[(0, None)], StopReason::NoMore, Verdict::Unknown),
            (&[(4, None), (4, None)], StopReason::NoMore, Verdict::True),
            (&[(2, None)], StopReason::NoMore, Verdict::True),
            (&[(4, None)], StopReason::MaximumReached, Verdict::Unknown),
            (&[(2, None)], StopReason::SinglePage, Verdict::Unknown),
        ] {
            assert_eq!(judged(pages, None, reason).verdict, expected, "{pages:?} {reason}");
        }
    }

    #[test]
    fn pages_that_the_api_caps_are_not_whole_and_pages_that_it_filters_are_in_doubt() {
        for (pages, cap, expected) in [
            (&[3, 3, 3, 1, 0][..], Some(3), Verdict::False),
            (&[3, 1, 0], Some(3), Verdict::False),
            (&[2, 2, 0], Some(2), Verdict::False),
            (&[3, 4, 3, 0], None, Verdict::Unknown),
            (&[1, 3, 0], None, Verdict::Unknown),
            (&[4, 2, 4, 0], None, Verdict::Unknown),
            (&[0, 4, 0], None, Verdict::Unknown),
            (&[4, 4, 2, 0], None, Verdict::True),
        ] {
            let mut tally = Tally::new(0, Some(LIMIT));
            for records in pages {
                tally.note(PageFacts { records: *records, ..PageFacts::default() });
            }
            assert_eq!((tally.page_cap(), tally.verdict(StopReason::EmptyPage).verdict), (cap, expected), "{pages:?}");
        }
    }

    #[test]
    fn an_api_that_says_that_there_is_more_is_believed() {
        for (pages, reason, expected) in [
            (&[(4, Some(4))][..], StopReason::TotalReached, Verdict::False),
            (&[(4, None), (0, None)], StopReason::EmptyPage, Verdict::False),
            (&[(4, None)], StopReason::MaximumReached, Verdict::Unknown),
            (&[(4, None)], StopReason::SinglePage, Verdict::False),
        ] {
            assert_eq!(judged(pages, Some(true), reason).verdict, expected, "{pages:?} {reason}");
        }
        assert_eq!(judged(&[(4, Some(4))], Some(false), StopReason::TotalReached).verdict, Verdict::True);
    }

    #[test]
    fn a_mismatch_says_the_numbers_and_that_the_total_moved() {
        assert_eq!(
            judged(&[(4, Some(8)), (4, Some(9))], None, StopReason::TotalReached).reason,
            "8 records were read where the stated total promises 9; the total moved from 8 to 9 while the listing was read"
        );
    }

    #[test]
    fn a_listing_by_position_whose_total_falls_is_not_whole() {
        for (by_position, totals, expected) in [
            (false, [Some(8), Some(7)], Verdict::True),
            (true, [Some(8), Some(7)], Verdict::False),
            (true, [Some(7), Some(7)], Verdict::True),
            (true, [Some(6), Some(7)], Verdict::True),
            (true, [None, Some(7)], Verdict::True),
        ] {
            let mut tally = Tally::new(0, Some(LIMIT));
            if by_position {
                tally = tally.by_position();
            }
            for (records, total) in [4, 3].into_iter().zip(totals) {
                tally.note(PageFacts { records, total, says_more: None });
            }
            assert_eq!(tally.verdict(StopReason::TotalReached).verdict, expected, "{by_position} {totals:?}");
        }
    }

    #[test]
    fn pages_that_lead_to_each_other_must_bring_what_the_total_promises() {
        for (totals, reason, expected) in [
            ([Some(6), None], StopReason::NoNext, Verdict::True),
            ([Some(7), None], StopReason::NoNext, Verdict::False),
            ([Some(7), Some(6)], StopReason::NoNext, Verdict::True),
            // One came while the listing was read.
            ([Some(6), Some(7)], StopReason::EmptyPage, Verdict::True),
            // It is no total.
            ([Some(4), Some(2)], StopReason::NoNext, Verdict::True),
            ([None, None], StopReason::NoNext, Verdict::True),
        ] {
            let mut tally = Tally::new(0, None).with_total_as_floor();
            for (records, total) in [4, 2].into_iter().zip(totals) {
                tally.note(PageFacts { records, total, says_more: None });
            }
            assert_eq!(tally.verdict(reason).verdict, expected, "{totals:?} {reason}");
        }
        // As many records as the total promises, and a page that says that there is more.
        let mut tally = Tally::new(0, None).with_total_as_floor();
        tally.note(PageFacts { records: 4, total: Some(4), says_more: Some(true) });
        assert_eq!(tally.verdict(StopReason::EmptyPage).verdict, Verdict::False);
    }

    #[test]
    fn records_before_the_first_offset_are_not_expected() {
        let mut tally = Tally::new(5, Some(LIMIT));
        tally.note(PageFacts { records: 2, total: Some(7), says_more: None });
        assert_eq!(tally.verdict(StopReason::TotalReached).verdict, Verdict::True);
        let mut past_the_end = Tally::new(9, Some(LIMIT));
        past_the_end.note(PageFacts { records: 0, total: Some(7), says_more: None });
        assert_eq!(past_the_end.verdict(StopReason::TotalReached).verdict, Verdict::True);
    }
}
