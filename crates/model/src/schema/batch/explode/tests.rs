use std::collections::BTreeMap;

use arrow::array::{NullBufferBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::schema::files::json_schema::SchemaFile;
use crate::schema::table::naming::Naming;
use crate::schema::table::table_shape::TableShape;
use crate::schema::types::record::RecordSchema;

const SHAPE: TableShape = TableShape { naming: Naming::AsIs, flattens: true, has_child_tables: true };

fn whole(properties: &Value) -> RecordSchema {
    let file = json!({"properties": properties, "required": ["id"]}).to_string();
    SHAPE.table_of(&SchemaFile::parse(&file).unwrap().schema).unwrap()
}

fn event() -> RecordSchema {
    let guest = json!({"type": "object", "properties": {
        "mail": {"type": "string"},
        "seat": {"type": "object", "properties": {"row": {"type": "integer"}, "notes": {"type": "array", "items": {"type": "string"}}}},
    }});
    whole(&json!({
        "id": {"type": "integer"},
        "guests": {"type": "array", "items": guest},
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "grid": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    }))
}

fn parts(whole: &RecordSchema) -> Parts {
    Parts::of("t", whole, &["id".to_owned()]).unwrap()
}

fn batch(whole: &RecordSchema, records: &[Value]) -> RecordBatch {
    let mut decoder = arrow_json::ReaderBuilder::new(whole.to_arrow()).build_decoder().unwrap();
    decoder.serialize(records).unwrap();
    decoder.flush().unwrap().unwrap_or_else(|| RecordBatch::new_empty(whole.to_arrow()))
}

fn json_of(batch: &RecordBatch) -> Vec<Value> {
    let mut writer = arrow_json::ArrayWriter::new(Vec::new());
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    serde_json::from_slice(&writer.into_inner()).unwrap_or_else(|_| json!([])).as_array().unwrap().clone()
}

/// Every table with its rows, nulls left out.
fn tables(parts: &Parts, batch: &RecordBatch) -> BTreeMap<String, Vec<Value>> {
    let exploded = parts.explode(batch).unwrap();
    let children = parts.children.iter().zip(&exploded).map(|(child, items)| {
        assert_eq!(items.rows.schema(), child.schema.to_arrow());
        assert_eq!(items.rows.num_rows(), items.records.len());
        assert!(items.records.is_sorted(), "{:?}", items.records);
        (child.name.clone(), json_of(&items.rows))
    });
    children.chain([("t".to_owned(), json_of(&parts.own_rows(batch).unwrap()))]).collect()
}

#[test]
fn each_list_is_a_table() {
    let whole = event();
    let parts = parts(&whole);
    let shown: Vec<String> = parts
        .children
        .iter()
        .map(|child| {
            let columns: Vec<String> = child.schema.columns().iter().map(ToString::to_string).collect();
            format!("{}: {}", child.name, columns.join(", "))
        })
        .collect();
    let key = "_lakefeed_parent_id: int64 not null";
    let (index, outer) = ("_lakefeed_list_index: int64 not null", "_lakefeed_list_index_1: int64 not null");
    assert_eq!(
        shown,
        [
            format!("t__guests: {key}, {index}, mail: utf8, seat__row: int64"),
            format!("t__guests__seat__notes: {key}, {outer}, {index}, value: utf8"),
            format!("t__tags: {key}, {index}, value: utf8"),
            format!("t__grid: {key}, {index}"),
            format!("t__grid__list: {key}, {outer}, {index}, value: int64"),
        ]
    );
    let own: Vec<String> = parts.own.columns().iter().map(ToString::to_string).collect();
    assert_eq!(own, ["id: int64", "name: utf8"]);
}

#[test]
fn items_become_rows_whatever_is_null_or_empty() {
    let item = |id: u64, place: u64| {
        Map::from_iter([
            ("_lakefeed_parent_id".to_owned(), json!(id)),
            ("_lakefeed_list_index".to_owned(), json!(place)),
        ])
    };
    let row = |id, place, more: Value| {
        let mut row = item(id, place);
        row.extend(more.as_object().unwrap().clone());
        Value::Object(row)
    };
    let value = |id, place, value: Value| row(id, place, json!({"value": value}));
    let inner =
        |id, outer: u64, place, value: Value| row(id, place, json!({"_lakefeed_list_index_1": outer, "value": value}));
    let whole = event();
    for (records, table, expected) in [
        (json!([]), "t__tags", json!([])),
        (json!([{"id": 1}, {"id": 2, "tags": []}, {"id": 3, "tags": null}]), "t__tags", json!([])),
        (
            json!([{"id": 1, "tags": ["a", null]}, {"id": 2}, {"id": 3, "tags": ["b"]}]),
            "t__tags",
            json!([value(1, 0, json!("a")), row(1, 1, json!({})), value(3, 0, json!("b"))]),
        ),
        (
            json!([{"id": 1, "guests": [{"mail": "x", "seat": {"row": 7}}, null, {"mail": "y", "seat": null}, {}]}]),
            "t__guests",
            json!([
                row(1, 0, json!({"mail": "x", "seat__row": 7})),
                row(1, 1, json!({})),
                row(1, 2, json!({"mail": "y"})),
                row(1, 3, json!({}))
            ]),
        ),
        (
            json!([{"id": 1, "guests": [{"seat": {"notes": ["a", "b"]}}, null, {"seat": {"notes": []}}, {"seat": {"notes": ["c"]}}]}, {"id": 2, "guests": [{"seat": {"notes": [null]}}]}]),
            "t__guests__seat__notes",
            json!([
                inner(1, 0, 0, json!("a")),
                inner(1, 0, 1, json!("b")),
                inner(1, 3, 0, json!("c")),
                row(2, 0, json!({"_lakefeed_list_index_1": 0}))
            ]),
        ),
        (
            json!([{"id": 1, "grid": [[1, 2], null, [], [3]]}, {"id": 2, "grid": [[4]]}]),
            "t__grid__list",
            json!([
                inner(1, 0, 0, json!(1)),
                inner(1, 0, 1, json!(2)),
                inner(1, 3, 0, json!(3)),
                inner(2, 0, 0, json!(4))
            ]),
        ),
        (
            json!([{"id": 1, "grid": [[1, 2], null, []]}]),
            "t__grid",
            json!([row(1, 0, json!({})), row(1, 1, json!({})), row(1, 2, json!({}))]),
        ),
        (json!([{"id": 1, "grid": [[1]], "name": "n"}]), "t", json!([{"id": 1, "name": "n"}])),
    ] {
        let found = tables(&parts(&whole), &batch(&whole, records.as_array().unwrap()));
        assert_eq!(json!(found[table]), expected, "{table} of {records}");
    }
}

#[test]
fn items_under_a_list_that_is_null_are_no_rows() {
    let whole = whole(&json!({"id": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "integer"}}}));
    let schema = whole.to_arrow();
    let DataType::List(element) = schema.field(1).data_type() else { panic!("no list") };
    let mut valid = NullBufferBuilder::new(3);
    for is_valid in [true, false, true] {
        valid.append(is_valid);
    }
    let values = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
    let list = ListArray::new(Arc::clone(element), OffsetBuffer::from_lengths([2, 2, 1]), values, valid.finish());
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![7, 8, 9])), Arc::new(list)];
    let batch = RecordBatch::try_new(schema, columns).unwrap();
    let values = |batch: &RecordBatch| -> Vec<i64> {
        let items = parts(&whole).explode(batch).unwrap().remove(0);
        items.rows.column(2).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
    };
    assert_eq!(values(&batch), [1, 2, 5]);
    assert_eq!(values(&batch.slice(1, 2)), [5]);
    assert!(values(&batch.slice(1, 1)).is_empty());
}

#[test]
fn a_batch_of_another_shape_is_refused() {
    let parts = parts(&event());
    let field = Field::new("id", DataType::Struct(Vec::<Field>::new().into()), true);
    let column: ArrayRef = Arc::new(StructArray::new_empty_fields(1, None));
    let foreign = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(vec![field])), vec![column]).unwrap();
    assert!(parts.explode(&foreign).unwrap_err().to_string().contains("does not have the lists"));
}

/// What the tables of a record are, by walking through it.
fn oracle(table: &str, key: &Value, places: &[u64], fields: Value, rows: &mut BTreeMap<String, Vec<Value>>) {
    let mut row = Map::new();
    if let [outer @ .., own] = places {
        row.insert("_lakefeed_parent_id".to_owned(), key.clone());
        row.insert("_lakefeed_list_index".to_owned(), json!(own));
        row.extend(
            outer.iter().zip(1..).map(|(place, number)| (format!("_lakefeed_list_index_{number}"), json!(place))),
        );
    }
    let mut pending = match fields {
        Value::Object(fields) => fields.into_iter().collect::<Vec<_>>(),
        Value::Array(items) => vec![("list".to_owned(), Value::Array(items))],
        plain => vec![("value".to_owned(), plain)],
    };
    while let Some((name, value)) = pending.pop() {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                pending.extend(members.into_iter().map(|(member, value)| (format!("{name}__{member}"), value)));
            }
            Value::Array(items) => {
                for (place, item) in items.into_iter().enumerate() {
                    let places: Vec<u64> = places.iter().copied().chain([place as u64]).collect();
                    oracle(&format!("{table}__{name}"), key, &places, item, rows);
                }
            }
            plain => drop(row.insert(name, plain)),
        }
    }
    rows.entry(table.to_owned()).or_default().push(Value::Object(row));
}

fn list_of(item: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    let items = proptest::collection::vec(prop_oneof![1 => Just(Value::Null), 6 => item], 0..4);
    prop_oneof![1 => Just(Value::Null), 6 => items.prop_map(Value::Array)].boxed()
}

fn records() -> impl Strategy<Value = Vec<Value>> {
    let text = || "[a-c]{0,2}".prop_map(Value::String);
    let seat = (list_of(text()), 0..5_u8).prop_map(|(notes, row)| json!({"notes": notes, "row": row}));
    let seat = prop_oneof![1 => Just(Value::Null), 4 => seat];
    let guest = (text(), seat).prop_map(|(mail, seat)| json!({"mail": mail, "seat": seat}));
    let grid = list_of(list_of((0..9_u8).prop_map(|number| json!(number))));
    let record = (list_of(guest), list_of(text()), grid);
    proptest::collection::vec(record, 0..6).prop_map(|records| {
        let record =
            |(id, (guests, tags, grid))| json!({"id": id, "guests": guests, "tags": tags, "grid": grid, "name": "n"});
        records.into_iter().enumerate().map(record).collect()
    })
}

proptest! {
    #[test]
    fn the_tables_are_those_of_each_record(records in records(), from in 0..6_usize, many in 0..6_usize) {
        let whole = event();
        let parts = parts(&whole);
        let from = from.min(records.len());
        let records_in = records.iter().skip(from).take(many).cloned().collect::<Vec<_>>();
        let found = tables(&parts, &batch(&whole, &records).slice(from, records_in.len()));
        let mut expected = BTreeMap::new();
        for record in records_in {
            oracle("t", &record["id"].clone(), &[], record, &mut expected);
        }
        for (table, mut rows) in found {
            let mut expected = expected.remove(&table).unwrap_or_default();
            let in_order = |row: &Value| row.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.to_string())).collect::<BTreeMap<_, _>>();
            rows.sort_by_key(in_order);
            expected.sort_by_key(in_order);
            prop_assert_eq!(rows, expected, "{}", table);
        }
        prop_assert!(expected.is_empty(), "{:?}", expected);
    }
}
