use super::*;

const MIB: u64 = 1024 * 1024;

fn existing(path: &str, rows: u64, mib: u64, deleted: u64) -> ExistingFile {
    ExistingFile { path: path.to_owned(), rows, bytes: mib * MIB, deleted }
}

fn incoming(number: u32, rows: u64, dropped: u64) -> IncomingFile {
    IncomingFile { number, partition: "p=1".to_owned(), rows, bytes: 64 * MIB, dropped, is_held: false }
}

fn small_existing() -> ExistingFile {
    existing("p=1/part-00000.parquet", 10, 1, 0)
}

fn small(number: u32) -> IncomingFile {
    IncomingFile { bytes: MIB, ..incoming(number, 5, 0) }
}

/// Whether new files have to be written.
fn rewrites(plan: &PartitionPlan) -> bool {
    !plan.rewritten.is_empty() || !plan.merged.is_empty()
}

fn plan_one(existing: &[ExistingFile], incoming: &[IncomingFile]) -> Option<PartitionPlan> {
    let mut plans = plan(existing, incoming, 128 * MIB);
    assert!(plans.len() <= 1);
    plans.pop()
}

#[test]
fn a_first_load_takes_staged_files_as_they_are_and_rewrites_those_with_duplicates() {
    let plan = plan_one(&[], &[incoming(0, 10, 0), incoming(1, 10, 3), incoming(2, 5, 5)]).unwrap();
    assert_eq!((plan.adopted, plan.merged), (vec![0], vec![1]));
    assert!(plan.leaving.is_empty());
}

#[test]
fn nothing_that_survives_and_nothing_that_leaves_is_no_change() {
    assert_eq!(plan_one(&[existing("p=1/part-00000.parquet", 10, 1, 0)], &[incoming(0, 5, 5)]), None);
    assert!(plan(&[], &[], MIB).is_empty());
}

#[test]
fn a_large_untouched_file_is_kept_and_new_rows_go_beside_it() {
    let plan = plan_one(&[existing("p=1/part-00004.parquet", 10, 64, 0)], &[incoming(0, 5, 0)]).unwrap();
    assert_eq!(plan.adopted, [0]);
    assert!(plan.leaving.is_empty() && !rewrites(&plan));
}

#[test]
fn small_files_are_rewritten_only_when_rows_are_added() {
    let small = small_existing();
    let large = existing("p=1/part-00001.parquet", 10, 64, 2);
    let plan = plan_one(&[small.clone(), large.clone()], &[incoming(7, 5, 1)]).unwrap();
    assert_eq!(plan.rewritten, [small.path.clone(), large.path.clone()]);
    assert_eq!((plan.merged, plan.leaving), (vec![7], vec![small.path.clone(), large.path.clone()]));
    let plan = plan_one(&[small_existing()], &[incoming(7, 5, 0)]).unwrap();
    assert_eq!((plan.adopted, plan.rewritten.len()), (vec![7], 1));
    let plan = plan_one(&[small, large.clone()], &[]).unwrap();
    assert_eq!(plan.rewritten, [large.path]);
}

#[test]
fn a_file_whose_rows_all_leave_is_not_rewritten() {
    let gone = existing("p=1/part-00003.parquet", 4, 1, 4);
    let plan = plan_one(std::slice::from_ref(&gone), &[incoming(0, 4, 0)]).unwrap();
    assert_eq!((&plan.adopted, &plan.leaving), (&vec![0], &vec![gone.path.clone()]));
    assert!(!rewrites(&plan));
    let plan = plan_one(&[gone], &[]).unwrap();
    assert!(!rewrites(&plan) && plan.adopted.is_empty() && plan.leaving.len() == 1);
}

#[test]
fn partitions_do_not_touch_each_other() {
    let other = existing("p=2/part-00000.parquet", 10, 1, 0);
    let plans = plan(&[other], &[incoming(0, 5, 0)], 128 * MIB);
    assert_eq!(plans.len(), 1);
    assert_eq!((plans[0].partition.as_str(), &plans[0].adopted), ("p=1", &vec![0]));
}

#[test]
fn small_staged_files_are_put_together_and_a_single_one_is_taken_as_it_is() {
    let plan = plan_one(&[], &[incoming(0, 10, 0), small(1)]).unwrap();
    assert_eq!((plan.adopted, plan.merged), (vec![0, 1], vec![]));
    let plan = plan_one(&[], &[incoming(0, 10, 0), small(1), small(2)]).unwrap();
    assert_eq!((plan.adopted, plan.merged), (vec![0], vec![1, 2]));
    let plan = plan_one(&[existing("p=1/part-00000.parquet", 10, 64, 2)], &[incoming(0, 10, 0), small(1)]).unwrap();
    assert_eq!((plan.adopted, plan.merged), (vec![0], vec![1]));
}

#[test]
fn rows_that_are_held_are_written() {
    let held = IncomingFile { is_held: true, ..small(1) };
    let plan = plan_one(&[], &[held.clone(), incoming(0, 10, 0)]).unwrap();
    assert_eq!((plan.adopted, plan.merged), (vec![0], vec![1]));
    let plan = plan_one(&[], &[IncomingFile { bytes: 64 * MIB, ..held }]).unwrap();
    assert_eq!((plan.adopted, plan.merged), (vec![], vec![1]));
}
