//! Where the answers of a listing come from.

use std::sync::Arc;

use super::resume::response_cache::{Got, Journal};
use crate::client::{ApiRequest, Client};
use lakefeed_model::error::Result;

/// Where answers come from: the API, or what a stopped run has kept.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    pub(super) client: Arc<Client>,
    pub(super) journal: Option<Arc<Journal>>,
}

impl Fetcher {
    pub(super) async fn fetch(&self, resource: &str, request: &ApiRequest) -> Result<Got> {
        match &self.journal {
            Some(journal) => journal.fetch(&self.client, resource, request).await,
            None => self.client.fetch(resource, request).await.map(Got::of),
        }
    }

    pub(super) fn note(&self, got: &Got) {
        if let Some(journal) = &self.journal {
            journal.note(got);
        }
    }

    pub(super) async fn tick(&self) {
        if let Some(journal) = &self.journal {
            journal.tick().await;
        }
    }
}
