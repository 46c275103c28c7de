"""Runs lakefeed, dlt and a pipeline tuned by hand on the same pages, side by side, and says how long each one took.

usage: bench_end_to_end.py LAKEFEED [--rows 500000] [--repeats 3] [--quick] [--write FILE]

The demo server (`lakefeed demo --serve`) gives the pages; it keeps each page that it has made, and every case is warmed up once. All processes share the machine's
cores with it. `seconds` of lakefeed are those of the whole process, from start to exit; those of the Python pipelines do not count their imports. `CPU` is user and
system time of the whole process, without the server's. `peak` is the largest resident size.
"""

import argparse
import datetime
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
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
DLT, HANDMADE = "dlt 1.31", "aiohttp + msgspec + pyarrow"


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
    rivals: tuple = ()
    rows: int = 0


CASES = [
    Case("flat, append, 1,000 a page", 1000, rivals=(DLT, HANDMADE)),
    Case("flat, append, 100 a page", 100, rivals=(DLT, HANDMADE)),
    Case("flat, append, 30 day partitions, 1,000 a page", 1000, partitioned=True, rivals=(DLT,)),
    Case("flat, append, 30 day partitions, 100 a page", 100, partitioned=True, rivals=(DLT,)),
    Case("nested, append, 1,000 a page", 1000, detail="full", share=0.4, rivals=(DLT,)),
    Case("flat, merge into nothing, 30 day partitions, 1,000 a page", 1000, disposition="merge", partitioned=True),
    Case("flat, merge with nothing new, 30 day partitions, 1,000 a page", 1000, disposition="merge", partitioned=True, again=True),
    Case("flat, append, 100 a page, 20 ms a page", 100, share=0.04, latency=20, rivals=(DLT, HANDMADE)),
]

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

    def __init__(self, program, rows, latency):
        command = [program, "demo", "--serve", "--events", str(rows), "--latency", str(latency)]
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
    lake = folder / "lake"
    if name == "lakefeed":
        return [program, "run", pipeline_of(case, folder), "--destination", lake, "--quiet"]
    script = "dlt_pipeline.py" if name == DLT else "handmade.py"
    return [sys.executable, HERE / "rivals" / script, folder, str(case.limit), case.detail]


def run(name, program, case, environment):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        command = [str(part) for part in command_of(name, program, case, folder)]
        if case.again:
            measure(command, environment)
        result = measure(command, environment)
        check(folder, name, case)
        return result
    finally:
        shutil.rmtree(folder)


def check(folder, name, case):
    import pyarrow.dataset

    files = [path for path in folder.rglob("*.parquet") if name != DLT or path.parent.name == "calendar_events"]
    rows = sum(pyarrow.dataset.dataset(path, format="parquet").count_rows() for path in files)
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="lakefeed alone")
    parser.add_argument("--only", default="", help="cases whose title has this text")
    parser.add_argument("--write", type=pathlib.Path, help="a Markdown file for the results")
    options = parser.parse_args()
    results = {}
    for case in CASES:
        if options.only not in case.title:
            continue
        case.rows = int(options.rows * case.share)
        names = ["lakefeed"] + ([] if options.quick else list(case.rivals))
        with Server(options.program, case.rows, case.latency) as server:
            run("lakefeed", options.program, case, server.environment)
            results[case] = {name: [] for name in names}
            for _ in range(options.repeats):
                for name in names:
                    result = run(name, options.program, case, server.environment)
                    print(f"{case.title}: {name}: {result}", file=sys.stderr)
                    results[case][name].append(result)
    table = table_of(results)
    print(table)
    if options.write:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
        head = f"# Whole runs, beside others\n\nWritten by `make bench` on {datetime.date.today()}: {machine}; medians of {options.repeats}.\n\n"
        options.write.write_text(head + table + "\n" + __doc__.split("\n\n", 2)[2].strip() + "\n")


if __name__ == "__main__":
    main()
