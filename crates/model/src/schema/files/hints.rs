//! What a pipeline file says about single columns, on top of a schema file or of what was inferred.

use crate::schema::files::rules::{FieldRule, FieldRules, OnError, RuleStep};
use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError, TimeUnit};

/// What is said about one column; what is not said stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnHint {
    /// The keys that lead to the field in a record.
    pub path: Vec<String>,
    /// Its type.
    pub column_type: Option<ColumnType>,
    /// Whether a record may lack it.
    pub nullable: Option<bool>,
    /// What becomes of a value that does not fit.
    pub on_error: Option<OnError>,
    /// What a number counts; only with a type.
    pub counts: Option<TimeUnit>,
}

impl RecordSchema {
    /// Returns the schema as `hints` want it. A hint of a column that is not there adds it, at the
    /// end, when it says the type.
    ///
    /// # Errors
    /// When a type of a hint is none that Arrow has.
    pub fn with_hints(&self, hints: &[ColumnHint]) -> Result<Self, SchemaError> {
        let mut columns = self.columns().to_vec();
        for hint in hints {
            if let Some(column) = field_at(&mut columns, &hint.path) {
                if let Some(column_type) = &hint.column_type {
                    column.column_type = column_type.clone();
                }
                // A key stays what it is.
                column.nullable &= hint.nullable.unwrap_or(true);
            } else if let (Some(column_type), [name]) = (&hint.column_type, hint.path.as_slice()) {
                let nullable = hint.nullable.unwrap_or(true);
                columns.push(Column { name: name.clone(), column_type: column_type.clone(), nullable });
            }
        }
        self.with_columns(columns)
    }
}

/// Returns the field to which the keys of `path` lead.
fn field_at<'c>(columns: &'c mut [Column], path: &[String]) -> Option<&'c mut Column> {
    let (name, rest) = path.split_first()?;
    let column = columns.iter_mut().find(|column| column.name == *name)?;
    if rest.is_empty() {
        return Some(column);
    }
    match &mut column.column_type {
        ColumnType::Struct(members) => field_at(members, rest),
        _ => None,
    }
}

impl FieldRules {
    /// Returns the rules as `hints` want them.
    #[must_use]
    pub fn with_hints(&self, hints: &[ColumnHint]) -> Self {
        let mut rules = self.clone();
        for hint in hints {
            let place: Vec<RuleStep> = hint.path.iter().cloned().map(RuleStep::Field).collect();
            let mut rule = rules.of(&place);
            if hint.column_type.is_some() {
                // What was said about the parts of another type says nothing about this one.
                rules.forget(&place);
                rule = FieldRule { counts: hint.counts, ..rule };
            }
            rules.set(place, FieldRule { on_error: hint.on_error.unwrap_or(rule.on_error), ..rule });
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(name: &str, column_type: Option<&str>) -> ColumnHint {
        let column_type = column_type.and_then(ColumnType::parse);
        ColumnHint { path: vec![name.to_owned()], column_type, nullable: None, on_error: None, counts: None }
    }

    #[test]
    fn hints_override_columns_add_them_and_leave_keys() {
        let column = |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
        let schema = RecordSchema::new(vec![
            column("id", ColumnType::Utf8, false),
            column("at", ColumnType::Int64, true),
            column("note", ColumnType::Utf8, true),
        ])
        .unwrap();
        let hints = [
            ColumnHint { nullable: Some(true), ..hint("id", Some("int64")) },
            ColumnHint { counts: Some(TimeUnit::Second), ..hint("at", Some("timestamp[us, UTC]")) },
            ColumnHint { nullable: Some(false), on_error: Some(OnError::Fail), ..hint("note", None) },
            hint("price", Some("decimal128(18, 2)")),
            hint("nothing", None),
        ];
        let hinted = schema.with_hints(&hints).unwrap();
        let shown: Vec<String> = hinted.columns().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["id: int64 not null", "at: timestamp[us, UTC]", "note: utf8 not null", "price: decimal128(18, 2)"]
        );
        let rules = FieldRules::default().with_hints(&hints);
        let rule = |name: &str| rules.of(&[RuleStep::Field(name.to_owned())]);
        assert_eq!(rule("at"), FieldRule { counts: Some(TimeUnit::Second), on_error: OnError::Reject });
        assert_eq!(rule("note"), FieldRule { counts: None, on_error: OnError::Fail });
        let again = rules.with_hints(&[hint("at", Some("int64"))]);
        assert_eq!(again.of(&[RuleStep::Field("at".to_owned())]), FieldRule::default());
    }
}
