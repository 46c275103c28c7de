//! Checks that a store honours conditional puts: a create-only put of an object that exists must
//! fail.
//!
//! The whole protocol stands on that one condition. Some S3-compatible stores ignore it and
//! overwrite silently.

use bytes::Bytes;

use crate::storage::objects::{Created, Storage};
use lakefeed_model::error::{Error, Result};

/// Puts the check's object, create-only, until the store says that it is there already. The object
/// stays: another run may be checking, too, and a table that was checked before is checked by one
/// put.
///
/// # Errors
/// When the second put goes through as well.
pub(crate) async fn check_store(storage: &Storage) -> Result<()> {
    let path = storage.layout.probe();
    let content = || Bytes::from_static(b"a create-only put of this object must fail\n");
    for _ in 0..2 {
        if storage.create(&path, content()).await? == Created::Exists {
            return Ok(());
        }
    }
    storage.delete(&path).await?;
    Err(Error::storage(format!(
        "the store of {} ignores conditional writes (If-None-Match); lakefeed refuses to write to it",
        storage.url
    ))
    .with_retryable(false)
    .with_hint(
        "two runs could overwrite each other's commits there; use a store that honours If-None-Match: *, or local disk",
    ))
}
