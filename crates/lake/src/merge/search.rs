//! Finds the rows of the table that a merging run touches. What becomes of them is decided
//! elsewhere.

use std::sync::{PoisonError, RwLock};

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::TryStreamExt as _;

use crate::evolve::reconcile::conform;
use crate::fingerprint::Fingerprint;
use crate::log::snapshot::Snapshot;
use crate::merge::decide::{Op, Rules};
use crate::merge::identity::{IdentifiedBy, RowIdentity};
use crate::merge::incoming::Groups;
use crate::merge::index::KeyIndex;
use crate::merge::precedence::{Version, Versions};
use crate::parquet::reader::{Decoding, Part, Source, conform_error, decode, fetch, ranges, read};
use crate::parquet::row_set::RowSet;
use crate::spec::StrategyName;
use crate::staging::area::StagingArea;
use lakefeed_model::error::{Error, Result};

/// What a run looks for in its table; the parallel parts of a merge share it.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) area: StagingArea,
    pub(crate) rules: Rules,
    pub(crate) identity: RowIdentity,
    pub(crate) index: RwLock<KeyIndex>,
    pub(crate) versions: Versions,
    pub(crate) groups: Groups,
    /// Whether rows whose key did not come are touched, too.
    pub(crate) retires_absent: bool,
}

/// A row of a data file that the run touches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    pub(crate) key: Fingerprint,
    /// Where the index had the key.
    pub(crate) location: u32,
    /// Its present content, where that matters.
    pub(crate) row: Fingerprint,
    pub(crate) position: u32,
    /// It is not marked as deleted.
    pub(crate) is_live: bool,
    /// Its content matters.
    pub(crate) needs_row: bool,
}

/// The rows of a data file that the run touches.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Those that the run has rows for, or may have.
    pub(crate) hits: Vec<Hit>,
    /// Those whose key did not come: a bit each, since they may be most of the table.
    pub(crate) absent: RowSet,
    /// As many versions, where rows of the table are compared by them; otherwise none.
    pub(crate) versions: Vec<Version>,
}

/// Finds the rows of a data file that the run touches, in the order of the file.
pub(crate) async fn find_hits(search: &Search, source: &Source) -> Result<Found> {
    let storage = &search.area.storage;
    let fails = |error: ArrowError| conform_error(storage, "compare the rows of", &source.path, error);
    let mut found = Found::default();
    let mut first = 0_u32;
    let names = search.identity.search().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let mut batches = read(storage, source, Part::Columns(&names)).await?;
    while let Some(batch) = batches.try_next().await? {
        search.pick(&batch, first, &mut found).map_err(fails)?;
        first += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    }
    let positions = ranges(found.hits.iter().filter(|hit| hit.needs_row).map(|hit| hit.position as usize));
    if positions.is_empty() {
        return Ok(found);
    }
    let guard = search.identity.precedence.as_ref().filter(|precedence| precedence.guards_table);
    if guard.is_some() {
        found.versions = vec![Version::Null; found.hits.len()];
    }
    let mut unread = (0..).zip(found.hits.iter_mut()).filter(|(_, hit)| hit.needs_row);
    let mut batches = read(storage, source, Part::Rows(&positions)).await?;
    while let Some(batch) = batches.try_next().await? {
        let batch = conform(&batch, &search.area.schema).map_err(fails)?;
        let rows = search.identity.rows(&batch).map_err(fails)?;
        let live = search.identity.live(&batch).map_err(fails)?;
        let mut versions = guard
            .map(|precedence| precedence.versions(&batch))
            .transpose()
            .map_err(fails)?
            .unwrap_or_default()
            .into_iter();
        for (row, content) in rows.into_iter().enumerate() {
            let Some((position, hit)) = unread.next() else { break };
            hit.row = content;
            hit.is_live = live.as_ref().is_none_or(|live| live.value(row));
            if let (Some(version), Some(slot)) = (versions.next(), found.versions.get_mut::<usize>(position)) {
                *slot = version;
            }
        }
    }
    if unread.next().is_some() {
        return Err(Error::damaged(format!("{} ended before all of its rows were read", storage.show(&source.path))));
    }
    Ok(found)
}

/// Scans a file batch by batch while its rows are in memory, in the shape of the table: `each` sees
/// the rows, and what the run touches of them. The file is read once. Returns its bytes.
pub(crate) async fn scan_loaded(
    search: &Search,
    source: &Source,
    decoding: Decoding,
    mut each: impl FnMut(RecordBatch, &Found),
) -> Result<Bytes> {
    let storage = &search.area.storage;
    let fails = |error: ArrowError| conform_error(storage, "compare the rows of", &source.path, error);
    let mut first = 0_u32;
    let content = fetch(storage, source).await?;
    let mut batches = decode(storage, source, content.clone(), decoding)?;
    while let Some(batch) = batches.try_next().await? {
        let batch = conform(&batch, &search.area.schema).map_err(fails)?;
        let mut found = Found::default();
        search.pick(&batch, first, &mut found).map_err(fails)?;
        search.fill(&batch, first, &mut found.hits).map_err(fails)?;
        let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
        each(batch, &found);
        first += rows;
    }
    Ok(content)
}

impl Search {
    /// Returns whether what becomes of a partition depends on no other one: see
    /// `merge_by_partition`.
    pub(crate) fn is_partition_local(&self, snapshot: &Snapshot) -> bool {
        let Self { rules, identity, .. } = self;
        (snapshot.keys_are_unique || snapshot.files.is_empty())
            && self.is_keyed_only()
            && matches!(rules.strategy, StrategyName::Upsert | StrategyName::DeleteInsert)
            && !rules.marks_deleted
            && identity.precedence.as_ref().is_none_or(|precedence| !precedence.guards_table)
    }

    /// Reads the content of those `hits` where it matters. They are of a batch of the table whose
    /// first row is at `first`.
    fn fill(&self, batch: &RecordBatch, first: u32, hits: &mut [Hit]) -> Result<(), ArrowError> {
        let wanted = hits.iter().filter(|hit| hit.needs_row).map(|hit| hit.position - first).collect::<Vec<_>>();
        if wanted.is_empty() {
            return Ok(());
        }
        let batch = if wanted.len() == batch.num_rows() {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(wanted))?
        };
        let rows = self.identity.rows(&batch)?;
        for (hit, row) in hits.iter_mut().filter(|hit| hit.needs_row).zip(rows) {
            hit.row = row;
        }
        Ok(())
    }

    /// Returns whether rows of the table are touched for their key only.
    pub(crate) fn is_keyed_only(&self) -> bool {
        self.identity.by == IdentifiedBy::Key && !self.identity.has_groups() && !self.retires_absent
    }

    /// Returns how many keys the run has, deleted ones included.
    pub(crate) fn keys(&self) -> u64 {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.puts() + index.deletes()
    }

    /// Adds the rows of a batch that the run touches; its first row is at `first`.
    fn pick(&self, batch: &RecordBatch, first: u32, found: &mut Found) -> Result<(), ArrowError> {
        let batch = conform(batch, self.identity.search())?;
        let keys = self.identity.keys(&batch)?;
        let groups = self.identity.groups(&batch)?;
        let current = self.identity.current(&batch)?;
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        match (keys, groups, current) {
            (Some(keys), None, None) => {
                let touched = (first..).zip(keys).filter_map(|(position, key)| self.keyed(&index, position, key));
                found.hits.extend(touched);
            }
            (keys, groups, current) => {
                let is_current = |row: usize| current.as_ref().is_none_or(|current: &BooleanArray| current.value(row));
                for (row, position) in (0..batch.num_rows()).zip(first..).filter(|(row, _)| is_current(*row)) {
                    let key = keys.as_ref().and_then(|keys| keys.get(row).copied());
                    let group = groups.as_ref().and_then(|groups| groups.get(row).copied());
                    match key.and_then(|key| self.keyed(&index, position, key)) {
                        Some(hit) => found.hits.push(hit),
                        None if !self.touches_absent(group) => {}
                        // Rows without a key are told apart by their content.
                        None if self.identity.by == IdentifiedBy::Occurrence => {
                            found.hits.push(Hit {
                                key: 0,
                                location: 0,
                                row: 0,
                                position,
                                is_live: true,
                                needs_row: true,
                            });
                        }
                        None => {
                            found.absent.insert(position);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the hit of a row whose key the run has.
    fn keyed(&self, index: &KeyIndex, position: u32, key: Fingerprint) -> Option<Hit> {
        let (location, entry) = index.get_at(key)?;
        let needs_row = match (self.rules.strategy, entry.op) {
            (StrategyName::InsertOnly, _) => false,
            (_, Op::Put) => true,
            (_, Op::Delete) => {
                self.identity.has_mark()
                    || self.identity.precedence.as_ref().is_some_and(|precedence| precedence.guards_table)
            }
        };
        Some(Hit { key, location, row: 0, position, is_live: true, needs_row })
    }

    /// Returns whether the run touches a row of this group though its key did not come: for its
    /// group, or for being absent.
    pub(crate) fn touches_absent(&self, group: Option<Fingerprint>) -> bool {
        let came = group.map(|group| self.groups.contains(&group));
        match self.rules.strategy {
            StrategyName::DeleteInsert => came == Some(true),
            StrategyName::Scd2 => self.retires_absent && came != Some(false),
            StrategyName::Upsert | StrategyName::InsertOnly => false,
        }
    }
}
