//! Decides what becomes of every row of the table that a run touches, file by file.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::fingerprint::Fingerprint;
use crate::merge::bloom_probe::BloomProbe;
use crate::merge::decide::{KeyState, MergeAction, Op, RowMatch, Tally, decide, decide_absent};
use crate::merge::identity::IdentifiedBy;
use crate::merge::incoming::Occurrences;
use crate::merge::index::{Entry, KeyIndex};
use crate::merge::precedence::Version;
use crate::merge::search::{Found, Hit, Search, find_hits};
use crate::parquet::reader::Source;
use crate::parquet::row_set::{RowLocation, RowSet};
use crate::spec::{Precedence, StrategyName};
use crate::staging::area::StagedFile;
use crate::storage::layout::folder_of;
use crate::tasks::{files_in_flight, spawn};
use lakefeed_model::error::Result;

/// What becomes of the rows of the table, by file: those that leave, and those of them that come
/// again, closed.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) gone: BTreeMap<String, RowSet>,
    pub(crate) closed: BTreeMap<String, RowSet>,
    /// Which rows of the file that is being judged make room for which incoming rows of the same
    /// partition; `None` where nobody wants to know.
    pub(crate) replaced: Option<Vec<(u32, RowLocation)>>,
}

/// What becomes of the rows of one file.
#[derive(Debug, Default)]
struct ResolvedRows {
    gone: RowSet,
    closed: RowSet,
}

/// Decides about every hit, file by file.
pub(crate) struct Judge<'a> {
    pub(crate) search: &'a Arc<Search>,
    /// The folders of the staged files.
    folders: HashMap<u32, &'a str>,
    occurrences: Occurrences,
    dropped: &'a mut HashMap<u32, RowSet>,
    pub(super) tally: &'a mut Tally,
}

impl<'a> Judge<'a> {
    /// Returns a judge of the rows that a run touches, which has staged the files `staged`.
    pub(super) fn new(
        search: &'a Arc<Search>,
        staged: &'a [StagedFile],
        dropped: &'a mut HashMap<u32, RowSet>,
        tally: &'a mut Tally,
    ) -> Self {
        let folders = staged.iter().map(|file| (file.number, file.partition.path.as_str())).collect();
        Self { search, folders, occurrences: Occurrences::default(), dropped, tally }
    }

    /// Searches files in parallel, and decides about what is found, in the order of the files.
    /// Files that certainly have none of the keys of `probe` are passed over.
    pub(crate) async fn files(
        &mut self,
        files: Vec<(&str, u64)>,
        probe: Option<Arc<BloomProbe>>,
        resolved: &mut Resolved,
    ) -> Result<()> {
        let searches = files.into_iter().map(|(path, bytes)| {
            let (search, probe, path) = (Arc::clone(self.search), probe.clone(), path.to_owned());
            spawn(async move {
                let source = Source { path: search.area.storage.resolve(&path)?, bytes };
                let may_have = match &probe {
                    Some(probe) => probe.may_be_in(&search.area.storage, &source).await?,
                    None => true,
                };
                let found = if may_have { find_hits(&search, &source).await? } else { Found::default() };
                Ok((path, found))
            })
        });
        let searches = searches.collect::<Vec<_>>();
        let mut found = stream::iter(searches).buffered(files_in_flight());
        while let Some((path, found)) = found.try_next().await? {
            self.judge(&path, &found, resolved);
        }
        Ok(())
    }

    pub(crate) fn judge(&mut self, path: &str, found: &Found, resolved: &mut Resolved) {
        let search = self.search;
        let folder = folder_of(path);
        let mut rows = resolved.rows_of(path);
        // Rows that are met one after another are often staged in one file.
        let mut home = None;
        let mut index = search.index.write().unwrap_or_else(PoisonError::into_inner);
        for (position, hit) in found.hits.iter().enumerate() {
            let key = match search.identity.by {
                IdentifiedBy::Key | IdentifiedBy::Record => hit.key,
                // The first row of the table meets the first one that came, the second the second,
                // and so on.
                IdentifiedBy::Occurrence => self.occurrences.next(hit.row, |key| is_met(&index, key)),
            };
            let Some(entry) = index.get_mut_at(hit.location, key) else {
                rows.note(hit.position, self.absent());
                continue;
            };
            let is_home = match home {
                Some((file, is_home)) if file == entry.location.file => is_home,
                _ => self.folders.get(&entry.location.file) == Some(&folder),
            };
            home = Some((entry.location.file, is_home));
            let before = entry.state;
            rows.note(hit.position, self.meet(is_home, key, entry, *hit, found.versions.get(position)));
            if let (Some(replaced), KeyState::Fresh, KeyState::Updated) = (&mut resolved.replaced, before, entry.state)
            {
                replaced.push((hit.position, entry.location));
            }
        }
        for position in found.absent.positions() {
            rows.note(u32::try_from(position).unwrap_or(u32::MAX), self.absent());
        }
        resolved.put_back(path, rows);
    }

    /// Decides about a row of the table that matches a key of the run.
    fn meet(
        &mut self,
        is_home: bool,
        key: Fingerprint,
        entry: &mut Entry,
        hit: Hit,
        version: Option<&Version>,
    ) -> MergeAction {
        let Search { rules, identity, versions, .. } = self.search.as_ref();
        let guards =
            |(precedence, version): (&Precedence, &Version)| precedence.guards(version, (entry.op, versions.get(key)));
        let matched = RowMatch {
            is_same: entry.op == Op::Put && entry.row == hit.row,
            // A version stays where it is when the next one opens.
            is_same_partition: rules.strategy == StrategyName::Scd2 || is_home,
            is_live: hit.is_live,
            is_newer: identity.precedence.as_ref().zip(version).is_some_and(guards),
        };
        let decision = decide(*rules, entry.op, entry.state, matched);
        let is_dropped = matches!(decision.state, KeyState::Unchanged | KeyState::Kept);
        if let (true, Some(location)) = (is_dropped, entry.staged()) {
            self.dropped.entry(location.file).or_default().insert(location.row);
        }
        self.tally.state_changed(entry.op, entry.state, decision.state);
        self.tally.action(decision.action);
        entry.state = decision.state;
        decision.action
    }

    /// Decides about a row of the table whose key the run does not have.
    fn absent(&mut self) -> MergeAction {
        let Search { rules, .. } = self.search.as_ref();
        let action = decide_absent(*rules);
        if rules.strategy == StrategyName::Scd2 {
            self.tally.retirement(action);
        } else {
            self.tally.action(action);
        }
        action
    }
}

impl Resolved {
    /// Takes what is known of the rows of a file, which is to be put back.
    fn rows_of(&mut self, path: &str) -> ResolvedRows {
        let [gone, closed] = [&mut self.gone, &mut self.closed].map(|files| files.remove(path).unwrap_or_default());
        ResolvedRows { gone, closed }
    }

    fn put_back(&mut self, path: &str, rows: ResolvedRows) {
        let ResolvedRows { gone, closed } = rows;
        for (files, rows) in [(&mut self.gone, gone), (&mut self.closed, closed)] {
            if rows.len() > 0 {
                files.insert(path.to_owned(), rows);
            }
        }
    }
}

impl ResolvedRows {
    fn note(&mut self, position: u32, state: MergeAction) {
        if state != MergeAction::Keep {
            self.gone.insert(position);
        }
        if state == MergeAction::Close {
            self.closed.insert(position);
        }
    }
}

/// Returns whether a row of the table has matched this one already, so that the next equal one is
/// to match another.
fn is_met(index: &KeyIndex, key: Fingerprint) -> bool {
    index.get(key).is_some_and(|entry| entry.state != KeyState::Fresh)
}
