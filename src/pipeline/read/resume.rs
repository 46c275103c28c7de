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

/// The journal of a pass; `None` where nothing is kept. With `adopts`, it goes on from what dead runs have kept.
pub(crate) async fn journal(
    run: &ResourceRun<'_>,
    table: &Table,
    cursor: Option<&CursorRun>,
    adopts: bool,
) -> Result<Option<Arc<Journal>>> {
    // A run that is recorded asks for everything, so that its cassette is whole.
    if run.options.start.is_some() || run.limits.resume_age_max.is_zero() {
        return Ok(None);
    }
    let store = Store { table: table.response_cache(&run.components.run_id), age_max: run.limits.resume_age_max };
    let adopts = adopts && !run.options.full_refresh && may_be_pieced_together(run, cursor);
    let clock = Arc::clone(&run.components.clock);
    Journal::open(Arc::new(store), clock, adopts).await.map(Some).map(|journal| journal.map(Arc::new))
}

/// Whether a listing may be read in two pieces. Records that change in between lie beyond the cursor of the second piece; a merge stops the cursor
/// at the first piece and reads them again, which would append others twice. In ascending order, they come last anyway.
fn may_be_pieced_together(run: &ResourceRun<'_>, cursor: Option<&CursorRun>) -> bool {
    let is_ascending = run
        .resource
        .endpoint
        .incremental
        .as_ref()
        .is_some_and(|Incremental::Cursor(spec)| spec.row_order == Some(RowOrder::Ascending));
    cursor.is_none() || is_ascending || run.resource.write_disposition == WriteDisposition::Merge
}
