//! Columns that have another name now: their values, their ids, and what files say of them.

use std::path::Path;

use serde_json::{Value, json};

use crate::evolution::{KEYED, NO_DOUBLE, read_as_one};
use crate::support::api::Api;

/// The ids of the top-level fields of every data file, and the versions of their schemas.
fn ids_and_versions(table: &Path) -> Vec<(Vec<(String, i32)>, String)> {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let of_file = |bytes: Vec<u8>| {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let metadata = reader.metadata().file_metadata();
        let fields = metadata.schema().get_fields().iter().map(|field| {
            let info = field.get_basic_info();
            (info.name().to_owned(), if info.has_id() { info.id() } else { 0 })
        });
        let entries = metadata.key_value_metadata().unwrap();
        let version = entries.iter().find(|entry| entry.key == "lakefeed.schema_version").unwrap();
        (fields.collect(), version.value.clone().unwrap())
    };
    crate::support::data_files(table).into_values().map(of_file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_column_keeps_its_values_and_its_id_and_files_say_what_they_are() {
    const FIRST: &str = r#"{"properties": {"id": {"type": "integer"}, "name": {"type": "string", "description": "what it is called"}}}"#;
    const SECOND: &str = r#"{"properties": {"title": {"type": "string", "x-aliases": ["name"]}, "id": {"type": "integer"}, "n": {"type": "integer"}}}"#;
    for resource in KEYED {
        let resource = format!("schema: schema.json\n    {resource}");
        let api = Api::new(vec![json!([{"id": 1, "name": "one"}])]).await;
        let ran = api.run(&resource, "", &[("schema.json", FIRST)], &[]).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let field = |name: &str, id: i32| (name.to_owned(), id);
        assert_eq!(ids_and_versions(&api.table()), [(vec![field("id", 1), field("name", 2)], "1".to_owned())]);
        api.set_pages(vec![json!([{"id": 2, "title": "two", "n": 7}])]);
        let ran = api.run(&resource, "", &[("schema.json", SECOND)], &[]).await;
        assert_eq!(
            ran.resource()["schema_changes"],
            json!(["column title is called so now, was name", "added column n: int64"]),
            "{ran:?}"
        );
        let rows = read_as_one(&api.table()).await;
        assert_eq!(rows, json!([{"title": "one", "id": 1, "n": null}, {"title": "two", "id": 2, "n": 7}]));
        for file in ids_and_versions(&api.table()) {
            assert_eq!(file, (vec![field("title", 2), field("id", 1), field("n", 3)], "2".to_owned()));
        }
        let ran = api.run(&resource, "", &[("schema.json", SECOND)], &[]).await;
        assert_eq!((ran.code, &ran.resource()["schema_changes"]), (0, &json!([])), "{ran:?}");
        let snapshot = api.lakefeed(&["schema", "show", "lake", "events", "--output", "json"]).await;
        let shown: Value = serde_json::from_str(&snapshot.stdout).unwrap();
        assert_eq!(shown["properties"]["title"]["description"], "what it is called", "{shown}");
    }
}

/// A column that is renamed is none that the table got by evolving, and may grow in the same run.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_is_renamed_also_where_the_contract_lets_the_table_evolve() {
    const FIRST: &str = r#"{"properties": {"id": {"type": "integer"}, "old": {"type": "integer"}}}"#;
    const SECOND: &str =
        r#"{"properties": {"id": {"type": "integer"}, "new": {"type": "integer", "x-aliases": ["older", "old"]}}}"#;
    for (conflicts, value, changes, rows) in [
        (
            "reject",
            5,
            json!(["column new is called so now, was old", "column new is float64 now, was int64"]),
            json!([{"id": 1, "new": 5.0, "late": 1}, {"id": 2, "new": 1.5, "late": null}]),
        ),
        (
            "reject",
            NO_DOUBLE,
            json!(["column new is called so now, was old"]),
            json!([{"id": 1, "new": NO_DOUBLE, "late": 1}]),
        ),
        (
            "json",
            NO_DOUBLE,
            json!(["column new is called so now, was old", "column new is json now, was int64"]),
            json!([{"id": 1, "new": "9007199254740993", "late": 1}, {"id": 2, "new": "1.5", "late": null}]),
        ),
        (
            "variant",
            NO_DOUBLE,
            json!(["column new is called so now, was old", "added column new__v_double: float64"]),
            json!([
                {"id": 1, "new": NO_DOUBLE, "late": 1, "new__v_double": null},
                {"id": 2, "new": null, "late": null, "new__v_double": 1.5},
            ]),
        ),
    ] {
        for resource in KEYED {
            let resource = format!(
                "schema: schema.json\n    {resource}\n    schema_contract: {{columns: evolve, data_type: evolve, conflicts: {conflicts}}}"
            );
            let api = Api::new(vec![json!([{"id": 1, "old": value, "late": 1}])]).await;
            let ran = api.run(&resource, "", &[("schema.json", FIRST)], &[]).await;
            assert_eq!(ran.code, 0, "{ran:?}");
            // The row that is there has no newer version, so nothing but the fraction makes a
            // difference.
            api.set_pages(vec![json!([{"id": 2, "new": 1.5}]), json!([{"id": 3, "new": 3}])]);
            let ran = api.run(&resource, "", &[("schema.json", SECOND)], &[]).await;
            let found = ran.resource()["schema_changes"].clone();
            let (mut found, mut changes): (Vec<Value>, Vec<Value>) =
                (serde_json::from_value(found).unwrap(), serde_json::from_value(changes.clone()).unwrap());
            found.sort_by_key(ToString::to_string);
            changes.sort_by_key(ToString::to_string);
            assert_eq!((ran.code, found), (0, changes), "{conflicts}, {value}: {ran:?}");
            let mut seen: Vec<Value> = serde_json::from_value(read_as_one(&api.table()).await).unwrap();
            assert_eq!(seen.pop().map(|row| row["id"].clone()), Some(json!(3)));
            assert_eq!(json!(seen), rows, "{conflicts}, {value}, {resource}");
        }
    }
}
