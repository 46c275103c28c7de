//! Whether a run's schema fits the table's, and how old rows take the new shape. Pure.
//!
//! Columns may be added and may lose their `not null`; old rows have null in columns that came later. Anything else
//! needs the table to be replaced.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::schema::{Column, RecordSchema};
use crate::spec::PartitionField;

/// What a run brings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Whether none of the table's rows stays.
    pub(super) replaces: bool,
    pub(super) schema: &'a RecordSchema,
    pub(super) primary_key: &'a [String],
    pub(super) partition_by: &'a [PartitionField],
}

/// What the run changes of the table's schema, in words.
///
/// # Errors
/// [`ErrorKind::Schema`](crate::error::ErrorKind) when the table's rows do not fit.
pub(super) fn reconcile(table: &str, snapshot: &Snapshot, wanted: Wanted<'_>) -> Result<Vec<String>> {
    let Some(stored) = &snapshot.schema else {
        let columns = wanted.schema.columns().iter().map(describe).collect::<Vec<_>>();
        return Ok(vec![format!("created with {}", columns.join(", "))]);
    };
    let (changes, problems) = compare(stored, wanted.schema);
    let mut problems = problems;
    if snapshot.primary_key != wanted.primary_key {
        problems.push(format!(
            "the table's primary key is {}, the run's is {}",
            list(&snapshot.primary_key),
            list(wanted.primary_key)
        ));
    }
    if snapshot.partition_by != wanted.partition_by {
        problems.push(format!(
            "the table is partitioned by {}, the run by {}",
            fields(&snapshot.partition_by),
            fields(wanted.partition_by)
        ));
    }
    let anything_goes = wanted.replaces || snapshot.files.is_empty();
    if anything_goes {
        return Ok(changes.into_iter().chain(problems).collect());
    }
    if problems.is_empty() {
        return Ok(changes);
    }
    Err(Error::schema(format!("the run does not fit the table {table}: {}", problems.join("; ")))
        .with_hint("load everything anew with --full-refresh, or write to another table"))
}

fn compare(stored: &RecordSchema, wanted: &RecordSchema) -> (Vec<String>, Vec<String>) {
    let (mut changes, mut problems) = (Vec::new(), Vec::new());
    for column in wanted.columns() {
        match stored.column(&column.name) {
            None if column.nullable => changes.push(format!("added column {}", describe(column))),
            None => problems.push(format!(
                "column {} is new and must not be null, but the table has rows without it",
                describe(column)
            )),
            Some(old) if old.column_type != column.column_type => {
                problems.push(format!("the table has {}, the run {}", describe(old), describe(column)));
            }
            Some(old) if old.nullable && !column.nullable => {
                problems.push(format!("column {} must not be null, but may be so in the table", describe(column)));
            }
            Some(old) if !old.nullable && column.nullable => {
                changes.push(format!("column {} may be null now", describe(column)));
            }
            Some(_) => {}
        }
    }
    for column in stored.columns() {
        if wanted.column(&column.name).is_none() {
            problems.push(format!("the run lacks column {}, which the table has", describe(column)));
        }
    }
    (changes, problems)
}

/// The batch in the shape of `schema`: columns by name, in its order, null where the batch has none.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => Err(ArrowError::SchemaError(format!(
                "column {} is {}, expected {}",
                field.name(),
                column.data_type(),
                field.data_type()
            ))),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn describe(column: &Column) -> String {
    column.to_string()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("({})", names.join(", ")) }
}

fn fields(fields: &[PartitionField]) -> String {
    let fields =
        fields.iter().map(|f| format!("{}={}({})", f.name, f.transform.as_str(), f.column)).collect::<Vec<_>>();
    list(&fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::schema::ColumnType;

    fn column(name: &str, column_type: ColumnType, nullable: bool) -> Column {
        Column { name: name.to_owned(), column_type, nullable }
    }

    fn check(stored: Vec<Column>, wanted: Vec<Column>, replaces: bool) -> Result<Vec<String>> {
        let file = super::super::DataFile { rows: 1, bytes: 1, partition: vec![], key_min: None, key_max: None };
        let snapshot = Snapshot {
            version: 1,
            schema: Some(Arc::new(RecordSchema::new(stored).unwrap())),
            files: [("part-00000.parquet".to_owned(), file)].into(),
            ..Snapshot::default()
        };
        let schema = RecordSchema::new(wanted).unwrap();
        reconcile("t", &snapshot, Wanted { replaces, schema: &schema, primary_key: &[], partition_by: &[] })
    }

    #[test]
    fn columns_may_come_but_not_go_or_change() {
        let id = || column("id", ColumnType::Int64, false);
        let text = || column("text", ColumnType::Utf8, true);
        let append = false;
        assert!(check(vec![id()], vec![id()], append).unwrap().is_empty());
        assert_eq!(check(vec![id()], vec![text(), id()], append).unwrap(), ["added column text: utf8"]);
        let relaxed = check(vec![id()], vec![column("id", ColumnType::Int64, true)], append).unwrap();
        assert_eq!(relaxed, ["column id: int64 may be null now"]);
        let refused = [
            (vec![id(), text()], vec![id()]),
            (vec![id()], vec![column("id", ColumnType::Utf8, false)]),
            (vec![id()], vec![id(), column("new", ColumnType::Utf8, false)]),
            (vec![id(), text()], vec![id(), column("text", ColumnType::Utf8, false)]),
        ];
        for (stored, wanted) in refused {
            let error = check(stored.clone(), wanted.clone(), append).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Schema);
            assert!(error.hints()[0].contains("--full-refresh"));
            assert!(!check(stored, wanted, true).unwrap().is_empty());
        }
    }

    #[test]
    fn another_primary_key_or_partitioning_is_refused_with_both_sides() {
        let columns = vec![column("id", ColumnType::Int64, false)];
        let schema = RecordSchema::new(columns).unwrap();
        let file = super::super::DataFile { rows: 1, bytes: 1, partition: vec![], key_min: None, key_max: None };
        let snapshot = Snapshot {
            schema: Some(Arc::new(schema.clone())),
            primary_key: vec!["id".to_owned()],
            files: [("part-00000.parquet".to_owned(), file)].into(),
            ..Snapshot::default()
        };
        let wanted = Wanted { replaces: false, schema: &schema, primary_key: &[], partition_by: &[] };
        let error = reconcile("t", &snapshot, wanted).unwrap_err();
        assert!(error.to_string().contains("primary key is (id), the run's is none"), "{error}");
    }
}
