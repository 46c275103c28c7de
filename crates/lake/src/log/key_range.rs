//! Ranges of keys: which files may hold a key of a run. Pure.

use std::cmp::Ordering;

use crate::log::document::{DataFile, KeyBound};

/// Keys longer than this are not kept as the bounds of a file.
const KEY_BOUND_BYTES_MAX: usize = 256;

/// A range of keys, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) min: KeyBound,
    pub(crate) max: KeyBound,
}

impl KeyRange {
    /// Returns `None` when an end is missing, or too long to keep.
    pub(crate) fn new(min: Option<KeyBound>, max: Option<KeyBound>) -> Option<Self> {
        let short = |bound: &KeyBound| match bound {
            KeyBound::Int(_) => true,
            KeyBound::Text(text) => text.len() <= KEY_BOUND_BYTES_MAX,
        };
        Some(Self { min: min.filter(short)?, max: max.filter(short)? })
    }

    /// Returns the range of both; `None`, which stands for any key, when one is unknown.
    pub(crate) fn union(left: Option<Self>, right: Option<Self>) -> Option<Self> {
        let (left, right) = (left?, right?);
        Some(Self { min: left.min.min(right.min), max: left.max.max(right.max) })
    }

    /// Returns whether a file may hold a key of this range.
    pub(crate) fn may_meet(&self, file: &DataFile) -> bool {
        let (Some(min), Some(max)) = (&file.key_min, &file.key_max) else { return true };
        !(is_below(max, &self.min) || is_below(&self.max, min))
    }
}

/// Returns whether both are of one type and `left` is smaller.
fn is_below(left: &KeyBound, right: &KeyBound) -> bool {
    match (left, right) {
        (KeyBound::Int(left), KeyBound::Int(right)) => left.cmp(right) == Ordering::Less,
        (KeyBound::Text(left), KeyBound::Text(right)) => left.cmp(right) == Ordering::Less,
        (KeyBound::Int(_), KeyBound::Text(_)) | (KeyBound::Text(_), KeyBound::Int(_)) => false,
    }
}
