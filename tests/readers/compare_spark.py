"""Spark beside the other readers: they must see the same rows, columns and partitions, of the demo's lake on disk and of the same pipeline's on S3.

usage: compare_spark.py LAKEFEED      the binary; runs its demo into a temporary folder, and the example pipeline into a bucket
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PIPELINE = HERE.parents[1] / "examples/calendar.yaml"
EVENTS = 2_000
# What Spark calls the types that DuckDB names so.
TYPES = {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamp", "DATE": "date", "BIGINT": "bigint", "BOOLEAN": "boolean", "DOUBLE": "double"}


def sorted_rows(read):
    return sorted(read["rows"], key=lambda row: row["event_id"])


def compare(table):
    """Runs in a process of its own: whether Spark can read S3 is settled when its session begins."""
    from read_lake import with_duckdb, with_polars, with_pyarrow
    from read_spark import with_spark

    spark = with_spark(table)
    seen = sorted_rows(spark)
    assert len(seen) >= EVENTS and len({row["event_id"] for row in seen}) == len(seen), f"Spark sees {len(seen)} rows"
    for name, read in {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}.items():
        other = read(table)
        assert set(other["columns"]) == set(spark["columns"]), f"{name} has columns {other['columns']}, Spark {spark['columns']}"
        differing = [pair for pair in zip(sorted_rows(other), seen, strict=True) if pair[0] != pair[1]]
        assert not differing, f"{name} and Spark differ in {len(differing)} rows: {differing[:2]}"
        if name == "duckdb":
            simple = {column: kind for column, kind in other["columns"].items() if kind in TYPES}
            wrong = {column: (kind, spark["columns"][column]) for column, kind in simple.items() if TYPES[kind] != spark["columns"][column]}
            assert len(simple) > 3 and not wrong, f"types differ: {wrong}"
    print(f"{table.split(':')[0] if '://' in table else 'disk'}: Spark, DuckDB, pyarrow and Polars see the same {len(seen)} rows and {len(spark['columns'])} columns")


def compare_apart(table, environment):
    subprocess.run([sys.executable, __file__, "--table", table], env=os.environ | environment, check=True)


def on_disk(lakefeed):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([lakefeed, "demo", "--dir", folder, "--events", str(EVENTS)], cwd=folder, check=True, capture_output=True)
        compare_apart(str(pathlib.Path(folder) / "lake/calendar_events"), {})


def on_s3(lakefeed):
    serve = subprocess.Popen([lakefeed, "demo", "--serve", "--events", str(EVENTS)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    bucket = subprocess.Popen([sys.executable, HERE / "s3_server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        exports = [serve.stdout.readline().removeprefix("export ").strip().split("=", 1) for _ in range(3)]
        environment = {name: value.strip("'") for name, value in exports}
        environment |= {"AWS_ENDPOINT_URL": bucket.stdout.readline().strip(), "AWS_ACCESS_KEY_ID": "AKLAKE", "AWS_SECRET_ACCESS_KEY": "SKLAKE", "AWS_REGION": "us-east-1"}
        # The second run merges the same events into the table again.
        for _ in range(2):
            subprocess.run([lakefeed, "run", PIPELINE, "--destination", "s3://lake/demo", "--quiet"], env=os.environ | environment, check=True)
        compare_apart("s3://lake/demo/calendar_events", environment)
    finally:
        serve.terminate()
        bucket.stdin.close()


def main():
    if sys.argv[1] == "--table":
        compare(sys.argv[2])
        return
    (lakefeed,) = sys.argv[1:]
    lakefeed = str(pathlib.Path(lakefeed).resolve())
    on_disk(lakefeed)
    on_s3(lakefeed)


if __name__ == "__main__":
    main()
