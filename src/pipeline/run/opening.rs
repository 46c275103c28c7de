//! Opening a pass: where its cursor is, by which schema its table is taken, and whether that may
//! come to be.

use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::CursorRun;
use crate::error::{Error, Result};
use crate::event::{ErrorFacts, RunEvent};
use crate::lake::{Table, WriteSpec};
use crate::pipeline::context::ResourceRun;
use crate::pipeline::read::{Pages, RecordTransform};
use crate::pipeline::shapes::Shapes;
use crate::pipeline::typing::{Rules, sample};
use crate::pipeline::write::{KnownTables, TableSet};
use crate::plan::Plan;
use crate::schema::RecordSchema;
use crate::spec::{ContractMode, Incremental};

/// A table that is this run's, and what its rows are made of.
pub(super) struct Opened {
    pub(super) rules: Rules,
    pub(super) shapes: Shapes,
    pub(super) writers: TableSet,
}

/// Tells that a resource is begun with.
pub(super) fn resource_started(run: &ResourceRun<'_>) {
    let (table, disposition) = (run.table_url(), run.resource.write_disposition);
    run.emit(&RunEvent::ResourceStarted { resource: run.name(), table, disposition });
}

/// Tells that a resource is done with, which took `elapsed`.
pub(super) fn resource_finished(run: &ResourceRun<'_>, elapsed: Duration, error: Option<&Error>) {
    run.emit(&RunEvent::ResourceFinished { resource: run.name(), elapsed, error: error.map(ErrorFacts::from) });
}

/// Plans a resource from where its table's last commit says that it is.
pub(super) async fn plan(run: &ResourceRun<'_>) -> Result<Plan> {
    let checkpoint = match &run.options.start {
        _ if run.starts_anew() || run.resource.endpoint.incremental.is_none() => None,
        Some(start) => start.checkpoints.get(&run.resource.name).cloned(),
        None => match run.lake_of_table() {
            Some(lake) => lake.table(&run.resource.table_name).snapshot().await?.checkpoint,
            None => None,
        },
    };
    Plan::of(run.resource, checkpoint.as_ref(), run.options.backfill.as_ref())
}

/// Plans a resource that stands alone window by window; `None` where it has no step.
pub(super) async fn plan_in_windows(run: &ResourceRun<'_>) -> Result<Option<Plan>> {
    if run.resource.endpoint.incremental.as_ref().is_none_or(|Incremental::Cursor(spec)| spec.step.is_none()) {
        return Ok(None);
    }
    let plan = plan(run).await?.in_windows(run.now())?;
    Ok(plan.is_in_windows().then_some(plan))
}

/// Returns the schema of the records of a pass and of their rows, by what the table has so far;
/// `None` where there is not a single column. Without a schema file, pages are read for it.
pub(super) async fn schemas(
    run: &ResourceRun<'_>,
    pages: &mut Pages<'_>,
    cursor: Option<&CursorRun>,
    stored: Option<&RecordSchema>,
) -> Result<Option<(Rules, Shapes)>> {
    let rules = Rules::new(run.resource, stored.is_none());
    let schema = if let Some(file) = &run.resource.schema {
        rules.file_and_table(file, stored)?
    } else {
        let transform = RecordTransform::new(run.resource, None, cursor.cloned(), None);
        let Some(schema) = sample(run, pages, transform, stored).await? else { return Ok(None) };
        schema
    };
    Ok(Some((rules, Shapes::of(run.resource, schema)?)))
}

/// Takes the table of a pass, by its schema; `None` where its rows go to none. With a schema file
/// the table is taken before the first request, so that a table that is held or cannot be written
/// costs the API nothing.
pub(super) async fn open(
    run: &ResourceRun<'_>,
    table: &Table,
    pages: &mut Pages<'_>,
    cursor: Option<&CursorRun>,
) -> Result<Option<Opened>> {
    let Some(lake) = run.lake_of_table() else { return Ok(None) };
    let contract = run.resource.schema_contract;
    let evolves = contract.columns == ContractMode::Evolve || contract.data_type == ContractMode::Evolve;
    let needs_stored = run.resource.schema.is_none() || evolves || contract.tables != ContractMode::Evolve;
    let needs_stored = needs_stored || run.resource.shape.has_child_tables;
    let stored = if needs_stored { table.snapshot().await?.record_schema() } else { None };
    let known = match &stored {
        Some(own) if run.resource.shape.has_child_tables => KnownTables::of(lake, own).await?,
        _ => KnownTables::default(),
    };
    let stored = stored.filter(|_| !run.options.full_refresh);
    let stored = stored.map(|own| known.whole(run.resource, &own)).transpose()?;
    if !may_be_created(run, table, stored.is_some()).await? {
        return Ok(None);
    }
    let Some((rules, shapes)) = schemas(run, pages, cursor, stored.as_deref()).await? else { return Ok(None) };
    let write = WriteSpec {
        run_id: run.options.run_id.clone(),
        resource: run.name(),
        disposition: run.resource.write_disposition,
        merge: run.resource.merge.clone(),
        full_refresh: run.options.full_refresh,
        primary_key: run.resource.primary_key.clone(),
        partition_by: run.resource.partition_by.clone(),
        schema: Arc::clone(&shapes.table),
        load_metadata: run.resource.load_metadata,
        conflicts: contract.conflicts,
        limits: *run.limits,
        temporary_folder: run.components.temporary_folder.clone(),
    };
    let mut writers = Box::pin(TableSet::begin(run, (lake, table), write, known)).await?;
    match writers.agreed(run, &shapes) {
        Ok(shapes) => Ok(Some(Opened { rules, shapes, writers })),
        Err(error) => Err(writers.abort(error).await),
    }
}

/// Returns whether the table may come to be, if it is not there: by `schema_contract.tables`.
async fn may_be_created(run: &ResourceRun<'_>, table: &Table, is_there: bool) -> Result<bool> {
    let mode = run.resource.schema_contract.tables;
    if mode == ContractMode::Evolve || is_there || table.snapshot().await?.version > 0 {
        return Ok(true);
    }
    if mode == ContractMode::Freeze {
        return Err(Error::schema(format!("resource {}: there is no table at {}", run.resource.name, table.url()))
            .with_hint("schema_contract.tables is freeze; evolve lets the run create it"));
    }
    Ok(false)
}
