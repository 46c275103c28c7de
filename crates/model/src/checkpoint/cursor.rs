//! How a resource is read from where the last run ended: which records are new, and what to
//! remember of them. Pure.
//!
//! dlt's rules: a run starts at the last value less the lag, or at the initial value; records
//! before it are dropped, and those at it that were committed before, by the hash of their key.
//! With an end value the range is `[initial, end)`, and nothing is remembered.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::bindings::CursorBindings;
use super::delta::{CursorDelta, directed};
use super::value::{self, ValueError};
use super::window::{Window, Windows};
use crate::spec::{CursorSpec, CursorValue, LastValue, OnMissing, RangeBound, RowOrder};

/// Records at the last value of which the keys are remembered at most.
pub const BOUNDARY_MAX: usize = 65_536;

/// What is remembered between runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorState {
    /// The last value that was committed.
    pub last_value: CursorValue,
    /// The hashes of the keys of the records at the last value, so that they are not appended
    /// twice; hexadecimal, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boundary: Vec<String>,
}

/// One run, or one window of it, over a cursor.
#[derive(Debug, Clone)]
pub struct CursorRun {
    spec: CursorSpec,
    /// Where the run goes on from; none for a first run, and for one over a range of its own.
    resumes_at: Option<CursorValue>,
    /// What the table said when the run began.
    begun_from: Option<CursorState>,
    start: Option<CursorValue>,
    end: Option<CursorValue>,
    /// Keys at the start value that were committed before.
    committed: HashSet<u128>,
    memory: Memory,
    is_window: bool,
    last: Option<CursorValue>,
    at_last: HashSet<u128>,
    is_past_range: bool,
}

/// What a run remembers for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// Nothing: the run is over a range of its own.
    None,
    /// The last value that came.
    Moves,
    /// The last value that came before records were younger than those before them.
    Frozen,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is wanted.
    Keep,
    /// It is not within the range, or was committed before.
    Drop,
}

/// A record that the cursor cannot place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It has no cursor value, and `on_cursor_value_missing` is `raise`.
    #[error("incremental.cursor_path {path} was not found, or is null, in a record")]
    Missing {
        /// The path.
        path: String,
    },
    /// Its value does not go with the others.
    #[error("incremental.cursor_path: {0}")]
    Value(#[from] ValueError),
    /// Too many records share the last value to remember their keys.
    #[error("more than {BOUNDARY_MAX} records share the last cursor value {value}")]
    BoundaryTooLarge {
        /// The value.
        value: String,
    },
}

/// A range to read instead of what the checkpoint says; the checkpoint stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Backfill {
    /// Where to start; the initial value when `None`.
    pub from: Option<CursorValue>,
    /// Where to end, exclusive; the end value when `None`.
    pub to: Option<CursorValue>,
}

impl CursorRun {
    /// Returns the run that follows `state`, or one over `backfill`.
    ///
    /// # Errors
    /// When the lag cannot be taken off the last value.
    pub fn begin(
        spec: &CursorSpec,
        state: Option<&CursorState>,
        backfill: Option<&Backfill>,
    ) -> Result<Self, ValueError> {
        let end = backfill.and_then(|range| range.to.clone()).or_else(|| spec.end_value.clone());
        let is_stateless = backfill.is_some() || end.is_some();
        let state = state.filter(|_| !is_stateless);
        let initial = backfill.and_then(|range| range.from.clone()).or_else(|| spec.initial_value.clone());
        let start = match state {
            None => initial,
            Some(state) => Some(spec.start_after(&state.last_value)?),
        };
        if let (Some(start), Some(end)) = (&start, &end) {
            spec.check_range(start, end)?;
        }
        // An empty list of fields says that nothing tells records apart, as in dlt.
        let has_key = spec.key.as_ref().is_none_or(|key| !key.is_empty());
        let is_exact = spec.lag.is_none() && spec.lookback.is_none();
        let keeps_boundary = is_exact && has_key && spec.range_start == RangeBound::Closed;
        let committed = match state {
            Some(state) if keeps_boundary => parse_hashes(&state.boundary),
            _ => HashSet::new(),
        };
        let last = state.map(|state| state.last_value.clone());
        Ok(Self {
            spec: spec.clone(),
            resumes_at: state.and(start.clone()),
            begun_from: state.cloned(),
            start,
            end,
            at_last: committed.clone(),
            committed,
            memory: if is_stateless { Memory::None } else { Memory::Moves },
            is_window: false,
            last,
            is_past_range: false,
        })
    }

    /// Returns the windows of the run, the first one first; `None` when it has no `step`.
    ///
    /// # Errors
    /// When the start is unknown or no instant.
    pub fn windows(&self, now: DateTime<Utc>) -> Result<Option<Windows>, ValueError> {
        let (Some(step), Some(start)) = (self.spec.step, &self.start) else { return Ok(None) };
        let end = match &self.end {
            Some(end) => value::instant(end)?,
            None => now,
        };
        Windows::new(start, end, step).map(Some)
    }

    /// Returns what requests of this run, or of one `window` of it, can be asked with.
    pub fn bindings(&self, window: Option<&Window>) -> CursorBindings {
        let initial = self.spec.initial_value.clone();
        let (start, end) = match window {
            Some(Window { from, to }) => (Some(from.clone()), Some(to.clone())),
            None => (self.start.clone(), self.end.clone()),
        };
        CursorBindings {
            start,
            end,
            last: self.resumes_at.clone().or_else(|| initial.clone()),
            initial,
            lag: self.spec.lag.map(|lag| CursorValue::Number(lag.amount.to_string())),
            format: self.spec.format,
        }
    }

    /// Decides about a record with the cursor value `found`; `key` hashes what identifies it.
    ///
    /// # Errors
    /// When the record cannot be placed.
    pub fn admit(&mut self, found: Option<&CursorValue>, key: impl FnOnce() -> u128) -> Result<Admitted, CursorError> {
        let Some(found) = found else {
            return match self.spec.on_missing {
                OnMissing::Raise => Err(CursorError::Missing { path: self.spec.cursor_path.to_string() }),
                OnMissing::Include => Ok(Admitted::Keep),
                OnMissing::Exclude => Ok(Admitted::Drop),
            };
        };
        let mut is_at_start = false;
        if let Some(start) = &self.start {
            let order = self.later(found, start)?;
            is_at_start = order == Ordering::Equal;
            if order == Ordering::Less || (is_at_start && self.spec.range_start == RangeBound::Open) {
                self.is_past_range |= order == Ordering::Less && self.spec.row_order == Some(RowOrder::Descending);
                return Ok(Admitted::Drop);
            }
        }
        if let Some(end) = &self.end {
            let order = self.later(found, end)?;
            if order == Ordering::Greater || (order == Ordering::Equal && self.spec.range_end == RangeBound::Open) {
                self.is_past_range |= self.spec.row_order == Some(RowOrder::Ascending);
                return Ok(Admitted::Drop);
            }
        }
        let key = key();
        if is_at_start && self.committed.contains(&key) {
            return Ok(Admitted::Drop);
        }
        self.remember(found, key)?;
        Ok(Admitted::Keep)
    }

    /// Returns whether the run goes on from what its table says now. It does not when another run
    /// has committed since this one began.
    pub fn follows(&self, now: Option<&CursorState>) -> bool {
        self.memory == Memory::None || now == self.begun_from.as_ref()
    }

    /// Begins another slice, to which the records that follow belong; their order starts anew.
    pub fn enter_slice(&mut self) {
        self.is_past_range = false;
    }

    /// Takes the range of a window of this run; what was remembered of earlier windows stays.
    pub fn narrow_to(&mut self, window: &Window) {
        self.start = Some(window.from.clone());
        self.end = Some(window.to.clone());
        self.is_window = true;
    }

    /// Returns the run over one window alone, which goes on from the commit of the window before
    /// it, if there is one.
    #[must_use]
    pub fn over(&self, window: &Window, is_first: bool) -> Self {
        let mut alone = self.clone();
        alone.narrow_to(window);
        if !is_first {
            alone.begun_from = Some(CursorState { last_value: window.from.clone(), boundary: Vec::new() });
        }
        alone
    }

    /// Freezes the cursor where it is, unless records come in its order: the pages that follow are
    /// younger than those before, which may have changed since, and what has changed must still lie
    /// ahead of the cursor.
    pub fn freeze_cursor(&mut self) {
        if self.memory == Memory::Moves && self.spec.row_order != Some(RowOrder::Ascending) {
            self.memory = Memory::Frozen;
        }
    }

    /// Returns whether a record was past the range, in the order in which the API gives them; the
    /// pages that follow hold nothing new.
    pub fn is_past_range(&self) -> bool {
        self.is_past_range
    }

    /// Returns what to remember once everything is committed; `None` when there is nothing, or the
    /// run is over a range of its own. Keys at the last value are only worth remembering where rows
    /// are not merged.
    ///
    /// # Errors
    /// When too many records share the last value.
    pub fn state(&self, keeps_keys: bool) -> Result<Option<CursorState>, CursorError> {
        if self.memory == Memory::None {
            return Ok(None);
        }
        if self.is_window {
            return Ok(self.end.clone().map(|last_value| CursorState { last_value, boundary: Vec::new() }));
        }
        let Some(last_value) = self.last.clone() else { return Ok(None) };
        let mut boundary = Vec::new();
        if keeps_keys {
            if self.at_last.len() > BOUNDARY_MAX {
                return Err(CursorError::BoundaryTooLarge { value: last_value.to_string() });
            }
            boundary = self.at_last.iter().map(|hash| format!("{hash:032x}")).collect();
            boundary.sort_unstable();
        }
        Ok(Some(CursorState { last_value, boundary }))
    }

    /// Returns how far this run moves the cursor, once everything is committed; `None` when there
    /// is nothing to remember.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub fn delta(&self, keeps_keys: bool) -> Result<Option<CursorDelta>, CursorError> {
        let to = self.state(keeps_keys)?;
        Ok(to.map(|to| CursorDelta { from: self.begun_from.clone(), to, order: self.spec.last_value }))
    }

    fn later(&self, left: &CursorValue, right: &CursorValue) -> Result<Ordering, ValueError> {
        self.spec.later(left, right)
    }

    fn remember(&mut self, found: &CursorValue, key: u128) -> Result<(), ValueError> {
        if self.memory == Memory::Frozen && self.last.is_some() {
            return Ok(());
        }
        let order = match &self.last {
            None => Ordering::Greater,
            Some(last) => self.later(found, last)?,
        };
        if order == Ordering::Greater {
            self.last = Some(found.clone());
            self.at_last.clear();
        }
        // One more than fits shows that there are too many.
        if order != Ordering::Less && self.at_last.len() <= BOUNDARY_MAX {
            self.at_last.insert(key);
        }
        Ok(())
    }
}

impl CursorSpec {
    /// Returns the order of two values, in the direction in which the cursor moves.
    fn later(&self, left: &CursorValue, right: &CursorValue) -> Result<Ordering, ValueError> {
        value::compare_as(left, right, self.format).map(|found| directed(found, self.last_value))
    }

    /// Refuses a range that holds no value.
    fn check_range(&self, start: &CursorValue, end: &CursorValue) -> Result<(), ValueError> {
        let holds_both = self.range_start == RangeBound::Closed && self.range_end == RangeBound::Closed;
        match self.later(start, end)? {
            Ordering::Less => Ok(()),
            Ordering::Equal if holds_both => Ok(()),
            Ordering::Equal | Ordering::Greater => {
                Err(ValueError::EmptyRange { from: start.to_string(), to: end.to_string() })
            }
        }
    }

    /// Returns where a run starts that follows `last_value`: the lag or look-back before it, but
    /// never before the initial value.
    fn start_after(&self, last_value: &CursorValue) -> Result<CursorValue, ValueError> {
        let lookback = self
            .lookback
            .map(|lookback| crate::spec::Lag { amount: seconds(lookback), unit: Some(crate::spec::LagUnit::Seconds) });
        let Some(lag) = self.lag.or(lookback) else { return Ok(last_value.clone()) };
        let lag = match self.last_value {
            LastValue::Max => lag,
            LastValue::Min => crate::spec::Lag { amount: -lag.amount, ..lag },
        };
        let start = value::before(last_value, lag)?;
        let Some(initial) = &self.initial_value else { return Ok(start) };
        Ok(if self.later(&start, initial)? == Ordering::Less { initial.clone() } else { start })
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn parse_hashes(texts: &[String]) -> HashSet<u128> {
    texts.iter().filter_map(|text| u128::from_str_radix(text, 16).ok()).collect()
}

#[cfg(test)]
pub(super) mod tests;
