//! Taking the table of a pass: by which schema, and whether it may come to be.

use std::sync::Arc;

use super::gate::Gate;
use super::inference;
use super::pages::Pages;
use super::resource::{ResourceRun, abort};
use super::shaping::Shapes;
use super::typing::Rules;
use crate::checkpoint::CursorRun;
use crate::error::{Error, Result};
use crate::lake::{Table, TableWriter, WriteSpec};
use crate::spec::ContractMode;

/// A table that is this run's, and what its rows are made of.
pub(super) struct Opened {
    pub(super) rules: Rules,
    pub(super) shapes: Shapes,
    pub(super) writer: TableWriter,
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
        let stored =
            if needs_stored && !self.options.full_refresh { table.snapshot().await?.record_schema() } else { None };
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
        let writer = table.begin(write).await?;
        match shapes.agreed(self.resource, writer.record_schema()) {
            Ok(shapes) => Ok(Some(Opened { rules, shapes, writer })),
            Err(error) => Err(abort(writer, error).await),
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
