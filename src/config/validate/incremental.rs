//! How only what is new is read: dlt's keys, time windows, and the format that requests want.

use super::values::json_path;
use crate::checkpoint::instant;
use crate::config::document::Mapping as _;
use crate::config::document::incremental::IncrementalDocument;
use crate::config::document::problems::Problems;
use crate::spec::{CursorSpec, IncrementalValue, Lag, Placeholder, Template};

pub(crate) fn validate_incremental(document: &IncrementalDocument, problems: &Problems) -> Option<CursorSpec> {
    let place = document.place();
    let refuse = |key: &str, what: &str| problems.add(&format!("{place}/{key}"), what);
    if document.initial_value.is_none() {
        if document.step.is_some() {
            refuse("step", "needs 'initial_value', where the first window starts");
        }
        if document.end_value.is_some() {
            refuse("end_value", "needs 'initial_value': the range is from one to the other");
        }
    }
    if document.step.is_some_and(|step| step.is_zero()) {
        refuse("step", "must be longer than nothing");
    }
    if document.step.is_some() || document.format.is_some() {
        for (key, value) in [("initial_value", &document.initial_value), ("end_value", &document.end_value)] {
            if let Some(Err(error)) = value.as_ref().map(instant) {
                refuse(key, &format!("{error}, which 'step' and 'format' need"));
            }
        }
    }
    if document.lookback.is_some() && document.lag.is_some() {
        refuse("lookback", "is the same thing as 'lag', in windows; give one");
    }
    Some(CursorSpec {
        cursor_path: json_path(document.cursor_path.as_ref()?, &format!("{place}/cursor_path"), problems)?,
        initial_value: document.initial_value.clone(),
        end_value: document.end_value.clone(),
        last_value: document.last_value_func,
        lag: document.lag.map(|amount| Lag { amount, unit: document.lag_unit }),
        row_order: document.row_order,
        on_missing: document.on_cursor_value_missing,
        range_start: document.range_start,
        range_end: document.range_end,
        key: document.primary_key.clone(),
        format: document.format,
        step: document.step,
        lookback: document.lookback,
    })
}

/// Returns the parameters that `incremental` asks for by its older keys.
pub(crate) fn own_params(document: &IncrementalDocument) -> impl Iterator<Item = (String, Template)> {
    let of = |name: &Option<String>, value| {
        name.clone().map(|name| (name, Template::placeholder(Placeholder::Incremental(value))))
    };
    let start = of(&document.start_param, IncrementalValue::StartValue);
    start.into_iter().chain(of(&document.end_param, IncrementalValue::EndValue))
}
