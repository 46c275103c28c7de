//! Keys of a run that do not fit into memory, in temporary files: what is known of each key, spread
//! by hash over buckets that fit one at a time.
//!
//! A bucket has records in the order in which they were made, so that the last one of a key wins as
//! it does in memory. Rows of the table that the run may touch are spread over buckets by the same
//! hash, and meet the keys bucket by bucket (a grace hash join).

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::fingerprint::Fingerprint;
use crate::merge::decide::{KeyState, Op};
use crate::merge::index::{Entry, KeyIndex};
use crate::parquet::row_set::{RowLocation, RowSet};
use lakefeed_model::error::{Error, Result};

/// Buckets; with more than so many times the keys that fit into memory, memory grows again.
const BUCKETS: usize = 64;
/// The bits of a hash that choose its bucket are its highest ones.
const BUCKET_SHIFT: u32 = Fingerprint::BITS - BUCKETS.trailing_zeros();
/// Bytes that wait for each bucket before they are written.
const BUFFER_BYTES: usize = 16 * 1024;
const RECORD_BYTES: usize = 1 + 16 + 16 + 8 + 8;

/// Records in temporary files, by bucket.
#[derive(Debug)]
pub(crate) struct Buckets {
    files: Vec<BufWriter<File>>,
    records: u64,
}

/// What a bucket says of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) key: Fingerprint,
    pub(crate) row: Fingerprint,
    pub(crate) location: RowLocation,
    /// Where the row was before; of meaning for [`Kind::Moves`] only.
    pub(crate) was: RowLocation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The run has a row.
    Put,
    /// The run deletes.
    Delete,
    /// The staged row at `was` is at `location` now, in another shape.
    Moves,
    /// The table has a row; `location.file` is the number of its file.
    Live,
    /// The table has a row that is marked as deleted.
    Dead,
    /// The table has a row that the run touches even if its key did not come.
    LiveTouched,
    /// Both.
    DeadTouched,
}

/// The keys of a run, as far as they were spilled.
#[derive(Debug)]
pub(crate) struct SpilledKeys {
    buckets: Buckets,
    folder: PathBuf,
    /// Whether each key is there once, with its winner.
    is_settled: bool,
    puts: u64,
    deletes: u64,
}

impl Buckets {
    /// Returns empty ones, as unnamed files in `folder`.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let file = || Ok(BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile_in(folder)?));
        let files = (0..BUCKETS).map(|_| file()).collect::<io::Result<_>>().map_err(lost)?;
        Ok(Self { files, records: 0 })
    }

    pub(crate) fn push(&mut self, record: &Record) -> Result<()> {
        let bucket = usize::try_from(record.key >> BUCKET_SHIFT).unwrap_or_default();
        let Some(file) = self.files.get_mut(bucket) else { return Ok(()) };
        self.records += 1;
        file.write_all(&record.to_bytes()).map_err(lost)
    }

    /// Takes the records of each bucket, in order.
    pub(crate) fn drain(self) -> impl Iterator<Item = Result<Vec<Record>>> {
        self.files.into_iter().map(|file| {
            let mut file = file.into_inner().map_err(|error| lost(error.into_error()))?;
            read(&mut file).map_err(lost)
        })
    }

    /// Returns the records of a bucket, in order.
    fn read(&mut self, bucket: usize) -> Result<Vec<Record>> {
        let Some(file) = self.files.get_mut(bucket) else { return Ok(Vec::new()) };
        file.flush().map_err(lost)?;
        let records = read(file.get_mut()).map_err(lost)?;
        file.get_mut().seek(io::SeekFrom::End(0)).map_err(lost)?;
        Ok(records)
    }

    fn clear(&mut self, bucket: usize) -> Result<()> {
        let Some(file) = self.files.get_mut(bucket) else { return Ok(()) };
        let file = file.get_mut();
        file.set_len(0).and_then(|()| file.rewind()).map_err(lost)
    }
}

fn read(file: &mut File) -> io::Result<Vec<Record>> {
    file.rewind()?;
    let count = usize::try_from(file.metadata()?.len()).unwrap_or(0) / RECORD_BYTES;
    let mut records = Vec::with_capacity(count);
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut bytes = [0; RECORD_BYTES];
    for _ in 0..count {
        reader.read_exact(&mut bytes)?;
        records.push(Record::of_bytes(&bytes)?);
    }
    Ok(records)
}

impl Record {
    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let Self { kind, key, row, location, was } = self;
        let parts: [&[u8]; 7] = [
            &[kind.code()],
            &key.to_le_bytes(),
            &row.to_le_bytes(),
            &location.file.to_le_bytes(),
            &location.row.to_le_bytes(),
            &was.file.to_le_bytes(),
            &was.row.to_le_bytes(),
        ];
        let mut rest = bytes.as_mut_slice();
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.copy_from_slice(part);
            rest = after;
        }
        bytes
    }

    fn of_bytes(bytes: &[u8; RECORD_BYTES]) -> io::Result<Self> {
        let (kind, rest) = bytes.split_at(1);
        let (key, rest) = rest.split_at(16);
        let (row, locations) = rest.split_at(16);
        let hash = |bytes: &[u8]| bytes.try_into().map(Fingerprint::from_le_bytes).unwrap_or_default();
        let numbers =
            locations.chunks_exact(4).map(|bytes| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default());
        let [file, position, was_file, was_row] = numbers.collect::<Vec<_>>().try_into().unwrap_or([0; 4]);
        Ok(Self {
            kind: kind.first().and_then(|code| Kind::of(*code)).ok_or(io::ErrorKind::InvalidData)?,
            key: hash(key),
            row: hash(row),
            location: RowLocation { file, row: position },
            was: RowLocation { file: was_file, row: was_row },
        })
    }
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Put, Self::Delete, Self::Moves, Self::Live, Self::Dead, Self::LiveTouched, Self::DeadTouched];

    fn code(self) -> u8 {
        Self::ALL.iter().zip(0..).find(|(kind, _)| **kind == self).map_or(u8::MAX, |(_, code)| code)
    }

    fn of(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl SpilledKeys {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let buckets = Buckets::new(folder)?;
        Ok(Self { buckets, folder: folder.to_owned(), is_settled: true, puts: 0, deletes: 0 })
    }

    /// Returns empty buckets in the same folder.
    pub(crate) fn buckets_beside(&self) -> Result<Buckets> {
        Buckets::new(&self.folder)
    }

    /// Takes all keys of an index, which is empty then; they are newer than those before.
    pub(crate) fn take(&mut self, index: &mut KeyIndex) -> Result<()> {
        self.is_settled = false;
        for (key, entry) in index.drain() {
            let kind = if entry.op == Op::Put { Kind::Put } else { Kind::Delete };
            self.buckets.push(&Record { kind, key, row: entry.row, location: entry.location, was: entry.location })?;
        }
        Ok(())
    }

    /// Notes that a staged row of a key is elsewhere, in another shape.
    pub(crate) fn moves(&mut self, key: Fingerprint, was: RowLocation, entry: &Entry) -> Result<()> {
        self.is_settled = false;
        self.buckets.push(&Record { kind: Kind::Moves, key, row: entry.row, location: entry.location, was })
    }

    /// Lets the records of each key compete, so that one is left. Returns how many others have
    /// replaced; `dropped` gets where those were staged.
    pub(crate) fn settle(&mut self, dropped: &mut HashMap<u32, RowSet>) -> Result<u64> {
        if self.is_settled {
            return Ok(0);
        }
        let mut replaced = 0;
        (self.puts, self.deletes) = (0, 0);
        for bucket in 0..BUCKETS {
            let mut index = KeyIndex::default();
            for record in self.buckets.read(bucket)? {
                let loser = match record.kind {
                    Kind::Put => index.insert(record.key, Entry::put(record.row, record.location)),
                    Kind::Delete => index.insert(record.key, Entry::delete()),
                    _ => {
                        index.restaged(record.key, record.was, record.row, record.location);
                        None
                    }
                };
                replaced += u64::from(loser.is_some());
                if let Some(location) = loser.and_then(|loser| loser.staged()) {
                    dropped.entry(location.file).or_default().insert(location.row);
                }
            }
            self.puts += index.puts();
            self.deletes += index.deletes();
            self.buckets.clear(bucket)?;
            self.take(&mut index)?;
        }
        self.is_settled = true;
        Ok(replaced)
    }

    /// Returns how many keys the run has rows of, and how many it deletes; known once they are
    /// settled.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.puts, self.deletes)
    }

    /// Returns what tells keys apart that the run certainly does not have.
    pub(crate) fn filter(&mut self) -> Result<KeyFilter> {
        let mut filter = KeyFilter::for_keys(self.puts + self.deletes);
        for bucket in 0..BUCKETS {
            for record in self.buckets.read(bucket)? {
                filter.insert(record.key);
            }
        }
        Ok(filter)
    }

    /// Returns the keys of each bucket. They must be settled.
    pub(crate) fn drain(self) -> impl Iterator<Item = Result<KeyIndex>> {
        self.buckets.drain().map(|records| {
            let mut index = KeyIndex::default();
            for Record { kind, key, row, location, .. } in records? {
                let entry = if kind == Kind::Delete { Entry::delete() } else { Entry::put(row, location) };
                debug_assert_eq!(entry.state, KeyState::Fresh);
                index.insert(key, entry);
            }
            Ok(index)
        })
    }
}

/// Tells most keys apart that were not inserted (a Bloom filter); the keys are hashes already.
#[derive(Debug)]
pub(crate) struct KeyFilter {
    words: Vec<u64>,
}

impl KeyFilter {
    const BITS_PER_KEY: u64 = 10;
    const WORDS_MAX: u64 = 4 * 1024 * 1024;

    fn for_keys(keys: u64) -> Self {
        let words = (keys.saturating_mul(Self::BITS_PER_KEY) / 64).max(1).next_power_of_two().min(Self::WORDS_MAX);
        Self { words: vec![0; usize::try_from(words).unwrap_or(1)] }
    }

    /// Returns the words and the bits in them that stand for a key.
    fn locations(&self, key: Fingerprint) -> impl Iterator<Item = (usize, u64)> {
        let count = self.words.len();
        (0..4).map(move |number| {
            #[expect(clippy::cast_possible_truncation, reason = "a part of a random number is as random")]
            let part = (key >> (32 * number)) as u32 as usize;
            ((part >> 6) % count, 1 << (part & 63))
        })
    }

    fn insert(&mut self, key: Fingerprint) {
        for (word, bit) in self.locations(key).collect::<Vec<_>>() {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    pub(crate) fn may_have(&self, key: Fingerprint) -> bool {
        self.locations(key).all(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }
}

fn lost(error: io::Error) -> Error {
    Error::storage("the keys of a run could not be kept in temporary files")
        .with_source(error)
        .with_hint("check the space in the folder for temporary files (TMPDIR)")
}

#[cfg(test)]
mod tests {
    use lakefeed_model::environment::Environment;
    use proptest::prelude::*;

    use super::*;

    fn hash(number: u64) -> Fingerprint {
        twox_hash::XxHash3_128::oneshot(&number.to_le_bytes())
    }

    proptest! {
        #[test]
        fn a_record_reads_back(
            code in 0..7_u8, key in any::<u128>(), row in any::<u128>(), numbers in any::<[u32; 4]>(),
        ) {
            let [file, position, was_file, was_row] = numbers;
            let (location, was) = (RowLocation { file, row: position }, RowLocation { file: was_file, row: was_row });
            let record = Record { kind: Kind::of(code).unwrap(), key, row, location, was };
            prop_assert_eq!(Record::of_bytes(&record.to_bytes()).unwrap(), record);
        }

        /// Keys come in generations; whatever is spilled when, the same entries win and the same
        /// rows are dropped.
        #[test]
        fn spilled_keys_equal_an_index_in_memory(
            generations in prop::collection::vec(prop::collection::vec((0..40_u64, prop::bool::weighted(0.2)), 0..30), 1..6),
        ) {
            let (mut model, mut dropped_by_model) = (KeyIndex::default(), HashMap::<u32, RowSet>::new());
            let (mut spilled, mut dropped) = (SpilledKeys::new(&Environment::empty().temporary_folder()).unwrap(), HashMap::<u32, RowSet>::new());
            let (mut row, mut replaced, mut replaced_by_model) = (0, 0, 0);
            for (round, generation) in generations.into_iter().enumerate() {
                let mut index = KeyIndex::default();
                for (number, deletes) in generation {
                    row += 1;
                    let entry = if deletes { Entry::delete() } else { Entry::put(u128::from(row), RowLocation { file: 7, row }) };
                    for (index, dropped, replaced) in [
                        (&mut model, &mut dropped_by_model, &mut replaced_by_model),
                        (&mut index, &mut dropped, &mut replaced),
                    ] {
                        if let Some(loser) = index.insert(hash(number), entry) {
                            *replaced += 1;
                            loser.staged().map(|location| dropped.entry(location.file).or_default().insert(location.row));
                        }
                    }
                }
                spilled.take(&mut index).unwrap();
                prop_assert!(index.is_empty());
                if round % 2 == 1 {
                    replaced += spilled.settle(&mut dropped).unwrap();
                }
            }
            replaced += spilled.settle(&mut dropped).unwrap();
            prop_assert_eq!(replaced, replaced_by_model);
            prop_assert_eq!(spilled.counts(), (model.puts(), model.deletes()));
            let rows = |dropped: &HashMap<u32, RowSet>| dropped.get(&7).map(|rows| rows.positions().collect::<Vec<_>>());
            prop_assert_eq!(rows(&dropped), rows(&dropped_by_model));
            let filter = spilled.filter().unwrap();
            let mut left: HashMap<Fingerprint, Entry> = HashMap::new();
            for index in spilled.drain() {
                left.extend(index.unwrap().drain());
            }
            prop_assert!(left.keys().all(|key| filter.may_have(*key)));
            prop_assert_eq!(left, model.drain().collect::<HashMap<_, _>>());
        }
    }

    #[test]
    fn a_row_that_was_written_anew_is_found_where_it_is_now_unless_another_one_has_won() {
        let mut spilled = SpilledKeys::new(&Environment::empty().temporary_folder()).unwrap();
        let mut index = KeyIndex::default();
        let (first, second) = (RowLocation { file: 0, row: 0 }, RowLocation { file: 0, row: 1 });
        index.insert(hash(1), Entry::put(1, first));
        index.insert(hash(2), Entry::put(2, second));
        spilled.take(&mut index).unwrap();
        index.insert(hash(2), Entry::put(3, RowLocation { file: 1, row: 0 }));
        spilled.take(&mut index).unwrap();
        for (key, was) in [(1, first), (2, second)] {
            let now = Entry::put(u128::from(key) + 10, RowLocation { file: 9, row: was.row });
            spilled.moves(hash(key), was, &now).unwrap();
        }
        assert_eq!(spilled.settle(&mut HashMap::new()).unwrap(), 1);
        let mut entries = HashMap::new();
        for index in spilled.drain() {
            entries.extend(index.unwrap().drain());
        }
        assert_eq!(entries[&hash(1)], Entry::put(11, RowLocation { file: 9, row: 0 }));
        assert_eq!(entries[&hash(2)], Entry::put(3, RowLocation { file: 1, row: 0 }));
    }

    #[test]
    fn a_filter_lets_few_keys_through_that_it_does_not_have() {
        let mut filter = KeyFilter::for_keys(10_000);
        (0..10_000).for_each(|number| filter.insert(hash(number)));
        assert!((0..10_000).all(|number| filter.may_have(hash(number))));
        let wrong = (10_000..30_000).filter(|number| filter.may_have(hash(*number))).count();
        assert!(wrong < 600, "{wrong}");
    }
}
