//! The rejects that runs have kept beside a table, and what has become of them since: made of the
//! commits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use crate::log::document::{Operation, SettledRejects};
use crate::log::read::{commit_numbers, read_commits};
use crate::parquet::reader::{Part, Source, read};
use crate::storage::layout::rejects_name;
use crate::storage::objects::Storage;
use crate::table::Table;
use lakefeed_model::error::Result;
use lakefeed_model::spec::WriteDisposition;

/// The rejects beside a table, the oldest file first.
#[derive(Debug, Clone)]
pub struct KeptRejects {
    storage: Storage,
    files: Vec<KeptRejectsFile>,
}

/// The rejects of one pass of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptRejectsFile {
    /// The file, relative to the table's folder.
    pub path: String,
    /// The last commit that holds no row which came after them: the one that they came with or,
    /// where their run found nothing to commit, the one before. `None` where the run failed, so
    /// that the next one reads the records again anyway.
    pub commit: Option<u64>,
    bytes: u64,
    /// The rejects that are settled, by their row, and the commit that did it.
    settled: BTreeMap<u32, u64>,
    /// The first later commit that built the table anew.
    obsolete_since: Option<u64>,
}

/// A reject as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeptReject {
    /// The run that refused it.
    pub run_id: String,
    /// The resource.
    pub resource: String,
    /// The page of the listing that held the record, from 0.
    pub page: i64,
    /// The record's place within its page, from 0.
    pub position: i64,
    /// Where the refused value is, as a JSON path from the record's root.
    pub path: String,
    /// The reason's code.
    pub code: String,
    /// The reason in words.
    pub reason: String,
    /// The record as it came, cut after 64 KiB.
    pub raw: String,
    /// What has become of it.
    #[serde(flatten)]
    pub state: RejectState,
    /// Which one it is.
    #[serde(skip)]
    pub place: RejectPlace,
}

/// What has become of a reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RejectState {
    /// Nothing; `run --retry-rejects` tries it again.
    Open,
    /// Its run failed and committed nothing, so the next run reads the record again.
    NotCommitted,
    /// A later run made a row of it, or it is not wanted any more.
    Settled {
        /// The commit of that run.
        settled_in: u64,
    },
    /// The table was built anew since.
    Obsolete {
        /// By this commit.
        obsolete_since: u64,
    },
}

impl fmt::Display for RejectState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::NotCommitted => f.write_str("not committed"),
            Self::Settled { settled_in } => write!(f, "settled in {settled_in}"),
            Self::Obsolete { obsolete_since } => write!(f, "obsolete since {obsolete_since}"),
        }
    }
}

/// Which reject it is: a row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectPlace {
    file: Arc<str>,
    row: u32,
}

/// The rejects that a run settles.
#[derive(Debug, Default)]
pub(crate) struct Settled(BTreeMap<Arc<str>, BTreeSet<u32>>);

impl Settled {
    pub(crate) fn add(&mut self, place: &RejectPlace) {
        self.0.entry(Arc::clone(&place.file)).or_default().insert(place.row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_documents(self) -> Vec<SettledRejects> {
        let document = |(path, rows): (Arc<str>, BTreeSet<u32>)| SettledRejects {
            path: path.to_string(),
            rows: rows.into_iter().collect(),
        };
        self.0.into_iter().map(document).collect()
    }
}

impl Table {
    /// Returns the rejects that are kept beside the table, settled ones included. Needs no lock.
    ///
    /// # Errors
    /// When the store cannot be read or a commit is damaged.
    pub async fn rejects(&self) -> Result<KeptRejects> {
        KeptRejects::open(&self.storage).await
    }
}

impl KeptRejects {
    /// Returns the rejects that may be tried again.
    pub(crate) async fn open_ones(storage: &Storage) -> Result<Self> {
        let mut rejects = Self::open(storage).await?;
        rejects.files.retain(|file| file.commit.is_some() && file.obsolete_since.is_none());
        Ok(rejects)
    }

    async fn open(storage: &Storage) -> Result<Self> {
        let mut there: BTreeMap<String, u64> = BTreeMap::new();
        for object in storage.list(&storage.layout.all_rejects()).await? {
            there.insert(storage.layout.relative(&object.location).to_owned(), object.size);
        }
        let mut files = Vec::new();
        if !there.is_empty() {
            files = committed(storage, &mut there).await?;
        }
        files.extend(there.into_iter().map(|(path, bytes)| KeptRejectsFile::new(path, bytes, None)));
        Ok(Self { storage: storage.clone(), files })
    }

    /// Returns the files, the oldest first; those of runs that failed come last.
    pub fn files(&self) -> &[KeptRejectsFile] {
        &self.files
    }

    /// Returns the rejects of a file, batch by batch.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read(&self, file: &KeptRejectsFile) -> Result<BoxStream<'_, Result<Vec<KeptReject>>>> {
        let path = self.storage.resolve(&file.path)?;
        let source = Source { path: path.clone(), bytes: file.bytes };
        let batches = read(&self.storage, &source, Part::Whole).await?;
        let (file, name) = (file.clone(), Arc::<str>::from(file.path.as_str()));
        let mut first = 0_u32;
        let rejects = batches.map(move |batch| {
            let batch = batch?;
            let rejects = rejects_of(&batch, &file, &name, first)
                .map_err(|error| self.storage.unreadable("read the rejects of", &path, error))?;
            first = first.saturating_add(u32::try_from(batch.num_rows()).unwrap_or(u32::MAX));
            Ok(rejects)
        });
        Ok(rejects.boxed())
    }
}

/// Returns the files that commits name, and those that name a commit, as far as they are still
/// `there`, from where they are taken.
async fn committed(storage: &Storage, there: &mut BTreeMap<String, u64>) -> Result<Vec<KeptRejectsFile>> {
    let mut files: Vec<KeptRejectsFile> = take_after(there, 0);
    let mut commits = read_commits(storage, commit_numbers(storage).await?);
    while let Some(commit) = commits.try_next().await? {
        for settled in &commit.settled {
            if let Some(file) = files.iter_mut().find(|file| file.path == settled.path) {
                for row in &settled.rows {
                    // Maintenance once repeated what the commit before it had settled.
                    file.settled.entry(*row).or_insert(commit.commit);
                }
            }
        }
        let replaces = commit.full_refresh || commit.disposition == WriteDisposition::Replace;
        // Maintenance says what the commit before it did.
        if replaces && commit.operation == Operation::Load {
            for file in &mut files {
                file.obsolete_since.get_or_insert(commit.commit);
            }
        }
        if let Some(rejects) = &commit.rejects
            && let Some(bytes) = there.remove(&rejects.path)
        {
            files.push(KeptRejectsFile::new(rejects.path.clone(), bytes, Some(commit.commit)));
        }
        files.append(&mut take_after(there, commit.commit));
    }
    Ok(files)
}

/// Takes out the files of runs that found nothing to commit after commit `number`. Names of runs
/// are in the order of their times.
fn take_after(there: &mut BTreeMap<String, u64>, number: u64) -> Vec<KeptRejectsFile> {
    let (after, others) = std::mem::take(there).into_iter().partition(|(path, _)| rejects_name(path).1 == Some(number));
    *there = others;
    let after: BTreeMap<String, u64> = after;
    after.into_iter().map(|(path, bytes)| KeptRejectsFile::new(path, bytes, Some(number))).collect()
}

fn rejects_of(
    batch: &RecordBatch,
    file: &KeptRejectsFile,
    name: &Arc<str>,
    first: u32,
) -> Result<Vec<KeptReject>, ArrowError> {
    let missing = |name: &str| ArrowError::SchemaError(format!("it has no column {name} as lakefeed writes it"));
    let text = |name: &str| -> Result<StringArray, ArrowError> {
        let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>().cloned());
        column.ok_or_else(|| missing(name))
    };
    let number = |name: &str| -> Result<Int64Array, ArrowError> {
        let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<Int64Type>().cloned());
        column.ok_or_else(|| missing(name))
    };
    let (run_ids, resources, pages, positions) =
        (text("run_id")?, text("resource")?, number("page")?, number("position")?);
    let (paths, codes, reasons, raws) = (text("path")?, text("code")?, text("reason")?, text("raw")?);
    let of =
        |texts: &StringArray, row: usize| if texts.is_null(row) { String::new() } else { texts.value(row).to_owned() };
    let rejects = (0..batch.num_rows()).zip(first..).map(|(row, place)| KeptReject {
        run_id: of(&run_ids, row),
        resource: of(&resources, row),
        page: pages.value(row),
        position: positions.value(row),
        path: of(&paths, row),
        code: of(&codes, row),
        reason: of(&reasons, row),
        raw: of(&raws, row),
        state: file.state_of(place),
        place: RejectPlace { file: Arc::clone(name), row: place },
    });
    Ok(rejects.collect())
}

impl KeptRejectsFile {
    fn new(path: String, bytes: u64, commit: Option<u64>) -> Self {
        Self { path, commit, bytes, settled: BTreeMap::new(), obsolete_since: None }
    }

    fn state_of(&self, row: u32) -> RejectState {
        match (self.commit, self.settled.get(&row), self.obsolete_since) {
            (None, _, _) => RejectState::NotCommitted,
            (Some(_), Some(commit), _) => RejectState::Settled { settled_in: *commit },
            (Some(_), None, Some(commit)) => RejectState::Obsolete { obsolete_since: commit },
            (Some(_), None, None) => RejectState::Open,
        }
    }
}
