"""Reads a table with DuckDB, pyarrow and Polars, each the way its users would, and prints what each one saw.

usage: read_lake.py TABLE_URL        a folder, or s3://bucket/prefix with AWS_ENDPOINT_URL and AWS_* credentials

Output, one JSON document: {engine: {"columns": {name: type}, "rows": [{name: value}]}}. Timestamps are microseconds since
1970 (UTC), so that the three can be compared with each other and with the API.
"""

import datetime
import json
import os
import pathlib
import sys
from urllib.parse import urlparse

import duckdb
import duckdb_extension_httpfs
import polars
import pyarrow.dataset
import pyarrow.fs

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.timezone.utc)
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def rows(columns, records):
    return [{name: plain(value) for name, value in zip(columns, record)} for record in records]


def endpoint():
    return urlparse(os.environ["AWS_ENDPOINT_URL"])


def duckdb_connection(url):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    if url.startswith("s3://"):
        extension = next(pathlib.Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))
        connection.execute(f"LOAD '{extension}'")
        connection.execute(
            f"""CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}',
            SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}', REGION 'us-east-1', URL_STYLE 'path',
            USE_SSL false, ENDPOINT '{endpoint().netloc}')"""
        )
    return connection


def with_duckdb(url):
    connection = duckdb_connection(url)
    result = connection.execute(f"SELECT * FROM read_parquet('{url}/**/*.parquet', hive_partitioning = true)")
    names = [column[0] for column in result.description]
    types = [str(column[1]) for column in result.description]
    return {"columns": dict(zip(names, types)), "rows": rows(names, result.fetchall())}


def pyarrow_s3():
    return pyarrow.fs.S3FileSystem(
        endpoint_override=endpoint().netloc, scheme="http", region="us-east-1", force_virtual_addressing=False
    )


def with_pyarrow(url):
    if url.startswith("s3://"):
        filesystem = pyarrow_s3()
        dataset = pyarrow.dataset.dataset(url.removeprefix("s3://"), filesystem=filesystem, partitioning="hive")
    else:
        dataset = pyarrow.dataset.dataset(url, partitioning="hive")
    table = dataset.to_table()
    return {
        "columns": {field.name: str(field.type) for field in table.schema},
        "rows": [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()],
    }


def polars_options(url):
    if not url.startswith("s3://"):
        return None
    return {
        "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }


def with_polars(url):
    options = polars_options(url)
    frame = polars.scan_parquet(f"{url}/**/*.parquet", hive_partitioning=True, storage_options=options).collect()
    return {
        "columns": {name: str(kind) for name, kind in frame.schema.items()},
        "rows": rows(frame.columns, frame.iter_rows()),
    }


def main():
    (url,) = sys.argv[1:]
    engines = {"duckdb": with_duckdb, "pyarrow": with_pyarrow, "polars": with_polars}
    json.dump({name: read(url) for name, read in engines.items()}, sys.stdout)


if __name__ == "__main__":
    main()
