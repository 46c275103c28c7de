//! Compares one data file with its commit: every page is decoded, and every row looked at.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;

use crate::evolve::reconcile::conform_as_written;
use crate::fingerprint::{Fingerprint, Fingerprinter, random_seed};
use crate::log::document::{DataFile, KeyBound};
use crate::log::snapshot::Snapshot;
use crate::maintain::verify::keys::Sieve;
use crate::maintain::verify::{Finding, FindingCode};
use crate::parquet::reader::{Part, Source, read};
use crate::spec::PartitionField;
use crate::staging::area::key_bounds;
use crate::staging::partition::Partitioner;
use crate::storage::layout::folder_of;
use crate::storage::objects::Storage;
use crate::tasks::compute;
use lakefeed_model::error::{Error, Result};
use lakefeed_model::schema::RecordSchema;

/// What every file of the table must be.
#[derive(Debug)]
pub(super) struct Shape {
    record_schema: Arc<RecordSchema>,
    schema: SchemaRef,
    partition_by: Vec<PartitionField>,
    /// The key column's position, when the key is one column.
    key_column: Option<usize>,
    /// The fingerprints of keys; `None` for a table without a primary key.
    pub(super) sieve: Option<Sieve>,
}

/// What a file was found to be.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) path: String,
    pub(super) source: Source,
    pub(super) findings: Vec<Finding>,
    /// The fingerprints of the first share of its keys.
    pub(super) keys: Vec<Fingerprint>,
}

impl Shape {
    pub(super) fn new(record_schema: &Arc<RecordSchema>, snapshot: &Snapshot, shares: u64) -> Result<Self> {
        let schema = record_schema.to_arrow();
        let key = &snapshot.primary_key;
        let fails =
            |error: ArrowError| Error::damaged("the table's primary key does not fit its schema").with_source(error);
        let columns = key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>().map_err(fails)?;
        let sieve = if columns.is_empty() {
            None
        } else {
            let types = columns.iter().map(|column| schema.field(*column).data_type().clone());
            let fingerprinter = Fingerprinter::new(types, random_seed()).map_err(fails)?;
            let history = snapshot.merge.as_ref().and_then(|merge| merge.history.as_ref());
            let valid_to = history.map(|history| history.valid_to.clone());
            Some(Sieve { fingerprinter, names: key.clone(), valid_to, shares })
        };
        let key_column = if let [only] = columns.as_slice() { Some(*only) } else { None };
        let partition_by = snapshot.partition_by.clone();
        Ok(Self { record_schema: Arc::clone(record_schema), schema, partition_by, key_column, sieve })
    }
}

/// Reads a file whole. Only a store that fails is an error.
pub(super) async fn check(
    storage: &Storage,
    shape: &Shape,
    source: Source,
    path: &str,
    file: &DataFile,
) -> Result<Checked> {
    let mut look = Look {
        shape,
        file,
        folder: folder_of(path),
        partitioner: Partitioner::new(&shape.partition_by, &shape.record_schema)?,
        rows: 0,
        bounds: None,
        misfit: None,
        misplaced: 0,
        elsewhere: None,
        keys: Vec::new(),
    };
    let unreadable = match read_all(storage, &source, &mut look).await {
        Ok(()) => None,
        Err(error) => {
            // A store that is away is no damage.
            let head = storage.store.head(&source.path).await;
            head.map_err(|error| storage.failed("read", &source.path, error))?;
            Some(error)
        }
    };
    let keys = std::mem::take(&mut look.keys);
    Ok(Checked { findings: look.findings(path, unreadable.as_ref()), path: path.to_owned(), source, keys })
}

async fn read_all(storage: &Storage, source: &Source, look: &mut Look<'_>) -> Result<()> {
    let mut batches = read(storage, source, Part::Whole).await?;
    while let Some(batch) = batches.try_next().await? {
        compute(|| look.at(&batch));
    }
    Ok(())
}

/// What is known of a file so far.
struct Look<'a> {
    shape: &'a Shape,
    file: &'a DataFile,
    folder: &'a str,
    partitioner: Partitioner,
    rows: u64,
    bounds: Option<(KeyBound, KeyBound)>,
    /// Why the file does not fit the table's schema.
    misfit: Option<String>,
    /// Rows that belong to another partition, and to which one the first of them does.
    misplaced: u64,
    elsewhere: Option<String>,
    keys: Vec<Fingerprint>,
}

impl Look<'_> {
    fn at(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        if self.misfit.is_none()
            && let Err(misfit) = self.inside(batch)
        {
            self.misfit = Some(misfit);
        }
    }

    /// Looks at the values of a batch. An error says why they do not fit the table's schema.
    fn inside(&mut self, batch: &RecordBatch) -> Result<(), String> {
        let shape = self.shape;
        for field in batch.schema_ref().fields() {
            if shape.schema.index_of(field.name()).is_err() {
                return Err(format!("the table has no column {}", field.name()));
            }
        }
        let batch = conform_as_written(batch, &shape.schema).map_err(|error| error.to_string())?;
        if let Some(column) = shape.key_column
            && let Some((min, max)) = key_bounds(&batch, column)
        {
            self.bounds = Some(match self.bounds.take() {
                None => (min, max),
                Some((least, most)) => (least.min(min), most.max(max)),
            });
        }
        if let Some(sieve) = &shape.sieve {
            sieve.take(&batch, 0, &mut self.keys).map_err(|error| error.to_string())?;
        }
        for group in self.partitioner.split(&batch).map_err(|error| error.to_string())? {
            let Some(partition) = self.partitioner.partition(group.partition) else { continue };
            if partition.path != self.folder || partition.values != self.file.partition {
                self.misplaced += group.rows.as_ref().map_or(batch.num_rows(), arrow::array::Array::len) as u64;
                self.elsewhere.get_or_insert_with(|| partition.path.clone());
            }
        }
        Ok(())
    }

    fn findings(self, path: &str, unreadable: Option<&Error>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut problem = |code, detail: String| findings.push(Finding::problem(code, path, detail));
        if let Some(error) = unreadable {
            let causes = error.causes().join(": ");
            problem(FindingCode::FileUnreadable, if causes.is_empty() { error.to_string() } else { causes });
            return findings;
        }
        let file = self.file;
        if self.rows != file.rows {
            let detail = format!("it has {} rows, the commit says {}", self.rows, file.rows);
            problem(FindingCode::FileRows, detail);
        }
        if let Some(misfit) = self.misfit {
            problem(FindingCode::FileSchema, misfit);
            return findings;
        }
        if let (Some(min), Some(max)) = (&file.key_min, &file.key_max)
            && self.bounds.as_ref().is_none_or(|(least, most)| (least, most) != (min, max))
        {
            let found = self.bounds.map_or("it has none".to_owned(), |(least, most)| range(&least, &most));
            problem(FindingCode::KeyRange, format!("keys: {found}, the commit says {}", range(min, max)));
        }
        if self.misplaced > 0 {
            let elsewhere = self.elsewhere.unwrap_or_default();
            let detail = format!("{} of its rows belong elsewhere, the first of them to {elsewhere:?}", self.misplaced);
            problem(FindingCode::WrongPartition, detail);
        }
        findings
    }
}

fn range(min: &KeyBound, max: &KeyBound) -> String {
    let text = |bound: &KeyBound| match bound {
        KeyBound::Int(number) => number.to_string(),
        KeyBound::Text(text) => format!("{text:?}"),
    };
    format!("{} to {}", text(min), text(max))
}
