//! One resource, from its first request to its commit, as a straight story.

use std::collections::VecDeque;
use std::sync::Arc;

use super::flow::WriterTask;
use super::{Components, inference};
use crate::checkpoint::Checkpoint;
use crate::client::Client;
use crate::decode::{DecodeOptions, PageDecoder, UnknownFields};
use crate::error::{Error, Result};
use crate::event::{RowCounts, RunEvent};
use crate::extract::{Listing, Page};
use crate::lake::{CommitOutcome, Lake, Table, TableWriter, WriteSpec};
use crate::paginate::PageMeta;
use crate::schema::RecordSchema;
use crate::spec::{Limits, ResourceSpec};

/// One resource and everything that its run needs.
#[derive(Debug)]
pub(super) struct ResourceRun<'a> {
    pub(super) resource: &'a ResourceSpec,
    pub(super) limits: &'a Limits,
    pub(super) full_refresh: bool,
    pub(super) lake: &'a Lake,
    pub(super) client: &'a Arc<Client>,
    pub(super) components: &'a Components,
}

/// Pages that were read ahead, and the listing that goes on behind them.
pub(super) struct Pages {
    pub(super) listing: Listing,
    pub(super) ahead: VecDeque<Page>,
    accepted: u64,
}

/// What was counted on the way from the pages to the writer.
#[derive(Default)]
struct Tally {
    records: u64,
    rejected: u64,
}

impl ResourceRun<'_> {
    /// Reads the listing to its end, then commits. On any failure the table stays as it was.
    pub(super) async fn run(&self) -> Result<()> {
        let table = self.lake.table(&self.resource.table_name);
        self.emit(&RunEvent::ResourceStarted {
            resource: self.name(),
            table: table.url(),
            disposition: self.resource.write_disposition,
        });
        let mut pages = Pages { listing: self.listing(), ahead: VecDeque::new(), accepted: 0 };
        let Some((schema, writer)) = self.open(&table, &mut pages).await? else {
            return self.finish_without_columns(pages).await;
        };
        if let Some(commit) = writer.recovered() {
            self.emit(&RunEvent::Recovered { resource: self.name(), commit });
        }
        let changes = writer.schema_changes().to_vec();
        let task = WriterTask::spawn(writer);
        let extracted = self.extract(pages, &schema, &task).await;
        let (writer, written) = task.finish().await?;
        match written.and(extracted) {
            Ok(tally) => self.commit(writer, &tally, changes).await,
            Err(error) => Err(self.abort(writer, error).await),
        }
    }

    /// The schema and a writer that holds the table. With a schema file the table is taken before the first request, so
    /// that a table that is held or cannot be written costs the API nothing.
    async fn open(&self, table: &Table, pages: &mut Pages) -> Result<Option<(Arc<RecordSchema>, TableWriter)>> {
        let schema = if let Some(schema) = &self.resource.schema {
            Arc::clone(schema)
        } else {
            let stored = if self.full_refresh { None } else { table.snapshot().await?.schema };
            let Some(schema) = inference::sample(self, pages, stored.as_deref()).await? else { return Ok(None) };
            schema
        };
        let write = WriteSpec {
            run_id: self.components.run_id.clone(),
            resource: self.name(),
            disposition: self.resource.write_disposition,
            full_refresh: self.full_refresh,
            primary_key: self.resource.primary_key.clone(),
            partition_by: self.resource.partition_by.clone(),
            schema: Arc::clone(&schema),
            limits: *self.limits,
            clock: Arc::clone(&self.components.clock),
        };
        Ok(Some((schema, table.begin(write).await?)))
    }

    /// Reads, decodes and hands on every page; returns what was counted once the listing is proven complete.
    async fn extract(&self, mut pages: Pages, schema: &RecordSchema, task: &WriterTask) -> Result<Tally> {
        let options = DecodeOptions {
            depth_max: self.limits.nesting_depth_max,
            unknown_fields: match self.resource.schema {
                // A schema file is a choice of columns: what it does not name is not wanted.
                Some(_) => UnknownFields::Ignore,
                // An inferred schema claims to know everything: what it does not know must not get lost unseen.
                None => UnknownFields::Reject,
            },
        };
        let selector = self.resource.endpoint.data_selector.clone();
        let mut decoder = PageDecoder::new(schema, selector, pages.listing.lookups(), options);
        let mut tally = Tally::default();
        while let Some(page) = self.next_page(&mut pages).await? {
            let decoded = decoder
                .decode(page.number, &page.body)
                .map_err(|error| error.into_error(&page.place, page.content_type.as_deref()))?;
            let rejected = decoded.rejects.len() as u64;
            tally.records += decoded.meta.records;
            tally.rejected += rejected;
            self.emit(&RunEvent::PageRead {
                resource: self.name(),
                page: page.number,
                records: decoded.meta.records,
                rejected,
                bytes: page.body.len() as u64,
                total: pages.listing.stated_total(&decoded.meta),
            });
            pages.accept(&page, &decoded.meta)?;
            if !task.reject(decoded.rejects).await {
                return Ok(tally);
            }
            let full = decoder.rows() >= self.limits.batch_rows || decoder.bytes() >= self.limits.batch_bytes;
            if full && !self.hand_on(&mut decoder, task).await? {
                return Ok(tally);
            }
        }
        self.end_listing(pages.listing)?;
        self.hand_on(&mut decoder, task).await?;
        Ok(tally)
    }

    /// Gives the buffered rows to the writer; false when it takes no more, because it failed.
    async fn hand_on(&self, decoder: &mut PageDecoder, task: &WriterTask) -> Result<bool> {
        let batch = decoder.flush().map_err(|error| error.into_error(&self.resource.name, None))?;
        let rows = batch.num_rows() as u64;
        let taken = task.write(batch).await;
        if taken {
            self.emit(&RunEvent::RowsStaged { resource: self.name(), rows });
        }
        Ok(taken)
    }

    /// The next page, or the operator's wish to stop, whichever comes first.
    pub(super) async fn next_page(&self, pages: &mut Pages) -> Result<Option<Page>> {
        if self.components.interrupt.is_raised() {
            return Err(Error::interrupted());
        }
        if let Some(page) = pages.ahead.pop_front() {
            return Ok(Some(page));
        }
        tokio::select! {
            page = pages.listing.next_page() => page,
            () = self.components.interrupt.raised() => Err(Error::interrupted()),
        }
    }

    fn end_listing(&self, listing: Listing) -> Result<()> {
        let outcome = listing.finish()?;
        self.emit(&RunEvent::ListingEnded {
            resource: self.name(),
            stop_reason: outcome.stop_reason.as_str().to_owned(),
            complete: outcome.complete,
        });
        Ok(())
    }

    async fn commit(&self, writer: TableWriter, tally: &Tally, changes: Vec<String>) -> Result<()> {
        if self.components.interrupt.is_raised() {
            return Err(self.abort(writer, Error::interrupted()).await);
        }
        let checkpoint = self.checkpoint();
        let outcome = writer.commit(checkpoint.clone()).await?;
        if !changes.is_empty() && outcome.commit.is_some() {
            self.emit(&RunEvent::SchemaChanged { resource: self.name(), changes });
        }
        self.emit_outcome(outcome, tally, checkpoint);
        Ok(())
    }

    fn emit_outcome(&self, outcome: CommitOutcome, tally: &Tally, checkpoint: Checkpoint) {
        let rows = RowCounts { read: tally.records, rejected: tally.rejected, ..outcome.rows };
        let resource = self.name();
        self.emit(&match outcome.commit {
            Some(commit) => RunEvent::Committed { resource, commit, rows, files: outcome.files, checkpoint },
            None => RunEvent::NothingChanged { resource, rows, checkpoint },
        });
    }

    /// A listing without a single column, and a table that has none either: there is nothing to write.
    async fn finish_without_columns(&self, mut pages: Pages) -> Result<()> {
        while self.next_page(&mut pages).await?.is_some() {}
        self.end_listing(pages.listing)?;
        let checkpoint = self.checkpoint();
        self.emit(&RunEvent::NothingChanged { resource: self.name(), rows: RowCounts::default(), checkpoint });
        Ok(())
    }

    /// Gives the table back as it was; the error that led here is what the operator needs to see.
    async fn abort(&self, writer: TableWriter, error: Error) -> Error {
        match writer.abort().await {
            Ok(()) => error,
            Err(second) => {
                error.with_hint(format!("cleaning up failed too ({second}); the next run sweeps what is left"))
            }
        }
    }

    fn listing(&self) -> Listing {
        let clock = Arc::clone(&self.components.clock);
        Listing::new(self.resource, self.limits, Arc::clone(self.client), clock)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::full_listing(&self.resource.name)
    }

    pub(super) fn name(&self) -> String {
        self.resource.name.clone()
    }

    fn emit(&self, event: &RunEvent) {
        self.components.observer.observe(event);
    }
}

impl Pages {
    /// Tells the listing what the page held, unless it was told when the page was read ahead.
    pub(super) fn accept(&mut self, page: &Page, meta: &PageMeta) -> Result<()> {
        if page.number < self.accepted {
            Ok(())
        } else {
            self.listing.accept(meta).inspect(|()| self.accepted = page.number + 1)
        }
    }
}
