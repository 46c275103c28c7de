"""Several runs at once, again and again, on a store that may not keep its promises: every outcome must be safe, or a refusal.

usage: adversary.py LAKEFEED [--server-dies] ENDPOINT [--rounds N] [--writers N] [--key KEY --secret SECRET]

ENDPOINT speaks S3. Each round starts several runs of the same merge at once, on a table of its own in bucket `lake` (made when missing). Then one run alone. Right is:

  refused   every run ends with exit code 7 and names If-None-Match; nothing was written that a reader would find. Of a server that dies and is started
            again (--server-dies), it is enough that one run names it, and that the others say that the store cannot be reached
  safe      each of them ends with 0 or 8, one at least and the last one with 0, and the table has every row once, in its last version

Prints how often which happened; exits with 1 when anything else did.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "readers"))
from json_api import JsonApi, serve

ROWS = 60
PAGE = 20


class Api(JsonApi):
    version = 1

    def answer(self, query):
        offset = int(query["offset"][0])
        numbers = range(offset, min(offset + PAGE, ROWS))
        items = [{"id": f"e{n}", "day": f"2026-11-{(n + Api.version) % 9 + 1:02}", "rev": Api.version} for n in numbers]
        return {"items": items, "total": ROWS}


SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "string"}, "day": {"type": "string", "format": "date"}, "rev": {"type": "integer"}},
}


def pipeline(url, table):
    endpoint = {"data_selector": "items", "paginator": {"type": "offset", "limit": PAGE}}
    resource = {
        "name": table,
        "primary_key": "id",
        "write_disposition": "merge",
        "schema": "schema.json",
        "partition_by": [{"column": "day"}],
        "endpoint": endpoint,
    }
    return {"name": table, "client": {"base_url": url}, "resources": [resource], "destination": {"url": "s3://lake"}}


def rows_of(bucket, table):
    import io

    import pyarrow.parquet

    rows = []
    for item in bucket.objects.filter(Prefix=f"{table}/"):
        if item.key.endswith(".parquet"):
            rows += pyarrow.parquet.read_table(io.BytesIO(item.get()["Body"].read())).to_pylist()
    return sorted((row["id"], row["rev"]) for row in rows)


def play(lakefeed, folder, bucket, url, number, writers, server_dies):
    table = f"round-{number}"
    (folder / f"{table}.json").write_text(json.dumps(pipeline(url, table)))
    command = [lakefeed, "run", f"{table}.json", "--quiet"]
    Api.version = 1
    runs = [subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) for _ in range(writers)]
    texts = [run.communicate(timeout=300)[1] for run in runs]
    codes = [run.returncode for run in runs]
    Api.version = 2
    last = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True, timeout=300)
    codes.append(last.returncode)
    texts.append(last.stderr)
    rows = rows_of(bucket, table)
    names_it = ["If-None-Match" in text for text in texts]
    says_why = [named or server_dies and "the store cannot be reached" in text for named, text in zip(names_it, texts)]
    if set(codes) == {7} and all(says_why) and any(names_it) and not rows:
        return "refused"
    whole = sorted((f"e{n}", 2) for n in range(ROWS))
    if codes[-1] == 0 and 0 in codes[:-1] and set(codes[:-1]) <= {0, 8} and rows == whole:
        return "safe"
    print(f"{table}: exit codes {codes}, {len(rows)} rows, {len(set(rows) ^ set(whole))} of them wrong", *texts, sep="\n", file=sys.stderr)
    return "wrong"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lakefeed")
    parser.add_argument("endpoint")
    parser.add_argument("--server-dies", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--writers", type=int, default=3)
    parser.add_argument("--key", default="AKLAKE")
    parser.add_argument("--secret", default="SKLAKE")
    arguments = parser.parse_args()
    os.environ |= {
        "AWS_ENDPOINT_URL": arguments.endpoint,
        "AWS_ACCESS_KEY_ID": arguments.key,
        "AWS_SECRET_ACCESS_KEY": arguments.secret,
        "AWS_REGION": "us-east-1",
    }
    import boto3

    bucket = boto3.resource("s3", endpoint_url=arguments.endpoint, region_name="us-east-1").Bucket("lake")
    if bucket.creation_date is None:
        bucket.create()
    server = serve(Api)
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "schema.json").write_text(json.dumps(SCHEMA))
        lakefeed = str(pathlib.Path(arguments.lakefeed).resolve())
        for number in range(arguments.rounds):
            outcome = play(lakefeed, folder, bucket, f"http://127.0.0.1:{server.server_port}", number, arguments.writers, arguments.server_dies)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(json.dumps(outcomes))
    sys.exit(1 if "wrong" in outcomes else 0)


if __name__ == "__main__":
    main()
