"""Joins records with the items of their lists, which are in a table of their own, with DuckDB, pyarrow and Polars.

usage: join_lists.py LAKE_FOLDER TABLE CHILD_TABLE KEY COLUMN

Output, one JSON document: {engine: [[key, place in the list, value of COLUMN of the item], …]}, a record without items once, with nulls; sorted.
"""

import json
import pathlib
import sys

import duckdb
import polars
import pyarrow.dataset


def with_duckdb(records, items, key, column):
    parent = f'"_lakefeed_parent_{key}"'
    query = f"""
        SELECT r."{key}", i._lakefeed_list_index, i."{column}"
        FROM read_parquet('{records}/**/*.parquet', union_by_name = true) r
        LEFT JOIN read_parquet('{items}/**/*.parquet', union_by_name = true) i ON i.{parent} = r."{key}"
    """
    return duckdb.sql(query).fetchall()


def with_pyarrow(records, items, key, column):
    def read(folder):
        files = sorted(str(path) for path in pathlib.Path(folder).glob("**/*.parquet"))
        return pyarrow.dataset.dataset(files).to_table()

    items = read(items).select([f"_lakefeed_parent_{key}", "_lakefeed_list_index", column])
    joined = read(records).select([key]).join(items, keys=key, right_keys=f"_lakefeed_parent_{key}", join_type="left outer")
    return [(row[key], row["_lakefeed_list_index"], row[column]) for row in joined.to_pylist()]


def with_polars(records, items, key, column):
    records = polars.read_parquet(f"{records}/**/*.parquet").select(key)
    items = polars.read_parquet(f"{items}/**/*.parquet").select(f"_lakefeed_parent_{key}", "_lakefeed_list_index", column)
    return records.join(items, left_on=key, right_on=f"_lakefeed_parent_{key}", how="left").rows()


def main(lake, table, child, key, column):
    engines = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}
    in_order = lambda row: [(value is not None, value) for value in row]  # noqa: E731
    read = lambda engine: sorted(engine(f"{lake}/{table}", f"{lake}/{child}", key, column), key=in_order)  # noqa: E731
    print(json.dumps({name: read(engine) for name, engine in engines.items()}))


main(*sys.argv[1:])
