//! Tells whether a record that is tried again comes too late: the table may have a newer version of
//! its key.
//!
//! Rows do not say when they came. A key in a file that was written after the reject may have come
//! after it, so the reject must not replace it. A key in an older file only is certain to be older.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::TryStreamExt as _;

use crate::evolve::reconcile::conform;
use crate::fingerprint::{Fingerprint, Fingerprinter, random_seed};
use crate::log::read::{commit_numbers, read_commits};
use crate::log::snapshot::Snapshot;
use crate::parquet::reader::{Part, Source, read};
use crate::storage::objects::Storage;
use lakefeed_model::error::{Error, Result};

/// The files of a table that were written after a commit, and the way to compare keys with theirs.
#[derive(Debug)]
pub struct NewerKeys {
    storage: Storage,
    files: Vec<Source>,
    primary_key: Vec<String>,
    keys: SchemaRef,
    fingerprinter: Fingerprinter,
}

impl NewerKeys {
    pub(crate) async fn since(
        storage: &Storage,
        snapshot: &Snapshot,
        primary_key: &[String],
        schema: &SchemaRef,
        commit: u64,
    ) -> Result<Self> {
        let mut written: BTreeMap<String, u64> = BTreeMap::new();
        let numbers: Vec<u64> = commit_numbers(storage).await?.into_iter().filter(|number| *number > commit).collect();
        let mut commits = read_commits(storage, numbers);
        while let Some(commit) = commits.try_next().await? {
            written.extend(commit.adds.iter().map(|added| (added.path.clone(), added.bytes)));
        }
        let mut files = Vec::new();
        for (path, bytes) in written.into_iter().filter(|(path, _)| snapshot.files.contains_key(path)) {
            files.push(Source { path: storage.resolve(&path)?, bytes });
        }
        let keys: Vec<_> = primary_key.iter().filter_map(|name| schema.field_with_name(name).ok().cloned()).collect();
        let types = keys.iter().map(|field| field.data_type().clone());
        let fingerprinter = Fingerprinter::new(types, random_seed())
            .map_err(|error| Error::config("keys of this schema cannot be compared").with_source(error))?;
        let (storage, primary_key) = (storage.clone(), primary_key.to_vec());
        Ok(Self { storage, files, primary_key, keys: Arc::new(Schema::new(keys)), fingerprinter })
    }

    /// Returns for each row whether the table may have a newer version of its key.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn find(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        let fails = |error: ArrowError| Error::defect("cannot compare the keys of rejects").with_source(error);
        let wanted = self.fingerprints(batch).map_err(fails)?;
        let mut missing: HashSet<Fingerprint> = wanted.iter().copied().collect();
        for file in &self.files {
            if missing.is_empty() {
                break;
            }
            let mut batches = read(&self.storage, file, Part::Columns(&self.primary_key)).await?;
            while let Some(batch) = batches.try_next().await? {
                let found = self.fingerprints(&batch).map_err(fails)?;
                for key in found {
                    missing.remove(&key);
                }
            }
        }
        Ok(wanted.iter().map(|key| !missing.contains(key)).collect())
    }

    fn fingerprints(&self, batch: &RecordBatch) -> Result<Vec<Fingerprint>, ArrowError> {
        let keys = conform(batch, &self.keys)?;
        let columns: Vec<ArrayRef> = keys.columns().to_vec();
        self.fingerprinter.of(&columns)
    }
}
