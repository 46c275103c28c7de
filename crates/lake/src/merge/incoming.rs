//! The keys of a merging run as they come in: their fingerprints, and which rows another one
//! replaced.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::path::PathBuf;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::error::ArrowError;
use twox_hash::XxHash3_128;

use crate::fingerprint::{Fingerprint, PassThrough};
use crate::log::key_range::KeyRange;
use crate::merge::decide::Op;
use crate::merge::identity::{IdentifiedBy, RowIdentity};
use crate::merge::index::{Entry, KeyIndex, PrintMap};
use crate::merge::precedence::{Version, Versions};
use crate::merge::spill::SpilledKeys;
use crate::parquet::row_set::{RowLocation, RowSet};
use crate::staging::area::key_range;
use crate::write_spec::WriteSpec;
use lakefeed_model::error::{Error, Result};

/// Groups of rows, by their fingerprints.
pub(crate) type Groups = HashSet<Fingerprint, BuildHasherDefault<PassThrough>>;

/// What a merging run remembers of its rows.
#[derive(Debug)]
pub(crate) struct IncomingKeys {
    pub(crate) identity: RowIdentity,
    /// Whether the table has rows to compare with; without any, rows need no fingerprints.
    compares: bool,
    /// The key column's position, when the key is one column whose range is kept.
    key_column: Option<usize>,
    /// The newest keys, or all of them.
    pub(crate) index: KeyIndex,
    /// How many keys `index` may hold before they are spilled; no bound where they cannot be.
    keys_max: usize,
    /// Where they are spilled to.
    temporary_folder: PathBuf,
    pub(crate) spilled: Option<SpilledKeys>,
    pub(crate) versions: Versions,
    pub(crate) groups: Groups,
    /// Rows of staged files that another one replaced.
    pub(crate) dropped: HashMap<u32, RowSet>,
    pub(crate) deleted_keys: DeletedKeys,
    occurrences: Occurrences,
}

/// The fingerprints of a batch.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    /// Whose each row is.
    keys: Vec<Fingerprint>,
    /// What each row holds.
    rows: Vec<Fingerprint>,
    versions: Option<Vec<Version>>,
}

impl IncomingKeys {
    /// Returns the keys of a run before its first row. They take as much memory as `write` allows
    /// at most, if rows can be told apart by keys alone.
    pub(crate) fn new(identity: RowIdentity, key_column: Option<usize>, compares: bool, write: &WriteSpec) -> Self {
        let can_spill = identity.by != IdentifiedBy::Occurrence && identity.precedence.is_none();
        Self {
            keys_max: if can_spill { KeyIndex::entries_in(write.limits.merge_index_bytes) } else { usize::MAX },
            temporary_folder: write.temporary_folder.clone(),
            spilled: None,
            identity,
            compares,
            key_column,
            index: KeyIndex::default(),
            versions: Versions::default(),
            groups: Groups::default(),
            dropped: HashMap::new(),
            deleted_keys: DeletedKeys::None,
            occurrences: Occurrences::default(),
        }
    }

    /// Sets another shape of the rows, with the same key. What is known of earlier rows holds again
    /// once they were given to [`Self::restaged`].
    ///
    /// # Errors
    /// When rows without a key came already: they are told apart by what they hold, and that
    /// changes.
    pub(crate) fn reshape(&mut self, identity: RowIdentity, key_column: Option<usize>) -> Result<()> {
        if identity.by != IdentifiedBy::Key && (!self.index.is_empty() || self.spilled.is_some()) {
            return Err(Error::schema("rows without a primary key cannot take another shape in the middle of a run")
                .with_hint("give the resource a schema file, or a primary_key"));
        }
        self.identity = identity;
        self.key_column = key_column;
        Ok(())
    }

    /// Notes that rows which came before, staged at `was`, are written anew at `is`. The keys must
    /// be settled, so that every row that another one replaced is noted where it was.
    pub(crate) fn restaged(&mut self, batch: &RecordBatch, was: RowLocation, is: RowLocation) -> Result<()> {
        let fails = |error: ArrowError| Error::defect("cannot take the fingerprints of a batch").with_source(error);
        let Some(keys) = self.identity.keys(batch).map_err(fails)? else { return Ok(()) };
        let rows = if self.compares || self.identity.needs_rows() {
            self.identity.rows(batch).map_err(fails)?
        } else {
            vec![0; batch.num_rows()]
        };
        for (step, (key, row)) in (0..).zip(keys.into_iter().zip(rows)) {
            let location = RowLocation { file: was.file, row: was.row + step };
            let now = RowLocation { file: is.file, row: is.row + step };
            self.index.restaged(key, location, row, now);
            if let Some(spilled) = &mut self.spilled {
                spilled.moves(key, location, &Entry::put(row, now))?;
            }
        }
        Ok(())
    }

    /// Takes the fingerprints of a batch of records, some of which may delete.
    ///
    /// # Errors
    /// When a key is null.
    pub(crate) fn fingerprints(&mut self, batch: &RecordBatch, deletes: Option<&BooleanArray>) -> Result<Fingerprints> {
        let fails = |error: ArrowError| Error::defect("cannot take the fingerprints of a batch").with_source(error);
        let identity = &self.identity;
        if identity.by == IdentifiedBy::Key && identity.lacks_key(batch).map_err(fails)? {
            return Err(Error::schema("a row of a merge has null in its primary key"));
        }
        let rows = || {
            if self.compares || identity.needs_rows() { identity.rows(batch) } else { Ok(vec![0; batch.num_rows()]) }
        };
        // Keys and content are fingerprinted on two processors.
        let (keys, rows) = rayon::join(|| identity.keys(batch), rows);
        let (keys, rows) = (keys.map_err(fails)?, rows.map_err(fails)?);
        let versions =
            identity.precedence.as_ref().map(|precedence| precedence.versions(batch)).transpose().map_err(fails)?;
        if let Some(groups) = identity.groups(batch).map_err(fails)? {
            // A delete that has no more than its key names no group.
            let speaks = match (deletes, identity.by) {
                (Some(_), IdentifiedBy::Key) => Some(identity.have_group(batch).map_err(fails)?),
                (_, _) => None,
            };
            let is_delete = |row: usize| deletes.is_some_and(|deletes| deletes.value(row));
            let spoken = groups.into_iter().enumerate().filter(|(row, _)| {
                !is_delete(*row) || speaks.as_ref().is_none_or(|speaks| speaks.get(*row) == Some(&true))
            });
            self.groups.extend(spoken.map(|(_, group)| group));
        }
        if deletes.is_some_and(|deletes| deletes.true_count() > 0) {
            let range = self.key_column.and_then(|column| key_range(batch, column));
            self.deleted_keys.extend(range);
        }
        let keys = keys.unwrap_or_else(|| rows.clone());
        Ok(Fingerprints { keys, rows, versions })
    }

    /// Notes that the groups of these rows have come.
    ///
    /// # Errors
    /// When the rows lack the columns of the group.
    pub(crate) fn add_groups(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if self.compares {
            self.groups.extend(self.identity.groups(batch)?.unwrap_or_default());
        }
        Ok(())
    }

    /// Adds the rows of a batch, in the order in which they came. `locations` tells where those are
    /// staged that do not delete. Returns how many rows others have replaced.
    pub(crate) fn add(
        &mut self,
        prints: Fingerprints,
        deletes: Option<&BooleanArray>,
        locations: impl IntoIterator<Item = RowLocation>,
    ) -> Result<u64> {
        let Fingerprints { keys, rows, versions } = prints;
        let mut versions = versions.map(Vec::into_iter);
        let mut locations = locations.into_iter();
        let mut replaced = 0;
        for (position, (key, row)) in keys.into_iter().zip(rows).enumerate() {
            let version = versions.as_mut().and_then(Iterator::next);
            let entry = if deletes.is_some_and(|deletes| deletes.value(position)) {
                Entry::delete()
            } else {
                let Some(location) = locations.next() else { return Ok(replaced) };
                Entry::put(row, location)
            };
            let key = match (self.identity.by, entry.op) {
                (IdentifiedBy::Key | IdentifiedBy::Record, _) => key,
                (IdentifiedBy::Occurrence, Op::Put) => self.occurrences.next(key, |key| self.index.get(key).is_some()),
                // Without a key, only the group is deleted.
                (IdentifiedBy::Occurrence, Op::Delete) => continue,
            };
            if let Some(loser) = self.compete(key, entry, version) {
                replaced += 1;
                if let Some(location) = loser.staged() {
                    self.dropped.entry(location.file).or_default().insert(location.row);
                }
            }
        }
        if self.index.len() >= self.keys_max {
            self.spill()?;
        }
        Ok(replaced)
    }

    fn spill(&mut self) -> Result<()> {
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            None => self.spilled.insert(SpilledKeys::new(&self.temporary_folder)?),
        };
        spilled.take(&mut self.index)
    }

    /// Settles spilled keys: spills the others, too, and lets all of them compete. Returns how many
    /// rows others have replaced that were not counted so far.
    pub(crate) fn settle(&mut self) -> Result<u64> {
        if self.spilled.is_none() {
            return Ok(0);
        }
        if !self.index.is_empty() {
            self.spill()?;
        }
        self.spilled.as_mut().map_or(Ok(0), |spilled| spilled.settle(&mut self.dropped))
    }

    /// Lets an incoming row compete with what the run has of its key. Returns the loser.
    fn compete(&mut self, key: Fingerprint, entry: Entry, version: Option<Version>) -> Option<Entry> {
        if let (Some(version), Some(precedence)) = (version, &self.identity.precedence) {
            if let Some(before) = self.index.get(key)
                && !precedence.wins((entry.op, &version), (before.op, self.versions.get(key)))
            {
                return Some(entry);
            }
            self.versions.set(key, version);
        }
        self.index.insert(key, entry)
    }
}

/// Which keys a run deletes.
#[derive(Debug)]
pub(crate) enum DeletedKeys {
    /// None.
    None,
    /// Some of this range.
    In(KeyRange),
    /// Unknown.
    Any,
}

impl DeletedKeys {
    fn extend(&mut self, range: Option<KeyRange>) {
        let before = std::mem::replace(self, Self::Any);
        let union = match before {
            Self::None => range,
            Self::In(before) => KeyRange::union(Some(before), range),
            Self::Any => None,
        };
        if let Some(union) = union {
            *self = Self::In(union);
        }
    }
}

/// Tells rows apart that are equal in everything, by counting them.
#[derive(Debug, Default)]
pub(crate) struct Occurrences(PrintMap<u32>);

impl Occurrences {
    /// Returns the fingerprint of the next occurrence of `row`. That of the first one is `row`
    /// itself; `is_taken` says whether it was there.
    pub(crate) fn next(&mut self, row: Fingerprint, is_taken: impl Fn(Fingerprint) -> bool) -> Fingerprint {
        if !is_taken(row) {
            return row;
        }
        let number = self.0.entry(row).or_insert(0);
        *number += 1;
        let mut bytes = [0; 20];
        let (left, right) = bytes.split_at_mut(16);
        left.copy_from_slice(&row.to_le_bytes());
        right.copy_from_slice(&number.to_le_bytes());
        XxHash3_128::oneshot(&bytes)
    }
}
