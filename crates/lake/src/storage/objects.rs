//! The objects of one table: the store, with every failure named, and with what local disk needs on
//! top.
//!
//! Nothing here knows the protocol: each operation says what it was doing, and where, when it
//! fails.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};

use crate::storage::durability::Durability;
use crate::storage::failure::{failed, unreadable};
use crate::storage::layout::Layout;
use lakefeed_model::error::{Error, Result};

/// The second name of a staged file, on its way to its final place.
const SECOND_NAME_SUFFIX: &str = ".publishing";
/// Objects that are deleted at the same time.
const DELETIONS_IN_FLIGHT: usize = 8;

/// The objects of one table.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) layout: Layout,
    /// The table's folder as people write it.
    pub(crate) url: String,
    /// The table's folder, when it is on this machine's disk.
    pub(crate) folder: Option<PathBuf>,
    /// What makes changes durable, where a finished write is not durable by itself.
    pub(crate) durability: Option<Arc<dyn Durability>>,
}

/// What became of a create-only put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    /// The object is ours.
    Yes,
    /// There was one already.
    Exists,
}

impl Storage {
    pub(crate) async fn get(&self, path: &Path) -> Result<Bytes> {
        match self.get_if_present(path).await? {
            Some(bytes) => Ok(bytes),
            None => Err(Error::damaged(format!("cannot read {}: there is no such object", self.show(path)))
                .with_hint("the table is damaged, or another program changed it; restore the file")),
        }
    }

    pub(crate) async fn get_if_present(&self, path: &Path) -> Result<Option<Bytes>> {
        let result = match self.store.get(path).await {
            Ok(result) => result.bytes().await,
            Err(error) => Err(error),
        };
        match result {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    /// Returns what [`Self::get`] gives, piece by piece.
    pub(crate) async fn stream(&self, path: &Path) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (storage, path) = (self.clone(), path.clone());
        let found = self.store.get(&path).await.map_err(|error| self.unreadable("read", &path, error))?;
        Ok(found.into_stream().map_err(move |error| storage.unreadable("read", &path, error)).boxed())
    }

    pub(crate) async fn put(&self, path: &Path, bytes: Bytes) -> Result<()> {
        self.store.put(path, bytes.into()).await.map(drop).map_err(|error| self.failed("write", path, error))
    }

    /// Puts an object that must not exist yet, as one single put.
    pub(crate) async fn create(&self, path: &Path, bytes: Bytes) -> Result<Created> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(path, bytes.into(), options).await {
            Ok(_) => Ok(Created::Yes),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(Created::Exists)
            }
            Err(error) => Err(self.failed("create", path, error)),
        }
    }

    /// Writes `bytes` to `staged`, and makes them and the objects that they rely on durable, so
    /// that [`Self::create_prepared`] can follow. Does nothing where a finished write is durable by
    /// itself.
    pub(crate) async fn prepare(&self, staged: &Path, bytes: &Bytes, relies_on: &[Path]) -> Result<()> {
        if self.durability.is_none() {
            return Ok(());
        }
        self.put(staged, bytes.clone()).await?;
        let content = relies_on.iter().chain([staged]).cloned().collect::<Vec<_>>();
        // At the same time: to the disk it is one thing to do.
        tokio::try_join!(self.sync_content(&content), self.sync_names(relies_on)).map(drop)
    }

    /// Creates an object that must not exist yet, and that is prepared. Where durability is asked
    /// for, it gets its name by a copy; elsewhere it is one single put.
    pub(crate) async fn create_prepared(&self, path: &Path, staged: &Path, bytes: Bytes) -> Result<Created> {
        if self.durability.is_none() {
            return self.create(path, bytes).await;
        }
        match self.store.copy_if_not_exists(staged, path).await {
            Ok(()) => Ok(Created::Yes),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
            Err(error) => Err(self.failed("create", path, error)),
        }
    }

    /// Makes the content of these objects durable.
    pub(crate) async fn sync_content(&self, paths: &[Path]) -> Result<()> {
        let Some(durability) = &self.durability else { return Ok(()) };
        durability.sync_content(paths).await.map_err(|error| failed("make files durable below", &self.url, error))
    }

    /// Makes durable that these names lead to their objects, or to none.
    pub(crate) async fn sync_names(&self, paths: &[Path]) -> Result<()> {
        let Some(durability) = &self.durability else { return Ok(()) };
        durability.sync_names(paths).await.map_err(|error| failed("make names durable below", &self.url, error))
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", path, error)),
        }
    }

    /// Copies an object over another, atomically for whoever reads the target. Returns `false` when
    /// the source is not there.
    ///
    /// On local disk the copy is a second name of the same file, made beside the source and moved
    /// over the target. So the folder of the target never has a name that a reader who takes every
    /// file, as pyarrow does, could take for another data file.
    pub(crate) async fn copy(&self, from: &Path, to: &Path) -> Result<bool> {
        let copied = if self.folder.is_some() {
            let beside = Path::from(format!("{from}{SECOND_NAME_SUFFIX}"));
            match self.store.copy(from, &beside).await {
                Ok(()) => self.store.rename(&beside, to).await,
                Err(error) => Err(error),
            }
        } else {
            self.store.copy(from, to).await
        };
        match copied {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed("copy a staged file to", to, error)),
        }
    }

    pub(crate) async fn list(&self, folder: &Path) -> Result<Vec<ObjectMeta>> {
        self.store.list(Some(folder)).try_collect().await.map_err(|error| self.failed("list", folder, error))
    }

    /// Returns whether there is any object in `folder`.
    pub(crate) async fn has_any(&self, folder: &Path) -> Result<bool> {
        let first = self.store.list(Some(folder)).try_next().await;
        first.map(|object| object.is_some()).map_err(|error| self.failed("list", folder, error))
    }

    /// Deletes objects; those that are not there are deleted already.
    pub(crate) async fn delete_each(&self, paths: impl IntoIterator<Item = Path>) -> Result<()> {
        let deletions = paths.into_iter().map(|path| async move { self.delete(&path).await });
        let deletions = deletions.collect::<Vec<_>>();
        stream::iter(deletions).buffer_unordered(DELETIONS_IN_FLIGHT).try_collect().await
    }

    /// Deletes everything below `folder`.
    pub(crate) async fn delete_all(&self, folder: &Path) -> Result<()> {
        let objects = self.list(folder).await?;
        self.delete_each(objects.into_iter().map(|object| object.location)).await?;
        self.remove_local_folder(folder);
        Ok(())
    }

    /// Returns the path as people write it.
    pub(crate) fn show(&self, path: &Path) -> String {
        format!("{}/{}", self.url, self.layout.relative(path))
    }

    /// Returns the place of a data file as any reader takes it: an absolute path on local disk, a
    /// URL elsewhere.
    pub(crate) fn location(&self, relative: &str) -> String {
        match &self.folder {
            Some(folder) => folder.join(relative).display().to_string(),
            None => format!("{}/{relative}", self.url),
        }
    }

    /// Returns the path that a commit names.
    pub(crate) fn resolve(&self, relative: &str) -> Result<Path> {
        self.layout.resolve(relative).map_err(|error| {
            Error::damaged(format!("{}: {relative:?} is not the path of a data file", self.url)).with_source(error)
        })
    }

    /// Names a failed reading of what was committed: the store is away, or the table is damaged.
    pub(crate) fn unreadable(
        &self,
        action: &str,
        path: &Path,
        cause: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Error {
        unreadable(action, &self.show(path), cause)
    }

    /// Names a failed operation.
    pub(crate) fn failed(
        &self,
        action: &str,
        path: &Path,
        cause: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Error {
        failed(action, &self.show(path), cause)
    }

    /// Removes, on local disk, what a killed process left of unfinished puts and copies in the
    /// folder of `path`: files whose names end in `#` and a number, which listings do not show. The
    /// caller holds the table's lock.
    pub(crate) fn sweep_temporaries(&self, folder: &Path) {
        let Some(folder) = self.local_path(folder) else { return };
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let leftover = name
                .to_str()
                .and_then(|name| name.rsplit_once('#'))
                .is_some_and(|(_, suffix)| !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_digit()));
            if leftover {
                drop(std::fs::remove_file(entry.path()));
            }
        }
    }

    /// Returns, on local disk, the names of the folders in `folder`. Listings do not show those
    /// that have no files.
    pub(crate) fn local_subfolders(&self, folder: &Path) -> Vec<String> {
        let entries = self.local_path(folder).and_then(|folder| std::fs::read_dir(folder).ok());
        entries.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    pub(crate) fn remove_local_folder(&self, folder: &Path) {
        if let Some(folder) = self.local_path(folder) {
            drop(std::fs::remove_dir_all(folder));
        }
    }

    fn local_path(&self, path: &Path) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(self.layout.relative(path)))
    }
}

/// Returns the path of a staged object as commits name it.
pub(crate) fn staged_name(storage: &Storage, path: &Path) -> String {
    storage.layout.relative(path).to_owned()
}
