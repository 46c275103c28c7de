//! Which final names the data files of a commit get. Pure.
//!
//! Files are numbered by partition. A name that stays in the table, and only gets other content,
//! may be used as often as one likes: it is replaced by one atomic copy. A name that a commit has
//! removed never comes back: a zombie writer may still remove it when it wakes up (rule 7 of the
//! protocol).
//!
//! | file | name |
//! | --- | --- |
//! | it is another file's rows, written anew | the name of that file |
//! | any other new file | the lowest name of its partition that this commit frees, then a new one |

use std::collections::{BTreeMap, BTreeSet};

use crate::log::document::AddedFile;
use crate::log::snapshot::Snapshot;
use crate::staging::area::StagedFile;
use crate::staging::changes::Changes;
use crate::storage::layout::{data_file, file_number};

/// What a commit does to the data files, by their names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct NamedChanges {
    /// By path, ascending.
    pub(super) adds: Vec<AddedFile>,
    /// Ascending.
    pub(super) removes: Vec<String>,
}

/// The file numbers of a partition that new files may take.
#[derive(Debug, Default)]
struct FreeNumbers {
    /// Numbers of files that this commit takes out.
    freed: BTreeSet<u32>,
    /// The first number that no file has, or had.
    next: u32,
}

impl FreeNumbers {
    fn take(&mut self) -> u32 {
        self.freed.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

/// Names the files of a commit after `base`; `staged` tells where the staged file with a number is.
pub(super) fn name(base: &Snapshot, changes: Changes, staged: impl Fn(u32) -> String) -> NamedChanges {
    let Changes { adds, rewrites, mut removes } = changes;
    let mut partitions: BTreeMap<&str, FreeNumbers> = BTreeMap::new();
    for (partition, number) in base.files.keys().filter_map(|path| file_number(path)) {
        let free = partitions.entry(partition).or_default();
        free.next = free.next.max(number + 1);
    }
    for (partition, retired) in &base.retired_numbers {
        let free = partitions.entry(partition).or_default();
        free.next = free.next.max(retired + 1);
    }
    for (partition, number) in removes.iter().filter_map(|path| file_number(path)) {
        partitions.entry(partition).or_default().freed.insert(number);
    }
    let mut named = rewrites.into_iter().map(|(path, file)| added(path, &file, &staged)).collect::<Vec<_>>();
    for file in &adds {
        let number = partitions.entry(&file.partition.path).or_default().take();
        named.push(added(data_file(&file.partition.path, number), file, &staged));
    }
    named.sort_by(|left, right| left.path.cmp(&right.path));
    removes.retain(|path| named.binary_search_by(|added| added.path.cmp(path)).is_err());
    removes.sort();
    NamedChanges { adds: named, removes }
}

fn added(path: String, file: &StagedFile, staged: impl Fn(u32) -> String) -> AddedFile {
    let (key_min, key_max) = file.keys.clone().map_or((None, None), |keys| (Some(keys.min), Some(keys.max)));
    AddedFile {
        path,
        staged: staged(file.number),
        bytes: file.bytes,
        rows: file.rows,
        partition: file.partition.values.clone(),
        key_min,
        key_max,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::document::DataFile;
    use crate::staging::partition::Partition;

    type Names = &'static [&'static str];
    /// Folders of new files, rewritten files with their folders, files that leave; names of the new
    /// files, and files that are removed.
    type Case = (Names, &'static [(&'static str, &'static str)], Names, Names, Names);

    fn staged(number: u32, folder: &str) -> StagedFile {
        let partition = Arc::new(Partition { path: folder.to_owned(), values: Vec::new() });
        StagedFile { number, partition, rows: 1, bytes: 1, keys: None, held: None }
    }

    #[test]
    fn what_was_removed_is_not_taken_again_and_what_is_replaced_is() {
        let file = DataFile { rows: 1, bytes: 1, partition: Vec::new(), key_min: None, key_max: None };
        let path = |name: &str| {
            let (folder, number) = name.split_once(' ').unwrap();
            data_file(folder, number.parse().unwrap())
        };
        let base = Snapshot {
            files: ["a 0", "a 2", "b 1"].map(|name| (path(name), file.clone())).into(),
            retired_numbers: BTreeMap::from([("a".to_owned(), 5), ("c".to_owned(), 0)]),
            ..Snapshot::default()
        };
        // Names are a folder and a number; new files have their folder, and what they are rewritten
        // from.
        let cases: &[Case] = &[
            (&["a", "a", "a"], &[], &[], &["a 6", "a 7", "a 8"], &[]),
            (&["b", "c", "d", "d"], &[], &[], &["b 2", "c 1", "d 0", "d 1"], &[]),
            (&["a", "a", "a"], &[], &["a 2", "a 0"], &["a 0", "a 2", "a 6"], &[]),
            (&["a"], &[], &["a 2", "a 0"], &["a 0"], &["a 2"]),
            (&["b"], &[], &["a 2", "a 0"], &["b 2"], &["a 0", "a 2"]),
            (&["a"], &[("a 2", "a")], &["a 0"], &["a 2", "a 0"], &[]),
            (&["a"], &[("a 2", "a"), ("a 0", "a")], &[], &["a 2", "a 0", "a 6"], &[]),
            (&[], &[], &["b 1"], &[], &["b 1"]),
        ];
        for (adds, rewrites, removes, expected, left) in cases {
            let rewritten = (0..).zip(*rewrites).map(|(number, (from, folder))| (path(from), staged(number, folder)));
            let rewrites = rewritten.collect::<BTreeMap<_, _>>();
            let first = u32::try_from(rewrites.len()).unwrap();
            let changes = Changes {
                adds: (first..).zip(*adds).map(|(number, folder)| staged(number, folder)).collect(),
                rewrites,
                removes: removes.iter().map(|name| path(name)).collect(),
            };
            let named = name(&base, changes, |number| number.to_string());
            let mut by_number = named.adds;
            assert!(by_number.is_sorted_by(|left, right| left.path < right.path), "{by_number:?}");
            by_number.sort_by_key(|added| added.staged.parse::<u32>().unwrap());
            let names = by_number.into_iter().map(|added| added.path).collect::<Vec<_>>();
            let expected = expected.iter().map(|name| path(name)).collect::<Vec<_>>();
            assert_eq!(names, expected, "{adds:?} {removes:?}");
            assert_eq!(named.removes, left.iter().map(|name| path(name)).collect::<Vec<_>>());
        }
    }
}
