//! Records whose table has another shape: what is in which column.

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::decode::{DecodeOptions, MismatchPolicy, PageDecoder, PageInput};
use lakefeed_model::schema::{Column, ColumnType, Naming, RecordSchema, Reshaper, SchemaFile, TableShape};
use lakefeed_model::spec::JsonPath;

const SNAKE: TableShape = TableShape { naming: Naming::SnakeCase, flattens: false, has_child_tables: false };
const FLAT: TableShape = TableShape { naming: Naming::AsIs, flattens: true, has_child_tables: false };
const BOTH: TableShape = TableShape { naming: Naming::SnakeCase, flattens: true, has_child_tables: false };

fn of_file(properties: &Value) -> RecordSchema {
    SchemaFile::parse(&json!({"properties": properties}).to_string()).unwrap().schema
}

/// The records as a batch, by way of the decoder.
fn batch_of(schema: &RecordSchema, records: &[Value]) -> RecordBatch {
    let mut decoder = PageDecoder::new(schema, Some(JsonPath::root()), DecodeOptions::with_depth(64));
    let body = Value::from(records.to_vec()).to_string();
    let decoded = decoder.decode(&PageInput::json(0, body.as_bytes()), MismatchPolicy::STRICT, None).unwrap();
    assert_eq!(decoded.rejects, []);
    decoder.flush().unwrap()
}

fn field() -> impl Strategy<Value = (Value, Value)> {
    let leaf = prop_oneof![
        (any::<i32>(), Just(json!({"type": "integer"}))).prop_map(|(number, kind)| (kind, json!(number))),
        ("[a-c]{0,3}", Just(json!({"type": "string"}))).prop_map(|(text, kind)| (kind, json!(text))),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            3 => proptest::collection::btree_map("[a-z][A-Z][a-z]", inner.clone(), 1..4).prop_map(|members| {
                let (mut kinds, mut values) = (Map::new(), Map::new());
                for (key, (kind, value)) in members {
                    kinds.insert(key.clone(), kind);
                    values.insert(key, value);
                }
                (json!({"type": "object", "properties": kinds}), Value::Object(values))
            }),
            1 => inner.prop_map(|(kind, value)| (json!({"type": "array", "items": kind}), json!([value, null]))),
        ]
    })
}

/// The record with some of its fields missing or null, as the bits of `holes` say.
fn with_holes(value: &Value, holes: &mut u64) -> Value {
    let bits = *holes & 7;
    *holes = holes.rotate_right(3);
    match value {
        _ if bits == 1 => Value::Null,
        Value::Object(members) => {
            let kept = members.iter().map(|(key, value)| (key.clone(), with_holes(value, holes)));
            Value::Object(kept.filter(|(_, value)| !value.is_null() || bits == 2).collect())
        }
        other => other.clone(),
    }
}

/// What a record has at `path`.
fn at<'v>(record: &'v Value, path: &[String]) -> &'v Value {
    path.iter().fold(record, |value, key| value.get(key).unwrap_or(&Value::Null))
}

/// The record with the names of a table within its lists.
fn renamed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(key, value)| (Naming::SnakeCase.name(key), renamed(value))).collect()
        }
        Value::Array(elements) => elements.iter().map(renamed).collect(),
        scalar => scalar.clone(),
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        Value::Array(elements) => elements.iter().map(without_nulls).collect(),
        scalar => scalar.clone(),
    }
}

/// A value as JSON.
fn value_at(array: &dyn Array, row: usize) -> Value {
    match array.data_type() {
        _ if array.is_null(row) => Value::Null,
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::Struct(fields) => {
            let members = fields.iter().zip(array.as_struct().columns());
            members.map(|(field, member)| (field.name().clone(), value_at(member.as_ref(), row))).collect()
        }
        DataType::List(_) => {
            let elements = array.as_list::<i32>().value(row);
            (0..elements.len()).map(|row| value_at(elements.as_ref(), row)).collect()
        }
        _ => json!(array.as_string::<i32>().value(row)),
    }
}

proptest! {
    #[test]
    fn every_value_is_in_the_column_of_its_field(
        fields in proptest::collection::btree_map("[a-z][A-Z][a-z]", field(), 1..5),
        holes in proptest::collection::vec(any::<u64>(), 1..6),
        shape in prop_oneof![Just(FLAT), Just(SNAKE), Just(BOTH)],
    ) {
        let kinds: Map<String, Value> = fields.iter().map(|(key, (kind, _))| (key.clone(), kind.clone())).collect();
        let whole = Value::Object(fields.into_iter().map(|(key, (_, value))| (key, value)).collect());
        let rows: Vec<Value> = holes.into_iter().map(|mut holes| match with_holes(&whole, &mut holes) {
            Value::Null => json!({}),
            record => record,
        }).collect();
        let records = of_file(&Value::Object(kinds));
        let batch = batch_of(&records, &rows);
        let table = shape.table_of(&records).unwrap();
        let reshaped = Reshaper::new(&records.to_arrow(), &table, table.to_arrow()).unwrap().reshape(&batch).unwrap();
        prop_assert_eq!(reshaped.num_columns(), table.columns().len());
        for column in table.columns() {
            prop_assert!(!shape.flattens || !matches!(column.column_type, ColumnType::Struct(_)));
            let path = table.source_of(&column.name);
            let array = reshaped.column_by_name(&column.name).unwrap();
            prop_assert_eq!(array.len(), rows.len());
            for (number, row) in rows.iter().enumerate() {
                let found = value_at(array.as_ref(), number);
                let expected = at(row, &path);
                let expected = if shape.naming == Naming::SnakeCase { renamed(expected) } else { expected.clone() };
                prop_assert_eq!(without_nulls(&found), without_nulls(&expected), "{} of {}", column.name, row);
            }
        }
    }
}

#[test]
fn the_fields_of_an_object_that_is_null_are_null() {
    let column = |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
    let list = || ColumnType::List(Box::new(ColumnType::Int64));
    for nullable in [true, false] {
        // A field that its object must have says nothing of itself where there is no object.
        let inner = column("i", ColumnType::Struct(vec![column("a", ColumnType::Int64, nullable)]), nullable);
        let members = vec![inner, column("l", list(), nullable), column("n", ColumnType::Int64, true)];
        let records = RecordSchema::new(vec![column("o", ColumnType::Struct(members), true)]).unwrap();
        let whole = json!({"o": {"i": {"a": 1}, "l": [1]}});
        let batch = batch_of(&records, &[whole.clone(), json!({"o": null}), json!({}), whole]);
        let table = FLAT.table_of(&records).unwrap();
        let reshaper = Reshaper::new(&records.to_arrow(), &table, table.to_arrow()).unwrap();
        let reshaped = reshaper.reshape(&batch).unwrap();
        let numbers = reshaped.column_by_name("o__i__a").unwrap().as_primitive::<Int64Type>();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(1), None, None, Some(1)]);
        let lists = reshaped.column_by_name("o__l").unwrap();
        assert_eq!((0..4).map(|row| lists.is_null(row)).collect::<Vec<_>>(), [false, true, true, false]);
        assert_eq!(reshaped.column_by_name("o__n").unwrap().null_count(), 4);
    }
}
