//! How deep objects and lists stay native. Pure.

use crate::schema::types::record::{Column, ColumnType, RecordSchema};

impl RecordSchema {
    /// Returns the schema with objects and lists of `levels` levels at most: what lies deeper is
    /// JSON text. 0 keeps every object and list as JSON.
    #[must_use]
    pub fn nested_to(self, levels: u32) -> Self {
        let columns = nested_to(self.columns(), levels);
        // No level loses a column, so the columns stay valid.
        self.with_columns(columns).unwrap_or(self)
    }
}

fn nested_to(columns: &[Column], levels: u32) -> Vec<Column> {
    let column = |column: &Column| Column { column_type: to_levels(&column.column_type, levels), ..column.clone() };
    columns.iter().map(column).collect()
}

fn to_levels(column_type: &ColumnType, levels: u32) -> ColumnType {
    match (column_type, levels.checked_sub(1)) {
        (ColumnType::Struct(_) | ColumnType::List(_), None) => ColumnType::Json,
        (ColumnType::Struct(columns), Some(below)) => ColumnType::Struct(nested_to(columns, below)),
        (ColumnType::List(element), Some(below)) => ColumnType::List(Box::new(to_levels(element, below))),
        (scalar, _) => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_deeper_is_json() {
        let column = |name: &str, column_type| Column { name: name.to_owned(), column_type, nullable: true };
        let list = |element| ColumnType::List(Box::new(element));
        let object = |column_type| ColumnType::Struct(vec![column("a", column_type)]);
        let nested = object(list(object(ColumnType::Int64)));
        for (levels, expected) in [
            (0, ColumnType::Json),
            (1, object(ColumnType::Json)),
            (2, object(list(ColumnType::Json))),
            (3, nested.clone()),
            (9, nested.clone()),
        ] {
            let schema = RecordSchema::new(vec![column("x", nested.clone()), column("id", ColumnType::Int64)]).unwrap();
            let expected = [column("x", expected), column("id", ColumnType::Int64)];
            assert_eq!(schema.nested_to(levels).columns(), expected, "{levels}");
        }
    }
}
