//! Pages that are fetched before their turn. What they are is a prediction; only what the paginator
//! then asks for is handed out.

use std::collections::VecDeque;
use std::fmt;

use tokio::task::JoinHandle;

use super::fetcher::Fetcher;
use super::resume::response_cache::Got;
use crate::client::ApiRequest;
use crate::paginate::PageRequest;
use lakefeed_model::error::{Error, Result};

/// Pages that must be left of a listing before it is worth to fetch ahead; a handful is asked for
/// one after the other.
pub(super) const WORTH_IT_PAGES: u64 = 6;

/// Bytes of pages that may wait for their turn, as far as the size of the last page tells.
const BYTES_AHEAD_MAX: usize = 32 * 1024 * 1024;

/// Pages on their way, in the order of the listing.
#[derive(Default)]
pub(super) struct Prefetch {
    flying: VecDeque<Flight>,
}

/// A page on its way; dropping it stops it.
struct Flight {
    page: PageRequest,
    task: JoinHandle<Result<Got>>,
}

impl Prefetch {
    /// Returns pages on their way.
    pub(super) fn len(&self) -> usize {
        self.flying.len()
    }

    /// Returns how many pages may be on their way when one has `page_bytes`.
    pub(super) fn window(concurrency: usize, page_bytes: usize) -> usize {
        concurrency.min(BYTES_AHEAD_MAX / page_bytes.max(1)).max(1)
    }

    pub(super) fn start(&mut self, fetcher: &Fetcher, resource: &str, page: PageRequest, request: ApiRequest) {
        let (fetcher, resource) = (fetcher.clone(), resource.to_owned());
        let task = tokio::spawn(async move { fetcher.fetch(&resource, &request).await });
        self.flying.push_back(Flight { page, task });
    }

    /// Returns the answer for `page`, when it is the next one on its way. Otherwise the prediction
    /// was wrong, and all that is on its way is dropped.
    pub(super) async fn take(&mut self, page: &PageRequest) -> Option<Result<Got>> {
        let mut flight = self.flying.pop_front()?;
        if flight.page != *page {
            self.flying.clear();
            return None;
        }
        Some(
            (&mut flight.task).await.unwrap_or_else(|error| {
                Err(Error::defect("a page that was fetched ahead got lost").with_source(error))
            }),
        )
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Prefetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch").field("flying", &self.flying.len()).finish()
    }
}
