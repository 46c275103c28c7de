//! What in a record does not fit its schema.

use crate::schema::types::record::Column;

/// A record that its schema does not take.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mismatch {
    /// Its fields that the schema does not take, in the order in which it has them.
    pub fields: Vec<MismatchedField>,
    /// The columns that the record would have by itself.
    pub columns: Vec<Column>,
}

impl Mismatch {
    /// Returns whether the first of its fields may make a schema grow.
    pub(super) fn counts(&self) -> bool {
        self.fields.first().is_some_and(|field| field.kind != MismatchKind::Final)
    }
}

/// A field of a record that its schema does not take.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MismatchedField {
    /// The path of the field, without the indexes of lists: `$.a.b`.
    pub path: String,
    /// What is wrong with it.
    pub kind: MismatchKind,
}

/// What is wrong with a field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MismatchKind {
    /// The schema does not have it.
    New,
    /// A value is not of its type.
    Type,
    /// No other schema mends it, or none that is wanted.
    Final,
}
