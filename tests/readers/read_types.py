"""Reads tables with the columns `id` and `v` with DuckDB, pyarrow and Polars, and prints what each one saw.

usage: read_types.py LAKE

Output, one JSON document: {table: {engine: {"type": text, "values": {id: value}} or {"error": text}}}. Values are in words that do not
depend on the units and widths of a type, as in `tests/types/*.json`.
"""

import datetime
import json
import pathlib
import sys

import duckdb
import polars
import pyarrow
import pyarrow.dataset

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
EPOCH = datetime.datetime(1970, 1, 1)


def fraction(count, per_second):
    digits = str(count % per_second + per_second)[1:].rstrip("0")
    return f".{digits}" if digits else ""


def moment(count, unit, suffix):
    per_second = PER_SECOND[unit]
    whole = EPOCH + datetime.timedelta(seconds=count // per_second)
    return whole.isoformat() + fraction(count, per_second) + suffix


def time_of_day(count, unit):
    per_second = PER_SECOND[unit]
    seconds = count // per_second
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" + fraction(count, per_second)


def length(count, unit):
    per_second = PER_SECOND[unit]
    return ("-" if count < 0 else "") + str(abs(count) // per_second) + fraction(abs(count), per_second)


def counts(array, width):
    return array.cast(width).to_pylist()


def some(values, convert):
    return [None if value is None else convert(value) for value in values]


def plain(array):
    kind = array.type
    types = pyarrow.types
    if types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if types.is_timestamp(kind):
        suffix = "Z" if kind.tz else ""
        return some(counts(array, pyarrow.int64()), lambda count: moment(count, kind.unit, suffix))
    if types.is_time(kind):
        width = pyarrow.int32() if kind.bit_width == 32 else pyarrow.int64()
        return some(counts(array, width), lambda count: time_of_day(count, kind.unit))
    if types.is_duration(kind):
        return some(counts(array, pyarrow.int64()), lambda count: length(count, kind.unit))
    if types.is_date(kind):
        return some(array.to_pylist(), datetime.date.isoformat)
    if types.is_decimal(kind):
        return some(array.to_pylist(), lambda value: f"{abs(value) if value == 0 else value:f}")
    if types.is_floating(kind):
        return some(array.to_pylist(), lambda value: {"float": repr(value)})
    if types.is_integer(kind):
        return some(array.to_pylist(), str)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind):
        return some(array.to_pylist(), bytes.hex)
    if types.is_map(kind):
        return [pairs(value.values) if value.is_valid else None for value in array]
    if types.is_list(kind) or types.is_large_list(kind):
        # Polars has no maps: it sees lists of their entries.
        is_map = types.is_struct(kind.value_type) and [field.name for field in kind.value_type] == ["key", "value"]
        return [(pairs if is_map else plain)(value.values) if value.is_valid else None for value in array]
    if types.is_struct(kind):
        columns = {kind.field(at).name: plain(child) for at, child in enumerate(array.flatten())}
        rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
        return [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist())]
    return array.to_pylist()


def pairs(entries):
    keys, values = entries.flatten()
    return [list(pair) for pair in zip(plain(keys), plain(values))]


def with_duckdb(table):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SELECT id, v FROM read_parquet('{table}/**/*.parquet', hive_partitioning = false)")
    return connection.fetch_arrow_table()


def with_pyarrow(table):
    return pyarrow.dataset.dataset(table, exclude_invalid_files=False).to_table()


def with_polars(table):
    return polars.scan_parquet(f"{table}/**/*.parquet", hive_partitioning=False).collect().to_arrow()


def seen(read, table):
    try:
        found = read(str(table))
        values = found.column("v").combine_chunks()
        if isinstance(values, pyarrow.ChunkedArray):
            values = pyarrow.concat_arrays(values.chunks)
        ids = found.column("id").to_pylist()
        return {"type": str(values.type), "values": dict(zip(ids, plain(values)))}
    except Exception as error:  # noqa: BLE001 what an engine cannot read is a finding of its own
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    (lake,) = sys.argv[1:]
    engines = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}
    tables = sorted(path for path in pathlib.Path(lake).iterdir() if path.is_dir())
    found = {table.name: {name: seen(read, table) for name, read in engines.items()} for table in tables}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
