use arrow::array::{BinaryArray, Int64Array, ListArray, MapArray, StructArray, new_null_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;

use super::*;
use crate::schema::{Column, ColumnType};

/// A column of a type that `x-arrow` names, with one value, as Arrow's cast reads it.
fn leaf(name: &str, column_type: &str, value: &str) -> (Column, ArrayRef) {
    let column_type = ColumnType::parse(column_type).unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec![value]));
    let from: ArrayRef = match &column_type {
        ColumnType::Duration(_) => cast(&text, &DataType::Int64).unwrap(),
        // Arrow's cast knows no zone by its name.
        instant if instant.as_timestamp().is_some() => {
            let DataType::Timestamp(unit, _) = instant.to_arrow() else { panic!("a timestamp") };
            cast(&cast(&text, &DataType::Timestamp(unit, None)).unwrap(), &DataType::Int64).unwrap()
        }
        ColumnType::Binary => Arc::new(BinaryArray::from(vec![value.as_bytes()])),
        _ => text,
    };
    let values = cast(&from, &column_type.to_arrow()).unwrap();
    assert!(values.is_valid(0), "{name}");
    (column(name, column_type), values)
}

fn column(name: &str, column_type: ColumnType) -> Column {
    Column { name: name.to_owned(), column_type, nullable: true }
}

/// Rows of these columns: that of the values, and one of nulls.
fn rows(columns: Vec<(Column, ArrayRef)>) -> (RecordSchema, Vec<RecordBatch>) {
    let (columns, values): (Vec<Column>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let schema = RecordSchema::new(columns).unwrap();
    let arrow = schema.to_arrow();
    let nulls = arrow.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
    let batches = [values, nulls].map(|columns| RecordBatch::try_new(Arc::clone(&arrow), columns).unwrap());
    (schema, batches.into())
}

#[test]
fn each_type_has_a_text() {
    let (schema, batches) = rows(vec![
        leaf("truth", "bool", "true"),
        leaf("small", "int8", "-8"),
        leaf("large", "uint64", "18446744073709551615"),
        leaf("double", "float64", "0.1"),
        leaf("none", "float64", "NaN"),
        leaf("beyond", "float32", "-inf"),
        leaf("price", "decimal128(9, 2)", "-12.50"),
        leaf("precise", "decimal256(76, 2)", "-123456789012345678901234567890123456789012345.67"),
        leaf("word", "dictionary<utf8>", "w"),
        leaf("json", "json", "{\"a\": [1]}"),
        leaf("bytes", "binary", "\u{0}abc?"),
        leaf("day", "date32", "2026-02-28"),
        leaf("at_ms", "time32[ms]", "23:59:59.5"),
        leaf("at_ns", "time64[ns]", "00:00:00.000000001"),
        leaf("instant", "timestamp[us, UTC]", "2026-02-28T12:30:00.000001Z"),
        leaf("local", "timestamp[ms]", "1969-12-31T23:59:59.999"),
        leaf("length", "duration[ms]", "-93784500"),
    ]);
    insta::assert_snapshot!("each_type_as_json", json_lines(&batches).unwrap());
    insta::assert_snapshot!("each_type_as_text", framed(&schema, &batches).unwrap());
}

#[test]
fn values_within_values_are_json() {
    let (inner, numbers) = leaf("n", "int64", "1");
    let (instant, instants) = leaf("at", "timestamp[s, UTC]", "2026-01-01T00:00:00Z");
    let of = |column_type: &ColumnType, field_of: fn(&DataType) -> &arrow::datatypes::FieldRef| {
        Arc::clone(field_of(&column_type.to_arrow()))
    };
    let object = ColumnType::Struct(vec![inner, instant]);
    let DataType::Struct(fields) = object.to_arrow() else { panic!("a struct") };
    let objects: ArrayRef = Arc::new(StructArray::new(fields, vec![numbers, instants], None));
    let list = ColumnType::List(Box::new(object.clone()));
    let element = of(&list, |list| match list {
        DataType::List(element) => element,
        other => panic!("{other}"),
    });
    let lists = ListArray::new(element, OffsetBuffer::from_lengths([1]), Arc::clone(&objects), None);
    let map = ColumnType::Map(Box::new(ColumnType::Int64));
    let entry = of(&map, |map| match map {
        DataType::Map(entry, _) => entry,
        other => panic!("{other}"),
    });
    let DataType::Struct(fields) = entry.data_type().clone() else { panic!("a struct") };
    let entries: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec!["b", "a"])), Arc::new(Int64Array::from(vec![None, Some(1)]))];
    let entries = StructArray::new(fields, entries, None);
    let maps = MapArray::new(entry, OffsetBuffer::from_lengths([2]), entries, None, false);
    let (schema, batches) = rows(vec![
        (column("object", object), objects),
        (column("list", list), Arc::new(lists)),
        (column("map", map), Arc::new(maps)),
    ]);
    insta::assert_snapshot!(json_lines(&batches).unwrap(), @r#"
    {"object":{"n":1,"at":"2026-01-01T00:00:00Z"},"list":[{"n":1,"at":"2026-01-01T00:00:00Z"}],"map":[{"key":"b","value":null},{"key":"a","value":1}]}
    {"object":null,"list":null,"map":null}
    "#);
    insta::assert_snapshot!(framed(&schema, &batches).unwrap(), @r#"
    +-----------------------------------------+-----------------------------------------------+--------------------------------------------------+
    | object                                  | list                                          | map                                              |
    | struct<n: int64, at: timestamp[s, UTC]> | list<struct<n: int64, at: timestamp[s, UTC]>> | map<utf8, int64>                                 |
    +-----------------------------------------+-----------------------------------------------+--------------------------------------------------+
    | {"n":1,"at":"2026-01-01T00:00:00Z"}     | [{"n":1,"at":"2026-01-01T00:00:00Z"}]         | [{"key":"b","value":null},{"key":"a","value":1}] |
    | null                                    | null                                          | null                                             |
    +-----------------------------------------+-----------------------------------------------+--------------------------------------------------+
    "#);
}

#[test]
fn a_terminal_obeys_nothing_and_long_values_are_shortened() {
    let long = "ä".repeat(61);
    let (schema, batches) =
        rows(vec![leaf("text", "utf8", "\u{1b}[2J\r\nred\u{9b}31m\t|"), leaf("\u{1b}]0;title\u{7}", "utf8", &long)]);
    let text = framed(&schema, &batches).unwrap();
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    insta::assert_snapshot!(text, @r#"
    +-----------------+---------------------------------------------------------------+
    | text            |  ]0;title                                                     |
    | utf8            | utf8                                                          |
    +-----------------+---------------------------------------------------------------+
    |  [2J  red 31m | | ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää… |
    | null            | null                                                          |
    +-----------------+---------------------------------------------------------------+
    "#);
    assert!(json_lines(&batches).unwrap().contains(&long));
}

#[test]
fn no_rows_are_headings() {
    let (schema, _) = rows(vec![leaf("id", "int64", "1")]);
    insta::assert_snapshot!(framed(&schema, &[]).unwrap(), @r#"
    +-------+
    | id    |
    | int64 |
    +-------+
    +-------+
    "#);
    assert_eq!(json_lines(&[]).unwrap(), "");
}
