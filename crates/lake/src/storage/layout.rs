//! The paths of a table: every path that lakefeed reads or writes is built here. Pure.
//!
//! | path below `<destination>/<table>/` | what it is | written |
//! |---|---|---|
//! | `<partition>/part-00000.parquet` | a data file; what readers glob; names are fixed per partition and number | by publishing a commit |
//! | `_lakefeed/commits/00000000000000000042.json` | commit 42; exists or does not: the linearisation point | create-only, once |
//! | `_lakefeed/published/00000000000000000042.json` | commit 42 is wholly published | after its last data file |
//! | `_lakefeed/folds/00000000000000000032.json` | the snapshot file of commits 1 to 32; derived, may go at any time | after commit 32 is published |
//! | `_lakefeed/staging/<run>/42-<n>.staged` | a staged data file that is to come with commit 42; never ends in `.parquet` | before the commit |
//! | `_lakefeed/staging/<run>/42-rejects.staged` | staged rejects | before the commit |
//! | `_lakefeed/staging/<run>/42-commit.json` | the commit before it has its name, on local disk | before the commit |
//! | `_lakefeed/staging/<run>/journal-00000.zst` | cached responses of a run, for the next one to go on from | while it reads |
//! | `_lakefeed/rejects/<run>.rejects` | refused records of a run, as Parquet; of its second pass `<run>-2.rejects` | with the commit, or when the run failed |
//! | `_lakefeed/rejects/<run>.after-42.rejects` | the same of a run that found nothing to commit, after commit 42 | without a commit |
//! | `_lakefeed/leases/00000000000000000007.json` | the seventh writer's lease, where there are no file locks | create-only, then renewed |
//! | `_lakefeed/lock` | the file lock of the writer, on local disk | by each writer |
//! | `_lakefeed/probe` | the object of the conditional-put check, where there are no file locks | create-only |

use object_store::path::Path;

/// The folder that holds everything which is not a data file.
const META: &str = "_lakefeed";
/// Digits of a number in a file name, so that names sort as numbers do.
const NUMBER_DIGITS: usize = 20;

/// The paths of one table.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: Path,
}

/// The names of what a run stages for one commit.
#[derive(Debug, Clone)]
pub(crate) struct StagedNames {
    folder: Path,
    /// The number of the commit; 0 where there will be none.
    commit: u64,
}

impl StagedNames {
    /// Returns the path of a staged data file.
    pub(crate) fn file(&self, number: u32) -> Path {
        self.named(&format!("{number}.staged"))
    }

    /// Returns the path of the commit document before it has its name.
    pub(crate) fn commit_document(&self) -> Path {
        self.named("commit.json")
    }

    /// Returns the path of the staged rejects.
    pub(crate) fn rejects(&self) -> Path {
        self.named("rejects.staged")
    }

    fn named(&self, name: &str) -> Path {
        self.folder.clone().join(format!("{}-{name}", self.commit))
    }
}

impl Layout {
    pub(crate) fn new(root: Path) -> Self {
        Self { root }
    }

    /// Returns a path that a commit names, relative to the table's folder. It is already encoded.
    pub(crate) fn resolve(&self, relative: &str) -> Result<Path, object_store::path::Error> {
        Path::parse(if self.root.is_root() { relative.to_owned() } else { format!("{}/{relative}", self.root) })
    }

    /// Returns the path relative to the table's folder, as commits name it.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a str {
        let path = path.as_ref();
        path.strip_prefix(self.root.as_ref()).map_or(path, |rest| rest.trim_start_matches('/'))
    }

    /// Returns the table's folder.
    pub(crate) fn table(&self) -> Path {
        self.root.clone()
    }

    pub(crate) fn commits(&self) -> Path {
        self.meta("commits")
    }

    pub(crate) fn commit(&self, number: u64) -> Path {
        self.commits().join(numbered(number))
    }

    pub(crate) fn published_markers(&self) -> Path {
        self.meta("published")
    }

    pub(crate) fn published_marker(&self, number: u64) -> Path {
        self.published_markers().join(numbered(number))
    }

    pub(crate) fn snapshot_files(&self) -> Path {
        self.meta("folds")
    }

    pub(crate) fn snapshot_file(&self, number: u64) -> Path {
        self.snapshot_files().join(numbered(number))
    }

    pub(crate) fn staging(&self) -> Path {
        self.meta("staging")
    }

    pub(crate) fn staging_of(&self, run_id: &str) -> Path {
        self.staging().join(run_id)
    }

    /// Returns the names of what a run stages for commit `commit`.
    pub(crate) fn staged(&self, run_id: &str, commit: u64) -> StagedNames {
        StagedNames { folder: self.staging_of(run_id), commit }
    }

    pub(crate) fn cached_response(&self, run_id: &str, number: u32) -> Path {
        self.staging_of(run_id).join(format!("{RESPONSE_PREFIX}{number:05}.zst"))
    }

    pub(crate) fn all_rejects(&self) -> Path {
        self.meta("rejects")
    }

    /// Returns the path of the refused records of a run that has refused some `before`, in as many
    /// passes.
    pub(crate) fn rejects(&self, run_id: &str, before: usize) -> Path {
        let name = if before == 0 { format!("{run_id}.rejects") } else { format!("{run_id}-{}.rejects", before + 1) };
        self.all_rejects().join(name)
    }

    /// Returns the path that the file `rejects` of a run gets when the run finds nothing to commit
    /// after commit `number`.
    pub(crate) fn rejects_after(&self, rejects: &Path, number: u64) -> Path {
        let (stem, _) = rejects_name(rejects.filename().unwrap_or_default());
        self.all_rejects().join(format!("{stem}{REJECTS_AFTER}{number}.rejects"))
    }

    pub(crate) fn leases(&self) -> Path {
        self.meta("leases")
    }

    pub(crate) fn lease(&self, epoch: u64) -> Path {
        self.leases().join(numbered(epoch))
    }

    pub(crate) fn probe(&self) -> Path {
        self.meta("probe")
    }

    /// Returns the folder that holds everything which is not a data file.
    pub(crate) fn meta_folder(&self) -> Path {
        self.root.clone().join(META)
    }

    fn meta(&self, name: &str) -> Path {
        self.meta_folder().join(name)
    }
}

/// Between the name of a run and the number of a commit.
const REJECTS_AFTER: &str = ".after-";

/// The start of the names of cached responses.
pub(crate) const RESPONSE_PREFIX: &str = "journal-";

/// The lock file, relative to the table's folder on disk.
pub(crate) const LOCK_FILE: &str = "_lakefeed/lock";

/// Returns the number in the name of a commit, a marker or a lease.
pub(crate) fn number_of(path: &Path) -> Option<u64> {
    let digits = path.filename()?.strip_suffix(".json")?;
    if digits.len() == NUMBER_DIGITS { digits.parse().ok() } else { None }
}

/// Returns the number of the commit that a staged object is for. Names of the first format do not
/// say it, and cached responses are for none.
pub(crate) fn aim_of(path: &Path) -> Option<u64> {
    path.filename()?.split_once('-')?.0.parse().ok()
}

/// Returns the path of the data file with a number, relative to the table's folder.
pub(crate) fn data_file(partition: &str, number: u32) -> String {
    let name = format!("part-{number:05}.parquet");
    if partition.is_empty() { name } else { format!("{partition}/{name}") }
}

/// Returns the partition folder and the number of a data file that a commit names.
pub(crate) fn file_number(relative: &str) -> Option<(&str, u32)> {
    let (folder, name) = relative.rsplit_once('/').unwrap_or(("", relative));
    let number = name.strip_prefix("part-")?.strip_suffix(".parquet")?.parse().ok()?;
    Some((folder, number))
}

/// Returns whether a path, relative to the table's folder, is one that data files get.
pub(crate) fn is_data_file(relative: &str) -> bool {
    file_number(relative).is_some()
}

/// Returns the folder of a data file; empty for a table of one folder.
pub(crate) fn folder_of(relative: &str) -> &str {
    relative.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn numbered(number: u64) -> String {
    format!("{number:0NUMBER_DIGITS$}.json")
}

/// Returns the name of a file of rejects without its endings, and the commit after which its run
/// found nothing to commit.
pub(crate) fn rejects_name(name: &str) -> (&str, Option<u64>) {
    let stem = name.strip_suffix(".rejects").unwrap_or(name);
    let after = stem.rsplit_once(REJECTS_AFTER).and_then(|(stem, number)| Some((stem, number.parse().ok()?)));
    after.map_or((stem, None), |(stem, number)| (stem, Some(number)))
}

/// Returns whether a staged object is a cached response, for another run to go on from.
pub(crate) fn is_cached_response(path: &Path) -> bool {
    path.filename().is_some_and(|name| name.starts_with(RESPONSE_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_below_the_table_and_only_data_files_end_in_parquet() {
        let layout = Layout::new(Path::from("lake/events"));
        let hidden = [
            layout.commit(42),
            layout.published_marker(42),
            layout.snapshot_file(32),
            layout.staged("run-1", 1).file(0),
            layout.staged("run-1", 1).rejects(),
            layout.cached_response("run-1", 3),
            layout.rejects("run-1", 0),
            layout.rejects("run-1", 1),
            layout.lease(7),
            layout.probe(),
        ];
        for path in hidden {
            assert!(path.as_ref().starts_with("lake/events/_lakefeed/"), "{path}");
            assert!(!path.as_ref().ends_with(".parquet"), "{path}");
        }
        assert_eq!(layout.commit(42).filename(), Some("00000000000000000042.json"));
        assert_eq!(number_of(&layout.commit(42)), Some(42));
        assert_eq!(number_of(&Path::from("a/42.json")), None);
        let staged = layout.staged("run-1", 42);
        let staged = [staged.file(7), staged.rejects(), staged.commit_document()];
        assert_eq!(staged[0].filename(), Some("42-7.staged"));
        assert_eq!(staged.map(|path| aim_of(&path)), [Some(42); 3]);
        assert_eq!(aim_of(&layout.cached_response("run-1", 3)), None);
        assert_eq!(aim_of(&Path::from("a/7.staged")), None);
    }

    #[test]
    fn rejects_say_after_which_commit_a_run_found_nothing_to_commit() {
        let layout = Layout::new(Path::from("lake/events"));
        let after = layout.rejects_after(&layout.rejects("run-1", 1), 42);
        assert_eq!(after.filename(), Some("run-1-2.after-42.rejects"));
        for (name, expected) in [
            ("run-1-2.after-42.rejects", ("run-1-2", Some(42))),
            ("run-1.rejects", ("run-1", None)),
            ("run.after-x.rejects", ("run.after-x", None)),
            ("odd", ("odd", None)),
        ] {
            assert_eq!(rejects_name(name), expected);
        }
    }

    #[test]
    fn a_data_file_names_its_partition_and_number() {
        let cases = [
            ("", 0, "part-00000.parquet"),
            ("day=2026-11-23/kind=a", 123_456, "day=2026-11-23/kind=a/part-123456.parquet"),
        ];
        for (partition, number, path) in cases {
            assert_eq!(data_file(partition, number), path);
            assert_eq!(file_number(path), Some((partition, number)));
            assert_eq!(folder_of(path), partition);
        }
        assert_eq!(file_number("day=2026-11-23/other.parquet"), None);
    }

    #[test]
    fn encoded_names_are_not_encoded_again() {
        let layout = Layout::new(Path::from("lake"));
        let path = layout.resolve("kind=a%2Fb/part-00000.parquet").unwrap();
        assert_eq!(path.as_ref(), "lake/kind=a%2Fb/part-00000.parquet");
        assert_eq!(layout.relative(&path), "kind=a%2Fb/part-00000.parquet");
    }
}
