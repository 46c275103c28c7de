//! The exact files of a snapshot, for readers that take a list of files instead of globbing.

use futures::TryStreamExt as _;
use serde::Serialize;

use crate::log::load::{load, load_at};
use crate::log::read::read_commits;
use crate::log::snapshot::Snapshot;
use crate::table::Table;
use lakefeed_model::error::{Error, Result};

/// The files of a table as one commit left it.
///
/// Data files keep their names when they are rewritten, so a later commit may have put other
/// content under a name, or removed it. Such files are in [`Self::gone`]: what they held can no
/// longer be read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// The table as that commit left it.
    pub snapshot: Snapshot,
    /// The files that still are what the commit says, sorted by path.
    pub files: Vec<ManifestFile>,
    /// The files that are not any more.
    pub gone: Vec<GoneFile>,
}

/// A data file to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ManifestFile {
    /// Where it is: an absolute path on local disk, a URL elsewhere.
    pub location: String,
    /// Relative to the table's folder.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its partition, level by level: name and value.
    pub partition: Vec<(String, Option<String>)>,
}

/// A data file of an older snapshot that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GoneFile {
    /// Relative to the table's folder.
    pub path: String,
    /// The rows that it had.
    pub rows: u64,
    /// The first later commit that touched it.
    pub commit: u64,
    /// What that commit did.
    pub change: Change,
}

/// What a later commit did to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Other content has its name now.
    Rewritten,
    /// It was removed.
    Removed,
}

impl Table {
    /// Returns the exact files of the last commit, or of `commit`, as far as they are still there.
    ///
    /// Give the locations to a reader that takes a list of files (`read_parquet([…])`,
    /// `pyarrow.dataset.dataset([…])`) and it sees the rows of that commit, whatever else is in the
    /// folder. Data files keep their names when they are rewritten: a list holds until the next
    /// commit, so read it, or pin it by copying, before the next run. When [`Snapshot::published`]
    /// is false, some files of the last commit may not be in place yet.
    ///
    /// ```no_run
    /// # use lakefeed_lake::{Lake, spec::DestinationSpec};
    /// # use lakefeed_model::environment::Environment;
    /// # async fn example() -> lakefeed_model::error::Result<()> {
    /// let lake = Lake::open_existing(&DestinationSpec::at("./lake"), &Environment::empty())?;
    /// let table = lake.table("calendar_events");
    /// let manifest = table.manifest(None).await?;
    /// let locations: Vec<&str> = manifest.files.iter().map(|file| file.location.as_str()).collect();
    /// # drop(locations);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](lakefeed_model::error::ErrorKind) when the table does not have the
    /// commit, `Storage` when the store cannot be read or a commit is damaged.
    pub async fn manifest(&self, commit: Option<u64>) -> Result<Manifest> {
        let newest = load(&self.storage).await?.snapshot;
        let last = newest.version;
        let wanted = commit.unwrap_or(last);
        if wanted == 0 || wanted > last {
            return Err(Error::config(format!("table {} has no commit {wanted}", self.storage.url))
                .with_hint(format!("its commits are 1 to {last}; `lakefeed table history` tells about them")));
        }
        let mut snapshot = if wanted == last { newest } else { load_at(&self.storage, wanted).await? };
        // A commit is published before the next one is made.
        snapshot.published |= wanted < last;
        let mut present = snapshot.files.clone();
        let mut gone = Vec::new();
        let mut later = read_commits(&self.storage, wanted + 1..=last);
        while let Some(commit) = later.try_next().await? {
            let added = commit.adds.iter().map(|added| (&added.path, Change::Rewritten));
            for (path, change) in added.chain(commit.removes.iter().map(|path| (path, Change::Removed))) {
                if let Some(file) = present.remove(path) {
                    gone.push(GoneFile { path: path.clone(), rows: file.rows, commit: commit.commit, change });
                }
            }
        }
        gone.sort_by(|left, right| left.path.cmp(&right.path));
        let files = present.into_iter().map(|(path, file)| ManifestFile {
            location: self.storage.location(&path),
            path,
            rows: file.rows,
            bytes: file.bytes,
            partition: file.partition,
        });
        Ok(Manifest { files: files.collect(), snapshot, gone })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lakefeed_testing::{Counts, WrappedStore};
    use object_store::memory::InMemory;

    use super::*;
    use crate::testing::world::{World, row};
    use lakefeed_model::error::ErrorKind;
    use lakefeed_model::spec::WriteDisposition::Merge;

    #[tokio::test]
    async fn who_asks_changes_nothing() {
        let counts = Arc::new(Counts::default());
        let store = Arc::new(WrappedStore::new(Arc::new(InMemory::new()), Arc::clone(&counts)));
        let world = World::new(store, None);
        world.run("one", Merge, &[vec![row("a", 1, 1), row("b", 2, 1)]]).await;
        world.run("two", Merge, &[vec![row("a", 1, 2)]]).await;
        let table = world.table();
        // A table that a run holds is read, too.
        let writer = table.begin(world.spec("three", Merge)).await.unwrap();
        let (changes, gets) = (counts.changes(), counts.gets());
        assert_eq!(table.history(None).await.unwrap().len(), 2);
        assert_eq!(table.manifest(Some(1)).await.unwrap().snapshot.version, 1);
        let last = table.manifest(None).await.unwrap();
        assert!(!table.first_rows(&last.snapshot, 10).await.unwrap().is_empty());
        assert!(counts.gets() > gets && changes > 0, "nothing is counted");
        assert_eq!(counts.changes(), changes);
        writer.abort().await.unwrap();
    }

    #[tokio::test]
    async fn a_manifest_lists_what_is_there_and_says_what_of_an_older_commit_is_not() {
        let world = World::on_disk();
        world.run("one", Merge, &[vec![row("a", 1, 1), row("b", 2, 1), row("c", 4, 1)]]).await;
        world.run("two", Merge, &[vec![row("a", 1, 2), row("b", 3, 1)]]).await;
        let table = world.table();
        let last = table.manifest(None).await.unwrap();
        assert_eq!((last.snapshot.version, last.files.len(), last.gone.len()), (2, 3, 0));
        assert!(last.snapshot.published);
        for file in &last.files {
            assert_eq!(std::fs::metadata(&file.location).unwrap().len(), file.bytes, "{file:?}");
        }
        let first = table.manifest(Some(1)).await.unwrap();
        let left = first.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>();
        assert_eq!((first.snapshot.rows(), left), (3, vec!["start_day=1970-01-05/part-00000.parquet"]));
        let gone = first.gone.iter().map(|file| (file.path.as_str(), file.commit, file.change)).collect::<Vec<_>>();
        let expected = [
            ("start_day=1970-01-02/part-00000.parquet", 2, Change::Rewritten),
            ("start_day=1970-01-03/part-00000.parquet", 2, Change::Removed),
        ];
        assert_eq!(gone, expected);
    }

    #[tokio::test]
    async fn a_commit_that_the_table_does_not_have_is_refused() {
        let world = World::in_memory();
        world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
        for commit in [0, 2] {
            let error = world.table().manifest(Some(commit)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.hints()[0].contains("1 to 1"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn away_from_local_disk_a_file_is_named_by_its_url() {
        let world = World::in_memory();
        world.run("one", Merge, &[vec![row("a", 1, 1)]]).await;
        let manifest = world.table().manifest(None).await.unwrap();
        assert_eq!(manifest.files[0].location, "lake/events/start_day=1970-01-02/part-00000.parquet");
    }
}
