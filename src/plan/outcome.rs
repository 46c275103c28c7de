//! What came of slices, and that of several as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{DeltaError, PositionDelta};
use crate::event::{Completeness, Verdict};
use crate::extract::ListingOutcome;
use crate::paginate::StopReason;
use crate::reject::RejectCode;
use crate::schema::RecordSchema;

/// What came of a slice that was read to its end, or of several, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SliceOutcome {
    /// The version of this document.
    pub version: u32,
    /// How many slices it is of.
    pub slices: u64,
    /// What was counted.
    pub counts: SliceCounts,
    /// Why the last listing ended; none of no slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    /// Whether everything was read; none of no slice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<Completeness>,
    /// Whether the total that the API states changed while a listing was read.
    #[serde(default)]
    pub total_moved: bool,
    /// The total that the API stated last, of one slice; none of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How far the position moves, once the rows are committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<PositionDelta>,
    /// The schema that the records had got to at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Arc<RecordSchema>>,
}

/// What was counted in slices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SliceCounts {
    /// Pages.
    pub pages: u64,
    /// Records, refused ones included.
    pub records: u64,
    /// Records that were refused, by why.
    pub rejected: BTreeMap<RejectCode, u64>,
    /// Values that null stands for in rows.
    pub nulled: u64,
    /// Records that the cursor's range or a filter left out.
    pub filtered: u64,
}

impl SliceCounts {
    /// Returns how many records were refused.
    pub(crate) fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.pages += other.pages;
        self.records += other.records;
        self.nulled += other.nulled;
        self.filtered += other.filtered;
        for (code, count) in other.rejected {
            *self.rejected.entry(code).or_default() += count;
        }
    }
}

impl Default for SliceOutcome {
    /// Returns the outcome of no slice.
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            slices: 0,
            counts: SliceCounts::default(),
            stop_reason: None,
            complete: None,
            total_moved: false,
            total: None,
            delta: None,
            schema: None,
        }
    }
}

impl From<ListingOutcome> for SliceOutcome {
    fn from(listing: ListingOutcome) -> Self {
        let ListingOutcome { stop_reason, complete, pages, records, total, total_moved } = listing;
        Self {
            slices: 1,
            counts: SliceCounts { pages, records, ..SliceCounts::default() },
            stop_reason: Some(stop_reason),
            complete: Some(complete),
            total_moved,
            total,
            ..Self::default()
        }
    }
}

impl SliceOutcome {
    /// The version that this program writes.
    pub(crate) const VERSION: u32 = 1;

    /// Returns this and what came of the slices that follow, as one. It is proven whole where each
    /// of them is.
    ///
    /// # Errors
    /// When they do not follow each other: the cursor of `next` does not go on from where this one
    /// ends.
    pub(crate) fn and(mut self, next: Self) -> Result<Self, DeltaError> {
        let slices = self.slices + next.slices;
        let total = if slices == 1 { self.total.or(next.total) } else { None };
        self.counts.add(next.counts);
        let delta = match (self.delta, next.delta) {
            (Some(first), Some(next)) => Some(first.then(&next)?),
            (first, next) => first.or(next),
        };
        Ok(Self {
            version: Self::VERSION,
            slices,
            counts: self.counts,
            stop_reason: next.stop_reason.or(self.stop_reason),
            complete: both(self.complete, next.complete, slices),
            total_moved: self.total_moved || next.total_moved,
            total,
            delta,
            schema: next.schema.or(self.schema),
        })
    }
}

/// Returns whether both are whole: proven where each is, else what is known of the first one that
/// is not.
fn both(first: Option<Completeness>, next: Option<Completeness>, slices: u64) -> Option<Completeness> {
    let (Some(first), Some(next)) = (&first, &next) else { return first.or(next) };
    Some(match (first.verdict, next.verdict) {
        (Verdict::True, Verdict::True) => {
            Completeness { verdict: Verdict::True, reason: format!("each of {slices} slices was read whole") }
        }
        (Verdict::True, _) => next.clone(),
        (Verdict::Unknown | Verdict::False, _) => first.clone(),
    })
}
