//! What is made of the records of a pass: rows of a table, or nothing but what its children want of
//! them.

use std::sync::Arc;

use super::page::Typing;
use crate::decode::{DecodeOptions, Decoded, MismatchPolicy, PageDecoder, RecordGate, TypeMismatches, UnknownFields};
use crate::error::Result;
use crate::extract::Page;
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{RecordTransform, input};
use crate::pipeline::sink::Sink;
use crate::schema::RecordSchema;

/// What becomes of the fields of records that nobody wants rows of.
const WALKED: MismatchPolicy =
    MismatchPolicy { unknown_fields: UnknownFields::Ignore, type_mismatches: TypeMismatches::Reject };

/// The records of a pass.
#[derive(Debug)]
pub(crate) enum Records<'r, 'a> {
    /// Become rows.
    Typed(Box<Typing<'r, 'a>>),
    /// Are looked at one by one, and no more than refused: rows without a column.
    Walked(Box<PageDecoder>),
}

impl Records<'_, '_> {
    /// Returns records that nobody wants rows of.
    pub(crate) fn walked(run: &ResourceRun<'_>) -> Self {
        let selector = run.resource.endpoint.data_selector.clone();
        let options = DecodeOptions::with_depth(run.limits.nesting_depth_max);
        Self::Walked(Box::new(PageDecoder::of_nothing(selector, options)))
    }

    /// Returns the schema that they have got to; none where they become no rows.
    pub(crate) fn schema(&self) -> Option<Arc<RecordSchema>> {
        match self {
            Self::Typed(typing) => Some(Arc::clone(&typing.decoder.shapes.records)),
            Self::Walked(_) => None,
        }
    }

    /// Reads the records of a page. `None` when the sink takes no more.
    pub(crate) async fn read(
        &mut self,
        page: &Page,
        transform: &mut RecordTransform,
        sink: &mut dyn Sink,
    ) -> Result<Option<Decoded>> {
        let decoder = match self {
            Self::Typed(typing) => return typing.decode(page, transform, sink).await,
            Self::Walked(decoder) => decoder,
        };
        let members = transform.members();
        let gate = transform.is_needed().then_some(transform as &mut dyn RecordGate);
        let decoded = decoder.decode(&input(page, &members), WALKED, gate);
        decoder.truncate(0);
        Ok(Some(decoded.map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))?))
    }

    /// Hands on the rows that are buffered, where they are as many as go together. `false` when the
    /// sink takes no more.
    pub(crate) async fn hand_on_full(&mut self, run: &ResourceRun<'_>, sink: &mut dyn Sink) -> Result<bool> {
        match self {
            Self::Typed(typing) if typing.decoder.is_full(run.limits) => typing.hand_on(sink).await,
            Self::Typed(_) | Self::Walked(_) => Ok(true),
        }
    }

    /// Hands on the rows that are buffered. `false` when the sink takes no more.
    pub(crate) async fn hand_on(&mut self, sink: &mut dyn Sink) -> Result<bool> {
        match self {
            Self::Typed(typing) => typing.hand_on(sink).await,
            Self::Walked(_) => Ok(true),
        }
    }
}
