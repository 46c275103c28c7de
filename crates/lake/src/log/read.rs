//! Reads commits, one by one and in a row.

use futures::stream::BoxStream;
use futures::{StreamExt as _, stream};
use object_store::path::Path;

use crate::log::document::CommitDocument;
use crate::storage::layout::number_of;
use crate::storage::objects::Storage;
use lakefeed_model::error::{Error, Result};

/// Commits that are read at the same time.
const READS_IN_FLIGHT: usize = 32;

/// Returns the numbers of all commits, ascending.
pub(crate) async fn commit_numbers(storage: &Storage) -> Result<Vec<u64>> {
    numbers_in(storage, &storage.layout.commits()).await
}

pub(crate) async fn numbers_in(storage: &Storage, folder: &Path) -> Result<Vec<u64>> {
    let objects = storage.list(folder).await?;
    let mut numbers = objects.iter().filter_map(|object| number_of(&object.location)).collect::<Vec<_>>();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Reads the commits of these numbers, in their order. One that is missing is an error.
pub(crate) fn read_commits(
    storage: &Storage,
    numbers: impl IntoIterator<Item = u64, IntoIter: Send + 'static>,
) -> BoxStream<'_, Result<CommitDocument>> {
    stream::iter(numbers)
        .map(move |number| async move {
            match storage.get_if_present(&storage.layout.commit(number)).await? {
                Some(bytes) => read_commit(storage, &bytes, number),
                None => Err(damaged(storage, number, "it is not there, but later ones are")),
            }
        })
        .buffered(READS_IN_FLIGHT)
        .boxed()
}

/// Reads the commit in these bytes, which are those of commit `number`.
pub(crate) fn read_commit(storage: &Storage, bytes: &[u8], number: u64) -> Result<CommitDocument> {
    CommitDocument::parse(bytes, number).map_err(|error| damaged(storage, number, &error.to_string()))
}

/// Returns whether commit `number` is wholly published.
pub(crate) async fn is_published(storage: &Storage, number: u64) -> Result<bool> {
    Ok(storage.get_if_present(&storage.layout.published_marker(number)).await?.is_some())
}

pub(crate) fn damaged(storage: &Storage, number: u64, problem: &str) -> Error {
    let path = storage.show(&storage.layout.commit(number));
    Error::damaged(format!("cannot read the commit {path}: {problem}"))
        .with_hint("commits are written once and never changed; restore the file, or use the lakefeed that wrote it")
}
