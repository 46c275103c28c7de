//! `endpoint.incremental` of a pipeline file: dlt's keys, time windows, and the format that requests want.

use std::time::Duration;

use serde_json::Value;

use super::fields::{Fields, json_path};
use crate::spec::{
    CursorFormat, CursorSpec, CursorValue, IncrementalValue, Lag, LagUnit, LastValue, OnMissing, Placeholder,
    RangeBound, RowOrder, Template,
};

/// `incremental`, and the parameters that it asks for by its older keys.
#[derive(Debug, Clone)]
pub(crate) struct IncrementalDocument {
    pub(crate) spec: CursorSpec,
    /// `start_param` and `end_param`.
    pub(crate) params: Vec<(String, Template)>,
}

impl IncrementalDocument {
    /// Reads the mapping; `None` when it has no usable `cursor_path`, which is a problem already.
    pub(crate) fn read(mut fields: Fields<'_>) -> Option<Self> {
        fields.raw("type");
        let cursor_path = fields.required_text("cursor_path");
        let place = fields.place_of("cursor_path");
        let cursor_path = cursor_path.and_then(|path| json_path(&path, &place, fields.problems));
        let bounds = [("closed", RangeBound::Closed), ("open", RangeBound::Open)];
        let lag_unit = fields.choice(
            "lag_unit",
            &[
                ("seconds", LagUnit::Seconds),
                ("minutes", LagUnit::Minutes),
                ("hours", LagUnit::Hours),
                ("days", LagUnit::Days),
                ("units", LagUnit::Units),
            ],
        );
        let spec = CursorSpec {
            cursor_path: cursor_path.clone().unwrap_or_else(crate::spec::JsonPath::root),
            initial_value: cursor_value(&mut fields, "initial_value"),
            end_value: cursor_value(&mut fields, "end_value"),
            last_value: fields
                .choice("last_value_func", &[("max", LastValue::Max), ("min", LastValue::Min)])
                .unwrap_or(LastValue::Max),
            lag: fields.number("lag").map(|amount| Lag { amount, unit: lag_unit }),
            row_order: fields.choice("row_order", &[("asc", RowOrder::Ascending), ("desc", RowOrder::Descending)]),
            on_missing: fields
                .choice(
                    "on_cursor_value_missing",
                    &[("raise", OnMissing::Raise), ("include", OnMissing::Include), ("exclude", OnMissing::Exclude)],
                )
                .unwrap_or(OnMissing::Raise),
            range_start: fields.choice("range_start", &bounds).unwrap_or(RangeBound::Closed),
            range_end: fields.choice("range_end", &bounds).unwrap_or(RangeBound::Open),
            key: fields.texts("primary_key"),
            format: fields.choice(
                "format",
                &[
                    ("epoch_s", CursorFormat::EpochSeconds),
                    ("epoch_ms", CursorFormat::EpochMilliseconds),
                    ("iso", CursorFormat::Iso),
                    ("date", CursorFormat::Date),
                ],
            ),
            step: duration(&mut fields, "step"),
            lookback: duration(&mut fields, "lookback"),
        };
        let mut params = Vec::new();
        for (key, value) in [("start_param", IncrementalValue::StartValue), ("end_param", IncrementalValue::EndValue)] {
            if let Some(name) = fields.text(key) {
                params.push((name, Template::placeholder(Placeholder::Incremental(value))));
            }
        }
        check(&fields, &spec);
        fields.unsupported(&["convert"]);
        fields.ignored(&["allow_external_schedulers"]);
        fields.finish();
        cursor_path.map(|_| Self { spec, params })
    }
}

fn check(fields: &Fields<'_>, spec: &CursorSpec) {
    let problem = |what: &str| fields.problems.add(&fields.place, what);
    if spec.step.is_some() && spec.initial_value.is_none() {
        problem("'step' needs 'initial_value', where the first window starts");
    }
    if spec.step.is_some_and(|step| step.is_zero()) {
        problem("'step' must be longer than nothing");
    }
    if spec.lookback.is_some() && spec.lag.is_some() {
        problem("'lookback' and 'lag' are the same thing in windows; give one");
    }
    if spec.end_value.is_some() && spec.initial_value.is_none() {
        problem("'end_value' needs 'initial_value': the range is from one to the other");
    }
}

fn cursor_value(fields: &mut Fields<'_>, key: &'static str) -> Option<CursorValue> {
    fields.convert(key, "a text or a number", CursorValue::of_json)
}

/// Seconds, or a number with a unit: `30s`, `15m`, `6h`, `1d`, `2w`.
fn duration(fields: &mut Fields<'_>, key: &'static str) -> Option<Duration> {
    fields.convert(key, "a duration such as 30m, 6h or 1d", |value| match value {
        Value::Number(seconds) => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
        Value::String(text) => parse_duration(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

/// A whole number of seconds, or one with a unit: `90`, `30s`, `15m`, `6h`, `1d`, `2w`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_seconds = match unit.trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in
            [("30", 30), ("30s", 30), ("15m", 900), ("6h", 21_600), ("1d", 86_400), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "1y", "-1d", "1.5h", "99999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
