"""Reads the files that `lakefeed table manifest` lists (on standard input, one per line), the way docs/reading.md shows.

Output, one JSON document: {engine: number of distinct keys among the rows}, and a failure when a key is there twice.
"""

import json
import sys

import polars
import pyarrow.dataset

from read_lake import duckdb_connection, polars_options, pyarrow_s3


def with_duckdb(files):
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return [key for (key,) in duckdb_connection(files[0]).sql(f"SELECT event_id FROM read_parquet([{listed}])").fetchall()]


def with_pyarrow(files):
    if files[0].startswith("s3://"):
        files = [file.removeprefix("s3://") for file in files]
        return pyarrow.dataset.dataset(files, filesystem=pyarrow_s3()).to_table().column("event_id").to_pylist()
    return pyarrow.dataset.dataset(files).to_table().column("event_id").to_pylist()


def with_polars(files):
    frame = polars.scan_parquet(files, hive_partitioning=False, glob=False, storage_options=polars_options(files[0]))
    return frame.select("event_id").collect().to_series().to_list()


def main():
    files = sys.stdin.read().splitlines()
    seen = {}
    for name, read in {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}.items():
        keys = read(files)
        assert len(keys) == len(set(keys)), f"{name} sees a key twice"
        seen[name] = len(keys)
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
