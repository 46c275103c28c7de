"""Merges the same changes into the same lake with lakefeed, delta-rs, DuckDB and Polars, and says what each one cost.

usage: bench_merge.py PROGRAM [--rows 5000000] [--partitions 50] [--changes 100000] [--repeats 3] [--folder F] [--write FILE]

PROGRAM is the built `merge_lake`. Each measurement is a process of its own on a fresh copy of the lake. `seconds` runs from the first look at the changes to the
last byte that is in its place; starting the process and importing libraries is not counted. `read` is what the process asked of `read(2)` and its kin beyond the changes themselves (files that
are mapped into memory do not show there), `peak` its largest resident size.

lakefeed and delta-rs look for each key wherever it may be. DuckDB and Polars are told that no event has left its partition: they rewrite the partitions that the
changes name, and nothing is durable, locked or recoverable there. That is in their favour.
"""

import argparse
import datetime
import glob
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

ENGINES = ["lakefeed", "polars", "duckdb", "delta-rs"]
CASES = {"one": "one partition touched", "all": "all partitions touched"}
DAY = "start_time_day"


def number_in(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise ValueError(f"{path} has no {name}")


def report(began, updated):
    seconds = time.perf_counter() - began
    read, peak = number_in("/proc/self/io", "rchar:"), number_in("/proc/self/status", "VmHWM:") * 1024
    print(json.dumps({"seconds": seconds, "read_bytes": read - BASE_READ, "peak_bytes": peak, "updated": updated}))


def replace(temporary, path):
    os.replace(temporary, path)


def merge_with_polars(table, changes):
    import polars

    began = time.perf_counter()
    new = polars.read_parquet(changes).with_columns(polars.col("start_time").dt.date().cast(polars.String).alias(DAY))
    for (day,), rows in new.group_by(DAY):
        for path in glob.glob(f"{table}/{DAY}={day}/*.parquet"):
            old = polars.read_parquet(path, hive_partitioning=False)
            merged = polars.concat([old.join(rows, on="event_id", how="anti"), rows.drop(DAY)])
            merged.write_parquet(path + ".new", compression="zstd", compression_level=1)
            replace(path + ".new", path)
    report(began, len(new))


def merge_with_duckdb(table, changes):
    import duckdb

    began = time.perf_counter()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE new AS SELECT *, strftime(start_time, '%Y-%m-%d') AS day FROM read_parquet('{changes}')")
    for (day,) in connection.execute("SELECT DISTINCT day FROM new").fetchall():
        for path in glob.glob(f"{table}/{DAY}={day}/*.parquet"):
            connection.execute(
                f"""COPY (SELECT * FROM read_parquet('{path}', hive_partitioning = false) old
                ANTI JOIN (SELECT event_id FROM new WHERE day = '{day}') n USING (event_id)
                UNION ALL SELECT * EXCLUDE day FROM new WHERE day = '{day}')
                TO '{path}.new' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"""
            )
            replace(path + ".new", path)
    updated = connection.execute("SELECT count(*) FROM new").fetchone()[0]
    report(began, updated)


def merge_with_delta(table, changes):
    import pyarrow.compute
    import pyarrow.parquet
    from deltalake import DeltaTable

    began = time.perf_counter()
    new = pyarrow.parquet.read_table(changes)
    new = new.append_column(DAY, pyarrow.compute.strftime(new["start_time"], "%Y-%m-%d"))
    merge = DeltaTable(table).merge(new, predicate="old.event_id = new.event_id", source_alias="new", target_alias="old")
    metrics = merge.when_matched_update_all().when_not_matched_insert_all().execute()
    report(began, metrics["num_target_rows_updated"])


def make_delta(lake, table):
    import pyarrow
    import pyarrow.parquet
    from deltalake import write_deltalake

    for path in sorted(glob.glob(f"{lake}/events/**/*.parquet", recursive=True)):
        rows = pyarrow.parquet.ParquetFile(path).read()
        day = pathlib.Path(path).parent.name.split("=")[1]
        rows = rows.append_column(DAY, pyarrow.array([day] * len(rows)))
        write_deltalake(table, rows, partition_by=[DAY], mode="append")


def child(*arguments):
    done = subprocess.run([str(argument) for argument in arguments], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout) if done.stdout.strip() else None


def measure(engine, program, folder, case, expected):
    changes = folder / f"changes-{case}.parquet"
    source, copy = folder / ("delta" if engine == "delta-rs" else "lake"), folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    os.sync()
    if engine == "lakefeed":
        result = child(program, "merge", copy, changes)
    else:
        table = copy if engine == "delta-rs" else copy / "events"
        result = child(sys.executable, __file__, "--as", engine, table, changes)
    assert result["updated"] == expected, f"{engine} updated {result['updated']} rows, not {expected}"
    check(engine, copy, expected)
    # What it read of the lake is what it read but for the changes themselves.
    result["read_bytes"] = max(0, result["read_bytes"] - os.path.getsize(changes))
    return result


def check(engine, copy, expected):
    """Every engine must leave the same rows."""
    import polars

    if engine == "delta-rs":
        from deltalake import DeltaTable

        paths = DeltaTable(copy).file_uris()
    else:
        paths = glob.glob(f"{copy}/events/**/*.parquet", recursive=True)
    rows = polars.scan_parquet(paths, hive_partitioning=False).select(
        rows=polars.len(), keys=polars.col("event_id").n_unique(), moved=polars.col("summary").str.starts_with("Moved").sum()
    )
    (rows, keys, moved) = rows.collect().row(0)
    assert rows == keys and moved == expected, f"{engine} left {rows} rows of {keys} keys, {moved} of them changed"


def median(results, name):
    return statistics.median(result[name] for result in results)


def table_of(results, bytes_of_lake):
    lines = []
    for case, title in CASES.items():
        mine = median(results["lakefeed", case], "seconds")
        lines += [f"**{title.capitalize()}**", "", "| engine | seconds | times lakefeed's | read, share of the lake | peak MiB |", "| --- | --- | --- | --- | --- |"]
        for engine in ENGINES:
            runs = results[engine, case]
            seconds, read, peak = (median(runs, name) for name in ("seconds", "read_bytes", "peak_bytes"))
            share = f"{read / bytes_of_lake:.1%}"
            lines.append(f"| {engine} | {seconds:.3f} | {seconds / mine:.1f} | {share} | {peak / 2**20:.0f} |")
        lines.append("")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--partitions", type=int, default=50)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--write", type=pathlib.Path, help="a Markdown file for the results")
    options = parser.parse_args()
    ENGINES[:] = options.engines.split(",")
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="bench-merge-"))
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "changes-all.parquet").exists():
        print(f"making a lake of {options.rows:,} rows in {folder}", file=sys.stderr)
        child(options.program, "make", folder, options.rows, options.partitions, options.changes)
    if "delta-rs" in ENGINES and not (folder / "delta").exists():
        make_delta(folder / "lake", folder / "delta")
    bytes_of_lake = sum(os.path.getsize(path) for path in glob.glob(f"{folder}/lake/events/**/*.parquet", recursive=True))
    results = {}
    for repeat in range(options.repeats):
        for case in CASES:
            for engine in ENGINES:
                result = measure(engine, options.program, folder, case, options.changes)
                print(f"{repeat} {case} {engine}: {result}", file=sys.stderr)
                results.setdefault((engine, case), []).append(result)
    table = table_of(results, bytes_of_lake)
    print(table)
    if options.write:
        machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
        head = (
            f"# Merging {options.changes:,} changed rows into {options.rows:,}\n\nWritten by `make bench-merge` on {datetime.date.today()}: {machine}; "
            f"{options.partitions} partitions, one file each, {bytes_of_lake / 1e6:.0f} MB; medians of {options.repeats}.\n\n"
        )
        options.write.write_text(head + table + "\n" + __doc__.split("\n\n", 2)[2].strip() + "\n")
    if options.folder is None:
        shutil.rmtree(folder)


BASE_READ = 0
if __name__ == "__main__":
    if sys.argv[1:2] == ["--as"]:
        _, _, engine, table, changes = sys.argv
        merge = {"polars": merge_with_polars, "duckdb": merge_with_duckdb, "delta-rs": merge_with_delta}[engine]
        # Imports are not part of the work: neither of its time nor of its bytes.
        __import__({"polars": "polars", "duckdb": "duckdb", "delta-rs": "deltalake"}[engine])
        if engine == "delta-rs":
            import pyarrow.compute
            import pyarrow.parquet
        BASE_READ = number_in("/proc/self/io", "rchar:")
        merge(table, changes)
    else:
        main()
