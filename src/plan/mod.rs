//! In which slices a resource is read: spec, checkpoint and time become a list of slices, one made
//! after the other. Pure.
//!
//! A slice is what can be read on its own: the whole listing, one time window, or the listing of
//! one record of the parent. It says all that is to be known to ask for it, and what came of it is
//! a [`SliceOutcome`]; both can be stored, and read elsewhere. Outcomes in the order of their
//! slices are one outcome ([`SliceOutcome::and`]), whose
//! [`PositionDelta`](crate::checkpoint::PositionDelta) moves the checkpoint.

mod outcome;
mod slice;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::checkpoint::{Backfill, Checkpoint, CursorBindings, CursorRun, Windows};
use crate::error::{Error, Result};
use crate::extract::ParentRow;
use crate::spec::{Incremental, ResourceSpec};

pub(crate) use outcome::{SliceCounts, SliceOutcome};
pub(crate) use slice::{Part, Slice};

/// Windows of a plan at most. Each takes a request at least, so more of them are a mistake in the
/// step.
pub(crate) const WINDOWS_MAX: u64 = 10_000_000;

/// How a resource is read. Takes the same memory for one slice as for millions.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    resource: String,
    cursor: Option<CursorRun>,
    bindings: Option<Arc<CursorBindings>>,
    parts: Parts,
}

/// What the slices of a plan are.
#[derive(Debug, Clone)]
enum Parts {
    /// The whole listing.
    Listing,
    /// Time windows.
    Windows(Windows),
    /// Listings of the records of the parent.
    ParentRows,
}

impl Plan {
    /// Plans to read a resource whole, from where `checkpoint` is, or over `range` instead: one
    /// slice, or one for each record of its parent.
    ///
    /// # Errors
    /// When the start of the run cannot be told, since the lag does not fit the last value.
    pub(crate) fn of(
        resource: &ResourceSpec,
        checkpoint: Option<&Checkpoint>,
        range: Option<&Backfill>,
    ) -> Result<Self> {
        let state = checkpoint.and_then(Checkpoint::cursor_state);
        let begin = |incremental: &Incremental| match incremental {
            Incremental::Cursor(spec) => CursorRun::begin(spec, state, range),
        };
        let cursor = resource.endpoint.incremental.as_ref().map(begin).transpose().map_err(|error| {
            Error::config(format!("resource {}: {error}", resource.name)).with_hint("check endpoint.incremental")
        })?;
        let bindings = cursor.as_ref().map(|cursor| Arc::new(cursor.bindings(None)));
        let parts = if resource.parent.is_some() { Parts::ParentRows } else { Parts::Listing };
        Ok(Self { resource: resource.name.clone(), cursor, bindings, parts })
    }

    /// Plans to read window by window until `now`, where the resource has a step. For resources
    /// that stand alone: what others depend on is read whole.
    ///
    /// # Errors
    /// When the start is unknown or no instant, or there are more than [`WINDOWS_MAX`] windows.
    pub(crate) fn in_windows(self, now: DateTime<Utc>) -> Result<Self> {
        let Self { resource, cursor, .. } = &self;
        let windows = cursor.as_ref().map_or(Ok(None), |cursor| cursor.windows(now)).map_err(|error| {
            Error::config(format!("resource {resource}: {error}"))
                .with_hint("endpoint.incremental.step needs an initial_value that is a date or a date-time")
        })?;
        let Some(windows) = windows else { return Ok(self) };
        let count = windows.count_left();
        if count > WINDOWS_MAX {
            return Err(Error::config(format!(
                "resource {resource}: endpoint.incremental.step makes {count} time windows until {}, and each is a request at least; {WINDOWS_MAX} are planned at most",
                now.format("%Y-%m-%d %H:%M UTC")
            ))
            .with_hint("choose a longer step or a later initial_value, or read the range in parts with --from and --to"));
        }
        Ok(Self { parts: Parts::Windows(windows), ..self })
    }

    /// Returns the run over the cursor, for all slices together; `None` where the resource has no
    /// cursor.
    pub(crate) fn cursor(&self) -> Option<&CursorRun> {
        self.cursor.as_ref()
    }

    /// Returns the run over the cursor for one slice that is committed on its own, after those
    /// before it.
    pub(crate) fn cursor_of(&self, slice: &Slice) -> Option<CursorRun> {
        let cursor = self.cursor.as_ref()?;
        Some(match &slice.part {
            Part::Window(window) => cursor.over(window, slice.number == 0),
            Part::Listing | Part::ParentRow(_) => cursor.clone(),
        })
    }

    /// Returns whether its slices are time windows.
    pub(crate) fn is_in_windows(&self) -> bool {
        matches!(self.parts, Parts::Windows(_))
    }

    /// Returns the slices, the first one first. Those of a resource with a parent are made of its
    /// records, by [`Self::slice_of`].
    pub(crate) fn slices(&self) -> Slices {
        Slices { plan: self.clone(), number: 0 }
    }

    /// Returns the slice of a record of the parent, which came after `number` others.
    pub(crate) fn slice_of(&self, row: ParentRow, number: u64) -> Slice {
        self.slice(Part::ParentRow(row), self.bindings.clone(), number)
    }

    fn slice(&self, part: Part, bindings: Option<Arc<CursorBindings>>, number: u64) -> Slice {
        Slice { version: Slice::VERSION, resource: self.resource.clone(), number, part, bindings }
    }
}

/// The slices of a plan, made one by one.
#[derive(Debug, Clone)]
pub(crate) struct Slices {
    plan: Plan,
    number: u64,
}

impl Iterator for Slices {
    type Item = Slice;

    fn next(&mut self) -> Option<Slice> {
        let (plan, number) = (&mut self.plan, self.number);
        let (part, bindings) = match &mut plan.parts {
            Parts::Listing if number == 0 => (Part::Listing, plan.bindings.clone()),
            Parts::Listing | Parts::ParentRows => return None,
            Parts::Windows(windows) => {
                let window = windows.next()?;
                let bindings = plan.cursor.as_ref().map(|cursor| Arc::new(cursor.bindings(Some(&window))));
                (Part::Window(window), bindings)
            }
        };
        self.number += 1;
        Some(plan.slice(part, bindings, number))
    }
}

#[cfg(test)]
mod tests;
