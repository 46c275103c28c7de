//! A resource and those that depend on it, staged parents first and committed children first.
//!
//! The order of the commits is what makes a crash harmless: a parent's checkpoint only moves when
//! the rows of all of its children are in their tables. Until then the next run reads the parent's
//! records, and with them the children's, once more.

use std::sync::Arc;
use std::time::Duration;

use super::committing::commit;
use super::opening::{plan, plan_in_windows, resource_finished, resource_started};
use super::pass::{Pass, Staged, stage};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::Lake;
use crate::pipeline::context::{Components, ResourceRun, RunOptions};
use crate::pipeline::read::{ParentRows, SliceSource};
use crate::pipeline::write::wait_for_table;
use crate::plan::Plan;
use crate::spec::{PipelineSpec, ResourceSpec, WriteDisposition};

/// What the families of a run share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) spec: &'a PipelineSpec,
    /// The resources that the operator wants.
    pub(crate) chosen: &'a [&'a ResourceSpec],
    pub(crate) options: &'a RunOptions,
    pub(crate) lake: &'a Lake,
    pub(crate) client: &'a Arc<Client>,
    pub(crate) components: &'a Components,
}

impl<'a> Stage<'a> {
    fn run_of(&self, resource: &'a ResourceSpec) -> ResourceRun<'a> {
        let Self { spec, chosen, options, lake, client, components } = *self;
        let is_chosen = chosen.iter().any(|chosen| chosen.name == resource.name);
        let has_table = is_chosen && resource.selected;
        ResourceRun { resource, has_table, limits: &spec.limits, options, lake: Some(lake), client, components }
    }
}

/// A resource of a run, and its children in the order of the file.
pub(crate) struct Family<'a> {
    run: ResourceRun<'a>,
    children: Vec<Self>,
}

/// A member that was staged.
struct Member<'f, 'a> {
    run: &'f ResourceRun<'a>,
    staged: Staged,
    elapsed: Duration,
}

impl<'a> Family<'a> {
    /// Returns the family of `root`, as far as anybody in it has a table in this run; `None` when
    /// nobody has.
    pub(crate) fn of(root: &'a ResourceSpec, stage: &Stage<'a>) -> Option<Self> {
        let run = stage.run_of(root);
        let is_child =
            |resource: &&ResourceSpec| resource.parent.as_ref().is_some_and(|parent| parent.resource == root.name);
        let children: Vec<Self> =
            stage.spec.resources.iter().filter(is_child).filter_map(|child| Self::of(child, stage)).collect();
        (run.has_table || !children.is_empty()).then_some(Self { run, children })
    }

    /// Reads and commits the whole family.
    pub(crate) async fn run(&self) -> Result<()> {
        if let Err(error) = Box::pin(wait_for_table(&self.run)).await {
            resource_started(&self.run);
            resource_finished(&self.run, Duration::ZERO, Some(&error));
            return Err(error);
        }
        if self.children.is_empty()
            && let Some(plan) = plan_in_windows(&self.run).await?
        {
            return self.run_windows(plan).await;
        }
        let mut members = Vec::new();
        match Box::pin(self.stage(None, &mut members)).await {
            Ok(()) => commit_all(members).await,
            Err(error) => {
                for member in members {
                    let relative = Error::source_failed(format!(
                        "resource {} was read but not committed, since a resource that depends on it failed",
                        member.run.resource.name
                    ));
                    let shown = Box::pin(member.staged.abort(relative)).await.because_of(&error);
                    resource_finished(member.run, member.elapsed, Some(&shown));
                }
                Err(error)
            }
        }
    }

    /// Stages this resource, over the records of its parent if it has one, then its children, each
    /// over the records of this one.
    async fn stage<'f>(&'f self, parents: Option<&mut ParentRows>, members: &mut Vec<Member<'f, 'a>>) -> Result<()> {
        let started = self.run.components.clock.monotonic();
        resource_started(&self.run);
        let specs = self.children.iter().map(|child| child.run.resource);
        let keys = ParentRows::new(&self.run, specs);
        let children = keys.is_wanted().then_some(keys);
        let staged = match slices(&self.run, parents).await {
            Ok(slices) => Box::pin(stage(&self.run, Pass { slices, children })).await,
            Err(error) => Err(error),
        };
        let elapsed = self.run.components.clock.monotonic().saturating_sub(started);
        let mut staged = match staged {
            Ok(staged) => staged,
            Err(error) => {
                resource_finished(&self.run, elapsed, Some(&error));
                return Err(error);
            }
        };
        let mut keys = staged.children.take();
        members.push(Member { run: &self.run, staged, elapsed });
        for child in &self.children {
            let Some(keys) = &mut keys else { break };
            Box::pin(child.stage(Some(keys), members)).await?;
        }
        Ok(())
    }

    /// Reads and commits one window after the other. A table that is replaced is committed once,
    /// with all of them.
    async fn run_windows(&self, plan: Plan) -> Result<()> {
        let run = &self.run;
        let started = run.components.clock.monotonic();
        resource_started(run);
        // A group that comes in two windows of a run comes once: its rows of the first one must not
        // leave with the second. What a killed run has left of an appended list is known by its
        // run, which commits once then.
        let is_one_commit = run.options.full_refresh
            || (run.resource.shape.has_child_tables && run.resource.write_disposition == WriteDisposition::Append)
            || run.resource.write_disposition == WriteDisposition::Replace
            || !run.resource.merge.merge_key.is_empty();
        let mut result = Ok(());
        if is_one_commit {
            result = run_pass(run, SliceSource::all(plan)).await;
        } else {
            for slice in plan.slices() {
                result = run_pass(run, SliceSource::only(plan.clone(), slice)).await;
                if result.is_err() {
                    break;
                }
            }
        }
        resource_finished(run, run.components.clock.monotonic().saturating_sub(started), result.as_ref().err());
        result
    }
}

/// Reads and commits slices of a resource that stands alone.
async fn run_pass(run: &ResourceRun<'_>, slices: SliceSource<'_>) -> Result<()> {
    let staged = Box::pin(stage(run, Pass { slices, children: None })).await?;
    Box::pin(commit(run, staged)).await
}

/// Returns the slices of a resource that is read whole, over the records of its parent if it has
/// one.
pub(super) async fn slices<'p>(run: &ResourceRun<'_>, parents: Option<&'p mut ParentRows>) -> Result<SliceSource<'p>> {
    let plan = plan(run).await?;
    match parents {
        Some(rows) => SliceSource::over(plan, rows),
        None => Ok(SliceSource::all(plan)),
    }
}

/// Commits children before their parents. After a failure nobody above is committed.
async fn commit_all(members: Vec<Member<'_, '_>>) -> Result<()> {
    let mut result: Result<()> = Ok(());
    for Member { run, staged, elapsed } in members.into_iter().rev() {
        let started = run.components.clock.monotonic();
        let committed = match &result {
            Ok(()) => Box::pin(commit(run, staged)).await,
            Err(first) => {
                let relative = Error::storage(format!(
                    "resource {} was read but not committed, since a commit before it failed",
                    run.resource.name
                ));
                Err(Box::pin(staged.abort(relative)).await.because_of(first))
            }
        };
        let elapsed = elapsed + run.components.clock.monotonic().saturating_sub(started);
        resource_finished(run, elapsed, committed.as_ref().err());
        if result.is_ok() {
            result = committed;
        }
    }
    result
}

/// Returns the resource and those that it depends on, the first one first.
pub(super) fn lineage<'s>(spec: &'s PipelineSpec, resource: &'s ResourceSpec) -> Vec<&'s ResourceSpec> {
    let parent_of = |child: &&ResourceSpec| {
        let parent = child.parent.as_ref()?;
        spec.resources.iter().find(|resource| resource.name == parent.resource)
    };
    let mut lineage: Vec<&ResourceSpec> = std::iter::successors(Some(resource), parent_of).collect();
    lineage.reverse();
    lineage
}

/// Returns whether the run should go on with other families after `error`.
pub(crate) fn ends_the_run(error: &Error) -> bool {
    error.kind() == ErrorKind::Interrupted
}
