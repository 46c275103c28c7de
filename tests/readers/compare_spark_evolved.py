"""Spark beside the other readers on tables that have evolved: they must see the same rows, with files of all generations in one table.

usage: compare_spark_evolved.py LAKEFEED      the binary; loads from an API of its own into a temporary folder, generation after generation
"""

import datetime
import decimal
import json
import pathlib
import subprocess
import sys
import tempfile

import evolution
from json_api import JsonApi, serve
from read_spark import session

BIG = 2**53 + 1
INTEGER, TEXT = {"type": "integer"}, {"type": "string"}


def arrow(kind, **more):
    return {"x-arrow": kind, **more}


def record(number, **values):
    return {"id": number, **values}


# Histories of a table: what the pipeline says, and for each generation a schema file (or none) and the records that come.
HISTORIES = {
    "new columns, wider types, values that may be null now, objects and lists of objects with new fields": (
        "",
        [
            (None, [record(1, n=1, d="2026-01-02", o={"a": 1}, l=[{"a": 1}], big=BIG, gone="x")]),
            (None, [record(2, new="x", o={"a": 2, "b": "y", "deep": {"c": [1]}}, l=[{"a": 1}, {"a": 2, "b": True}])]),
            (None, [record(3, n=2.5, d="2026-01-02T03:04:05Z", l=[], big=2**64)]),
            (None, [record(4, n=None, new=None, o=None, l=None, tags=["a", None], late={"k": {"m": 1}})]),
        ],
    ),
    "variants, also in objects and lists": (
        "schema_contract: {conflicts: variant}",
        [
            (None, [record(1, n=BIG, o={"n": 1}, l=[{"n": 1}], t="a")]),
            (None, [record(2, n=1.5, o={"n": "x"}, l=[{"n": True}, {"n": 3}], t=1)]),
            (None, [record(3, n="x", o={"n": [1]}, l="none", t={"a": 1}), record(4, n=5, o=7, t=False)]),
        ],
    ),
    "columns that become JSON": (
        "schema_contract: {conflicts: json}",
        [(None, [record(1, n=BIG, at="2026-01-01")]), (None, [record(2, n=1.5, at="soon")]), (None, [record(3, n={"a": [1]}, at=None)])],
    ),
    "maps and decimals that are widened, a renamed column, another order": (
        "",
        [
            (
                {"id": INTEGER, "m": arrow("map<utf8, int32>"), "p": arrow("decimal128(10, 2)"), "name": TEXT, "f": arrow("float32")},
                [record(1, m={"a": 1, "b": None}, p="1.25", name="one", f=0.1)],
            ),
            (
                {"title": {**TEXT, "x-aliases": ["name"]}, "p": arrow("decimal128(20, 4)"), "id": INTEGER, "m": arrow("map<utf8, int64>"), "f": {"type": "number"}},
                [record(2, m={"c": 2**40}, p="12345678901.0001", title="two", f=1e300)],
            ),
            (
                {"id": INTEGER, "m": arrow("map<utf8, int64>"), "p": arrow("decimal128(38, 4)"), "title": TEXT, "f": {"type": "number"}, "new": arrow("map<utf8, decimal128(9, 1)>")},
                [record(3, m={}, p="9" * 34 + ".5", title=None, f=None, new={"x": "1.5"})],
            ),
        ],
    ),
    "every type that Spark has, in a column that comes late": (
        "",
        [
            ({"id": INTEGER}, [record(1)]),
            (
                {
                    "id": INTEGER,
                    **{name: arrow(name) for name in ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "utf8", "binary", "date32", "json")},
                    "decimal": arrow("decimal128(38, 10)"),
                    "dictionary": arrow("dictionary<utf8>"),
                    **{f"naive_{unit}": arrow(f"timestamp[{unit}]") for unit in ("s", "ms", "us")},
                    **{f"utc_{unit}": arrow(f"timestamp[{unit}, UTC]") for unit in ("s", "ms", "us")},
                    "list": {"type": "array", "items": {"type": "array", "items": INTEGER}},
                    "map": arrow("map<utf8, timestamp[us, UTC]>"),
                },
                [
                    record(
                        2, bool=True, int8=-128, int16=-(2**15), int32=-(2**31), int64=-(2**63), uint8=255, uint16=2**16 - 1, uint32=2**32 - 1, uint64=2**64 - 1,
                        float32=0.5, float64=1e300, utf8="ä\u0000z", binary="AP8=", date32="0001-01-01", json={"a": [1.50]}, decimal="1.0000000001", dictionary="x",
                        naive_s="9999-12-31T23:59:59", naive_ms="1500-01-01T00:00:00.001", naive_us="2026-01-01T00:00:00.000001",
                        utc_s="0001-01-01T00:00:00Z", utc_ms="1969-12-31T23:59:59.999Z", utc_us="9999-12-31T23:59:59.999999Z",
                        list=[[1, None], None, []], map={"k": "2026-01-01T00:00:00+01:00"},
                    )
                ],
            ),
        ],
    ),
}  # fmt: skip


class Api(JsonApi):
    records = []

    def answer(self, _):
        return self.records


def load(lakefeed, folder, base, says, generations, disposition):
    """Loads one generation after the other."""
    for schema, records in generations:
        Api.records = records
        keys = ["primary_key: id", f"write_disposition: {disposition}", says]
        if schema is not None:
            pathlib.Path(folder, "schema.json").write_text(json.dumps({"properties": schema}))
            keys.append("schema: schema.json")
        lines = "".join(f"    {key}\n" for key in keys if key)
        pipeline = f"version: 1\nclient: {{base_url: {base}, paginator: single_page}}\nresources:\n  - name: events\n{lines}    endpoint: {{data_selector: $}}\n"
        pathlib.Path(folder, "pipeline.yaml").write_text(pipeline)
        ran = subprocess.run([lakefeed, "run", "pipeline.yaml", "--destination", "lake", "--output", "json"], cwd=folder, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        report = json.loads(ran.stdout)["resources"][0]
        assert report["rows"]["rejected"] == 0, report
    return str(pathlib.Path(folder, "lake/events"))


def same(value):
    """What readers spell in ways of their own, alike: maps, instants, bytes, numbers."""
    if isinstance(value, list) and value and all(isinstance(entry, dict) and entry.keys() == {"key", "value"} for entry in value):
        value = {entry["key"]: entry["value"] for entry in value}
    if isinstance(value, list) and value and all(isinstance(entry, tuple) for entry in value):
        value = dict(value)
    if value == [] or value == {}:
        return "empty"
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat()
    if isinstance(value, (datetime.date,)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, int) and value >= 2**63:
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {name: same(member) for name, member in value.items()}
    if isinstance(value, list):
        return [same(element) for element in value]
    return value


def rows_of(found):
    return sorted(({name: same(value) for name, value in row.items()} for row in found), key=lambda row: row["id"])


def with_spark(files, _):
    return session("").read.option("mergeSchema", "true").parquet(*files).toArrow().to_pylist()


def compare(lakefeed, folder, base, history, disposition):
    says, generations = HISTORIES[history]
    table = load(lakefeed, folder, base, says, generations, disposition)
    files = evolution.files_of(table)
    schema = evolution.schema_of(files)
    seen = {name: rows_of(engine(files, schema)) for name, engine in {**evolution.ENGINES, "spark": with_spark}.items()}
    expected = sum(len(records) for _, records in generations)
    for name, found in seen.items():
        assert len(found) == expected, f"{history}: {name} sees {len(found)} rows, not {expected}"
        for row, other in zip(seen["spark"], found, strict=True):
            differing = {key: (row.get(key), other.get(key)) for key in row.keys() | other.keys() if row.get(key) != other.get(key)}
            assert not differing, f"{history}, {disposition}: Spark and {name} see row {row['id']} differently: {differing}"
    return expected, len(files)


def main():
    lakefeed = str(pathlib.Path(sys.argv[1]).resolve())
    server = serve(Api)
    for history in HISTORIES:
        for disposition in ("append", "merge"):
            with tempfile.TemporaryDirectory() as folder:
                rows, files = compare(lakefeed, folder, f"http://127.0.0.1:{server.server_port}", history, disposition)
            print(f"{history} ({disposition}): Spark, DuckDB, pyarrow and Polars see the same {rows} rows of {files} files")


if __name__ == "__main__":
    main()
