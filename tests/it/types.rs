//! The values of `tests/types/*.json` through whole runs: one table per column. What is refused is
//! kept beside the table with its code and its path; DuckDB, pyarrow and Polars see the others as
//! the file says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use lakefeed_lake::spec::{DestinationSpec, MergeSpec};
use lakefeed_lake::{Lake, WriteSpec};
use lakefeed_model::checkpoint::Checkpoint;
use lakefeed_model::environment::Environment;
use lakefeed_model::schema::{Column, ColumnType, Conflicts, RecordSchema, Reshaper, TableShape};
use lakefeed_model::spec::{Limits, WriteDisposition};
use lakefeed_source::decode::{DecodeOptions, MismatchPolicy, PageDecoder, PageInput};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::script_server::ScriptServer;
use crate::support::{data_files, files_below, lakefeed, output_of, python};

#[tokio::test(flavor = "multi_thread")]
async fn three_readers_see_the_values_that_the_table_of_types_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let columns = columns(&root.join("tests/types"));
    assert!(columns.len() > 40, "only {} columns", columns.len());
    let report = load(&columns, folder.path()).await;
    let mut command = Command::new(python());
    command.arg(root.join("tests/readers/read_types.py")).arg(folder.path().join("lake"));
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let seen: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut wrong = Vec::new();
    for column in &columns {
        let name = column["name"].as_str().unwrap();
        let cases = column["cases"].as_array().unwrap();
        let (refused, taken): (Vec<_>, Vec<_>) =
            cases.iter().enumerate().partition(|(_, case)| case["reject"].is_string());
        let rows = report["resources"].as_array().unwrap().iter().find(|resource| resource["name"] == name).unwrap();
        assert_eq!(rows["rows"]["rejected"], refused.len(), "{name}");
        let expected: BTreeMap<i64, (String, String)> =
            refused.iter().map(|(id, case)| (i64::try_from(*id).unwrap(), reject(case))).collect();
        if rejects(&folder.path().join("lake").join(name)) != expected {
            wrong.push(format!("{name}: the rejects are not {expected:?}"));
        }
        for engine in ["duckdb", "polars", "pyarrow"] {
            let is_left_out = column["not_in"].as_array().is_some_and(|engines| engines.contains(&json!(engine)));
            if is_left_out {
                continue;
            }
            let found = &seen[name][engine];
            for (id, case) in &taken {
                let value = &found["values"][id.to_string()];
                if !is_same(value, &case["value"]) {
                    wrong.push(format!(
                        "{engine} {name} {}: {value}, expected {} ({})",
                        case["json"], case["value"], found["type"]
                    ));
                }
            }
            if !found["error"].is_null() {
                wrong.push(format!("{engine} {name}: {}", found["error"]));
            }
        }
    }
    wrong.extend(shown(&columns, folder.path()).await);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong about `table show` and `table query`: every row must be there, null where the
/// value is, and both must say the same.
async fn shown(columns: &[Value], folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for column in columns {
        let name = column["name"].as_str().unwrap();
        let mut command = lakefeed(&["table", "show", "lake", name, "--limit", "1000", "--output", "json"]);
        command.current_dir(folder);
        let ran = output_of(command).await;
        let found: BTreeMap<i64, Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|row| (row["id"].as_i64().unwrap(), row["v"].clone()))
            .collect();
        let taken =
            column["cases"].as_array().unwrap().iter().enumerate().filter(|(_, case)| !case["reject"].is_string());
        let expected: Vec<(i64, bool)> =
            taken.map(|(id, case)| (i64::try_from(id).unwrap(), case["value"].is_null())).collect();
        let nulls: Vec<(i64, bool)> = found.iter().map(|(id, value)| (*id, value.is_null())).collect();
        if ran.code != 0 || nulls != expected {
            wrong.push(format!("table show {name}: {ran:?}"));
        }
        #[cfg(feature = "query")]
        wrong.extend(queried(name, folder, &ran).await);
    }
    wrong
}

/// What SQL, which has another reader and fewer types, makes of a table of which the first rows
/// were `shown`.
#[cfg(feature = "query")]
async fn queried(name: &str, folder: &Path, shown: &crate::support::Ran) -> Option<String> {
    let sql = format!("SELECT * FROM \"{name}\" ORDER BY id");
    let mut command = lakefeed(&["table", "query", "lake", &sql, "--output", "json"]);
    command.current_dir(folder);
    let queried = output_of(command).await;
    let is_same = queried.code == 0 && queried.stdout == shown.stdout;
    (!is_same).then(|| format!("table query {name} is not table show: {queried:?} {shown:?}"))
}

/// A type, a value of it as JSON, and what Arrow's own display makes of the column then.
fn any_value() -> impl Strategy<Value = (&'static str, String, String)> {
    let seconds = -62_135_596_800_i64..253_402_300_800;
    let instant = move |kind: &'static str, digits: u32| {
        (seconds.clone(), 0_u32..1_000_000_000, -1439_i32..=1439).prop_filter_map(
            "year",
            move |(seconds, nanos, offset)| {
                let cut = 10_u32.pow(9 - digits);
                let nanos = nanos / cut * cut;
                let moment = chrono::DateTime::from_timestamp(seconds, nanos)?;
                let local = moment.with_timezone(&chrono::FixedOffset::east_opt(offset * 60)?);
                let years = |year: i32| (1..=9999).contains(&year);
                let written = local.to_rfc3339();
                let shown = moment.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string();
                years(chrono::Datelike::year(&local)).then_some((kind, format!("\"{written}\""), shown))
            },
        )
    };
    let decimal = (any::<i64>(), 0_usize..=6).prop_map(|(digits, scale)| {
        let text = format!("{:0>7}", digits.unsigned_abs());
        let (whole, fraction) = text.split_at(text.len() - scale);
        let sign = if digits < 0 { "-" } else { "" };
        let written = if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") };
        let written = format!("\"{}\"", strip_zeros(&written));
        let shown = format!("{sign}{}.{fraction:0<6}", whole.trim_start_matches('0').parse::<u128>().unwrap_or(0));
        ("decimal128(38, 6)", written, if digits == 0 { "0.000000".to_owned() } else { shown })
    });
    let text = any::<String>().prop_map(|text| (json!(text).to_string(), text));
    prop_oneof![
        any::<i8>().prop_map(|number| ("int8", number.to_string(), number.to_string())),
        any::<u64>().prop_map(|number| ("uint64", format!("\"{number}\""), number.to_string())),
        any::<i64>().prop_map(|number| ("int64", format!("{number}.0"), number.to_string())),
        any::<bool>().prop_map(|truth| ("bool", truth.to_string(), truth.to_string())),
        text.clone().prop_map(|(json, text)| ("utf8", json, text)),
        text.clone().prop_map(|(json, text)| ("dictionary<utf8>", json, text)),
        text.prop_map(|(json, _)| ("json", json.clone(), json)),
        decimal,
        instant("timestamp[us, UTC]", 6),
        instant("timestamp[ms, UTC]", 3),
        instant("timestamp[s, UTC]", 0),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| {
            let hex: String = bytes
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 15])
                .map(|half| char::from_digit(half.into(), 16).unwrap())
                .collect();
            (
                "binary",
                format!("\"{}\"", base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &bytes)),
                hex,
            )
        }),
        prop::collection::vec(any::<i32>(), 0..4).prop_map(|numbers| (
            "list<int32>",
            json!(numbers).to_string(),
            format!("{numbers:?}")
        )),
        prop::collection::btree_map("[a-z]{1,3}", any::<u16>(), 0..4).prop_map(|entries| {
            let shown: Vec<String> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            ("map<utf8, uint16>", json!(entries).to_string(), format!("{{{}}}", shown.join(", ")))
        }),
    ]
}

/// A number without zeros that say nothing in front.
fn strip_zeros(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, String::new()), |(whole, fraction)| (whole, format!(".{fraction}")));
    let whole = whole.trim_start_matches('0');
    format!("{sign}{}{fraction}", if whole.is_empty() { "0" } else { whole })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any records, through the decoder into a lake, and read back: what they say is what is there.
    #[test]
    fn any_records_come_back_from_the_lake(rows in prop::collection::vec(prop::collection::vec(any_value(), 0..10), 0..12)) {
        let types: BTreeSet<&str> = rows.iter().flatten().map(|(kind, _, _)| *kind).chain(["utf8"]).collect();
        let columns = types.iter().map(|kind| Column { name: (*kind).to_owned(), column_type: ColumnType::parse(kind).unwrap(), nullable: true });
        let schema = Arc::new(RecordSchema::new(columns.collect()).unwrap());
        let decoder = |schema: &RecordSchema| PageDecoder::new(schema, None, DecodeOptions::with_depth(64));
        let rejects = |decoder: &mut PageDecoder, number: u64, body: String| {
            decoder.decode(&PageInput::json(number, body.as_bytes()), MismatchPolicy::STRICT, None).unwrap().rejects
        };
        let (mut flat, mut expected) = (decoder(&schema), Vec::new());
        // The same within an object whose fields become columns.
        let object = Column { name: "o".to_owned(), column_type: ColumnType::Struct(schema.columns().to_vec()), nullable: true };
        let nested = RecordSchema::new(vec![object]).unwrap();
        let mut deep = decoder(&nested);
        for (page, row) in (0..).zip(&rows) {
            // Of a type that comes twice the last value counts.
            let members: Vec<String> = row.iter().map(|(kind, json, _)| format!("{}:{json}", json!(kind))).collect();
            let record = format!("{{{}}}", members.join(","));
            prop_assert_eq!(rejects(&mut flat, page, format!("[{record}]")), []);
            prop_assert_eq!(rejects(&mut deep, page, format!("[{{\"o\":{record}}}]")), []);
            let values: BTreeMap<String, String> = row.iter().map(|(kind, _, shown)| ((*kind).to_owned(), shown.clone())).collect();
            expected.push(values);
        }
        prop_assert_eq!(&through_a_lake(&schema, flat.flush().unwrap()), &expected);
        let flattened = Arc::new(TableShape { flattens: true, ..TableShape::default() }.table_of(&nested).unwrap());
        let reshaper = Reshaper::new(&nested.to_arrow(), &flattened, flattened.to_arrow()).unwrap();
        let found = through_a_lake(&flattened, reshaper.reshape(&deep.flush().unwrap()).unwrap());
        let within = expected.into_iter().map(|row| row.into_iter().map(|(name, shown)| (format!("o__{name}"), shown)).collect());
        prop_assert_eq!(found, within.collect::<Vec<BTreeMap<String, String>>>());
    }
}

/// The rows of a table to which `batch` was written, as Arrow displays them, nulls left out.
fn through_a_lake(schema: &Arc<RecordSchema>, batch: RecordBatch) -> Vec<BTreeMap<String, String>> {
    let folder = tempfile::tempdir().unwrap();
    let table =
        Lake::open(&DestinationSpec::at(folder.path().to_str().unwrap()), &Environment::empty()).unwrap().table("t");
    let write = WriteSpec {
        run_id: "one".to_owned(),
        resource: "t".to_owned(),
        disposition: WriteDisposition::Replace,
        full_refresh: false,
        primary_key: Vec::new(),
        merge: MergeSpec::default(),
        partition_by: Vec::new(),
        schema: Arc::clone(schema),
        load_metadata: false,
        conflicts: Conflicts::Reject,
        limits: Limits::default(),
        temporary_folder: folder.path().to_owned(),
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut writer = table.begin(write).await.unwrap();
        writer.write(batch).await.unwrap();
        writer.commit(Checkpoint::full_listing("t")).await.unwrap();
    });
    let mut rows = Vec::new();
    for bytes in data_files(&folder.path().join("t")).into_values() {
        for batch in
            parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 8_192).unwrap()
        {
            let batch = batch.unwrap();
            for row in 0..batch.num_rows() {
                let fields = batch.schema();
                let fields = fields.fields().iter().zip(batch.columns()).filter(|(_, column)| column.is_valid(row));
                rows.push(fields.map(|(field, column)| (field.name().clone(), displayed(column, row))).collect());
            }
        }
    }
    rows
}

/// A value as Arrow displays it; it knows no zone by its name.
fn displayed(column: &ArrayRef, row: usize) -> String {
    let column = match column.data_type() {
        DataType::Timestamp(unit, _) => &cast(column, &DataType::Timestamp(*unit, None)).unwrap(),
        _ => column,
    };
    ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap().value(row).to_string()
}

fn columns(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let files = files.map(|text| serde_json::from_str::<Value>(&text).unwrap());
    files.flat_map(|file| file["columns"].as_array().unwrap().clone()).collect()
}

/// Runs a pipeline with a resource per column; its report.
async fn load(columns: &[Value], folder: &Path) -> Value {
    let (mut rules, mut resources) = (Vec::new(), Vec::new());
    for column in columns {
        let name = column["name"].as_str().unwrap();
        let cases = column["cases"].as_array().unwrap().iter().enumerate();
        let records: Vec<String> =
            cases.map(|(id, case)| format!("{{\"id\":{id},\"v\":{}}}", case["json"].as_str().unwrap())).collect();
        rules.push(json!({"match": {"path": format!("/{name}")}, "reply": {"text": format!("{{\"items\":[{}]}}", records.join(","))}}));
        let schema = json!({"properties": {"id": {"type": "integer"}, "v": column["schema"]}});
        std::fs::write(folder.join(format!("{name}.json")), schema.to_string()).unwrap();
        resources.push(json!({
            "name": name, "schema": format!("{name}.json"), "write_disposition": "replace",
            "endpoint": {"path": name, "data_selector": "items", "paginator": "single_page"},
        }));
    }
    let server = ScriptServer::start(rules).await;
    let pipeline = json!({
        "client": {"base_url": server.fill_in("{{BASE}}")},
        "resources": resources,
        "destination": {"url": "./lake"},
    });
    std::fs::write(folder.join("types.json"), pipeline.to_string()).unwrap();
    let mut command = lakefeed(&["run", "types.json", "--output", "json"]);
    command.current_dir(folder);
    let ran = output_of(command).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.report()
}

fn reject(case: &Value) -> (String, String) {
    (case["reject"].as_str().unwrap().to_owned(), format!("$.v{}", case["at"].as_str().unwrap_or_default()))
}

/// The code and the path of each refused record, by its position.
fn rejects(table: &Path) -> BTreeMap<i64, (String, String)> {
    let files = files_below(&table.join("_lakefeed/rejects"));
    let mut found = BTreeMap::new();
    for bytes in files.into_values() {
        for batch in
            parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(bytes), 8_192).unwrap()
        {
            let batch = batch.unwrap();
            let column = |name: &str| batch.column_by_name(name).unwrap();
            let text = |name: &str, row| column(name).as_string::<i32>().value(row).to_owned();
            for row in 0..batch.num_rows() {
                let position = column("position").as_primitive::<Int64Type>().value(row);
                // A value that null stands for is kept, too; its record is a row.
                if !text("reason", row).ends_with("null stands for it") {
                    found.insert(position, (text("code", row), text("path", row)));
                }
            }
        }
    }
    found
}

/// Whether an engine's value is the expected one. Floats have several strings.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(float), Value::String(expected)) if float.contains_key("float") => {
            let found: f64 = float["float"].as_str().unwrap().parse().unwrap();
            let expected: f64 = expected.parse().unwrap();
            found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan())
        }
        _ => found == expected,
    }
}
