//! The slices of a pass: its plan, and the records of the parent that it is about.

use super::parents::ParentRows;
use crate::checkpoint::CursorRun;
use crate::error::Result;
use crate::plan::{Plan, Slice, Slices};

/// Where the slices of a pass come from.
#[derive(Debug)]
pub(crate) struct SliceSource<'p> {
    plan: Plan,
    given: Given<'p>,
}

#[derive(Debug)]
enum Given<'p> {
    /// All that are planned.
    All(Box<Slices>),
    /// One of them, until it is taken.
    Only { slice: Slice, is_taken: bool },
    /// One for each record of the parent, after so many others.
    Parents { rows: &'p mut ParentRows, number: u64 },
}

impl<'p> SliceSource<'p> {
    /// Returns all slices of a plan.
    pub(crate) fn all(plan: Plan) -> Self {
        let given = Given::All(Box::new(plan.slices()));
        Self { plan, given }
    }

    /// Returns one slice of a plan, to be committed on its own.
    pub(crate) fn only(plan: Plan, slice: Slice) -> Self {
        Self { plan, given: Given::Only { slice, is_taken: false } }
    }

    /// Returns a slice for each record of the parent, from the first one on.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(crate) fn over(plan: Plan, rows: &'p mut ParentRows) -> Result<Self> {
        rows.rewind()?;
        Ok(Self { plan, given: Given::Parents { rows, number: 0 } })
    }

    /// Returns the run over the cursor of what is given here.
    pub(crate) fn cursor(&self) -> Option<CursorRun> {
        match &self.given {
            Given::Only { slice, .. } => self.plan.cursor_of(slice),
            Given::All(_) | Given::Parents { .. } => self.plan.cursor().cloned(),
        }
    }

    /// Returns the same slices, from the first one on.
    pub(crate) fn restarted(&mut self) -> Result<SliceSource<'_>> {
        let plan = self.plan.clone();
        match &mut self.given {
            Given::All(_) => Ok(SliceSource::all(plan)),
            Given::Only { slice, .. } => Ok(SliceSource::only(plan, slice.clone())),
            Given::Parents { rows, .. } => SliceSource::over(plan, rows),
        }
    }

    /// Returns the next slice.
    pub(crate) fn next(&mut self) -> Result<Option<Slice>> {
        Ok(match &mut self.given {
            Given::All(slices) => slices.next(),
            Given::Only { is_taken: true, .. } => None,
            Given::Only { slice, is_taken } => {
                *is_taken = true;
                Some(slice.clone())
            }
            Given::Parents { rows, number } => {
                let Some(row) = rows.next()? else { return Ok(None) };
                *number += 1;
                Some(self.plan.slice_of(row, *number - 1))
            }
        })
    }

    /// Returns how many records of the parent there are; none where it is about none.
    pub(crate) fn parent_rows(&self) -> u64 {
        match &self.given {
            Given::Parents { rows, .. } => rows.len(),
            Given::All(_) | Given::Only { .. } => 0,
        }
    }

    /// Returns whether there is one listing, the whole one.
    pub(crate) fn is_one_listing(&self) -> bool {
        matches!(self.given, Given::All(_)) && !self.plan.is_in_windows()
    }
}
