//! What a resource says about merging: the long form of `write_disposition`, `merge_key`, `deletes`, and the hints of `columns`.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::{Map, Value};

use super::columns::read_hint;
use super::fields::{Fields, kind};
use crate::expression::Expression;
use crate::schema::ColumnHint;
use crate::spec::{MarkKind, SortOrder, StrategyName, WriteDisposition};

/// Hints of dlt's columns that say what is loaded, and that this version does not do.
const HINTS_LATER: &[&str] = &["primary_key", "merge_key"];

/// Hints that change nothing here: they are for stores that lakefeed does not have.
const HINTS_IGNORED: &[&str] = &[
    "description",
    "partition",
    "cluster",
    "sort",
    "unique",
    "foreign_key",
    "root_key",
    "parent_key",
    "row_key",
    "variant",
    "references",
    "incremental",
];

/// Keys of dlt's long form that this version does not do.
const DISPOSITION_LATER: &[&str] = &[
    "source_filter",
    "destination_scope",
    "skip_unchanged_rows",
    "active_record_timestamp",
    "row_version_column_name",
];

/// What a resource says about merging.
#[derive(Debug, Default)]
pub(crate) struct MergeDocument {
    pub(crate) disposition: Option<WriteDisposition>,
    pub(crate) strategy: Option<StrategyName>,
    pub(crate) merge_key: Vec<String>,
    /// The names of the two columns of a history.
    pub(crate) validity_columns: Option<Vec<String>>,
    pub(crate) boundary: Option<DateTime<Utc>>,
    pub(crate) retire_absent: Option<bool>,
    pub(crate) newer_by: Option<String>,
    pub(crate) deletes: Option<DeletesDocument>,
    pub(crate) hints: Vec<HintDocument>,
}

/// `deletes`.
#[derive(Debug)]
pub(crate) struct DeletesDocument {
    pub(crate) when: Option<Expression>,
    /// Whether deleted rows stay, marked.
    pub(crate) is_soft: bool,
    pub(crate) column: Option<String>,
    pub(crate) kind: Option<MarkKind>,
}

/// The hints of one column.
#[derive(Debug)]
pub(crate) struct HintDocument {
    pub(crate) place: String,
    pub(crate) column: String,
    /// The column as it is written in the file.
    pub(crate) written: String,
    pub(crate) dedup_sort: Option<SortOrder>,
    pub(crate) hard_delete: bool,
    /// What they say about its type.
    pub(crate) typed: ColumnHint,
}

impl MergeDocument {
    /// What the hints say about the types of columns.
    pub(crate) fn column_hints(&self) -> Vec<ColumnHint> {
        self.hints.iter().map(|hint| hint.typed.clone()).collect()
    }

    pub(crate) fn read(fields: &mut Fields<'_>) -> Self {
        let mut merge = Self {
            merge_key: fields.texts("merge_key").unwrap_or_default(),
            deletes: fields.object("deletes").map(DeletesDocument::read),
            hints: read_hints(fields),
            ..Self::default()
        };
        let choices = [
            ("append", WriteDisposition::Append),
            ("replace", WriteDisposition::Replace),
            ("merge", WriteDisposition::Merge),
            // dlt's word for a resource that is read for its children only.
            ("skip", WriteDisposition::Append),
        ];
        if !matches!(fields.value("write_disposition"), Some(Value::Object(_))) {
            merge.disposition = fields.choice("write_disposition", &choices);
            return merge;
        }
        let Some(mut long) = fields.object("write_disposition") else { return merge };
        let strategies =
            [StrategyName::Upsert, StrategyName::DeleteInsert, StrategyName::InsertOnly, StrategyName::Scd2]
                .map(|strategy| (strategy.as_str(), strategy));
        merge.disposition = long.choice("disposition", &choices);
        merge.strategy = long.choice("strategy", &strategies);
        merge.validity_columns = long.texts("validity_column_names");
        merge.boundary = long.convert("boundary_timestamp", "a date or an RFC 3339 date-time", instant);
        merge.retire_absent = long.truth("retire_absent");
        merge.newer_by = long.text("newer_by");
        long.unsupported(DISPOSITION_LATER);
        long.ignored(&["deduplicated"]);
        long.finish();
        merge
    }
}

impl DeletesDocument {
    fn read(mut fields: Fields<'_>) -> Self {
        let place = fields.place_of("when");
        let problems = fields.problems;
        let when = fields
            .text("when")
            .and_then(|text| Expression::parse(&text).map_err(|error| problems.add(&place, error.to_string())).ok());
        let deletes = Self {
            when,
            is_soft: fields.choice("mode", &[("hard", false), ("soft", true)]).unwrap_or(false),
            column: fields.text("column"),
            kind: fields.choice("type", &[("timestamp", MarkKind::Time), ("boolean", MarkKind::Truth)]),
        };
        fields.finish();
        deletes
    }
}

/// `columns`: hints by column, or a list of them with their `name`s.
fn read_hints(fields: &mut Fields<'_>) -> Vec<HintDocument> {
    let place = fields.place_of("columns");
    let problems = fields.problems;
    let hints: Vec<HintDocument> = match fields.value("columns") {
        None => Vec::new(),
        Some(Value::Object(columns)) => {
            let of = |(column, hints): (&String, &Value)| {
                Fields::of(format!("{place}/{column}"), hints, problems)
                    .map(|fields| HintDocument::read(fields, column.clone()))
            };
            columns.iter().filter_map(of).collect()
        }
        Some(Value::Array(columns)) => {
            let of = |(position, hints): (usize, &Value)| {
                let mut fields = Fields::of(format!("{place}[{position}]"), hints, problems)?;
                let column = fields.required_text("name")?;
                Some(HintDocument::read(fields, column))
            };
            columns.iter().enumerate().filter_map(of).collect()
        }
        Some(other) => {
            problems.add(&place, format!("expected a mapping of columns or a list, found {}", kind(other)));
            Vec::new()
        }
    };
    let mut seen = HashSet::new();
    for hint in &hints {
        if !seen.insert(&hint.column) {
            problems.add(&place, format!("the column '{}' is there twice", hint.column));
        }
    }
    hints
}

impl HintDocument {
    fn read(mut fields: Fields<'_>, column: String) -> Self {
        let hint = Self {
            place: fields.place.clone(),
            typed: read_hint(&mut fields, &column),
            written: column.clone(),
            column,
            dedup_sort: fields.choice("dedup_sort", &[("desc", SortOrder::Greatest), ("asc", SortOrder::Least)]),
            hard_delete: fields.truth("hard_delete").unwrap_or(false),
        };
        // The name may be said within the hints, too.
        fields.ignored(&["name"]);
        fields.unsupported(HINTS_LATER);
        fields.ignored(HINTS_IGNORED);
        fields.finish();
        hint
    }
}

/// A date-time with an offset, or the beginning of a day in UTC.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    let day = || text.parse::<NaiveDate>().ok().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc()).ok().or_else(day)
}

/// The `columns` of a resource with those of the defaults: column by column, and hint by hint, as in dlt.
pub(crate) fn merge_columns(defaults: &Value, own: Value) -> Value {
    let (Some(defaults), Value::Object(own)) = (defaults.as_object(), &own) else { return own };
    let mut merged: Map<String, Value> = defaults.clone();
    for (column, hints) in own {
        let both = match (merged.get(column).and_then(Value::as_object), hints) {
            (Some(defaults), Value::Object(hints)) => {
                let mut both = defaults.clone();
                both.extend(hints.clone());
                Value::Object(both)
            }
            (_, hints) => hints.clone(),
        };
        merged.insert(column.clone(), both);
    }
    Value::Object(merged)
}
