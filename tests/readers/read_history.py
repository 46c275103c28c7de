"""Reads a table that keeps history with DuckDB, pyarrow and Polars, its folders parsed as partitions, and asks each engine for what people ask a history.

usage: read_history.py TABLE_FOLDER INSTANT

Output, one JSON document: {engine: {"types": {column: type}, "all": [row], "now": [id], "then": [id, of the versions that held at INSTANT]}}. Rows are
sorted by `id` and `valid_from`; types and values are in words that do not depend on the engine.
"""

import datetime
import decimal
import json
import sys

import duckdb
import polars
import pyarrow.compute
import pyarrow.dataset


def kind(of):
    types = pyarrow.types
    if types.is_dictionary(of):
        return kind(of.value_type)
    if types.is_string(of) or types.is_large_string(of) or types.is_string_view(of):
        return "text"
    if types.is_list(of) or types.is_large_list(of):
        return f"list of {kind(of.value_type)}"
    if types.is_timestamp(of):
        return f"timestamp {of.unit} {of.tz}"
    if types.is_decimal(of):
        return f"decimal {of.precision} {of.scale}"
    return str(of)


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, (datetime.date, decimal.Decimal)):
        return str(value)
    return value


def with_duckdb(table, instant):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    source = f"read_parquet('{table}/**/*.parquet', hive_partitioning = true)"
    ids = lambda where: [row[0] for row in connection.execute(f"SELECT id FROM {source} WHERE {where}").fetchall()]
    return (
        connection.execute(f"SELECT * FROM {source}").fetch_arrow_table(),
        ids("valid_to IS NULL"),
        ids(f"valid_from <= '{instant}'::TIMESTAMPTZ AND (valid_to IS NULL OR valid_to > '{instant}'::TIMESTAMPTZ)"),
    )


def with_pyarrow(table, instant):
    field, at = pyarrow.compute.field, pyarrow.scalar(datetime.datetime.fromisoformat(instant))
    dataset = pyarrow.dataset.dataset(table, partitioning="hive")
    ids = lambda where: dataset.to_table(columns=["id"], filter=where).column("id").to_pylist()
    is_open = field("valid_to").is_null()
    return dataset.to_table(), ids(is_open), ids((field("valid_from") <= at) & (is_open | (field("valid_to") > at)))


def with_polars(table, instant):
    column, at = polars.col, datetime.datetime.fromisoformat(instant)
    scan = polars.scan_parquet(f"{table}/**/*.parquet", hive_partitioning=True)
    ids = lambda where: scan.filter(where).select("id").collect()["id"].to_list()
    is_open = column("valid_to").is_null()
    return scan.collect().to_arrow(), ids(is_open), ids((column("valid_from") <= at) & (is_open | (column("valid_to") > at)))


def seen(engine, table, instant):
    rows, now, then = engine(table, instant)
    all_rows = [{name: plain(value) for name, value in row.items()} for row in rows.to_pylist()]
    return {
        "types": {field.name: kind(field.type) for field in rows.schema},
        "all": sorted(all_rows, key=lambda row: (row["id"], row["valid_from"])),
        "now": sorted(now),
        "then": sorted(then),
    }


def main():
    table, instant = sys.argv[1:]
    engines = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}
    json.dump({name: seen(engine, table, instant) for name, engine in engines.items()}, sys.stdout)


if __name__ == "__main__":
    main()
