//! The tables of the lists of records: which are there, how they are written, and when they are
//! committed.
//!
//! A child table follows that of the records. In a merge it is merged by groups: the items of a
//! record that came are a group, which the run brings as a whole, also where the list is empty.
//! What it cannot tell of records it is spared: a record that comes again in the run takes back
//! what its earlier version had ([`ItemHistory`]). Child tables are committed before the records'
//! own table, for the reason that families have (`family.rs`); one that the records' table does not
//! know of yet is what such a run has left, and is built anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{filter_record_batch, take};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use super::give_up::abort;
use super::lock_wait::lock_wait;
use super::orphans::orphaned_files;
use super::superseded::{ItemHistory, SupersededItems, last_ones, records_of};
use crate::error::{Error, Result};
use crate::lake::{Lake, LockWait, Snapshot, Table, TableWriter, WriteSpec};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::shapes::unusable;
use crate::schema::{ChildTable, Items, Parts, RecordSchema};
use crate::spec::{ContractMode, DeleteEffect, MergeSpec, MergeStrategy, ResourceSpec, WriteDisposition};

/// The child tables that a table knows of, as their last commits left them.
#[derive(Debug, Default)]
pub(crate) struct KnownTables(BTreeMap<String, Snapshot>);

impl KnownTables {
    /// Returns those of the table whose rows have the shape `own`, and theirs.
    pub(crate) async fn of(lake: &Lake, own: &RecordSchema) -> Result<Self> {
        lake.child_tables(own).await.map(Self)
    }

    /// Returns the shape of the rows of the table, together with the lists that went to these.
    pub(crate) fn whole(&self, resource: &ResourceSpec, own: &RecordSchema) -> Result<Arc<RecordSchema>> {
        let find = |name: &str| self.0.get(name)?.record_schema();
        own.nested_with(&find).map(Arc::new).map_err(|error| unusable(resource, &error))
    }
}

/// The child tables of a run.
#[derive(Debug)]
pub(crate) struct ChildTables {
    opener: Opener,
    parts: Parts,
    writers: Vec<ChildWriter>,
    /// Those that the contract does not let come to be.
    left_out: BTreeSet<String>,
}

/// Begins to write child tables, also in the middle of a run.
#[derive(Debug)]
struct Opener {
    lake: Lake,
    patience: Option<LockWait>,
    /// How the records' own table is written.
    write: WriteSpec,
    table: String,
    tables: ContractMode,
    known: KnownTables,
    /// When the records were committed last.
    records_at: Option<DateTime<Utc>>,
}

/// A child table that is being written.
#[derive(Debug)]
pub(crate) struct ChildWriter {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) writer: TableWriter,
    /// What its rows are to be; `None` where no row comes any more.
    stated: Option<Arc<RecordSchema>>,
    /// In a merge.
    history: Option<ItemHistory>,
    /// Items that came.
    pub(crate) items: u64,
}

fn failed(error: ArrowError) -> Error {
    Error::defect("lists do not make rows of their tables").with_source(error)
}

impl ChildTables {
    /// Takes the tables of the lists of `parts`, for a run that writes the records as `write` says.
    pub(crate) async fn begin(
        run: &ResourceRun<'_>,
        lake: &Lake,
        write: WriteSpec,
        parts: Parts,
        (known, records_at): (KnownTables, Option<DateTime<Utc>>),
    ) -> Result<Self, (Vec<ChildWriter>, Error)> {
        let opener = Opener {
            lake: lake.clone(),
            patience: lock_wait(run),
            write,
            table: run.resource.table_name.clone(),
            tables: run.resource.schema_contract.tables,
            known,
            records_at,
        };
        let mut begun = Self { opener, parts, writers: Vec::new(), left_out: BTreeSet::new() };
        match Box::pin(begun.begin_all()).await {
            Ok(()) => Ok(begun),
            Err(error) => Err((begun.writers, error)),
        }
    }

    async fn begin_all(&mut self) -> Result<()> {
        self.begin_new_ones().await?;
        if !self.opener.starts_anew() {
            return Ok(());
        }
        let is_there = |name: &String| self.parts.children.iter().any(|child| child.name == *name);
        let left: Vec<String> = self.opener.known.0.keys().filter(|name| !is_there(name)).cloned().collect();
        for name in left {
            self.writers.extend(self.opener.empty(&name).await?);
        }
        Ok(())
    }

    async fn begin_new_ones(&mut self) -> Result<()> {
        for child in &self.parts.children {
            let is_open = self.writers.iter().any(|writer| writer.name == child.name);
            if is_open || self.left_out.contains(&child.name) {
                continue;
            }
            match Box::pin(self.opener.open(child)).await? {
                Some(writer) => self.writers.push(writer),
                None => drop(self.left_out.insert(child.name.clone())),
            }
        }
        Ok(())
    }

    /// Takes the records to be of the shape `whole`.
    pub(crate) fn take_apart(&mut self, whole: &RecordSchema) -> Result<()> {
        let Opener { table, write, .. } = &self.opener;
        let unusable = |error| Error::schema(format!("resource {}: {error}", write.resource));
        self.parts = Parts::of(table, whole, &write.primary_key).map_err(unusable)?;
        Ok(())
    }

    /// Takes records of the shape `whole` from the next batch on. Returns the shape of the rows of
    /// their own table.
    pub(crate) async fn evolve(&mut self, whole: &RecordSchema) -> Result<Arc<RecordSchema>> {
        self.take_apart(whole)?;
        for writer in self.writers.iter_mut().filter(|writer| writer.stated.is_some()) {
            let child = self.parts.children.iter().find(|child| child.name == writer.name);
            let alike = child.zip(writer.stated.as_ref()).filter(|(child, was)| child.schema.has_items_like(was));
            let Some((child, was)) = alike else { return Err(changed(&writer.name)) };
            let has_same_lists = child.schema.child_tables().eq(was.child_tables());
            if child.schema.columns() != was.columns() || !has_same_lists {
                writer.writer.evolve(Arc::clone(&child.schema)).await?;
                writer.stated = Some(Arc::clone(&child.schema));
            }
        }
        self.begin_new_ones().await?;
        Ok(Arc::clone(&self.parts.own))
    }

    /// Returns the shape of the rows of the records' own table, if those of the others fit records
    /// of the shape `whole`.
    pub(crate) async fn fits(&mut self, whole: &RecordSchema) -> Result<Option<Arc<RecordSchema>>> {
        let Opener { table, write, .. } = &self.opener;
        let unusable = |error| Error::schema(format!("resource {}: {error}", write.resource));
        let parts = Parts::of(table, whole, &write.primary_key).map_err(unusable)?;
        for writer in self.writers.iter_mut().filter(|writer| writer.stated.is_some()) {
            let Some(child) = parts.children.iter().find(|child| child.name == writer.name) else { continue };
            if !writer.writer.fits(&child.schema).await? {
                return Ok(None);
            }
        }
        Ok(Some(parts.own))
    }

    /// Returns what is agreed with the table of the records and with these, as one.
    pub(crate) fn whole(&self, resource: &ResourceSpec, own: &RecordSchema) -> Result<Arc<RecordSchema>> {
        let find = |name: &str| match self.writers.iter().find(|writer| writer.name == name) {
            Some(writer) => writer.stated.as_ref().map(|_| writer.writer.record_schema()),
            None => self.parts.children.iter().find(|child| child.name == name).map(|child| Arc::clone(&child.schema)),
        };
        own.nested_with(&find).map(Arc::new).map_err(|error| unusable(resource, &error))
    }

    /// Returns the rows of the records' own table.
    pub(crate) fn own_rows(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.parts.own_rows(batch).map_err(failed)
    }

    /// Stages the items of a batch of records.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut batch = batch.clone();
        let mut records = Vec::new();
        if let (WriteDisposition::Merge, Some(child)) = (self.opener.write.disposition, self.parts.children.first()) {
            records = child.key_in(&batch).and_then(|keys| records_of(&keys)).map_err(failed)?;
            if let Some(last) = last_ones(&records) {
                batch = filter_record_batch(&batch, &last).map_err(failed)?;
                let mut is_last = last.values().iter();
                records.retain(|_| is_last.next() == Some(true));
            }
        }
        let exploded = self.parts.explode(&batch).map_err(failed)?;
        for (child, items) in self.parts.children.iter().zip(exploded) {
            if let Some(writer) = self.writers.iter_mut().find(|writer| writer.name == child.name) {
                writer.write(child, &batch, &records, items).await?;
            }
        }
        Ok(())
    }

    /// Returns the tables, those of lists within items first.
    pub(crate) fn into_writers(self) -> Vec<ChildWriter> {
        let mut writers = self.writers;
        writers.sort_by_key(|writer| {
            let place = self.parts.children.iter().position(|child| child.name == writer.name);
            std::cmp::Reverse(place)
        });
        writers
    }
}

fn changed(table: &str) -> Error {
    Error::schema(format!("the list of which the table {table} is made holds something else than before")).with_hint(
        "a child table has the fields of objects, or plain values: leave out what does not fit with schema_contract.conflicts: reject, \
         or keep the field as JSON text with x-nested: json in a schema file and --full-refresh",
    )
}

impl Opener {
    fn starts_anew(&self) -> bool {
        self.write.full_refresh || self.write.disposition == WriteDisposition::Replace
    }

    fn table(&self, name: &str) -> Table {
        let table = self.lake.table(name);
        match &self.patience {
            Some(patience) => table.with_lock_wait(patience.clone()),
            None => table,
        }
    }

    /// Takes the table of a list; `None` where it may not come to be.
    async fn open(&self, child: &ChildTable) -> Result<Option<ChildWriter>> {
        let table = self.table(&child.name);
        let known = self.known.0.get(&child.name).filter(|snapshot| snapshot.version > 0);
        if known.is_none() && self.tables != ContractMode::Evolve {
            return match self.tables {
                ContractMode::Freeze => Err(Error::schema(format!("there is no table {} for a list", table.url()))
                    .with_hint("schema_contract.tables is freeze; evolve lets the run create it")),
                _ => Ok(None),
            };
        }
        let stored = known.filter(|_| !self.starts_anew()).and_then(Snapshot::record_schema);
        if stored.is_some_and(|stored| !stored.has_items_like(&child.schema)) {
            return Err(changed(&child.name));
        }
        let merges = self.write.disposition == WriteDisposition::Merge;
        let merge = MergeSpec {
            strategy: MergeStrategy::DeleteInsert,
            merge_key: child.record_key.clone(),
            precedence: None,
            deletes: Some(DeleteEffect::Remove),
        };
        let write = WriteSpec {
            resource: child.name.clone(),
            merge: if merges { merge } else { MergeSpec::default() },
            // A table that the records' table does not know of is what a run has left that never
            // came to its end.
            full_refresh: self.write.full_refresh || known.is_none(),
            primary_key: child.primary_key(),
            partition_by: Vec::new(),
            schema: Arc::clone(&child.schema),
            ..self.write.clone()
        };
        let (name, url) = (child.name.clone(), table.url());
        let goes_on = known.is_some_and(|known| self.may_have_orphans(known));
        let mut writer = Box::pin(table.begin(write)).await?;
        if goes_on {
            match Box::pin(orphaned_files(&table, &self.lake.table(&self.table))).await {
                Ok(files) if merges => drop(files),
                Ok(files) => writer.take_back(files),
                Err(error) => return Err(abort(writer, error).await),
            }
        }
        let history = merges.then(ItemHistory::default);
        Ok(Some(ChildWriter { name, url, writer, stated: Some(Arc::clone(&child.schema)), history, items: 0 }))
    }

    /// Returns whether a run may have committed to a child table and not to that of the records, in
    /// a way that this one would have to know of.
    fn may_have_orphans(&self, child: &Snapshot) -> bool {
        match self.write.disposition {
            _ if self.starts_anew() => false,
            WriteDisposition::Append => true,
            // Only one that built the tables anew; it came after the last commit of the records.
            _ => child.committed_at > self.records_at,
        }
    }

    /// Takes a table of which nothing stays, since the records have no such list any more; `None`
    /// where nothing is in it.
    async fn empty(&self, name: &str) -> Result<Option<ChildWriter>> {
        let Some(snapshot) =
            self.known.0.get(name).filter(|snapshot| !snapshot.files.is_empty() || !snapshot.published)
        else {
            return Ok(None);
        };
        let Some(schema) = &snapshot.schema else { return Ok(None) };
        let table = self.table(name);
        let write = WriteSpec {
            resource: name.to_owned(),
            disposition: WriteDisposition::Replace,
            merge: MergeSpec::default(),
            primary_key: snapshot.primary_key.clone(),
            partition_by: Vec::new(),
            schema: Arc::clone(schema),
            load_metadata: false,
            ..self.write.clone()
        };
        let url = table.url();
        let writer = Box::pin(table.begin(write)).await?;
        Ok(Some(ChildWriter { name: name.to_owned(), url, writer, stated: None, history: None, items: 0 }))
    }
}

impl ChildWriter {
    /// Stages the items of the lists of a batch of `records`.
    async fn write(&mut self, child: &ChildTable, batch: &RecordBatch, records: &[u128], items: Items) -> Result<()> {
        self.items += items.records.len() as u64;
        let Some(history) = &mut self.history else {
            let rows = self.writer.fitted(&items.rows)?;
            return self.writer.write(rows).await;
        };
        let keys = child.key_in(batch).map_err(failed)?;
        self.writer.note_groups(&key_rows(child, keys.clone()).map_err(failed)?)?;
        let gone = history.turn(records, &items);
        let rows = with_deletes(child, items.rows.columns().to_vec(), false).map_err(failed)?;
        self.writer.write(self.writer.fitted(&rows)?).await?;
        if !gone.records.is_empty() {
            let rows = deletes_of(child, &keys, gone).map_err(failed)?;
            self.writer.write(self.writer.fitted(&rows)?).await?;
        }
        Ok(())
    }
}

/// Returns the keys of records as their items have them.
fn key_rows(child: &ChildTable, keys: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let places: Vec<usize> = (0..keys.len()).collect();
    RecordBatch::try_new(Arc::new(child.schema.to_arrow().project(&places)?), keys)
}

/// Returns rows of a child table, all of which delete, or none.
fn with_deletes(child: &ChildTable, mut columns: Vec<ArrayRef>, deletes: bool) -> Result<RecordBatch, ArrowError> {
    let rows = columns.first().map_or(0, |column| column.len());
    columns.push(Arc::new(BooleanArray::from(vec![deletes; rows])));
    RecordBatch::try_new(child.schema.to_arrow_with_deletes(&child.primary_key()), columns)
}

/// Returns rows that delete items.
fn deletes_of(child: &ChildTable, keys: &[ArrayRef], gone: SupersededItems) -> Result<RecordBatch, ArrowError> {
    let records = UInt32Array::from(gone.records);
    let mut columns = keys.iter().map(|key| take(key, &records, None)).collect::<Result<Vec<_>, _>>()?;
    columns.extend(gone.indexes.into_iter().map(|indexes| Arc::new(Int64Array::from(indexes)) as ArrayRef));
    let schema = child.schema.to_arrow();
    let rest = schema.fields().iter().skip(columns.len()).collect::<Vec<_>>();
    columns.extend(rest.into_iter().map(|field| new_null_array(field.data_type(), records.len())));
    with_deletes(child, columns, true)
}
