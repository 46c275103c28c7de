//! How far a slice moves a cursor, and whether that goes on from where the cursor is. Pure.
//!
//! A delta `(from, to]` says: what lies after `from`, up to `to`, was read. Applied to a position:
//!
//! | position | delta | becomes |
//! | --- | --- | --- |
//! | none | (none, 5] | 5 |
//! | 5 | (5, 9] | 9 |
//! | 9 | (5, 9] | 9: it was applied before |
//! | 10 | (10, 7] | 7: a look-back reads again what was read, window by window |
//! | none | (5, 9] | gap: nobody has read up to 5 |
//! | 3 | (5, 9] | gap: nobody has read (3, 5] |
//! | 7 | (5, 9] | overlap: another run has read (5, 7] |
//! | 12 | (5, 9] | overlap |
//! | 5 | (none, 9] | overlap |
//! | 5, keys x | (5, keys y; 9] | overlap: another run has read records at 5 |
//!
//! So deltas that were applied in their order are applied once each, and a position never passes
//! over what nobody has read.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::Position;
use super::cursor::CursorState;
use super::value::{ValueError, compare};
use crate::spec::{CursorValue, LastValue};

/// How far a slice moves the position of its resource, in the kinds that positions have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PositionDelta {
    /// A cursor.
    Cursor(CursorDelta),
}

impl PositionDelta {
    /// Returns where the resource is after this, wherever it was before.
    pub fn end(&self) -> Position {
        let Self::Cursor(delta) = self;
        Position::Cursor(delta.to.clone())
    }

    /// Returns where the resource is after this, given where it is now.
    ///
    /// # Errors
    /// When the delta does not go on from there.
    pub fn try_apply(&self, position: Option<&Position>) -> Result<Position, DeltaError> {
        let Self::Cursor(delta) = self;
        delta.try_apply(position.and_then(Position::cursor_state)).map(Position::Cursor)
    }

    /// Returns this and `next` as one.
    ///
    /// # Errors
    /// When `next` does not go on from where this ends.
    pub fn then(self, next: &Self) -> Result<Self, DeltaError> {
        let (Self::Cursor(delta), Self::Cursor(next)) = (self, next);
        delta.then(next).map(Self::Cursor)
    }
}

/// How far a slice moves a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorDelta {
    /// Where the slice went on from; none for a first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CursorState>,
    /// Up to where everything was read.
    pub to: CursorState,
    /// Which of two values is the later one.
    pub order: LastValue,
}

/// Why a delta does not go on from a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeltaError {
    /// Something between them was read by nobody.
    #[error("it goes on from {from}, but only {} was read", upto(.position.as_ref()))]
    Gap {
        /// Where the cursor is.
        position: Option<CursorValue>,
        /// Where the delta goes on from.
        from: CursorValue,
    },
    /// Something that it speaks of was read by another run.
    #[error("it goes on from {}, but another run has read up to {position}", .from.as_ref().map_or("the beginning", |from| from.as_str()))]
    Overlap {
        /// Where the cursor is.
        position: CursorValue,
        /// Where the delta goes on from.
        from: Option<CursorValue>,
    },
    /// They have no order.
    #[error(transparent)]
    Value(#[from] ValueError),
}

fn upto(position: Option<&CursorValue>) -> String {
    position.map_or_else(|| "nothing".to_owned(), |position| format!("up to {position}"))
}

impl CursorDelta {
    /// Returns where the cursor is after this, given where it is now.
    ///
    /// # Errors
    /// When the delta does not go on from there.
    pub fn try_apply(&self, position: Option<&CursorState>) -> Result<CursorState, DeltaError> {
        let Self { from, to, order } = self;
        if position == from.as_ref() || position == Some(to) {
            return Ok(to.clone());
        }
        let from = from.as_ref().map(|from| from.last_value.clone());
        let position = position.map(|position| position.last_value.clone());
        let error = match (position, from) {
            (position, Some(from)) if is_before(position.as_ref(), &from, *order)? => {
                DeltaError::Gap { position, from }
            }
            (Some(position), from) => DeltaError::Overlap { position, from },
            // Nothing was read, and it goes on from nothing.
            (None, _) => return Ok(to.clone()),
        };
        Err(error)
    }

    /// Returns this and `next` as one.
    ///
    /// # Errors
    /// When `next` does not go on from where this ends.
    pub fn then(self, next: &Self) -> Result<Self, DeltaError> {
        let to = next.try_apply(Some(&self.to))?;
        Ok(Self { to, ..self })
    }
}

/// Returns whether a position is before `from`: what lies between them was read by nobody.
fn is_before(position: Option<&CursorValue>, from: &CursorValue, order: LastValue) -> Result<bool, ValueError> {
    position.map_or(Ok(true), |position| Ok(later(position, from, order)? == Ordering::Less))
}

/// Returns the order of two values, in the direction in which a cursor moves.
///
/// # Errors
/// When one is a number and the other a string.
pub(super) fn later(left: &CursorValue, right: &CursorValue, order: LastValue) -> Result<Ordering, ValueError> {
    compare(left, right).map(|found| directed(found, order))
}

/// Returns an order of two values in the direction in which a cursor moves.
pub(super) fn directed(found: Ordering, order: LastValue) -> Ordering {
    match order {
        LastValue::Max => found,
        LastValue::Min => found.reverse(),
    }
}

#[cfg(test)]
mod tests;
