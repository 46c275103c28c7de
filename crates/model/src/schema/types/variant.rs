//! Columns beside others, for values that do not fit those. Pure.
//!
//! The names are dlt's: `n__v_text` has what came for `n` and is text. A column may have one for
//! each kind of value.

use std::collections::BTreeSet;

use crate::schema::types::record::{Column, ColumnType, RecordSchema, SchemaError};

/// Between the name of a column and the kind of its values.
const INFIX: &str = "__v_";

/// What a value is that does not fit its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VariantKind {
    /// Text.
    Text,
    /// A 64-bit integer.
    Bigint,
    /// Another number that a double is read from.
    Double,
    /// `true`, `false`.
    Bool,
    /// Anything else, kept as its own JSON text.
    Json,
}

impl VariantKind {
    const ALL: [Self; 5] = [Self::Text, Self::Bigint, Self::Double, Self::Bool, Self::Json];

    /// Returns dlt's name of the type.
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Bool => "bool",
            Self::Json => "json",
        }
    }

    const fn column_type(self) -> ColumnType {
        match self {
            Self::Text => ColumnType::Utf8,
            Self::Bigint => ColumnType::Int64,
            Self::Double => ColumnType::Float64,
            Self::Bool => ColumnType::Boolean,
            Self::Json => ColumnType::Json,
        }
    }
}

/// The column for those values of another one that are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// The names of the objects that the columns are in, from the record inwards; of objects in
    /// lists, those of the lists.
    pub within: Vec<String>,
    /// The column whose values they are.
    pub column: String,
    /// What they are.
    pub kind: VariantKind,
}

impl Variant {
    /// Returns the name of the column.
    pub fn name(&self) -> String {
        format!("{}{INFIX}{}", self.column, self.kind.name())
    }
}

/// Returns the name of a variant as that of its column and what follows.
pub(crate) fn split_variant(name: &str) -> Option<(&str, &str)> {
    let (column, kind) = name.rsplit_once(INFIX)?;
    let is_known = VariantKind::ALL.iter().any(|known| known.name() == kind);
    (is_known && !column.is_empty()).then(|| name.split_at(column.len()))
}

impl RecordSchema {
    /// Returns the schema with the columns of `variants` at the end of their objects.
    ///
    /// # Errors
    /// When the schema has no place for them.
    pub fn with_variants(&self, variants: &BTreeSet<Variant>) -> Result<Self, SchemaError> {
        let mut columns = self.columns().to_vec();
        for variant in variants {
            let Some(level) = level_within(&mut columns, &variant.within) else { continue };
            let name = variant.name();
            if level.iter().all(|column| column.name != name) {
                level.push(Column { name, column_type: variant.kind.column_type(), nullable: true });
            }
        }
        self.with_columns(columns)
    }
}

fn level_within<'c>(columns: &'c mut Vec<Column>, within: &[String]) -> Option<&'c mut Vec<Column>> {
    let Some((name, rest)) = within.split_first() else { return Some(columns) };
    let mut column_type = &mut columns.iter_mut().find(|column| column.name == *name)?.column_type;
    while let ColumnType::List(element) = column_type {
        column_type = element;
    }
    match column_type {
        ColumnType::Struct(members) => level_within(members, rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_stands_in_the_object_of_its_column() {
        let column =
            |name: &str, column_type: ColumnType| Column { name: name.to_owned(), column_type, nullable: true };
        let object = |columns: Vec<Column>| ColumnType::Struct(columns);
        let variant = |within: &[&str], column: &str, kind| Variant {
            within: within.iter().map(|name| (*name).to_owned()).collect(),
            column: column.to_owned(),
            kind,
        };
        let list = |element: ColumnType| ColumnType::List(Box::new(element));
        let n = || column("n", ColumnType::Int64);
        let known = vec![n(), column("o", object(vec![n()])), column("l", list(list(object(vec![n()]))))];
        let wanted = BTreeSet::from([
            variant(&[], "n", VariantKind::Text),
            variant(&[], "n", VariantKind::Bool),
            variant(&["o"], "n", VariantKind::Double),
            variant(&["l"], "n", VariantKind::Bigint),
            variant(&["n"], "x", VariantKind::Json),
        ]);
        let expected = vec![
            n(),
            column("o", object(vec![n(), column("n__v_double", ColumnType::Float64)])),
            column("l", list(list(object(vec![n(), column("n__v_bigint", ColumnType::Int64)])))),
            column("n__v_text", ColumnType::Utf8),
            column("n__v_bool", ColumnType::Boolean),
        ];
        let both = RecordSchema::new(known).unwrap().with_variants(&wanted).unwrap();
        assert_eq!(both.columns(), expected);
        assert_eq!(both.with_variants(&wanted).unwrap().columns(), expected);
    }

    #[test]
    fn the_name_of_a_variant_is_told_from_others() {
        for (name, expected) in [
            ("maxSize__v_text", Some(("maxSize", "__v_text"))),
            ("a__v_b__v_json", Some(("a__v_b", "__v_json"))),
            ("a__v_int64", None),
            ("__v_text", None),
            ("a_v_text", None),
        ] {
            assert_eq!(split_variant(name), expected);
        }
    }
}
