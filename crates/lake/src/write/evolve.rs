//! A run whose records turn out to be of a wider shape than it began with.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};

use crate::WriteSpec;
use crate::evolve::reconcile::{conform, reconcile};
use crate::merge::rules::{batch_schema, rows_schema};
use crate::parquet::properties::{cannot_encode, data_file_options, reserved_bytes};
use crate::parquet::reader::Source;
use crate::parquet::sealed_page::PageAlignment;
use crate::staging::area::StagingArea;
use crate::staging::partition::Partitioner;
use crate::write::widen;
use crate::write::writer::{Session, Staging, TableWriter, broken, relaxed, unfit};
use lakefeed_model::error::Result;
use lakefeed_model::schema::RecordSchema;

impl TableWriter {
    /// The shape that batches must have: that of the run, with the types of the table where those are wider.
    pub fn record_schema(&self) -> Arc<RecordSchema> {
        Arc::clone(&self.session.write.schema)
    }

    /// The rows of `batch` in the shape that batches must have, where they are of a narrower one.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn fitted(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        conform(batch, &self.staging.batches).map_err(unfit)
    }

    /// Takes note that the groups of these rows, of which the columns of the `merge_key` will do, have come, also those of which there is no other row: what the table
    /// has of them leaves with the commit, as far as it does not come again.
    ///
    /// # Errors
    /// When they have another shape.
    pub fn note_groups(&mut self, groups: &RecordBatch) -> Result<()> {
        let Some(incoming_keys) = &mut self.staging.incoming_keys else { return Ok(()) };
        let groups = conform(groups, &self.staging.seen).map_err(unfit)?;
        incoming_keys.add_groups(&groups).map_err(unfit)
    }

    /// Whether every value fits `schema` that is staged, or in the table and stays there: a whole number is not always a double.
    ///
    /// # Errors
    /// When the values cannot be read; then only [`Self::abort`] is left.
    pub async fn fits(&mut self, schema: &Arc<RecordSchema>) -> Result<bool> {
        if self.staging.broken {
            return Err(broken());
        }
        self.staging.broken = true;
        let Session { storage, snapshot, write, agreed: now, .. } = self.session.as_ref();
        let wanted = WriteSpec { schema: Arc::clone(schema), ..write.clone() };
        let rows = rows_schema(&wanted)?;
        let agreed = reconcile(&storage.url, snapshot, wanted.wanted(&rows))?;
        let (was, shape) = (now.arrow_schema(), agreed.arrow_schema());
        let is_new =
            |field: &&FieldRef| was.field_with_name(field.name()).is_ok_and(|was| was.data_type() != field.data_type());
        let shape = Arc::new(Schema::new(shape.fields().iter().filter(is_new).cloned().collect::<Vec<_>>()));
        let staged = self.staging.rolling.settle().await?;
        let mut sources = staged
            .iter()
            .map(|file| Source { path: storage.layout.staged_file(&write.run_id, file.number), bytes: file.bytes })
            .collect::<Vec<_>>();
        if agreed.rewrites {
            for (path, file) in &snapshot.files {
                sources.push(Source { path: storage.resolve(path)?, bytes: file.bytes });
            }
        }
        let holds = widen::fit(storage, sources, &shape).await?;
        self.staging.broken = false;
        Ok(holds)
    }

    /// From now on batches are of `schema`, which has the columns of the one before, and of the table. Rows that are staged already take the new
    /// shape with the commit.
    ///
    /// # Errors
    /// When the table's rows do not fit, or what is staged cannot be closed; then only [`Self::abort`] is left.
    pub async fn evolve(&mut self, schema: Arc<RecordSchema>) -> Result<()> {
        if self.staging.broken {
            return Err(broken());
        }
        self.staging.broken = true;
        // What grows out of records brings no notes of its own, beside where they come from.
        let mut notes = schema.notes().clone();
        notes.extend(self.session.write.schema.notes().clone());
        let schema = Arc::new(RecordSchema::clone(&schema).with_notes(notes));
        let Session { storage, snapshot, write, strategy, agreed, .. } = self.session.as_mut();
        write.schema = Arc::clone(&schema);
        strategy.table_schema = rows_schema(write)?;
        *agreed = reconcile(&storage.url, snapshot, write.wanted(&strategy.table_schema))?;
        write.schema = agreed.of_the_run(&schema);
        self.staging.evolve(&self.session).await?;
        self.staging.broken = false;
        Ok(())
    }
}

impl Staging {
    async fn evolve(&mut self, session: &Session) -> Result<()> {
        let Session { write, agreed, .. } = session;
        let area = session.area(Arc::clone(&self.area.next_number))?;
        self.narrower.extend(self.rolling.move_to(area.clone()).await?);
        if let Some(incoming_keys) = &mut self.incoming_keys {
            let identity = incoming_keys.identity.reshaped(write, &agreed.schema)?;
            incoming_keys.reshape(identity, area.key_column)?;
        }
        self.partitioner = Partitioner::new(&write.partition_by, &agreed.schema)?;
        self.partitions.clear();
        self.seen = relaxed(&area.schema);
        self.batches = batch_schema(write);
        self.area = area;
        Ok(())
    }
}

impl Session {
    /// Where files of the table's shape are staged, the next one with `next_number`.
    pub(super) fn area(&self, next_number: Arc<AtomicU32>) -> Result<StagingArea> {
        let Self { storage, write, agreed, snapshot, .. } = self;
        let schema = agreed.arrow_schema();
        let options = data_file_options(&agreed.schema, &write.primary_key, &write.limits)
            .map_err(|error| cannot_encode("data files", error))?;
        let key_column = match write.primary_key.as_slice() {
            [only] => schema.index_of(only).ok(),
            _ => None,
        };
        Ok(StagingArea {
            storage: storage.clone(),
            run_id: write.run_id.clone(),
            options,
            alignment: PageAlignment::of_commit(snapshot.version + 1),
            reserved_bytes: reserved_bytes(&schema).map_err(|error| cannot_encode("data files", error))?,
            schema,
            key_column,
            limits: write.limits,
            next_number,
        })
    }
}
