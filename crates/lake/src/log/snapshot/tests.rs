use proptest::prelude::*;

use super::*;
use crate::log::document::{AddedFile, DataFile, KeyBound, Operation};
use crate::log::key_range::KeyRange;
use crate::testing::world::schema;
use lakefeed_model::event::RowCounts;
use lakefeed_model::spec::WriteDisposition;

fn commit(number: u64, adds: &[u8], removes: &[u8]) -> CommitDocument {
    let path = |file: &u8| format!("p={}/part-0000{}.parquet", file / 4, file % 4);
    CommitDocument {
        version: CommitDocument::VERSION,
        commit: number,
        run_id: format!("run-{number}"),
        time: "2026-11-23T12:00:00Z".parse().unwrap(),
        resource: "events".to_owned(),
        disposition: WriteDisposition::Append,
        merge: None,
        operation: Operation::Load,
        primary_key: Vec::new(),
        partition_by: Vec::new(),
        schema: schema(),
        checkpoint: Checkpoint::full_listing("events"),
        counts: RowCounts::default(),
        adds: adds
            .iter()
            .map(|file| AddedFile {
                path: path(file),
                staged: String::new(),
                bytes: number,
                rows: 1,
                partition: Vec::new(),
                key_min: None,
                key_max: None,
            })
            .collect(),
        removes: removes.iter().map(path).collect(),
        retires: Vec::new(),
        rejects: None,
        settled: Vec::new(),
        full_refresh: false,
        schema_changes: Vec::new(),
    }
}

proptest! {
    #[test]
    fn the_fold_has_exactly_the_files_that_were_added_and_not_removed(
        steps in proptest::collection::vec((proptest::collection::btree_set(0u8..16, 0..6), 0usize..4), 0..20),
    ) {
        let mut snapshot = Snapshot::default();
        let mut model: BTreeMap<u8, u64> = BTreeMap::new();
        for (number, (adds, remove)) in (1..).zip(steps) {
            let removes = model.keys().filter(|file| !adds.contains(file)).take(remove).copied().collect::<Vec<_>>();
            let adds = adds.into_iter().collect::<Vec<_>>();
            snapshot = snapshot.apply(&commit(number, &adds, &removes)).unwrap();
            model.retain(|file, _| !removes.contains(file));
            model.extend(adds.iter().map(|file| (*file, number)));
            prop_assert_eq!(snapshot.version, number);
            prop_assert_eq!(snapshot.files.values().map(|file| file.bytes).collect::<Vec<_>>(),
                model.values().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_gap_and_a_contradiction_are_found() {
    let cases = [
        (commit(2, &[], &[]), "commit 1 is missing"),
        (commit(1, &[], &[3]), "removes"),
        (commit(1, &[1], &[1]), "does not have"),
    ];
    for (commit, problem) in cases {
        let error = Snapshot::default().apply(&commit).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    let one = Snapshot::default().apply(&commit(1, &[1], &[])).unwrap();
    assert!(one.apply(&commit(2, &[1], &[1])).unwrap_err().contains("both adds and removes"));
}

#[test]
fn files_outside_of_the_range_of_keys_are_left_out_and_unknown_ranges_are_not() {
    let file = |min: Option<KeyBound>, max: Option<KeyBound>| DataFile {
        rows: 1,
        bytes: 1,
        partition: Vec::new(),
        key_min: min,
        key_max: max,
    };
    let text = |text: &str| Some(KeyBound::Text(text.to_owned()));
    let range = KeyRange::new(text("b"), text("d")).unwrap();
    let cases = [
        (file(text("a"), text("az")), false),
        (file(text("a"), text("b")), true),
        (file(text("c"), text("c")), true),
        (file(text("d"), text("e")), true),
        (file(text("da"), text("e")), false),
        (file(None, None), true),
        (file(Some(KeyBound::Int(1)), Some(KeyBound::Int(2))), true),
    ];
    for (file, meets) in cases {
        assert_eq!(range.may_meet(&file), meets, "{file:?}");
    }
    assert_eq!(KeyRange::new(text(&"x".repeat(300)), text("y")), None);
    assert_eq!(KeyRange::union(Some(range), None), None);
}
