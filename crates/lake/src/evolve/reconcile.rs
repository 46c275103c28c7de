//! Whether a run's schema fits the table's, and how old rows take the new shape. Pure.
//!
//! | change | what becomes of the data files |
//! | --- | --- |
//! | a new column, a new field of an object | they stay; their rows have null there |
//! | a column that the run lacks | it stays in the table; new rows have null there |
//! | columns in another order, a column that may be null now | they stay |
//! | a wider type, another name (`x-aliases`) | all of them are rewritten in the same commit |
//!
//! Which changes readers can bridge was tried with DuckDB, pyarrow and Polars
//! (`tests/readers/evolution.py`); decision 18 has the outcome. Anything else needs the table to be
//! replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::evolve::convert::convert;
use crate::log::snapshot::Snapshot;
use crate::spec::PartitionField;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::{Column, ColumnType, Conflicts, Note, RecordSchema, is_json, member_path, widen};

/// What a run brings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Whether none of the table's rows stays.
    pub(crate) replaces: bool,
    pub(crate) schema: &'a Arc<RecordSchema>,
    pub(crate) primary_key: &'a [String],
    pub(crate) partition_by: &'a [PartitionField],
    /// What becomes of a column whose values no type holds without loss.
    pub(crate) conflicts: Conflicts,
}

/// The key of a column's former name in the metadata of its field.
const FORMER_NAME_KEY: &str = "lakefeed.was";

/// The schema that the run and the table agree on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agreed {
    pub(crate) schema: Arc<RecordSchema>,
    /// What it changes of the table's, in words.
    pub(crate) changes: Vec<String>,
    /// Whether files of the table must be rewritten, since readers could not read them with the new
    /// ones.
    pub(crate) rewrites: bool,
    /// Columns with another name than in the table's files: what they are called now, and were.
    pub(crate) renames: BTreeMap<String, String>,
}

impl Agreed {
    /// Returns the shape of data files. Where columns are renamed, it says what they were, for
    /// [`conform`].
    pub(crate) fn arrow_schema(&self) -> SchemaRef {
        let schema = self.schema.to_arrow();
        if self.renames.is_empty() {
            return schema;
        }
        let fields = schema.fields().iter().map(|field| match self.renames.get(field.name()) {
            Some(was) => {
                let mut metadata = field.metadata().clone();
                metadata.insert(FORMER_NAME_KEY.to_owned(), was.clone());
                Arc::new(field.as_ref().clone().with_metadata(metadata))
            }
            None => Arc::clone(field),
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Returns the run's own shape, `records`, with the types of the table where those are wider.
    pub(crate) fn of_the_run(&self, records: &RecordSchema) -> Arc<RecordSchema> {
        let own = records.columns().iter().map(|column| self.schema.column(&column.name).unwrap_or(column).clone());
        // Objects may have fields that only the table knows; where they come from is of use, their
        // ids are the table's.
        let mut notes = records.notes().clone();
        for (place, note) in self.schema.notes().iter().filter(|(_, note)| note.source.is_some()) {
            let source = || Note { source: note.source.clone(), child: note.child.clone(), ..Note::default() };
            notes.entry(place.clone()).or_insert_with(source);
        }
        // A part of a schema is one, too.
        RecordSchema::new(own.collect())
            .map_or_else(|_| Arc::clone(&self.schema), |own| Arc::new(own.with_notes(notes)))
    }
}

/// Returns what the run's schema and the table's become together.
///
/// # Errors
/// [`ErrorKind::Schema`](lakefeed_model::error::ErrorKind) when the table's rows do not fit.
pub(crate) fn reconcile(table: &str, snapshot: &Snapshot, wanted: Wanted<'_>) -> Result<Agreed> {
    let run_alone = |changes| Agreed {
        schema: numbered(RecordSchema::clone(wanted.schema), snapshot),
        changes,
        rewrites: false,
        renames: BTreeMap::new(),
    };
    let Some(stored) = &snapshot.schema else {
        let columns = wanted.schema.columns().iter().map(describe).collect::<Vec<_>>();
        return Ok(run_alone(vec![format!("created with {}", columns.join(", "))]));
    };
    let mut comparison = compare(stored, &wanted);
    let problems = &mut comparison.problems;
    if snapshot.primary_key != wanted.primary_key {
        problems.push(format!(
            "the table's primary key is {}, the run's is {}",
            list(&snapshot.primary_key),
            list(wanted.primary_key)
        ));
    }
    problems.extend(stored.moved_fields(wanted.schema));
    if snapshot.partition_by != wanted.partition_by {
        problems.push(format!(
            "the table is partitioned by {}, the run by {}",
            fields(&snapshot.partition_by),
            fields(wanted.partition_by)
        ));
    }
    let Comparison { columns, changes, problems, rewrites, renames } = comparison;
    let anything_goes = wanted.replaces || snapshot.files.is_empty();
    if anything_goes {
        let gone = stored.columns().iter().filter(|column| wanted.schema.column(&column.name).is_none());
        let gone = gone.map(|column| format!("the column {} is gone", describe(column)));
        return Ok(run_alone(changes.into_iter().chain(gone).chain(problems).collect()));
    }
    if !problems.is_empty() {
        return Err(Error::schema(format!("the run does not fit the table {table}: {}", problems.join("; ")))
            .with_hint("load everything anew with --full-refresh, or write to another table")
            .with_hint("schema_contract.conflicts may turn columns into text or JSON"));
    }
    let schema = RecordSchema::new(columns).map_err(|error| {
        Error::schema(format!("the schemas of the run and of the table {table} do not go together")).with_source(error)
    })?;
    let schema = numbered(schema.with_notes(wanted.schema.notes().clone()), snapshot);
    Ok(Agreed { schema, changes, rewrites, renames })
}

#[derive(Debug, Default)]
struct Comparison {
    /// The columns of both: the run's in its order, then those that only the table has.
    columns: Vec<Column>,
    changes: Vec<String>,
    problems: Vec<String>,
    rewrites: bool,
    renames: BTreeMap<String, String>,
}

fn compare(stored: &RecordSchema, wanted: &Wanted<'_>) -> Comparison {
    let mut found = Comparison::default();
    for column in wanted.schema.columns() {
        let former = || former(stored, wanted.schema, column);
        match stored.column(&column.name).or_else(former) {
            None => {
                if column.nullable {
                    found.changes.push(format!("added column {}", describe(column)));
                } else {
                    found.problems.push(format!(
                        "column {} is new and must not be null, but the table has rows without it",
                        describe(column)
                    ));
                }
                found.columns.push(column.clone());
            }
            Some(old) => {
                if old.name != column.name {
                    found.changes.push(format!("column {} is called so now, was {}", column.name, old.name));
                    found.renames.insert(column.name.clone(), old.name.clone());
                    found.rewrites = true;
                }
                found.both(old, column, wanted);
            }
        }
    }
    for column in stored.columns() {
        let is_renamed = found.renames.values().any(|was| *was == column.name);
        if wanted.schema.column(&column.name).is_none() && !is_renamed {
            if !column.nullable {
                found.changes.push(format!("column {} may be null now: the run lacks it", describe(column)));
            }
            found.columns.push(Column { nullable: true, ..column.clone() });
        }
    }
    found
}

/// Returns the table's column that has an alias of the run's, and not its name.
fn former<'s>(stored: &'s RecordSchema, wanted: &RecordSchema, column: &Column) -> Option<&'s Column> {
    let note = wanted.notes().get(&member_path("$", &column.name))?;
    let mut free = note.aliases.iter().filter(|alias| wanted.column(alias).is_none());
    free.find_map(|alias| stored.column(alias))
}

/// Returns the schema with the ids that its fields have in the table, and the version that it is
/// there.
fn numbered(schema: RecordSchema, snapshot: &Snapshot) -> Arc<RecordSchema> {
    let stored = snapshot.schema.as_deref();
    let version = stored.map_or(0, RecordSchema::version);
    let schema = schema.identified(stored).with_version(version);
    let is_same = stored.is_some_and(|stored| *stored == schema && version > 0);
    Arc::new(if is_same { schema } else { schema.with_version(version + 1) })
}

impl Comparison {
    /// Compares a column that both have.
    fn both(&mut self, old: &Column, new: &Column, wanted: &Wanted<'_>) {
        let Some(column_type) = widen(&old.column_type, &new.column_type, wanted.conflicts) else {
            self.problems.push(format!("the table has {}, the run {}", describe(old), describe(new)));
            return;
        };
        let is_placed_by =
            wanted.primary_key.contains(&old.name) || wanted.partition_by.iter().any(|field| field.column == old.name);
        if column_type != old.column_type && is_placed_by {
            self.problems.push(format!(
                "column {} is part of the key or of the partitioning, so it cannot become {}",
                describe(old),
                column_type
            ));
            return;
        }
        if column_type != old.column_type {
            let (was, is) = (&old.column_type, &column_type);
            self.changes.push(format!("column {} is {is} now, was {was}", new.name));
            self.rewrites |= !is_bridged(&old.column_type, &column_type);
        }
        if old.nullable && !new.nullable {
            self.problems.push(format!("column {} must not be null, but may be so in the table", describe(new)));
        }
        if !old.nullable && new.nullable {
            self.changes.push(format!("column {} may be null now", describe(new)));
        }
        self.columns.push(Column { column_type, ..new.clone() });
    }
}

/// Returns whether readers take files with the one type and files with the other as one table:
/// where objects only got new fields.
fn is_bridged(old: &ColumnType, new: &ColumnType) -> bool {
    match (old, new) {
        (ColumnType::Struct(old), ColumnType::Struct(new)) => old.iter().all(|member| {
            let still = new.iter().find(|column| column.name == member.name);
            still.is_some_and(|column| is_bridged(&member.column_type, &column.column_type))
        }),
        (ColumnType::List(old), ColumnType::List(new)) => is_bridged(old, new),
        (old, new) => old == new,
    }
}

/// Returns the batch in the shape of `schema`: columns by name, in its order, each value as the
/// wider type has it, null where the batch has none.
///
/// # Errors
/// When a value would lose something, or a type does not hold the other.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if Arc::ptr_eq(batch.schema_ref(), schema) {
        return Ok(batch.clone());
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| match place_of(batch, field) {
            Some(place) => convert(batch.column(place), batch.schema_ref().field(place), field),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Returns what a column is called, or was, in files.
pub(crate) fn names_of(field: &Field) -> Vec<String> {
    let former = field.metadata().get(FORMER_NAME_KEY).cloned();
    std::iter::once(field.name().clone()).chain(former).collect()
}

/// Returns where the batch has the column, by its name or by the one that it had.
fn place_of(batch: &RecordBatch, field: &Field) -> Option<usize> {
    let schema = batch.schema_ref();
    let by_former_name = || schema.index_of(field.metadata().get(FORMER_NAME_KEY)?).ok();
    schema.index_of(field.name()).ok().or_else(by_former_name)
}

/// Does as [`conform`], for a file that must be of the schema already: types are the same, though
/// objects may have got new fields since.
///
/// # Errors
/// When a type is another one.
pub(crate) fn conform_as_written(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    for field in schema.fields() {
        if let Ok(found) = batch.schema_ref().field_with_name(field.name())
            && !is_as_written(found, field)
        {
            return Err(ArrowError::SchemaError(format!(
                "column {} is {}, expected {}",
                field.name(),
                found.data_type(),
                field.data_type()
            )));
        }
    }
    conform(batch, schema)
}

fn is_as_written(found: &Field, expected: &Field) -> bool {
    match (found.data_type(), expected.data_type()) {
        (DataType::Struct(found), DataType::Struct(expected)) => found
            .iter()
            .all(|member| expected.find(member.name()).is_some_and(|(_, expected)| is_as_written(member, expected))),
        (DataType::List(found), DataType::List(expected)) => is_as_written(found, expected),
        (one, other) => one == other && is_json(found) == is_json(expected),
    }
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
mod tests;
