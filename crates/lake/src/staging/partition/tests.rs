use std::collections::HashSet;

use arrow::array::{Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use proptest::prelude::*;

use super::*;
use lakefeed_model::schema::{Column, ColumnType};

fn schema(column_type: ColumnType) -> RecordSchema {
    RecordSchema::new(vec![Column { name: "value".to_owned(), column_type, nullable: true }]).unwrap()
}

fn field(transform: Transform) -> PartitionField {
    PartitionField { column: "value".to_owned(), transform, name: format!("value_{}", transform.as_str()) }
}

fn paths(schema: &RecordSchema, transform: Transform, array: ArrayRef) -> Vec<String> {
    let batch = RecordBatch::try_new(schema.to_arrow(), vec![array]).unwrap();
    let mut partitioner = Partitioner::new(&[field(transform)], schema).unwrap();
    let groups = partitioner.split(&batch).unwrap();
    let mut by_row = vec![String::new(); batch.num_rows()];
    for group in groups {
        let path = &partitioner.partition(group.partition).unwrap().path;
        match group.rows {
            None => by_row.iter_mut().for_each(|row| row.clone_from(path)),
            Some(rows) => rows.values().iter().for_each(|row| by_row[*row as usize].clone_from(path)),
        }
    }
    by_row
}

#[test]
fn instants_fall_into_the_year_month_day_and_hour_of_utc() {
    let micros = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
    let instants = TimestampMicrosecondArray::from(vec![
        Some(micros("2026-11-23T23:30:00-02:00")),
        Some(micros("1969-12-31T23:59:59.999999Z")),
        Some(micros("0001-01-01T00:00:00Z")),
        None,
    ])
    .with_timezone("UTC");
    let cases = [
        (Transform::Year, ["2026", "1969", "0001", NULL_PARTITION]),
        (Transform::Month, ["2026-11", "1969-12", "0001-01", NULL_PARTITION]),
        (Transform::Day, ["2026-11-24", "1969-12-31", "0001-01-01", NULL_PARTITION]),
        (Transform::Hour, ["2026-11-24-01", "1969-12-31-23", "0001-01-01-00", NULL_PARTITION]),
    ];
    for (transform, expected) in cases {
        let expected = expected.map(|value| format!("value_{}={value}", transform.as_str()));
        assert_eq!(paths(&schema(ColumnType::TimestampUtc), transform, Arc::new(instants.clone())), expected);
    }
}

#[test]
fn dates_have_years_months_and_days_but_no_hours() {
    let dates = Date32Array::from(vec![0, -1, 20_780]);
    let got = paths(&schema(ColumnType::Date32), Transform::Day, Arc::new(dates));
    assert_eq!(got, ["value_day=1970-01-01", "value_day=1969-12-31", "value_day=2026-11-23"]);
    assert!(Partitioner::new(&[field(Transform::Hour)], &schema(ColumnType::Date32)).is_err());
    assert!(Partitioner::new(&[field(Transform::Day)], &schema(ColumnType::Utf8)).is_err());
}

#[test]
fn an_instant_beyond_the_calendar_has_a_partition_too() {
    let instants = TimestampMicrosecondArray::from(vec![i64::MAX, i64::MIN]).with_timezone("UTC");
    for transform in [Transform::Year, Transform::Month, Transform::Day, Transform::Hour] {
        assert_eq!(paths(&schema(ColumnType::TimestampUtc), transform, Arc::new(instants.clone())).len(), 2);
    }
}

#[test]
fn texts_are_encoded_as_hive_does_and_cannot_leave_their_folder() {
    let cases = [
        (Some("plain text é"), "plain text é"),
        (Some("a/b=c:d%e"), "a%2Fb%3Dc%3Ad%25e"),
        (Some("../../etc"), "..%2F..%2Fetc"),
        (Some(".."), "%2E."),
        (Some("."), "%2E"),
        (Some(""), EMPTY_VALUE),
        (None, NULL_PARTITION),
        (Some(NULL_PARTITION), "%5F_HIVE_DEFAULT_PARTITION__"),
        (Some(EMPTY_VALUE), "%5F_HIVE_EMPTY__"),
        (Some("line\nbreak\u{7f}\0"), "line%0Abreak%7F%00"),
        (Some("\"#'*?\\{[]^"), "%22%23%27%2A%3F%5C%7B%5B%5D%5E"),
    ];
    for (value, expected) in cases {
        assert_eq!(folder_value(value), expected, "{value:?}");
    }
}

#[test]
fn an_instant_names_its_own_folder_in_utc() {
    let instants = TimestampMicrosecondArray::from(vec![Some(1_500_000), None]).with_timezone("UTC");
    let folders = paths(&schema(ColumnType::TimestampUtc), Transform::Identity, Arc::new(instants));
    assert_eq!(folders, ["value_identity=1970-01-01T00%3A00%3A01.500Z", "value_identity=__HIVE_DEFAULT_PARTITION__"]);
}

#[test]
fn texts_and_whole_numbers_are_cut_and_values_are_spread_over_buckets() {
    let number = |number| NonZeroU32::new(number).unwrap();
    let texts = || -> ArrayRef {
        Arc::new(StringArray::from(vec![
            Some("iceberg"),
            Some("ice"),
            Some("\u{e9}\u{e9}\u{e9}x"),
            Some(""),
            Some("../x"),
            None,
        ]))
    };
    let text = schema(ColumnType::Utf8);
    let cut = ["ice", "ice", "\u{e9}\u{e9}\u{e9}", EMPTY_VALUE, "..%2F", NULL_PARTITION]
        .map(|value| format!("value_truncate={value}"));
    assert_eq!(paths(&text, Transform::Truncate(number(3)), texts()), cut);
    let spread = paths(&text, Transform::Bucket(number(16)), texts());
    assert_eq!((spread[0].as_str(), spread[5].as_str()), ("value_bucket=9", "value_bucket=__HIVE_DEFAULT_PARTITION__"));
    let numbers = Arc::new(Int64Array::from(vec![1, -1, 10, i64::MIN]));
    let rounded = paths(&schema(ColumnType::Int64), Transform::Truncate(number(10)), numbers);
    assert_eq!(
        rounded,
        ["value_truncate=0", "value_truncate=-10", "value_truncate=10", "value_truncate=-9223372036854775808"]
    );
    for (column_type, transform) in [
        (ColumnType::Date32, Transform::Truncate(number(1))),
        (ColumnType::Boolean, Transform::Bucket(number(1))),
        (ColumnType::Json, Transform::Bucket(number(1))),
    ] {
        assert!(Partitioner::new(&[field(transform)], &schema(column_type)).is_err());
    }
}

#[test]
fn a_batch_of_one_partition_is_not_copied_and_no_partitioning_is_one_folder() {
    let schema = schema(ColumnType::Utf8);
    let batch = RecordBatch::try_new(schema.to_arrow(), vec![Arc::new(StringArray::from(vec!["a", "a"]))]).unwrap();
    let mut partitioner = Partitioner::new(&[], &schema).unwrap();
    assert!(partitioner.split(&batch).unwrap()[0].rows.is_none());
    assert_eq!(partitioner.partition(0).unwrap().path, "");
    let mut partitioner = Partitioner::new(&[field(Transform::Identity)], &schema).unwrap();
    assert!(partitioner.split(&batch).unwrap()[0].rows.is_none());
    let numbers = paths(&schema2(), Transform::Identity, Arc::new(Int64Array::from(vec![-5, 7])));
    assert_eq!(numbers, ["value_identity=-5", "value_identity=7"]);
}

fn schema2() -> RecordSchema {
    schema(ColumnType::Int64)
}

fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".*",
        "[./%\\\\\u{0}-\u{20}]{0,6}",
        "(__HIVE_(EMPTY|DEFAULT_PARTITION)__){1,2}",
        "[ab%/é]{170,400}",
        "a{178,184}~[0-9a-f]{32}",
    ]
}

proptest! {
    #[test]
    fn two_texts_never_share_a_folder_and_every_folder_is_one_safe_segment(
        values in proptest::collection::hash_set(proptest::option::of(hostile_text()), 2..30),
    ) {
        let folders = values.iter().map(|value| folder_value(value.as_deref())).collect::<Vec<_>>();
        prop_assert_eq!(folders.iter().collect::<HashSet<_>>().len(), values.len());
        for (folder, value) in folders.iter().zip(&values) {
            prop_assert!(!folder.is_empty() && folder.len() <= VALUE_BYTES_MAX + 33, "{}", folder);
            prop_assert!(!folder.contains('/') && !folder.chars().any(|c| c.is_ascii_control()));
            prop_assert!(folder != "." && folder != "..");
            let segment = format!("name={folder}/part-00000.parquet");
            let path = object_store::path::Path::parse(&segment).unwrap();
            prop_assert_eq!(path.as_ref(), segment.as_str());
            if let Some(value) = value && folder.len() <= VALUE_BYTES_MAX && !value.is_empty() {
                let decoded = url::form_urlencoded::parse(format!("v={}", folder.replace('+', "%2B").replace('&', "%26")).as_bytes())
                    .next().unwrap().1.into_owned();
                prop_assert_eq!(&decoded, value);
            }
        }
    }
}
