//! `lakefeed table schema`: the columns of a table.

use serde_json::{Value, json};

use super::super::args::{Output, SchemaArguments};
use super::super::printer::Printer;
use super::grid::Side::Left;
use super::grid::grid;
use super::{missing, open};
use crate::error::Result;
use crate::lake::Snapshot;

/// Prints the columns of a table as its last commit left it.
pub(super) async fn show(arguments: SchemaArguments, printer: Printer) -> Result<()> {
    let table = open(&arguments.lake, &arguments.table)?;
    let snapshot = table.snapshot().await?;
    if snapshot.schema.is_none() {
        return Err(missing(&table));
    }
    match arguments.output {
        Output::Text => printer.data(&text(&snapshot)),
        Output::Json => printer.data(&format!("{:#}\n", json(&table.url(), &snapshot))),
    }
    Ok(())
}

fn text(snapshot: &Snapshot) -> String {
    let columns = snapshot.schema.iter().flat_map(|schema| schema.columns());
    let rows = columns.map(|column| {
        let mut notes = Vec::new();
        if snapshot.primary_key.contains(&column.name) {
            notes.push("primary key".to_owned());
        }
        for field in snapshot.partition_by.iter().filter(|field| field.column == column.name) {
            notes.push(format!("folders {}", field.name));
        }
        let nullable = if column.nullable { "null" } else { "not null" };
        [column.name.clone(), type_text(&json!(column.column_type)), nullable.to_owned(), notes.join(", ")]
    });
    grid([("column", Left), ("type", Left), ("nulls", Left), ("role", Left)], &rows.collect::<Vec<_>>())
}

/// A type as commits write it, in one line: `utf8`, `decimal128(precision 18, scale 2)`, `list(utf8)`.
fn type_text(written: &Value) -> String {
    match written {
        Value::String(name) => name.clone(),
        Value::Object(parts) => {
            let parts = parts.iter().map(|(name, inner)| match inner {
                Value::Object(options) if options.values().all(Value::is_number) => {
                    let options = options.iter().map(|(key, value)| format!("{key} {}", type_text(value)));
                    format!("{name}({})", options.collect::<Vec<_>>().join(", "))
                }
                inner => format!("{name}({})", type_text(inner)),
            });
            parts.collect::<Vec<_>>().join(" ")
        }
        Value::Array(fields) => {
            let fields = fields.iter().map(|field| match (&field["name"], &field["type"]) {
                (Value::String(name), inner) => format!("{name}: {}", type_text(inner)),
                (_, _) => type_text(field),
            });
            fields.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn json(url: &str, snapshot: &Snapshot) -> Value {
    json!({
        "url": url,
        "commit": snapshot.version,
        "columns": snapshot.schema.as_ref().map(|schema| schema.columns()),
        "primary_key": snapshot.primary_key,
        "partition_by": snapshot.partition_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_in_one_line() {
        let cases = [
            (json!("utf8"), "utf8"),
            (json!({"decimal128": {"precision": 18, "scale": 2}}), "decimal128(precision 18, scale 2)"),
            (json!({"list": {"list": "int64"}}), "list(list(int64))"),
            (
                json!({"struct": [{"name": "id", "type": "utf8", "nullable": true}, {"name": "n", "type": {"list": "json"}}]}),
                "struct(id: utf8, n: list(json))",
            ),
        ];
        for (written, told) in cases {
            assert_eq!(type_text(&written), told);
        }
    }
}
