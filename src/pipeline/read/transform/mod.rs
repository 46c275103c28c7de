//! What is decided about each record before it is typed: fields of the parent, the cursor's range,
//! keys for the children.

mod cursor;
mod deletes;
mod parent;
mod steps;

use std::sync::Arc;

use super::parents::ParentRows;
use crate::checkpoint::{Admitted, CursorRun};
use crate::decode::{Admission, RawRecord, RecordGate};
use crate::error::Result;
use crate::pipeline::shapes::Shapes;
use crate::reject::RejectCode;
use crate::spec::{ProcessingStep, ResourceSpec};
use cursor::CursorRange;
use deletes::DeleteRule;
use steps::{Stepped, apply};

pub(crate) use parent::SliceContext;

/// The transform of one pass over a resource.
#[derive(Debug)]
pub(crate) struct RecordTransform {
    /// The members that every record of the present slice has behind its own, as an object; empty
    /// for none.
    from_parent: Arc<str>,
    cursor: Option<CursorRange>,
    steps: Vec<ProcessingStep>,
    deletes: Option<DeleteRule>,
    children: Option<ParentRows>,
}

impl RecordTransform {
    /// Returns a transform over `cursor`, which collects for `children` when there are any.
    /// Which fields the columns of the key are is known from `shapes`.
    pub(crate) fn new(
        resource: &ResourceSpec,
        shapes: Option<&Shapes>,
        cursor: Option<CursorRun>,
        children: Option<ParentRows>,
    ) -> Self {
        let cursor = CursorRange::of(resource, shapes, cursor);
        let deletes = DeleteRule::of(resource, shapes);
        Self { from_parent: Arc::default(), cursor, steps: resource.processing_steps.clone(), deletes, children }
    }

    /// Returns a transform that only applies the processing steps: what was decided about a record
    /// before it was refused is not decided again.
    pub(crate) fn of_steps(resource: &ResourceSpec, shapes: Option<&Shapes>) -> Self {
        let deletes = DeleteRule::of(resource, shapes);
        Self {
            from_parent: Arc::default(),
            cursor: None,
            steps: resource.processing_steps.clone(),
            deletes,
            children: None,
        }
    }

    /// Returns whether there is anything to decide; without it, records go straight to their
    /// columns.
    pub(crate) fn is_needed(&self) -> bool {
        self.cursor.is_some() || !self.steps.is_empty() || self.deletes.is_some() || self.children.is_some()
    }

    /// Begins another slice, to which the records that follow belong.
    pub(crate) fn enter(&mut self, slice: &SliceContext) {
        self.from_parent.clone_from(&slice.from_parent);
        if let Some(cursor) = &mut self.cursor {
            if let Some(window) = &slice.window {
                cursor.run.narrow_to(window);
            }
            cursor.run.enter_slice();
        }
    }

    /// Returns the members that every record of the present slice has behind its own, as an object;
    /// empty for none.
    pub(crate) fn members(&self) -> Arc<str> {
        Arc::clone(&self.from_parent)
    }

    /// Returns the cursor, where there is one.
    pub(crate) fn cursor(&self) -> Option<&CursorRun> {
        self.cursor.as_ref().map(|cursor| &cursor.run)
    }

    /// Keeps the cursor where it is: the pages that follow were not there when the listing was
    /// begun, see [`CursorRun::freeze_cursor`].
    pub(crate) fn freeze_cursor(&mut self) {
        if let Some(cursor) = &mut self.cursor {
            cursor.run.freeze_cursor();
        }
    }

    /// Returns whether the slice has left the range that the cursor wants.
    pub(crate) fn is_past_range(&self) -> bool {
        self.cursor.as_ref().is_some_and(|cursor| cursor.run.is_past_range())
    }

    /// Returns what the transform has learned: the cursor, and the keys for the children.
    pub(crate) fn into_parts(self) -> (Option<CursorRun>, Option<ParentRows>) {
        (self.cursor.map(|cursor| cursor.run), self.children)
    }
}

impl RecordGate for RecordTransform {
    fn admit(&mut self, record: RawRecord<'_>) -> Result<Admission> {
        let (came, mut rewritten) = (record, None::<String>);
        if let Some(cursor) = &mut self.cursor
            && cursor.admit(came)? == Admitted::Drop
        {
            return Ok(Admission::Drop);
        }
        for step in &self.steps {
            let record = rewritten.as_deref().map_or(came, RawRecord::new);
            match apply(step, record) {
                Ok(Stepped::Stays) => {}
                Ok(Stepped::Becomes(text)) => rewritten = Some(text),
                Ok(Stepped::Goes) => return Ok(Admission::Drop),
                Err(error) => {
                    let reason = error.to_string();
                    return Ok(Admission::Refuse { code: RejectCode::Expression, path: "$".to_owned(), reason });
                }
            }
        }
        if let Some(deletes) = &self.deletes {
            match deletes.text_of(rewritten.as_deref().map_or(came, RawRecord::new)) {
                Ok(None) => {}
                // What is deleted has no children.
                Ok(Some(text)) => return Ok(Admission::Delete(text)),
                Err(error) => {
                    let reason = error.to_string();
                    return Ok(Admission::Refuse { code: RejectCode::Expression, path: "$".to_owned(), reason });
                }
            }
        }
        if let Some(children) = &mut self.children {
            children.take(rewritten.as_deref().map_or(came, RawRecord::new))?;
        }
        Ok(rewritten.map_or(Admission::Keep, Admission::Rewrite))
    }
}
