//! What was agreed: the validated pipeline.
//!
//! These types are built by `config::validate`, which holds that their parts agree; the facade sets
//! another destination, and a replay leaves credentials out. They hold no I/O and no defaults that
//! depend on the environment.

mod contract;
mod deletes;
mod resource;

pub(crate) use lakefeed_lake::spec::*;
pub(crate) use lakefeed_model::spec::*;
pub(crate) use lakefeed_source::spec::*;

pub(crate) use contract::{ContractMode, SchemaContract};
pub(crate) use deletes::DeletesSpec;
pub(crate) use resource::{ParentSpec, ProcessingStep, ResourceSpec};

/// A whole pipeline, ready to be planned and run.
#[derive(Debug, Clone)]
pub(crate) struct PipelineSpec {
    /// The pipeline's name; used in logs and reports.
    pub name: String,
    /// How to talk to the API.
    pub client: ClientSpec,
    /// The listings to read, in the order of the file. Names are unique.
    pub resources: Vec<ResourceSpec>,
    /// Where the lake is; `None` when the file does not say (then the command line must).
    pub destination: Option<DestinationSpec>,
    /// The bounds of a run.
    pub limits: Limits,
}
