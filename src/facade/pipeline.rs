//! A pipeline that was read.

use std::path::Path;
use std::sync::Arc;

use super::agreed::Agreed;
use super::{Reader, Runner};
use crate::config::{self, Format};
use crate::environment::Environment;
use crate::error::Result;
use crate::report::RunReport;
use crate::spec::PipelineSpec;

/// A pipeline file that was read and found to be consistent. Cheap to clone.
///
/// Reading it sends nothing. What is wrong with a file is one [`Error`](crate::Error) that lists
/// every problem.
#[derive(Debug, Clone)]
pub struct Pipeline {
    agreed: Agreed,
}

impl Pipeline {
    /// Reads a pipeline file, `.yaml`, `.json` or `.toml`. Schemas and `${file:…}` are read beside
    /// it; there is no `${env:…}`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the file cannot be read or has
    /// problems.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &Environment::empty())
    }

    /// Reads a pipeline file that may refer to `environment`. Runs take credentials of an S3 store
    /// and proxies from it, too.
    ///
    /// ```no_run
    /// # use lakefeed::{Environment, Pipeline};
    /// let pipeline = Pipeline::load_with("calendar.yaml", &Environment::of_process())?;
    /// # Ok::<(), lakefeed::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(path: impl AsRef<Path>, environment: &Environment) -> Result<Self> {
        let spec = config::load(path.as_ref(), environment)?;
        Ok(Self::new(spec, environment))
    }

    /// Reads the text of a pipeline file. It can name neither variables nor files.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, format: Format) -> Result<Self> {
        Self::parse_with(text, format, &Environment::empty())
    }

    /// Reads the text of a pipeline file that may refer to `environment`: to its variables, and to
    /// the files that it was given.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse_with(text: &str, format: Format, environment: &Environment) -> Result<Self> {
        let spec = config::parse("pipeline", text, format, environment)?;
        Ok(Self::new(spec, environment))
    }

    pub(crate) fn new(spec: PipelineSpec, environment: &Environment) -> Self {
        Self { agreed: Agreed { spec: Arc::new(spec), environment: environment.clone() } }
    }

    /// Returns the pipeline's name.
    pub fn name(&self) -> &str {
        &self.agreed.spec.name
    }

    /// Returns the names of the resources, in the order of the file.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.agreed.spec.resources.iter().map(|resource| resource.name.as_str())
    }

    /// Returns the path or URL of the lake, where the file names one.
    pub fn destination(&self) -> Option<&str> {
        self.agreed.spec.destination.as_ref().map(|destination| destination.url.as_str())
    }

    /// Runs all resources into the lake that the file names. Returns when the run has ended, well
    /// or badly: the report says how.
    pub async fn run(&self) -> RunReport {
        self.runner().run().await
    }

    /// Returns a run to be chosen and begun.
    pub fn runner(&self) -> Runner {
        Runner::new(self.agreed.clone())
    }

    /// Returns a reading of one resource into Arrow batches, without a table, to be chosen and
    /// begun.
    pub fn reader(&self, resource: &str) -> Reader {
        self.runner().reader(resource)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn spec(&self) -> &PipelineSpec {
        &self.agreed.spec
    }
}
