"""Reads a table whose files are of several shapes as one, the way docs/schemas.md says, with DuckDB, pyarrow and Polars.

usage: evolution.py TABLE_FOLDER     prints {engine: [row, …]}, rows sorted by `id`, times as text
       evolution.py --changes        prints {change: {engine: "one table" or what the engine says}}

The second form is why the lake rewrites files for some changes and not for others: it writes two files that differ by one change and tries to read
them as one table.
"""

import datetime
import decimal
import json
import pathlib
import sys
import tempfile

import duckdb
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

CASTS = polars.ScanCastOptions(
    integer_cast="upcast", float_cast="upcast", missing_struct_fields="insert", extra_struct_fields="ignore"
)


def files_of(folder):
    return [str(path) for path in sorted(pathlib.Path(folder).glob("**/*.parquet"))]


def schema_of(files):
    """The fields of all files; the widest objects win."""
    return pyarrow.unify_schemas([pyarrow.parquet.read_schema(file) for file in files], promote_options="permissive")


def with_duckdb(files, _):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    result = connection.execute("SELECT * FROM read_parquet(?, union_by_name = true)", [files])
    names = [column[0] for column in result.description]
    return [dict(zip(names, row)) for row in result.fetchall()]


def with_pyarrow(files, schema):
    return pyarrow.dataset.dataset(files, schema=schema).to_table().to_pylist()


def with_polars(files, schema):
    shape = polars.from_arrow(schema.empty_table()).schema
    scan = polars.scan_parquet(
        files, schema=shape, missing_columns="insert", extra_columns="ignore", cast_options=CASTS, hive_partitioning=False
    )
    return scan.collect().to_dicts()


ENGINES = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}


def plain(value):
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value


def read(folder):
    files = files_of(folder)
    schema = schema_of(files)
    return {name: sorted(plain(engine(files, schema)), key=lambda row: row["id"]) for name, engine in ENGINES.items()}


def columns(**of):
    return pyarrow.table({name: pyarrow.array([value], kind) for name, (value, kind) in of.items()})


INT, TEXT, FLOAT = pyarrow.int64(), pyarrow.string(), pyarrow.float64()
ONE, BOTH = pyarrow.struct([("a", INT)]), pyarrow.struct([("a", INT), ("b", TEXT)])
INSTANT = datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc)
CHANGES = {
    "new column": (columns(id=(1, INT)), columns(id=(2, INT), n=("x", TEXT))),
    "column that the run lacks": (columns(id=(1, INT), n=("x", TEXT)), columns(id=(2, INT))),
    "another order": (columns(id=(1, INT), n=("x", TEXT)), columns(n=("y", TEXT), id=(2, INT))),
    "may be null now": (
        columns(id=(1, INT), n=(5, INT)).cast(
            pyarrow.schema([pyarrow.field("id", INT), pyarrow.field("n", INT, nullable=False)])
        ),
        columns(id=(2, INT), n=(None, INT)),
    ),
    "new field of an object": (columns(id=(1, INT), n=({"a": 1}, ONE)), columns(id=(2, INT), n=({"a": 1, "b": "x"}, BOTH))),
    "new field of objects in a list": (
        columns(id=(1, INT), n=([{"a": 1}], pyarrow.list_(ONE))),
        columns(id=(2, INT), n=([{"a": 1, "b": "x"}], pyarrow.list_(BOTH))),
    ),
    "int64 to float64": (columns(id=(1, INT), n=(5, INT)), columns(id=(2, INT), n=(2.5, FLOAT))),
    "date to timestamp": (
        columns(id=(1, INT), n=(INSTANT.date(), pyarrow.date32())),
        columns(id=(2, INT), n=(INSTANT, pyarrow.timestamp("us", "UTC"))),
    ),
    "longer decimals": (
        columns(id=(1, INT), n=(decimal.Decimal(1), pyarrow.decimal128(10, 2))),
        columns(id=(2, INT), n=(decimal.Decimal(2), pyarrow.decimal128(20, 4))),
    ),
    "int64 to text": (columns(id=(1, INT), n=(5, INT)), columns(id=(2, INT), n=("x", TEXT))),
}


def widest(old, new):
    """The schema of both, with the types of the newer one."""
    merged = {field.name: field.type for field in old.schema}
    merged.update({field.name: field.type for field in new.schema})
    return pyarrow.schema(list(merged.items()))


def try_changes():
    outcome = {}
    for change, (old, new) in CHANGES.items():
        with tempfile.TemporaryDirectory() as folder:
            pyarrow.parquet.write_table(old, f"{folder}/part-00000.parquet")
            pyarrow.parquet.write_table(new, f"{folder}/part-00001.parquet")
            outcome[change] = {}
            for name, engine in ENGINES.items():
                try:
                    rows = engine(files_of(folder), widest(old, new))
                    outcome[change][name] = "one table" if len(rows) == 2 else f"{len(rows)} rows"
                except Exception as error:  # whatever an engine raises is the outcome
                    outcome[change][name] = str(error).splitlines()[0]
    return outcome


def main():
    (argument,) = sys.argv[1:]
    json.dump(try_changes() if argument == "--changes" else read(argument), sys.stdout)


if __name__ == "__main__":
    main()
