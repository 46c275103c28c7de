"""Spark beside the other readers: they must see the same rows, columns and partitions of the demo's lake.

usage: compare_spark.py LAKEFEED      the binary; runs its demo into a temporary folder and reads what that leaves
"""

import pathlib
import subprocess
import sys
import tempfile

from read_lake import with_duckdb, with_polars, with_pyarrow
from read_spark import with_spark

# What Spark calls the types that DuckDB names so.
TYPES = {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamp", "DATE": "date", "BIGINT": "bigint", "BOOLEAN": "boolean", "DOUBLE": "double"}


def sorted_rows(read):
    return sorted(read["rows"], key=lambda row: row["event_id"])


def main():
    (lakefeed,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        command = [str(pathlib.Path(lakefeed).resolve()), "demo", "--dir", folder, "--events", "2000"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        table = str(pathlib.Path(folder) / "lake/calendar_events")
        spark = with_spark(table)
        seen = sorted_rows(spark)
        assert len(seen) > 2_000 and len({row["event_id"] for row in seen}) == len(seen), f"Spark sees {len(seen)} rows"
        for name, read in {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}.items():
            other = read(table)
            assert set(other["columns"]) == set(spark["columns"]), f"{name} has columns {other['columns']}, Spark {spark['columns']}"
            differing = [pair for pair in zip(sorted_rows(other), seen, strict=True) if pair[0] != pair[1]]
            assert not differing, f"{name} and Spark differ in {len(differing)} rows: {differing[:2]}"
            if name == "duckdb":
                simple = {column: kind for column, kind in other["columns"].items() if kind in TYPES}
                wrong = {column: (kind, spark["columns"][column]) for column, kind in simple.items() if TYPES[kind] != spark["columns"][column]}
                assert len(simple) > 3 and not wrong, f"types differ: {wrong}"
        print(f"Spark, DuckDB, pyarrow and Polars see the same {len(seen)} rows and {len(spark['columns'])} columns")


if __name__ == "__main__":
    main()
