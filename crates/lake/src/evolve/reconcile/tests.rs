use super::*;
use lakefeed_model::error::ErrorKind;

fn column(name: &str, column_type: ColumnType, nullable: bool) -> Column {
    Column { name: name.to_owned(), column_type, nullable }
}

fn snapshot(stored: Vec<Column>) -> Snapshot {
    let file = crate::DataFile { rows: 1, bytes: 1, partition: vec![], key_min: None, key_max: None };
    Snapshot {
        version: 1,
        schema: Some(Arc::new(RecordSchema::new(stored).unwrap())),
        files: [("part-00000.parquet".to_owned(), file)].into(),
        ..Snapshot::default()
    }
}

fn check(stored: Vec<Column>, wanted: Vec<Column>, replaces: bool, conflicts: Conflicts) -> Result<Agreed> {
    let schema = Arc::new(RecordSchema::new(wanted).unwrap());
    let wanted = Wanted { replaces, schema: &schema, primary_key: &[], partition_by: &[], conflicts };
    reconcile("t", &snapshot(stored), wanted)
}

#[test]
fn every_change_is_named_and_says_whether_files_are_rewritten() {
    use ColumnType::{Date32, Float64, Int64, Json, TimestampUtc, Utf8};
    let one = |column_type| vec![column("x", column_type, true)];
    let object = |members: &[&str]| ColumnType::Struct(members.iter().map(|name| column(name, Int64, true)).collect());
    let list = |element| ColumnType::List(Box::new(element));
    let (id, text) = (|| column("id", Int64, false), || column("text", Utf8, true));
    for (stored, wanted, names, changes, rewrites) in [
        (vec![id()], vec![id()], "id", vec![], false),
        (vec![id()], vec![text(), id()], "text id", vec!["added column text: utf8"], false),
        (vec![id(), text()], vec![text(), id()], "text id", vec![], false),
        (vec![id(), text()], vec![id()], "id text", vec![], false),
        (
            vec![text(), id()],
            vec![text()],
            "text id",
            vec!["column id: int64 not null may be null now: the run lacks it"],
            false,
        ),
        (vec![id()], vec![column("id", Int64, true)], "id", vec!["column id: int64 may be null now"], false),
        (one(Int64), one(Float64), "x", vec!["column x is float64 now, was int64"], true),
        // The table knows more than the run: it stays as it is.
        (one(Float64), one(Int64), "x", vec![], false),
        (one(Date32), one(TimestampUtc), "x", vec!["column x is timestamp[us, UTC] now, was date32"], true),
        (one(Int64), one(Json), "x", vec!["column x is json now, was int64"], true),
        (one(TimestampUtc), one(Utf8), "x", vec!["column x is json now, was timestamp[us, UTC]"], true),
        (
            one(object(&["a"])),
            one(object(&["a", "b"])),
            "x",
            vec!["column x is struct<a: int64, b: int64> now, was struct<a: int64>"],
            false,
        ),
        (
            one(list(object(&["a"]))),
            one(list(object(&["b"]))),
            "x",
            vec!["column x is list<struct<a: int64, b: int64>> now, was list<struct<a: int64>>"],
            false,
        ),
    ] {
        let agreed = check(stored, wanted, false, Conflicts::Json).unwrap();
        let found: Vec<&str> = agreed.schema.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(found.join(" "), names);
        assert_eq!((agreed.changes, agreed.rewrites), (changes.into_iter().map(str::to_owned).collect(), rewrites));
    }
}

#[test]
fn what_old_rows_would_not_fit_is_refused_unless_none_stays() {
    let id = || column("id", ColumnType::Int64, false);
    let text = || column("text", ColumnType::Utf8, true);
    for (stored, wanted) in [
        (vec![id()], vec![column("id", ColumnType::Utf8, false)]),
        (vec![id()], vec![id(), column("new", ColumnType::Utf8, false)]),
        (vec![id(), text()], vec![id(), column("text", ColumnType::Utf8, false)]),
        (vec![text()], vec![column("text", ColumnType::TimestampUtc, true)]),
    ] {
        let error = check(stored.clone(), wanted.clone(), false, Conflicts::Reject).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        assert!(error.hints()[0].contains("--full-refresh"));
        let agreed = check(stored, wanted.clone(), true, Conflicts::Reject).unwrap();
        assert_eq!((agreed.schema.columns(), agreed.rewrites), (wanted.as_slice(), false));
        assert!(!agreed.changes.is_empty());
    }
    let agreed = check(vec![id(), text()], vec![id()], true, Conflicts::Reject).unwrap();
    assert_eq!(agreed.changes, ["the column text: utf8 is gone"]);
}

#[test]
fn another_primary_key_or_partitioning_is_refused_with_both_sides() {
    let columns = vec![column("id", ColumnType::Int64, false)];
    let schema = Arc::new(RecordSchema::new(columns.clone()).unwrap());
    let snapshot = Snapshot { primary_key: vec!["id".to_owned()], ..snapshot(columns) };
    let wanted =
        Wanted { replaces: false, schema: &schema, primary_key: &[], partition_by: &[], conflicts: Conflicts::Reject };
    let error = reconcile("t", &snapshot, wanted).unwrap_err();
    assert!(error.to_string().contains("primary key is (id), the run's is none"), "{error}");
    let wider = Arc::new(RecordSchema::new(vec![column("id", ColumnType::Float64, false)]).unwrap());
    let wanted = Wanted { schema: &wider, primary_key: &snapshot.primary_key, ..wanted };
    let error = reconcile("t", &snapshot, wanted).unwrap_err();
    assert!(error.to_string().contains("part of the key"), "{error}");
}
