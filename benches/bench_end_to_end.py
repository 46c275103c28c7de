"""Runs lakefeed, dlt and a pipeline tuned by hand on the same pages, side by side, and says how long each one took.

usage: bench_end_to_end.py LAKEFEED [MERGE_LAKE] [--rows 500000] [--repeats 3] [--quick] [--only TEXT] [--write FILE]

MERGE_LAKE is the example of that name; without it the opening of tables is left out. --quick runs lakefeed alone, and nothing on ten times the rows.

The demo server (`lakefeed demo --serve`) gives the pages; it keeps each page that it has made, and every case is warmed up once. All processes share the machine's
cores with it, and on S3 with moto, a server of S3's protocol in Python. `seconds` of lakefeed are those of the whole process, from start to exit; those of the Python pipelines do not count their imports. `CPU` is user and
system time of the whole process, without the server's. `peak` is the largest resident size.
"""

import argparse
import contextlib
import datetime
import http.client
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
DLT, HANDMADE = "dlt 1.31", "aiohttp + msgspec + pyarrow"
DAYS = 50
# What lakefeed keeps under way at most; docs/pipeline-file.md, client.concurrency.
IN_FLIGHT = 32
ROUND_TRIPS = 30


@dataclass(eq=False)
class Case:
    title: str
    limit: int
    detail: str = "basic"
    disposition: str = "append"
    partitioned: bool = False
    again: bool = False
    share: float = 1.0
    latency: int = 0
    gzip: bool = False
    s3: bool = False
    rivals: tuple = ()
    rows: int = 0
    round_trip: float = 0


CASES = [
    Case("flat, append, 1,000 a page", 1000, rivals=(DLT, HANDMADE)),
    Case("flat, append, 100 a page", 100, rivals=(DLT, HANDMADE)),
    Case("flat, append, 1,000 a page, gzip", 1000, gzip=True, rivals=(DLT, HANDMADE)),
    Case(f"flat, append, {DAYS} day partitions, 1,000 a page", 1000, partitioned=True, rivals=(DLT,)),
    Case(f"flat, append, {DAYS} day partitions, 100 a page", 100, partitioned=True, rivals=(DLT,)),
    Case("nested, append, 1,000 a page", 1000, detail="full", share=0.4, rivals=(DLT,)),
    Case("nested, append, 100 a page, gzip", 100, detail="full", share=0.4, gzip=True),
    Case("flat, append, 1,000 a page, to S3", 1000, s3=True, rivals=(HANDMADE,)),
    Case(f"flat, append, {DAYS} day partitions, 1,000 a page, to S3", 1000, partitioned=True, s3=True),
    Case(f"flat, merge into nothing, {DAYS} day partitions, 1,000 a page", 1000, disposition="merge", partitioned=True),
    Case(f"flat, merge with nothing new, {DAYS} day partitions, 1,000 a page", 1000, disposition="merge", partitioned=True, again=True),
    Case("flat, append, 100 a page, 20 ms a page", 100, share=0.04, latency=20, rivals=(DLT, HANDMADE)),
]

# Run on the rows of the others and on ten times as many.
GROWING = [
    Case("flat, append, 1,000 a page", 1000),
    Case(f"flat, append, {DAYS} day partitions, 1,000 a page", 1000, partitioned=True),
]
TIMES_ROWS, TIMES_COMMITS = 10, 100

SCHEMA = {
    "type": "object",
    "required": ["event_id"],
    "properties": {
        "event_id": {"type": "string"},
        "start_time": {"type": ["string", "null"], "format": "date-time"},
        "end_time": {"type": ["string", "null"], "format": "date-time"},
        "summary": {"type": ["string", "null"]},
    },
}
PERSON = {"type": "object", "properties": {"id": {"type": "integer"}, "email": {"type": "string"}, "name": {"type": "string"}}}
NESTED = {
    **SCHEMA["properties"],
    "location": {"type": "string"},
    "sequence": {"type": "integer"},
    "cost": {"type": "number"},
    "private": {"type": "boolean"},
    "remote": {"type": "boolean"},
    "organizer": PERSON,
    "attendees": {"type": "array", "items": PERSON},
}


class Server:
    """The demo API in a process of its own."""

    def __init__(self, program, rows, latency=0, gzip=False):
        command = [program, "demo", "--serve", "--events", str(rows), "--days", str(DAYS), "--latency", str(latency)] + gzip * ["--gzip"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.environment = dict(os.environ)
        for _ in range(3):
            name, value = self.process.stdout.readline().removeprefix("export ").strip().split("=", 1)
            self.environment[name] = value.strip("'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def round_trip(self):
        """Seconds from asking for a page to having it, when nothing else is under way: the latency, as timers keep it, and what the server takes."""
        base = urllib.parse.urlsplit(self.environment["CALENDAR_BASE_URL"])
        credentials = {
            "grant_type": "client_credentials",
            "client_id": self.environment["CLIENT_ID"],
            "client_secret": self.environment["CLIENT_SECRET"],
        }
        connection = http.client.HTTPConnection(base.hostname, base.port)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth/token", urllib.parse.urlencode(credentials), headers)
        token = json.loads(connection.getresponse().read())["access_token"]
        seconds = []
        for page in range(ROUND_TRIPS):
            began = time.perf_counter()
            connection.request("GET", f"/v1/events?offset={page * 100}&limit=100", headers={"Authorization": f"Bearer {token}"})
            connection.getresponse().read()
            seconds.append(time.perf_counter() - began)
        connection.close()
        return statistics.median(seconds)


class Bucket:
    """An empty bucket `lake` on a server of S3's protocol, in a process of its own."""

    def __init__(self):
        python = os.environ.get("LAKEFEED_TEST_PYTHON", sys.executable)
        script = HERE.parent / "tests" / "readers" / "s3_server.py"
        self.process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        endpoint = self.process.stdout.readline().strip()
        if not endpoint:
            sys.exit(f"{script} does not start with {python}: `make bench` makes an environment that has moto")
        self.environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "AKLAKE", "AWS_SECRET_ACCESS_KEY": "SKLAKE", "AWS_REGION": "us-east-1"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def measure(command, environment):
    """Seconds, CPU seconds and peak bytes of a process; its last line of output may know its seconds better."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status != 0:
            errors.seek(0)
            sys.exit(f"{command} failed:\n{errors.read().decode()}")
    lines = output.decode().strip().splitlines()
    if lines and lines[-1].startswith('{"seconds"'):
        seconds = json.loads(lines[-1])["seconds"]
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}


def pipeline_of(case, folder):
    schema = folder / "schema.json"
    schema.write_text(json.dumps(SCHEMA | {"properties": NESTED} if case.detail == "full" else SCHEMA))
    auth = {"type": "oauth2", "client_id": "${env:CLIENT_ID}", "client_secret": "${env:CLIENT_SECRET}", "token_url": "${env:CALENDAR_BASE_URL}/oauth/token"}
    resource = {
        "name": "calendar_events",
        "primary_key": "event_id",
        "write_disposition": case.disposition,
        "schema": "schema.json",
        "partition_by": [{"column": "start_time", "transform": "day"}] if case.partitioned else [],
        "endpoint": {
            "path": "/v1/events",
            "params": {"detail": case.detail},
            "data_selector": "items",
            "paginator": {"type": "offset", "limit": case.limit},
        },
    }
    path = folder / "pipeline.json"
    path.write_text(json.dumps({"name": "bench", "client": {"base_url": "${env:CALENDAR_BASE_URL}", "auth": auth}, "resources": [resource]}))
    return path


def command_of(name, program, case, folder):
    lake = f"s3://lake/{folder.name}" if case.s3 else folder / "lake"
    if name == "lakefeed":
        return [program, "run", pipeline_of(case, folder), "--destination", lake, "--quiet"]
    script = "dlt_pipeline.py" if name == DLT else "handmade.py"
    return [sys.executable, HERE / "rivals" / script, folder, str(case.limit), case.detail] + ([lake] if case.s3 else [])


def run(name, program, case, environment):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        command = [str(part) for part in command_of(name, program, case, folder)]
        if case.again:
            measure(command, environment)
        result = measure(command, environment)
        check(folder, name, case, environment)
        return result
    finally:
        shutil.rmtree(folder)


def check(folder, name, case, environment):
    root = f"s3://lake/{folder.name}" if case.s3 else folder
    command = [sys.executable, HERE / "count_rows.py", root] + (["calendar_events"] if name == DLT else [])
    rows = int(subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout)
    assert rows == case.rows, f"{name} left {rows} rows, not {case.rows}"


def median(results, name):
    return statistics.median(result[name] for result in results)


def table_of(results):
    lines = ["| case | rows | who | seconds | rows/s | times as fast as it | CPU s | peak MiB |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for case, by_name in results.items():
        ours = median(by_name["lakefeed"], "seconds")
        for name, runs in by_name.items():
            seconds = median(runs, "seconds")
            ratio = "" if name == "lakefeed" else f"**{seconds / ours:.1f}**"
            lines.append(
                f"| {case.title} | {case.rows:,} | {name} | {seconds:.3f} | {case.rows / seconds:,.0f} | {ratio} "
                f"| {median(runs, 'cpu'):.2f} | {median(runs, 'peak') / 2**20:.0f} |"
            )
    return "\n".join(lines) + "\n"


def compare(options):
    """Every case, lakefeed beside its rivals."""
    results = {}
    for case in CASES:
        if options.only not in case.title:
            continue
        case.rows = int(options.rows * case.share)
        names = ["lakefeed"] + ([] if options.quick else list(case.rivals))
        with Server(options.program, case.rows, case.latency, case.gzip) as server, Bucket() if case.s3 else contextlib.nullcontext() as bucket:
            environment = server.environment | (bucket.environment if bucket else {})
            run("lakefeed", options.program, case, environment)
            results[case] = {name: [] for name in names}
            if case.latency:
                case.round_trip = server.round_trip()
            for _ in range(options.repeats):
                for name in names:
                    result = run(name, options.program, case, environment)
                    print(f"{case.title}: {name}: {result}", file=sys.stderr)
                    results[case][name].append(result)
    return results


def grow(options):
    """What ten times the rows cost, as the lines of a table."""
    results = {}
    for rows in (options.rows, options.rows * TIMES_ROWS):
        with Server(options.program, rows) as server:
            for case in GROWING:
                case.rows = rows
                run("lakefeed", options.program, case, server.environment)
                runs = [run("lakefeed", options.program, case, server.environment) for _ in range(options.repeats)]
                print(f"{case.title}: {rows} rows: {runs}", file=sys.stderr)
                results.setdefault(case, []).append({name: median(runs, name) for name in ("seconds", "peak")})
    lines = ["| case | rows | seconds | times the time | peak MiB | times the peak |", "| --- | --- | --- | --- | --- | --- |"]
    for case, (few, many) in results.items():
        lines.append(f"| {case.title} | {options.rows:,} | {few['seconds']:.3f} | | {few['peak'] / 2**20:.0f} | |")
        seconds, peak = (many[name] / few[name] for name in ("seconds", "peak"))
        lines.append(
            f"| {case.title} | {options.rows * TIMES_ROWS:,} | {many['seconds']:.3f} | **{seconds:.1f}** | {many['peak'] / 2**20:.0f} | **{peak:.2f}** |"
        )
    return "\n".join(lines) + "\n"


def size_of(options):
    """How large the files of flat rows are, beside those that pyarrow makes of the same rows."""
    case = GROWING[0]
    case.rows = options.rows
    with Server(options.program, options.rows) as server, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        folder = pathlib.Path(folder)
        measure([str(part) for part in command_of("lakefeed", options.program, case, folder)], server.environment)
        output = subprocess.run([sys.executable, HERE / "compare_sizes.py", folder / "lake"], check=True, stdout=subprocess.PIPE).stdout
    sizes = json.loads(output)
    ours, theirs = sizes["lakefeed"], sizes["pyarrow"]
    return (
        f"{case.title}: files take {ours:.1f} bytes a row without their bloom filters; pyarrow makes {theirs:.1f} of the same rows "
        f"(zstd level 1, plain keys, delta-encoded timestamps): {ours / theirs - 1:+.1%}.\n"
    )


def open_tables(options):
    """How long it takes to open a table of some commits, and of a hundred times as many."""
    few = max(options.rows // 50_000, 2)
    lines = ["| commits | milliseconds to open the table | times the time |", "| --- | --- | --- |"]
    base = None
    for commits in (few, few * TIMES_COMMITS):
        with tempfile.TemporaryDirectory(prefix="bench-") as lake:
            measure([options.merge_lake, "commits", lake, str(commits)], dict(os.environ))
            seconds = measure([options.merge_lake, "open", lake], dict(os.environ))["seconds"]
        base = base or seconds
        ratio = "" if seconds == base else f"**{seconds / base:.2f}**"
        lines.append(f"| {commits:,} | {seconds * 1000:.2f} | {ratio} |")
    return "\n".join(lines) + "\n"


def latency_of(results):
    """What a run that waits for its pages should take, beside what it took."""
    for case, by_name in results.items():
        if case.latency:
            pages = -(-case.rows // case.limit)
            rounds, seconds = -(-pages // IN_FLIGHT), median(by_name["lakefeed"], "seconds")
            nominal, expected = (rounds * trip + 0.03 for trip in (case.latency / 1000, case.round_trip))
            yield (
                f"{case.title}: {pages} pages, {IN_FLIGHT} of them under way, make {rounds} rounds. A round trip is {case.round_trip * 1000:.1f} ms as a client measures it that "
                f"asks for one page at a time, so they should take {expected:.3f} s with 30 ms for all else; lakefeed took {seconds:.3f} s, {seconds / expected - 1:+.0%}. "
                f"With round trips of exactly {case.latency} ms it would be {nominal:.3f} s, {seconds / nominal - 1:+.0%}. The first page is asked for alone, since it says how many there are: "
                f"that is a round more.\n"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("merge_lake", nargs="?")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="lakefeed alone, and nothing on ten times the rows")
    parser.add_argument("--only", help="cases whose title has this text; nothing on ten times the rows")
    parser.add_argument("--write", type=pathlib.Path, help="a Markdown file for the results")
    options = parser.parse_args()
    is_part = options.quick or options.only is not None
    options.only = options.only or ""
    results = compare(options)
    sections = [table_of(results), *latency_of(results)]
    if not is_part:
        sections.append(size_of(options))
        sections.append(f"## {TIMES_ROWS} times the rows\n\n{grow(options)}")
        if options.merge_lake:
            sections.append(f"## {TIMES_COMMITS} times the commits\n\n{open_tables(options)}")
    report = "\n".join(sections)
    print(report)
    if options.write:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
        head = f"# Whole runs, beside others\n\nWritten by `make bench` on {datetime.date.today()}: {machine}; medians of {options.repeats}.\n\n"
        notes = __doc__.split("\n\n", 3)[3].strip()
        options.write.write_text(head + report + f"\n## How it was measured\n\n{notes}\n")


if __name__ == "__main__":
    main()
