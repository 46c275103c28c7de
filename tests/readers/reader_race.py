"""Readers against a lake that is being merged: how often do they see what no version of a file ever held?

usage: reader_race.py LAKEFEED [--seconds N] [--storage local,s3] [--scheme fixed,generation] [--reader NAME,…] [--json FILE]

LAKEFEED is the binary. It makes VERSIONS versions of a lake of PARTITIONS files, each of which gives every row a version number and two
columns that follow from key and version. A publisher then puts one version after the other in place, by one of two schemes:

  fixed        part-00000.parquet gets the next content, atomically; what lakefeed does
  generation   part-<version>.parquet comes beside the old one, which then goes

while each reader reads everything again and again. Per partition an answer must be all rows of one version, and nothing else. Counted:

  right        every partition is whole and of one version
  error        the reader said so: an exception (a UnicodeDecodeError is DuckDB's, whose "ETag has changed" carries the bytes of the answer)
  mixed        rows that no version has: columns or pages of two versions in one
  doubled      a key more than once
  missing      a key not at all

`mixed`, `doubled` and `missing` are silent wrong answers. Partitions may be of different versions: that much docs/reading.md admits, for both schemes.
Versions of a file are as alike as they can be, of the same size and with their columns at the same places, unless the writer sees to it that they are
not: the worst case for fixed names.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from json_api import JsonApi, serve

PARTITIONS = 3
ROWS = 4_000
VERSIONS = 12
ROW_GROUP_ROWS = 1_000
PAGE = 1_000
PREFIX = "race/events"
HERE = pathlib.Path(__file__).parent


def check_of(partition, row, version):
    return version * 1_000_000_000 + partition * 1_000_000 + row, f"version {version:04}"


def records(version):
    made = []
    for partition in range(PARTITIONS):
        for row in range(ROWS):
            key = f"k{partition}{row:07}"
            number, text = check_of(partition, row, version)
            made.append({"id": key, "day": f"2026-11-{partition + 1:02}", "version": version, "number": number, "text": text})
    return made


class Api(JsonApi):
    rows = []

    def answer(self, query):
        offset = int(query["offset"][0])
        return {"items": Api.rows[offset : offset + PAGE], "total": len(Api.rows)}


SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "version": {"type": "integer"},
        "number": {"type": "integer"},
        "text": {"type": "string"},
    },
}


def make_versions(lakefeed, folder):
    """Runs the real program once per version; keeps the data files of each. Returns their sizes."""
    server = serve(Api)
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    pipeline = {
        "name": "race",
        "limits": {"row_group_rows": ROW_GROUP_ROWS, "resume_age_max_seconds": 0},
        "client": {"base_url": f"http://127.0.0.1:{server.server_port}"},
        "resources": [
            {
                "name": "events",
                "primary_key": "id",
                "write_disposition": "merge",
                "schema": "schema.json",
                "partition_by": [{"column": "day"}],
                "endpoint": {"data_selector": "items", "paginator": {"type": "offset", "limit": PAGE}},
            }
        ],
        "destination": {"url": "lake"},
    }
    (folder / "pipeline.json").write_text(json.dumps(pipeline))
    sizes = set()
    for version in range(1, VERSIONS + 1):
        Api.rows = records(version)
        subprocess.run([lakefeed, "run", "pipeline.json", "--quiet"], cwd=folder, check=True)
        for partition, source in enumerate(data_files(folder / "lake/events")):
            target = folder / f"versions/{version}/{partition}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            sizes.add(target.stat().st_size)
    server.shutdown()
    return sorted(sizes)


def data_files(table):
    files = sorted(table.rglob("*.parquet"))
    assert len(files) == PARTITIONS, files
    return files


def folder_of(partition):
    return f"day=2026-11-{partition + 1:02}"


class Local:
    """Publishes on a disk as lakefeed does: a second name where no reader looks, then a rename over the old file."""

    def __init__(self, folder):
        self.versions, self.table = folder / "versions", folder / PREFIX
        self.url = str(self.table)

    def put(self, version, partition, name):
        target = self.table / folder_of(partition) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = self.versions / "publishing"
        os.link(self.versions / f"{version}/{partition}.parquet", hidden)
        os.replace(hidden, target)
        hidden.unlink(missing_ok=True)

    def delete(self, partition, name):
        (self.table / folder_of(partition) / name).unlink()

    def clear(self):
        shutil.rmtree(self.table, ignore_errors=True)


class S3:
    """Publishes in a bucket: server-side copies."""

    def __init__(self, folder):
        import boto3

        self.client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1")
        self.url = f"s3://lake/{PREFIX}"
        for version in range(1, VERSIONS + 1):
            for partition in range(PARTITIONS):
                body = (folder / f"versions/{version}/{partition}.parquet").read_bytes()
                self.client.put_object(Bucket="lake", Key=f"versions/{version}/{partition}", Body=body)

    def put(self, version, partition, name):
        source = {"Bucket": "lake", "Key": f"versions/{version}/{partition}"}
        self.client.copy_object(Bucket="lake", Key=f"{PREFIX}/{folder_of(partition)}/{name}", CopySource=source)

    def delete(self, partition, name):
        self.client.delete_object(Bucket="lake", Key=f"{PREFIX}/{folder_of(partition)}/{name}")

    def clear(self):
        listed = self.client.list_objects_v2(Bucket="lake", Prefix=PREFIX).get("Contents", [])
        for item in listed:
            self.client.delete_object(Bucket="lake", Key=item["Key"])


def publish(storage, scheme, pause, stop, published):
    """One version after the other, until told to stop. Additions first, then removals, as a commit does."""
    previous, version = None, 1
    while not stop.is_set():
        name = "part-00000.parquet" if scheme == "fixed" else f"part-{published.value:08}.parquet"
        for partition in range(PARTITIONS):
            storage.put(version, partition, name)
        if scheme == "generation" and previous is not None:
            for partition in range(PARTITIONS):
                storage.delete(partition, previous)
        previous, version = name, version % VERSIONS + 1
        published.value += 1
        stop.wait(pause)


# The readers. Each takes the URL and returns a function that reads all rows: (ids, versions, numbers, texts). What is made once here is
# what a program that runs for long would keep.


def duckdb_reader(url):
    from read_lake import duckdb_connection

    connection = duckdb_connection(url)

    def read():
        query = f"SELECT id, version, number, text FROM read_parquet('{url}/**/*.parquet', hive_partitioning = false)"
        return list(zip(*connection.execute(query).fetchall()))

    return read


def duckdb_fresh(url):
    return lambda: duckdb_reader(url)()


def from_arrow(table):
    return [table.column(name).to_pylist() for name in ("id", "version", "number", "text")]


def open_dataset(url):
    import pyarrow.dataset
    from read_lake import pyarrow_s3

    if url.startswith("s3://"):
        return pyarrow.dataset.dataset(url.removeprefix("s3://"), filesystem=pyarrow_s3())
    return pyarrow.dataset.dataset(url)


def pyarrow_fresh(url):
    return lambda: from_arrow(open_dataset(url).to_table())


def pyarrow_kept(url):
    """One dataset, read again and again: it remembers the footers that it has seen. It is opened anew after an error, as its user would."""
    kept = []

    def read():
        if not kept:
            kept.append(open_dataset(url))
            kept[0].count_rows()
        try:
            return from_arrow(kept[0].to_table())
        except Exception:
            kept.clear()
            raise

    return read


def polars_reader(url):
    import polars
    from read_lake import polars_options

    def read():
        frame = polars.scan_parquet(f"{url}/**/*.parquet", storage_options=polars_options(url)).collect()
        return [frame[name].to_list() for name in ("id", "version", "number", "text")]

    return read


def spark_reader(url):
    from read_spark import as_spark_writes, session

    spark = session(url)

    def read():
        spark.catalog.clearCache()
        table = spark.read.parquet(as_spark_writes(url)).select("id", "version", "number", "text").toArrow()
        return from_arrow(table)

    return read


READERS = {
    "duckdb": duckdb_reader,
    "duckdb-fresh": duckdb_fresh,
    "pyarrow": pyarrow_fresh,
    "pyarrow-kept": pyarrow_kept,
    "polars": polars_reader,
    "spark": spark_reader,
}


def polars_panic():
    import polars.exceptions

    return polars.exceptions.PanicException


def judge(truth, columns):
    """`right`, or what is wrong with the rows: the gravest first."""
    seen = {}
    verdict = "right"
    for key, version, number, text in zip(*columns):
        if truth.get((key, version)) != (number, text):
            return "mixed"
        if key in seen:
            verdict = "doubled"
        seen.setdefault(key[:2], set()).add(version)
        seen[key] = version
    if verdict == "right" and any(len(versions) > 1 for key, versions in seen.items() if len(key) == 2):
        return "mixed"
    if verdict == "right" and len(columns[0]) != PARTITIONS * ROWS:
        return "missing"
    return verdict


def race(name, url, seconds, results):
    """Reads until the time is over; sends what it has counted after every read, so that a crash loses nothing."""
    truth = {}
    for version in range(1, VERSIONS + 1):
        for row in records(version):
            truth[row["id"], version] = (row["number"], row["text"])
    counts = {"right": 0, "error": 0, "mixed": 0, "doubled": 0, "missing": 0}
    errors = {}
    # Readers that panic print backtraces.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    read = READERS[name](url)
    results.put(("ready", None, None))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            verdict = judge(truth, read())
        except (Exception, polars_panic()) as error:  # whatever a reader raises is loud
            verdict = "error"
            text = f"{type(error).__name__}: {str(error)[:160]}".replace("\n", " ")
            errors[text] = errors.get(text, 0) + 1
        counts[verdict] += 1
        results.put(("counts", dict(counts), dict(sorted(errors.items(), key=lambda item: -item[1])[:3])))


def run_one(storage, scheme, name, arguments):
    storage.clear()
    context = multiprocessing.get_context("spawn")
    stop, published = threading.Event(), argparse.Namespace(value=0)
    publisher = threading.Thread(target=publish, args=(storage, scheme, arguments.pause, stop, published))
    publisher.start()
    while published.value == 0:
        time.sleep(0.01)
    results = context.Queue()
    reader = context.Process(target=race, args=(name, storage.url, arguments.seconds, results))
    reader.start()
    counts, errors = {}, {}
    deadline = time.monotonic() + arguments.seconds + 180
    while reader.is_alive() and time.monotonic() < deadline:
        while not results.empty():
            kind, newer, texts = results.get()
            if kind == "counts":
                counts, errors = newer, texts
        time.sleep(0.05)
    while not results.empty():
        kind, newer, texts = results.get()
        if kind == "counts":
            counts, errors = newer, texts
    if reader.is_alive():
        reader.kill()
        errors["it hung"] = 1
    reader.join()
    if reader.exitcode != 0:
        errors[f"its process ended with {reader.exitcode}"] = 1
    stop.set()
    publisher.join()
    return {"counts": counts, "errors": errors, "published": published.value}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lakefeed")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two commits")
    parser.add_argument("--storage", default="local,s3")
    parser.add_argument("--scheme", default="fixed,generation")
    parser.add_argument("--reader", default=",".join(name for name in READERS if name != "spark"))
    parser.add_argument("--json")
    arguments = parser.parse_args()
    lakefeed = str(pathlib.Path(arguments.lakefeed).resolve())
    outcome = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sizes = make_versions(lakefeed, folder)
        print(f"{VERSIONS} versions of {PARTITIONS} files with {ROWS} rows; sizes in bytes: {sizes}", flush=True)
        server = None
        if "s3" in arguments.storage:
            os.environ.setdefault("AWS_ACCESS_KEY_ID", "AKLAKE")
            os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "SKLAKE")
            os.environ.setdefault("AWS_REGION", "us-east-1")
            script = [sys.executable, str(HERE / "s3_server.py")]
            server = subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            os.environ["AWS_ENDPOINT_URL"] = server.stdout.readline().decode().strip()
        print(f"{'storage':8} {'names':11} {'reader':13} {'commits':>7} {'right':>6} {'error':>6} {'mixed':>6} {'doubled':>7} {'missing':>7}")
        for kind in arguments.storage.split(","):
            storage = {"local": Local, "s3": S3}[kind](folder)
            for scheme in arguments.scheme.split(","):
                for name in arguments.reader.split(","):
                    result = run_one(storage, scheme, name, arguments)
                    outcome.append({"storage": kind, "scheme": scheme, "reader": name, **result})
                    counts = result["counts"] or dict.fromkeys(["right", "error", "mixed", "doubled", "missing"], 0)
                    print(
                        f"{kind:8} {scheme:11} {name:13} {result['published']:7} {counts['right']:6} {counts['error']:6}"
                        f" {counts['mixed']:6} {counts['doubled']:7} {counts['missing']:7}",
                        flush=True,
                    )
                    for text, count in result["errors"].items():
                        print(f"{'':34} {count}x {text}", file=sys.stderr, flush=True)
        if server:
            server.stdin.close()
            server.wait()
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(outcome, indent=1))
    wrong = [one for one in outcome if one["scheme"] == "fixed" and any(one["counts"].get(kind) for kind in ("mixed", "doubled", "missing"))]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
