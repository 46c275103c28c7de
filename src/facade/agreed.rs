//! What was agreed, and what it was agreed beside.

use std::sync::Arc;

use crate::environment::Environment;
use crate::spec::PipelineSpec;

/// A pipeline that was read, with the environment that it was read in. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    pub(crate) spec: Arc<PipelineSpec>,
    pub(crate) environment: Environment,
}
