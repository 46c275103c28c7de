//! What may become of a table's schema when records bring something new. dlt's `schema_contract`.

use crate::schema::Conflicts;

/// What may become of a table's schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SchemaContract {
    /// Where there is no table yet.
    pub tables: ContractMode,
    /// Where a record has a field that the table does not have.
    pub columns: ContractMode,
    /// Where a value does not fit its column.
    pub data_type: ContractMode,
    /// What becomes of a column whose values no type holds without loss, when `data_type` evolves.
    pub conflicts: Conflicts,
}

/// How a contract treats something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContractMode {
    /// It becomes part of the schema.
    Evolve,
    /// It fails the run.
    Freeze,
    /// Its record is refused.
    DiscardRow,
    /// It is left out of its record.
    DiscardValue,
}

impl SchemaContract {
    /// Returns what holds where the pipeline says nothing. A schema file is a choice of columns and
    /// types: what it does not name is not wanted, what does not fit it is refused.
    pub(crate) const fn default_of(has_schema_file: bool) -> Self {
        let (columns, data_type) = if has_schema_file {
            (ContractMode::DiscardValue, ContractMode::DiscardRow)
        } else {
            (ContractMode::Evolve, ContractMode::Evolve)
        };
        Self { tables: ContractMode::Evolve, columns, data_type, conflicts: Conflicts::Reject }
    }
}
