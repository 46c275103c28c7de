//! The table of a resource, and where its lists are tables those as well, as one thing to write to.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::child_tables::{ChildTables, ChildWriter, KnownTables};
use super::give_up::abort;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::event::{ErrorFacts, RowCounts, RunEvent};
use crate::lake::{CommitOutcome, Lake, Table, TableWriter, WriteSpec};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::shapes::{Shapes, unusable};
use crate::schema::{Parts, RecordSchema};

/// The table of a resource, and those of its lists. All of them are this run's.
#[derive(Debug)]
pub(crate) struct TableSet {
    /// The table of the records.
    pub(crate) own: TableWriter,
    children: Option<Box<ChildTables>>,
}

impl TableSet {
    /// Takes the table of a resource, and those of the lists of its records. `write` speaks of
    /// whole records.
    pub(crate) async fn begin(
        run: &ResourceRun<'_>,
        (lake, table): (&Lake, &Table),
        write: WriteSpec,
        known: KnownTables,
    ) -> Result<Self> {
        if !run.resource.shape.has_child_tables {
            return Ok(Self { own: table.begin(write).await?, children: None });
        }
        let parts = Parts::of(&run.resource.table_name, &write.schema, &write.primary_key);
        let parts = parts.map_err(|error| unusable(run.resource, &error))?;
        let write = WriteSpec { schema: Arc::clone(&parts.own), ..write };
        let own = Box::pin(table.begin(write.clone())).await?;
        let known = (known, own.last_commit_at());
        match Box::pin(ChildTables::begin(run, lake, write, parts, known)).await {
            Ok(children) => Ok(Self { own, children: Some(Box::new(children)) }),
            Err((begun, error)) => {
                let error = error.at(format_args!("resource {}", run.resource.name));
                Err(abort(own, abandon(begun, error).await).await)
            }
        }
    }

    /// Returns the shapes of the run with what is agreed with the tables. Batches are of these from
    /// now on.
    pub(crate) fn agreed(&mut self, run: &ResourceRun<'_>, shapes: &Shapes) -> Result<Shapes> {
        let own = self.own.record_schema();
        let Some(children) = &mut self.children else { return shapes.agreed(run.resource, own) };
        let whole = children.whole(run.resource, &own)?;
        let shapes = shapes.agreed_in_parts(run.resource, &whole)?;
        children.take_apart(&shapes.table)?;
        Ok(shapes)
    }

    /// Stages a batch of records.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let Some(children) = &mut self.children else { return self.own.write(batch).await };
        let rows = self.own.fitted(&children.own_rows(&batch)?)?;
        self.own.write(rows).await?;
        children.write(&batch).await
    }

    /// Takes records of the shape `schema` from the next batch on.
    pub(crate) async fn evolve(&mut self, schema: Arc<RecordSchema>) -> Result<()> {
        let own = match &mut self.children {
            Some(children) => children.evolve(&schema).await?,
            None => schema,
        };
        self.own.evolve(own).await
    }

    /// Returns whether the values of all rows so far, and of the tables', fit records of the shape
    /// `schema`.
    pub(crate) async fn fits(&mut self, schema: &Arc<RecordSchema>) -> Result<bool> {
        match &mut self.children {
            Some(children) => match children.fits(schema).await? {
                Some(own) => self.own.fits(&own).await,
                None => Ok(false),
            },
            None => self.own.fits(schema).await,
        }
    }

    /// Gives every table back as it was, because of `error`, which is what the operator needs to
    /// see.
    pub(crate) async fn abort(self, error: Error) -> Error {
        let Self { own, children } = self;
        let children = children.map(|children| children.into_writers()).unwrap_or_default();
        abort(own, abandon(children, error).await).await
    }
}

/// Gives child tables back as they were.
async fn abandon(children: Vec<ChildWriter>, error: Error) -> Error {
    let mut shown = error;
    for child in children {
        if let Err(second) = child.writer.abort().await {
            shown =
                shown.with_hint(format!("cleaning up {} failed too ({second}); the next run sweeps it", child.name));
        }
    }
    shown
}

/// Commits the tables of the lists; that of the records is left to be committed.
pub(crate) async fn commit_children(run: &ResourceRun<'_>, writers: TableSet) -> Result<TableWriter> {
    let TableSet { own, children } = writers;
    let mut children = children.map(|children| children.into_writers()).unwrap_or_default().into_iter();
    while let Some(child) = children.next() {
        if let Err(error) = Box::pin(commit_child(run, child)).await {
            return Err(abort(own, abandon(children.collect(), error).await).await);
        }
    }
    Ok(own)
}

async fn commit_child(run: &ResourceRun<'_>, child: ChildWriter) -> Result<()> {
    let ChildWriter { name, url, writer, items, .. } = child;
    let started = run.components.clock.monotonic();
    let resource = || name.clone();
    let disposition = run.resource.write_disposition;
    run.emit(&RunEvent::ResourceStarted { resource: resource(), table: url, disposition });
    if let Some(commit) = writer.recovered() {
        run.emit(&RunEvent::Recovered { resource: resource(), commit });
    }
    let changes = writer.schema_changes().to_vec();
    let checkpoint = Checkpoint::full_listing(&name);
    let committed = Box::pin(writer.commit(checkpoint.clone())).await;
    if let Ok(CommitOutcome { commit, rows, files, .. }) = &committed {
        // What is taken back of a record that came again is nobody's delete.
        let rows = RowCounts { read: items, missed: 0, ..*rows };
        if let Some(commit) = *commit {
            if !changes.is_empty() {
                run.emit(&RunEvent::SchemaChanged { resource: resource(), changes });
            }
            run.emit(&RunEvent::Committed { resource: resource(), commit, rows, files: files.clone(), checkpoint });
        } else {
            run.emit(&RunEvent::NothingChanged { resource: resource(), rows, checkpoint });
        }
    }
    run.emit(&RunEvent::ResourceFinished {
        resource: resource(),
        elapsed: run.components.clock.monotonic().saturating_sub(started),
        error: committed.as_ref().err().map(ErrorFacts::from),
    });
    committed.map(drop)
}
