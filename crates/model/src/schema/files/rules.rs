//! How single fields are read. What is said here is about the API, not about the table, so it is
//! not stored with it.

use std::collections::BTreeMap;

use crate::schema::types::record::TimeUnit;

/// Rules of fields, by their place in the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldRules {
    rules: BTreeMap<Vec<RuleStep>, FieldRule>,
}

/// A step from an object to one of its fields, or from an array or a map to its elements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleStep {
    /// The field of that name.
    Field(String),
    /// Every element.
    Element,
}

/// How one field is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FieldRule {
    /// What becomes of a value that does not fit.
    pub on_error: OnError,
    /// What a number counts, where a date and time (from 1970-01-01T00:00:00Z) or a length of time
    /// is written as one.
    pub counts: Option<TimeUnit>,
}

/// What becomes of a value that does not fit its column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// Its record is refused.
    #[default]
    Reject,
    /// The column has null in its place, and the value is counted.
    Null,
    /// The run fails before anything is committed.
    Fail,
}

impl OnError {
    /// Reads the word of a schema file or of a hint.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "reject" => Some(Self::Reject),
            "null" => Some(Self::Null),
            "fail" => Some(Self::Fail),
            _ => None,
        }
    }
}

impl FieldRules {
    /// Sets the rule of the field at `place`.
    pub fn set(&mut self, place: Vec<RuleStep>, rule: FieldRule) {
        if rule == FieldRule::default() {
            self.rules.remove(&place);
        } else {
            self.rules.insert(place, rule);
        }
    }

    /// Returns the rule of the field at `place`.
    pub fn of(&self, place: &[RuleStep]) -> FieldRule {
        self.rules.get(place).copied().unwrap_or_default()
    }

    /// Forgets the rules of the field at `place` and of everything in it.
    pub fn forget(&mut self, place: &[RuleStep]) {
        self.rules.retain(|known, _| !known.starts_with(place));
    }

    /// Returns whether a field does something else about a value that does not fit than to refuse
    /// its record.
    pub fn has_on_error(&self) -> bool {
        self.rules.values().any(|rule| rule.on_error != OnError::Reject)
    }
}
