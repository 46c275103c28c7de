//! Whether a listing was read whole, and how that is known. Pure.
//!
//! A listing may only count as whole when nothing contradicts it: where the API states a total, the records read must be as many.

use crate::event::{Completeness, Verdict};
use crate::paginate::StopReason;

/// What was noted of a listing's pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) pages: u64,
    pub(super) records: u64,
    /// The total that the first page with a total stated.
    pub(super) first_total: Option<u64>,
    /// The total that the last page with a total stated.
    pub(super) last_total: Option<u64>,
    /// Records of the listing that come before the first one that was asked for.
    pub(super) skipped: u64,
}

impl Tally {
    pub(super) fn note(&mut self, records: u64, total: Option<u64>) {
        self.pages += 1;
        self.records += records;
        self.first_total = self.first_total.or(total);
        self.last_total = total.or(self.last_total);
    }

    /// The verdict once the listing has ended.
    pub(super) fn verdict(&self, reason: StopReason) -> Completeness {
        let (verdict, reason) = match (reason, self.expected()) {
            (StopReason::MaximumReached, _) => {
                (Verdict::Unknown, "the listing stopped at paginator.maximum_offset, as configured".to_owned())
            }
            (StopReason::TotalReached | StopReason::EmptyPage | StopReason::NoMore, Some(expected))
                if expected == self.records =>
            {
                (Verdict::True, format!("all {expected} records of the stated total were read"))
            }
            (StopReason::TotalReached | StopReason::EmptyPage | StopReason::NoMore, Some(expected)) => {
                (Verdict::False, self.mismatch(expected))
            }
            (StopReason::EmptyPage | StopReason::TotalReached, None) => {
                (Verdict::True, "an empty page followed the last record".to_owned())
            }
            (StopReason::NoMore, None) => (Verdict::True, "the API said that there is no more".to_owned()),
            (StopReason::SinglePage, _) => (Verdict::Unknown, "the resource is one page by configuration".to_owned()),
        };
        Completeness { verdict, reason }
    }

    fn expected(&self) -> Option<u64> {
        self.last_total.map(|total| total.saturating_sub(self.skipped))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(pages: &[(u64, Option<u64>)], reason: StopReason) -> (Verdict, String) {
        let mut tally = Tally::default();
        for (records, total) in pages {
            tally.note(*records, *total);
        }
        let completeness = tally.verdict(reason);
        (completeness.verdict, completeness.reason)
    }

    #[test]
    fn a_listing_is_whole_only_when_nothing_contradicts_it() {
        for (pages, reason, expected) in [
            (&[(2, Some(3)), (1, Some(3))][..], StopReason::TotalReached, Verdict::True),
            (&[(2, Some(6)), (0, Some(6)), (2, Some(6))], StopReason::TotalReached, Verdict::False),
            (&[(2, Some(4)), (1, Some(3))], StopReason::TotalReached, Verdict::True),
            (&[(2, Some(3)), (2, Some(3))], StopReason::TotalReached, Verdict::False),
            (&[(2, None), (0, None)], StopReason::EmptyPage, Verdict::True),
            (&[(2, None)], StopReason::NoMore, Verdict::True),
            (&[(2, Some(9))], StopReason::MaximumReached, Verdict::Unknown),
            (&[(2, None)], StopReason::SinglePage, Verdict::Unknown),
            (&[(2, Some(5)), (0, None)], StopReason::EmptyPage, Verdict::False),
        ] {
            assert_eq!(verdict(pages, reason).0, expected, "{pages:?} {reason}");
        }
    }

    #[test]
    fn a_mismatch_says_the_numbers_and_that_the_total_moved() {
        let (_, reason) = verdict(&[(2, Some(4)), (2, Some(5))], StopReason::TotalReached);
        assert_eq!(
            reason,
            "4 records were read where the stated total promises 5; the total moved from 4 to 5 while the listing was read"
        );
    }
}
