//! Evolves the schema of a run whose records turn out to be of a wider shape than it began with.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};

use crate::WriteSpec;
use crate::evolve::reconcile::{conform, reconcile};
use crate::merge::rules::{batch_schema, rows_schema};
use crate::parquet::reader::Source;
use crate::staging::partition::Partitioner;
use crate::write::session::Session;
use crate::write::staged_rows::{StagedRows, relaxed, unfit};
use crate::write::widen;
use crate::write::writer::TableWriter;
use lakefeed_model::error::Result;
use lakefeed_model::schema::RecordSchema;

impl TableWriter {
    /// Returns the shape that batches must have: that of the run, with the types of the table where
    /// those are wider.
    pub fn record_schema(&self) -> Arc<RecordSchema> {
        Arc::clone(&self.session.write.schema)
    }

    /// Returns the rows of `batch` in the shape that batches must have, where they are of a
    /// narrower one.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn fitted(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        conform(batch, &self.staging.batches).map_err(unfit)
    }

    /// Notes that the groups of these rows have come, also those of which there is no other row;
    /// the columns of the `merge_key` will do. What the table has of the groups leaves with the
    /// commit, as far as it does not come again.
    ///
    /// # Errors
    /// When the rows have another shape.
    pub fn note_groups(&mut self, groups: &RecordBatch) -> Result<()> {
        let Some(incoming_keys) = &mut self.staging.incoming_keys else { return Ok(()) };
        let groups = conform(groups, &self.staging.nullable).map_err(unfit)?;
        incoming_keys.add_groups(&groups).map_err(unfit)
    }

    /// Returns whether every value that is staged, or in the table and stays there, fits `schema`:
    /// an integer is not always exact as a double.
    ///
    /// # Errors
    /// When the values cannot be read; then only [`Self::abort`] is left.
    pub async fn fits(&mut self, schema: &Arc<RecordSchema>) -> Result<bool> {
        self.staging.begin_change()?;
        let Session { held, write, agreed: now, .. } = self.session.as_ref();
        let (storage, snapshot) = (held.storage(), held.snapshot());
        let wanted = WriteSpec { schema: Arc::clone(schema), ..write.clone() };
        let rows = rows_schema(&wanted)?;
        let agreed = reconcile(&storage.url, snapshot, wanted.wanted(&rows))?;
        let (was, shape) = (now.arrow_schema(), agreed.arrow_schema());
        let is_new =
            |field: &&FieldRef| was.field_with_name(field.name()).is_ok_and(|was| was.data_type() != field.data_type());
        let shape = Arc::new(Schema::new(shape.fields().iter().filter(is_new).cloned().collect::<Vec<_>>()));
        let staged = self.staging.rolling.settle().await?;
        let mut sources = staged.iter().map(|file| self.staging.area.source(file)).collect::<Vec<_>>();
        if agreed.rewrites {
            for (path, file) in &snapshot.files {
                sources.push(Source { path: storage.resolve(path)?, bytes: file.bytes });
            }
        }
        let holds = widen::fit(storage, sources, &shape).await?;
        self.staging.end_change();
        Ok(holds)
    }

    /// Sets another schema of the batches to come; it has the columns of the one before, and of the
    /// table. Rows that are staged already take the new shape with the commit.
    ///
    /// # Errors
    /// When the table's rows do not fit, or what is staged cannot be closed; then only
    /// [`Self::abort`] is left.
    pub async fn evolve(&mut self, schema: Arc<RecordSchema>) -> Result<()> {
        self.staging.begin_change()?;
        // What grows out of records brings no notes of its own, beside where they come from.
        let mut notes = schema.notes().clone();
        notes.extend(self.session.write.schema.notes().clone());
        let schema = Arc::new(RecordSchema::clone(&schema).with_notes(notes));
        let Session { held, write, rules, agreed, .. } = self.session.as_mut();
        write.schema = Arc::clone(&schema);
        rules.table_schema = rows_schema(write)?;
        *agreed = reconcile(&held.storage().url, held.snapshot(), write.wanted(&rules.table_schema))?;
        write.schema = agreed.of_the_run(&schema);
        self.staging.evolve(&self.session).await?;
        self.staging.end_change();
        Ok(())
    }
}

impl StagedRows {
    async fn evolve(&mut self, session: &Session) -> Result<()> {
        let Session { write, agreed, .. } = session;
        let area = self.area.reshaped(session.file_shape())?;
        self.narrower.extend(self.rolling.move_to(area.clone()).await?);
        if let Some(incoming_keys) = &mut self.incoming_keys {
            let identity = incoming_keys.identity.reshaped(write, &agreed.schema)?;
            incoming_keys.reshape(identity, area.key_column)?;
        }
        self.partitioner = Partitioner::new(&write.partition_by, &agreed.schema)?;
        self.partitions.clear();
        self.nullable = relaxed(&area.schema);
        self.batches = batch_schema(write);
        self.area = area;
        Ok(())
    }
}
