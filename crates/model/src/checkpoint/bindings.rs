//! What requests can be asked with of a cursor.

use serde::{Deserialize, Serialize};

use super::value::{self, ValueError};
use crate::spec::{CursorFormat, CursorValue, IncrementalValue};

/// What the requests of one slice can be asked with of its cursor: `{incremental.…}`. It says all
/// that is to be known to ask for the slice, wherever that is done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorBindings {
    /// Where the slice starts; none where there is no value yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<CursorValue>,
    /// Where the slice ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<CursorValue>,
    /// Where the whole run goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<CursorValue>,
    /// The initial value of the pipeline file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<CursorValue>,
    /// The lag of the pipeline file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<CursorValue>,
    /// How values are written; as they are unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<CursorFormat>,
}

impl CursorBindings {
    /// Returns a value in the format that requests want; `None` where there is none yet.
    ///
    /// # Errors
    /// When the value has no such format.
    pub fn value(&self, wanted: IncrementalValue) -> Result<Option<CursorValue>, ValueError> {
        let found = match wanted {
            IncrementalValue::StartValue => &self.start,
            IncrementalValue::InitialValue => &self.initial,
            IncrementalValue::LastValue => &self.last,
            IncrementalValue::EndValue => &self.end,
            IncrementalValue::Lag => return Ok(self.lag.clone()),
        };
        match (found, self.format) {
            (Some(found), Some(format)) => value::format(found, format).map(Some),
            (found, _) => Ok(found.clone()),
        }
    }
}
