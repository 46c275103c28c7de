//! Finds the rows of the table that a merging run touches. What becomes of them is not decided here.

use std::sync::{PoisonError, RwLock};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::error::ArrowError;
use futures::TryStreamExt as _;

use super::arrivals::Groups;
use super::fate::{Op, Rules};
use super::hash::Fingerprint;
use super::index::KeyIndex;
use super::lens::{Identity, Lens};
use super::rank::{Rank, Ranks};
use super::reader::{Part, Source, ranges, read};
use super::rolling::{StagingArea, compute};
use super::schema::conform;
use crate::error::{Error, Result};
use crate::spec::StrategyName;

/// What a run looks for in its table; the parallel parts of a merge share it.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) area: StagingArea,
    pub(super) rules: Rules,
    pub(super) lens: Lens,
    pub(super) index: RwLock<KeyIndex>,
    pub(super) ranks: Ranks,
    pub(super) groups: Groups,
    /// Whether rows whose key did not come are touched, too.
    pub(super) retires_absent: bool,
}

/// A row of a data file that the run touches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) key: Fingerprint,
    /// Its present content, where that matters.
    pub(super) row: Fingerprint,
    pub(super) position: u32,
    /// It is not marked as deleted.
    pub(super) is_live: bool,
    /// Its content matters.
    needs_row: bool,
}

/// The rows of a data file that the run touches.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    /// As many ranks, where rows of the table are compared by them; otherwise none.
    pub(super) ranks: Vec<Rank>,
}

/// The rows of a data file that the run touches, in the order of the file.
pub(super) async fn find_hits(search: &Search, source: &Source) -> Result<Found> {
    let storage = &search.area.storage;
    let fails = |error: ArrowError| storage.failed("compare the rows of", &source.path, error);
    let mut found = Found::default();
    let mut first = 0_u32;
    let names = search.lens.search().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let mut batches = read(storage, source, Part::Columns(&names)).await?;
    while let Some(batch) = batches.try_next().await? {
        compute(|| search.pick(&batch, first, &mut found.hits)).map_err(fails)?;
        first += u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    }
    let positions = ranges(found.hits.iter().filter(|hit| hit.needs_row).map(|hit| hit.position as usize));
    if positions.is_empty() {
        return Ok(found);
    }
    let guard = search.lens.ranking.as_ref().filter(|ranking| ranking.guards_table);
    if guard.is_some() {
        found.ranks = vec![Rank::Null; found.hits.len()];
    }
    let mut unread = (0..).zip(found.hits.iter_mut()).filter(|(_, hit)| hit.needs_row);
    let mut batches = read(storage, source, Part::Rows(&positions)).await?;
    while let Some(batch) = batches.try_next().await? {
        let batch = conform(&batch, &search.area.schema).map_err(fails)?;
        let rows = compute(|| search.lens.rows(&batch)).map_err(fails)?;
        let live = search.lens.live(&batch).map_err(fails)?;
        let mut ranks =
            guard.map(|ranking| ranking.of(&batch)).transpose().map_err(fails)?.unwrap_or_default().into_iter();
        for (row, content) in rows.into_iter().enumerate() {
            let Some((position, hit)) = unread.next() else { break };
            hit.row = content;
            hit.is_live = live.as_ref().is_none_or(|live| live.value(row));
            if let (Some(rank), Some(slot)) = (ranks.next(), found.ranks.get_mut::<usize>(position)) {
                *slot = rank;
            }
        }
    }
    if unread.next().is_some() {
        return Err(Error::storage(format!("{} ended before all of its rows were read", storage.show(&source.path))));
    }
    Ok(found)
}

impl Search {
    /// Adds the rows of a batch that the run touches; its first row is at `first`.
    fn pick(&self, batch: &RecordBatch, first: u32, hits: &mut Vec<Hit>) -> Result<(), ArrowError> {
        let batch = conform(batch, self.lens.search())?;
        let keys = self.lens.keys(&batch)?;
        let groups = self.lens.groups(&batch)?;
        let current = self.lens.current(&batch)?;
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        match (keys, groups, current) {
            (Some(keys), None, None) => {
                let touched = (first..).zip(keys).filter_map(|(position, key)| self.keyed(&index, position, key));
                hits.extend(touched);
            }
            (keys, groups, current) => {
                let is_current = |row: usize| current.as_ref().is_none_or(|current: &BooleanArray| current.value(row));
                for (row, position) in (0..batch.num_rows()).zip(first..) {
                    if !is_current(row) {
                        continue;
                    }
                    let key = keys.as_ref().and_then(|keys| keys.get(row).copied());
                    let group = groups.as_ref().and_then(|groups| groups.get(row).copied());
                    hits.extend(
                        key.and_then(|key| self.keyed(&index, position, key))
                            .or_else(|| self.unkeyed(position, key, group)),
                    );
                }
            }
        }
        Ok(())
    }

    /// A row whose key the run has.
    fn keyed(&self, index: &KeyIndex, position: u32, key: Fingerprint) -> Option<Hit> {
        let entry = index.get(key)?;
        let needs_row = match (self.rules.strategy, entry.op) {
            (StrategyName::InsertOnly, _) => false,
            (_, Op::Put) => true,
            (_, Op::Delete) => {
                self.lens.has_mark() || self.lens.ranking.as_ref().is_some_and(|ranking| ranking.guards_table)
            }
        };
        Some(Hit { key, row: 0, position, is_live: true, needs_row })
    }

    /// A row that is touched for its group, or because its key is absent.
    fn unkeyed(&self, position: u32, key: Option<Fingerprint>, group: Option<Fingerprint>) -> Option<Hit> {
        let came = group.map(|group| self.groups.contains(&group));
        let is_touched = match self.rules.strategy {
            StrategyName::DeleteInsert => came == Some(true),
            StrategyName::Scd2 => self.retires_absent && came != Some(false),
            StrategyName::Upsert | StrategyName::InsertOnly => false,
        };
        // Rows without a key are told apart by their content.
        let needs_row = self.lens.identity == Identity::Occurrence;
        is_touched.then_some(Hit { key: key.unwrap_or(0), row: 0, position, is_live: true, needs_row })
    }
}
