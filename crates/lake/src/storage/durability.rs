//! Durability on local disk: what it takes for a change to outlive a loss of power. Object stores
//! have nothing to add: there, a put that was answered is durable.
//!
//! A file system keeps two things apart: the content of a file, and the names that lead to it. Each
//! becomes durable only when it is asked for (`fsync(2)`: calling it "does not necessarily ensure
//! that the entry in the directory containing the file has also reached disk").

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;

/// Files that are made durable at the same time: a journalling file system commits them together.
const IN_FLIGHT: usize = 16;

/// Makes changes durable.
#[async_trait]
pub(crate) trait Durability: fmt::Debug + Send + Sync {
    /// Makes the content of these files durable.
    async fn sync_content(&self, paths: &[Path]) -> io::Result<()>;

    /// Makes durable that these names lead to their files, or to none.
    async fn sync_names(&self, paths: &[Path]) -> io::Result<()>;
}

/// The file system of this machine, below a folder.
#[derive(Debug)]
pub(crate) struct LocalDurability {
    folder: PathBuf,
}

impl LocalDurability {
    /// Returns the durability of a folder, which is what the root of the paths means.
    pub(crate) fn below(folder: PathBuf) -> Arc<Self> {
        Arc::new(Self { folder })
    }

    /// Returns the folders from the one that holds `path` up to the one that holds the lake.
    fn folders_of(&self, path: &Path) -> impl Iterator<Item = PathBuf> {
        let top = self.folder.parent().unwrap_or(&self.folder).to_owned();
        let file = self.folder.join(path.as_ref());
        let mut folders: Vec<PathBuf> = file.ancestors().skip(1).map(FilePath::to_owned).collect();
        folders.retain(|folder| folder.starts_with(&top));
        folders.into_iter()
    }
}

#[async_trait]
impl Durability for LocalDurability {
    async fn sync_content(&self, paths: &[Path]) -> io::Result<()> {
        sync_all(paths.iter().map(|path| self.folder.join(path.as_ref())).collect()).await
    }

    async fn sync_names(&self, paths: &[Path]) -> io::Result<()> {
        let folders: BTreeSet<PathBuf> = paths.iter().flat_map(|path| self.folders_of(path)).collect();
        // A folder that is gone with its last file has no names left to lose.
        sync_all(folders.into_iter().filter(|folder| folder.is_dir()).collect()).await
    }
}

async fn sync_all(paths: Vec<PathBuf>) -> io::Result<()> {
    let syncs = paths.into_iter().map(|path| async move {
        let sync = tokio::task::spawn_blocking(move || File::open(path)?.sync_all());
        sync.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    });
    stream::iter(syncs).buffer_unordered(IN_FLIGHT).try_collect().await
}
