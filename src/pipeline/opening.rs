//! Taking the table of a pass: by which schema, and whether it may come to be.

use std::sync::Arc;

use super::child_tables::KnownTables;
use super::gate::Gate;
use super::inference;
use super::pages::Pages;
use super::resource::ResourceRun;
use super::shaping::Shapes;
use super::typing::Rules;
use super::writers::Writers;
use crate::checkpoint::CursorRun;
use crate::error::{Error, Result};
use crate::lake::{Table, WriteSpec};
use crate::spec::ContractMode;

/// A table that is this run's, and what its rows are made of.
pub(super) struct Opened {
    pub(super) rules: Rules,
    pub(super) shapes: Shapes,
    pub(super) writers: Writers,
}

impl ResourceRun<'_> {
    /// The schema and a writer that holds the table. With a schema file the table is taken before the first request, so
    /// that a table that is held or cannot be written costs the API nothing.
    pub(super) async fn open(
        &self,
        table: &Table,
        pages: &mut Pages<'_>,
        cursor: Option<&CursorRun>,
    ) -> Result<Option<Opened>> {
        if !self.has_table {
            return Ok(None);
        }
        let contract = self.resource.schema_contract;
        let evolves = contract.columns == ContractMode::Evolve || contract.data_type == ContractMode::Evolve;
        let needs_stored = self.resource.schema.is_none() || evolves || contract.tables != ContractMode::Evolve;
        let needs_stored = needs_stored || self.resource.shape.has_child_tables;
        let stored = if needs_stored { table.snapshot().await?.record_schema() } else { None };
        let known = match &stored {
            Some(own) if self.resource.shape.has_child_tables => KnownTables::of(self.lake, own).await?,
            _ => KnownTables::default(),
        };
        let stored = stored.filter(|_| !self.options.full_refresh);
        let stored = stored.map(|own| known.whole(self.resource, &own)).transpose()?;
        if !self.may_be_created(table, stored.is_some()).await? {
            return Ok(None);
        }
        let rules = Rules::new(self, stored.is_none());
        let schema = if let Some(file) = &self.resource.schema {
            rules.file_and_table(file, stored.as_deref())?
        } else {
            let gate = Gate::new(self.resource, None, cursor.cloned(), None);
            let Some(schema) = inference::sample(self, pages, gate, stored.as_deref()).await? else { return Ok(None) };
            schema
        };
        let shapes = Shapes::of(self.resource, schema)?;
        let write = WriteSpec {
            run_id: self.components.run_id.clone(),
            resource: self.name(),
            disposition: self.resource.write_disposition,
            merge: self.resource.merge.clone(),
            full_refresh: self.options.full_refresh,
            primary_key: self.resource.primary_key.clone(),
            partition_by: self.resource.partition_by.clone(),
            schema: Arc::clone(&shapes.table),
            load_metadata: self.resource.load_metadata,
            conflicts: contract.conflicts,
            limits: *self.limits,
            clock: Arc::clone(&self.components.clock),
        };
        let mut writers = Box::pin(Writers::begin(self, table, write, known)).await?;
        match writers.agreed(self, &shapes) {
            Ok(shapes) => Ok(Some(Opened { rules, shapes, writers })),
            Err(error) => Err(writers.abort(error).await),
        }
    }

    /// Whether the table may come to be, if it is not there: by `schema_contract.tables`.
    async fn may_be_created(&self, table: &Table, is_there: bool) -> Result<bool> {
        let mode = self.resource.schema_contract.tables;
        if mode == ContractMode::Evolve || is_there || table.snapshot().await?.version > 0 {
            return Ok(true);
        }
        if mode == ContractMode::Freeze {
            return Err(Error::schema(format!(
                "resource {}: there is no table at {}",
                self.resource.name,
                table.url()
            ))
            .with_hint("schema_contract.tables is freeze; evolve lets the run create it"));
        }
        Ok(false)
    }
}
