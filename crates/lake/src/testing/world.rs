//! What the tests of the lake share: rows, runs, and a reader who only globs.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt as _;
use lakefeed_testing::{FaultStore, Fuse};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::spec::{MergeSpec, PartitionField, Transform};
use crate::storage::durability::Durability;
use crate::{CommitOutcome, Lake, Table, TableWriter, WriteSpec};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::clock::ManualClock;
use lakefeed_model::environment::Environment;
use lakefeed_model::error::Result;
use lakefeed_model::schema::{Column, ColumnType, RecordSchema};
use lakefeed_model::spec::{CountOrShare, Limits, WriteDisposition};

pub(crate) const TABLE: &str = "events";
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A row: its key, the day that it is on, and something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) day: Option<i64>,
    pub(crate) value: i64,
}

pub(crate) fn row(id: impl std::fmt::Display, day: i64, value: i64) -> Row {
    Row { id: format!("event-{id}"), day: Some(day), value }
}

pub(crate) fn schema() -> Arc<RecordSchema> {
    let column = |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
    Arc::new(
        RecordSchema::new(vec![
            column("id", ColumnType::Utf8, false),
            column("start", ColumnType::TimestampUtc, true),
            column("value", ColumnType::Int64, true),
        ])
        .unwrap(),
    )
}

pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let ids = rows.iter().map(|row| Some(row.id.as_str())).collect::<StringArray>();
    let starts = rows.iter().map(|row| row.day.map(|day| day * MICROS_PER_DAY)).collect::<TimestampMicrosecondArray>();
    let values = rows.iter().map(|row| Some(row.value)).collect::<Int64Array>();
    let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(starts.with_timezone("UTC")), Arc::new(values)];
    RecordBatch::try_new(schema().to_arrow(), columns).unwrap()
}

/// A lake on a store that outlives the processes that write to it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: Option<tempfile::TempDir>,
    pub(crate) limits: Limits,
    pub(crate) durability: Option<Arc<dyn Durability>>,
    /// Often, so that whatever happens to a commit happens to a snapshot file, too.
    pub(crate) snapshot_file_every: u64,
}

impl World {
    pub(crate) fn in_memory() -> Self {
        Self::new(Arc::new(InMemory::new()), None)
    }

    pub(crate) fn on_disk() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        Self::new(Arc::new(store.with_automatic_cleanup(true)), Some(folder))
    }

    pub(crate) fn new(store: Arc<dyn ObjectStore>, folder: Option<tempfile::TempDir>) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap()));
        // Oracles decide what tables lose.
        let limits = Limits { file_bytes_target: 1, shrink_max: Some(CountOrShare::WHOLE), ..Limits::default() };
        Self { store, clock, folder, limits, durability: None, snapshot_file_every: 2 }
    }

    pub(crate) fn lake(&self, store: Arc<dyn ObjectStore>) -> Lake {
        let lake = Lake::with_store(store, Path::ROOT, "lake".to_owned())
            .with_snapshot_file_every(self.snapshot_file_every)
            .with_clock(Arc::clone(&self.clock) as Arc<dyn lakefeed_model::clock::Clock>);
        let lake = match &self.durability {
            None => lake,
            Some(durability) => lake.with_durability(Arc::clone(durability)),
        };
        match &self.folder {
            None => lake,
            Some(folder) => lake.on_local_disk(folder.path().to_owned()),
        }
    }

    pub(crate) fn table(&self) -> Table {
        self.lake(Arc::clone(&self.store)).table(TABLE)
    }

    /// Returns the table as a process sees it that dies when the fuse says so.
    pub(crate) fn mortal_table(&self, fuse: &Arc<Fuse>) -> Table {
        self.lake(Arc::new(FaultStore::new(Arc::clone(&self.store), Arc::clone(fuse)))).table(TABLE)
    }

    pub(crate) fn spec(&self, run_id: &str, disposition: WriteDisposition) -> WriteSpec {
        WriteSpec {
            run_id: run_id.to_owned(),
            resource: TABLE.to_owned(),
            disposition,
            merge: MergeSpec::default(),
            full_refresh: false,
            primary_key: vec!["id".to_owned()],
            partition_by: vec![PartitionField {
                column: "start".to_owned(),
                transform: Transform::Day,
                name: "start_day".to_owned(),
            }],
            schema: schema(),
            load_metadata: false,
            conflicts: lakefeed_model::schema::Conflicts::Reject,
            limits: self.limits,
            temporary_folder: Environment::empty().temporary_folder(),
        }
    }

    /// Returns whether a second run was committed that was killed at `step`. Of one that was not,
    /// readers have `seen` nothing; of one that was, perhaps not all, and nothing that is neither
    /// `old` nor `new`.
    pub(crate) async fn is_committed<T: PartialEq + std::fmt::Debug>(
        &self,
        step: u64,
        seen: &[T],
        old: &[T],
        new: &[T],
    ) -> bool {
        let committed = self.table().snapshot().await.unwrap().version == 2;
        if committed {
            assert!(seen.iter().all(|row| old.contains(row) || new.contains(row)), "step {step}: {seen:?}");
        } else {
            assert_eq!(seen, old, "step {step}: an uncommitted run is visible");
        }
        committed
    }

    /// Returns one whole run that is expected to succeed.
    pub(crate) async fn run(&self, run_id: &str, disposition: WriteDisposition, batches: &[Vec<Row>]) -> CommitOutcome {
        run_on(&self.table(), self.spec(run_id, disposition), batches).await.unwrap()
    }

    /// Lets the leases of dead processes expire.
    pub(crate) fn expire_leases(&self) {
        self.clock.advance(std::time::Duration::from_secs(61));
    }

    /// Returns what a reader sees who globs `**/*.parquet`: the paths.
    pub(crate) async fn glob(&self) -> BTreeSet<String> {
        let objects = self.store.list(Some(&Path::from(TABLE))).try_collect::<Vec<_>>().await.unwrap();
        let paths = objects.into_iter().map(|object| object.location.as_ref().to_owned());
        paths.filter(|path| path.ends_with(".parquet")).collect()
    }

    /// Returns what a reader sees who globs `**/*.parquet`: the rows, sorted. Every row must be in
    /// the folder of its day.
    pub(crate) async fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for path in self.glob().await {
            let bytes = self.store.get(&Path::parse(&path).unwrap()).await.unwrap().bytes().await.unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
                for row in rows_of(&batch.unwrap()) {
                    let day = row.day.and_then(|day| {
                        chrono::NaiveDate::from_num_days_from_ce_opt(719_163 + i32::try_from(day).unwrap())
                    });
                    let day = day.map_or("__HIVE_DEFAULT_PARTITION__".to_owned(), |day| day.to_string());
                    assert!(path.contains(&format!("start_day={day}/")), "{row:?} in {path}");
                    rows.push(row);
                }
            }
        }
        rows.sort();
        rows
    }

    /// Returns every object of the table, data files included.
    pub(crate) async fn objects(&self) -> Vec<String> {
        let objects = self.store.list(Some(&Path::from(TABLE))).try_collect::<Vec<_>>().await.unwrap();
        objects.into_iter().map(|object| object.location.as_ref().to_owned()).collect()
    }

    /// Returns what `table verify` says of it: nothing.
    pub(crate) async fn check_files_are_sound(&self) {
        let report = self.table().verify().await.unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
    }

    /// Asserts that nothing is left over, and that the log agrees with what readers see.
    pub(crate) async fn check_tidy(&self) {
        let objects = self.objects().await;
        assert!(!objects.iter().any(|path| path.contains("/staging/")), "{objects:?}");
        assert!(objects.iter().filter(|path| path.contains("/published/")).count() <= 1, "{objects:?}");
        let snapshot = self.table().snapshot().await.unwrap();
        assert!(snapshot.published || snapshot.version == 0);
        let files = snapshot.files.keys().map(|path| format!("{TABLE}/{path}")).collect::<BTreeSet<_>>();
        assert_eq!(self.glob().await, files);
        assert_eq!(self.rows().await.len() as u64, snapshot.rows());
    }
}

pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
    let starts = batch.column_by_name("start").unwrap().as_primitive::<TimestampMicrosecondType>();
    let values = batch.column_by_name("value").unwrap().as_primitive::<Int64Type>();
    let columns = ids.iter().zip(starts).zip(values);
    columns
        .map(|((id, start), value)| Row {
            id: id.unwrap().to_owned(),
            day: start.map(|micros| micros / MICROS_PER_DAY),
            value: value.unwrap(),
        })
        .collect()
}

pub(crate) async fn run_on(table: &Table, spec: WriteSpec, batches: &[Vec<Row>]) -> Result<CommitOutcome> {
    let mut writer = table.begin(spec).await?;
    write_all(&mut writer, batches).await?;
    writer.commit(Checkpoint::full_listing(TABLE)).await
}

pub(crate) async fn write_all(writer: &mut TableWriter, batches: &[Vec<Row>]) -> Result<()> {
    for rows in batches {
        writer.write(batch(rows)).await?;
    }
    Ok(())
}
