//! A page on its way, and what a transform said of its records, so that it can be gone through
//! again.

use crate::decode::{Admission, PageInput, RawRecord, RecordGate};
use crate::error::Result;
use crate::extract::Page;
use crate::pipeline::read::{RecordTransform, input};

/// How often a page is gone through at most: as it came, for the shape of its records, for the
/// variants that these need, and for its rows.
const WALKS_MAX: usize = 4;

/// A page whose records a transform is asked about once.
#[derive(Debug)]
pub(super) struct Recorded<'t> {
    pub(super) page: &'t Page,
    pub(super) input: PageInput<'t>,
    transform: &'t mut RecordTransform,
    answers: Vec<Admission>,
    walks: usize,
}

impl<'t> Recorded<'t> {
    /// Returns a page whose records have `members` behind their own.
    pub(super) fn new(page: &'t Page, members: &'t str, transform: &'t mut RecordTransform) -> Self {
        Self { page, input: input(page, members), transform, answers: Vec::new(), walks: 0 }
    }

    /// Returns how often the page was gone through.
    #[cfg(test)]
    pub(super) fn walks(&self) -> usize {
        self.walks
    }

    /// Returns what records are asked of as they come; `None` where they need not be asked.
    pub(super) fn first(&mut self) -> Option<&mut dyn RecordGate> {
        self.walks += 1;
        self.transform.is_needed().then_some(self)
    }

    /// Returns a gate that gives the same answers once more; `None` where there were none.
    pub(super) fn again(&mut self) -> Option<Repeated<'_>> {
        self.walks += 1;
        debug_assert!(self.walks <= WALKS_MAX, "a page is gone through {WALKS_MAX} times at most");
        self.transform.is_needed().then(|| Repeated { answers: self.answers.iter() })
    }
}

impl RecordGate for Recorded<'_> {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission> {
        let answer = self.transform.admit(record)?;
        self.answers.push(answer.clone());
        Ok(answer)
    }
}

/// The answers of a transform, once more.
#[derive(Debug)]
pub(super) struct Repeated<'t> {
    answers: std::slice::Iter<'t, Admission>,
}

impl RecordGate for Repeated<'_> {
    fn admit(&mut self, _: RawRecord<'_>) -> Result<Admission> {
        Ok(self.answers.next().cloned().unwrap_or(Admission::Keep))
    }
}
