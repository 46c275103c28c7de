//! Going on from where a stopped run was: its pages are kept beside the table until a commit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::checkpoint::CursorRun;
use crate::error::Result;
use crate::extract::{Journal, JournalStore};
use crate::lake::{Table, TableResponseCache};
use crate::pipeline::context::ResourceRun;
use crate::spec::{Incremental, RowOrder, WriteDisposition};

/// The staging of a table as the extractor sees it.
#[derive(Debug)]
struct Store {
    table: TableResponseCache,
    age_max: Duration,
}

#[async_trait]
impl JournalStore for Store {
    async fn left(&self) -> Result<Vec<String>> {
        self.table.left(self.age_max).await
    }

    async fn get(&self, segment: &str) -> Result<Bytes> {
        self.table.get(segment).await
    }

    async fn put(&self, number: u32, bytes: Bytes) -> Result<()> {
        self.table.put(number, bytes).await
    }

    async fn forget(&self) -> Result<()> {
        self.table.forget().await
    }
}

/// Returns the journal of a pass; `None` where nothing is kept. With `adopts`, it goes on from what
/// dead runs have kept.
pub(crate) async fn journal(
    run: &ResourceRun<'_>,
    table: &Table,
    cursor: Option<&CursorRun>,
    adopts: bool,
) -> Result<Option<Arc<Journal>>> {
    if run.options.asks_for_everything || run.limits.resume_age_max.is_zero() {
        return Ok(None);
    }
    let store = Store { table: table.response_cache(&run.options.run_id), age_max: run.limits.resume_age_max };
    let adopts = adopts && !run.options.full_refresh && may_be_pieced_together(run, cursor);
    let clock = Arc::clone(&run.components.clock);
    Journal::open(Arc::new(store), clock, adopts).await.map(Some).map(|journal| journal.map(Arc::new))
}

/// Returns whether a listing may be read in two pieces. Records that change in between lie beyond
/// the cursor of the second piece; a merge stops the cursor at the first piece and reads them
/// again, which would append others twice. In ascending order, they come last anyway.
fn may_be_pieced_together(run: &ResourceRun<'_>, cursor: Option<&CursorRun>) -> bool {
    let is_ascending = run
        .resource
        .endpoint
        .incremental
        .as_ref()
        .is_some_and(|Incremental::Cursor(spec)| spec.row_order == Some(RowOrder::Ascending));
    cursor.is_none() || is_ascending || run.resource.write_disposition == WriteDisposition::Merge
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use serde_json::{Value, json};

    use super::*;
    use crate::pipeline::RunOptions;
    use crate::pipeline::testing::{World, lake, options, pipeline, resource};
    use crate::plan::Plan;

    /// Whether a run keeps pages, and whether it may go on in the middle.
    async fn keeps_and_goes_on(more: Value, limits: Value, options: RunOptions) -> (bool, bool) {
        let lake = lake(Arc::new(InMemory::new()));
        let world = World::new(pipeline(&json!([resource("e", more)]), &limits), options, Some(lake.clone()));
        let run = world.run();
        let plan = Plan::of(run.resource, None, None).unwrap();
        let keeps = journal(&run, &lake.table("e"), plan.cursor(), true).await.unwrap().is_some();
        (keeps, may_be_pieced_together(&run, plan.cursor()))
    }

    #[tokio::test]
    async fn a_listing_is_read_in_two_pieces_only_where_no_record_can_fall_between_them() {
        let cursor = |row_order: Value, disposition: &str| {
            let incremental = json!({"cursor_path": "at", "row_order": row_order});
            let merged = if disposition == "merge" { json!("id") } else { Value::Null };
            json!({"write_disposition": disposition, "primary_key": merged, "endpoint": {"incremental": incremental}})
        };
        for (more, goes_on) in [
            (json!({}), true),
            (cursor(Value::Null, "merge"), true),
            (cursor(json!("asc"), "append"), true),
            (cursor(Value::Null, "append"), false),
            (cursor(json!("desc"), "append"), false),
        ] {
            assert_eq!(keeps_and_goes_on(more.clone(), json!({}), options()).await, (true, goes_on), "{more}");
        }
    }

    #[tokio::test]
    async fn pages_are_not_kept_where_nobody_wants_them() {
        let never = json!({"resume_age_max_seconds": 0});
        assert_eq!(keeps_and_goes_on(json!({}), never, options()).await, (false, true));
        let recorded = RunOptions { asks_for_everything: true, ..options() };
        assert_eq!(keeps_and_goes_on(json!({}), json!({}), recorded).await, (false, true));
    }
}
