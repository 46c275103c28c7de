"""The flat calendar pipeline as a careful Python programmer tunes it by hand: aiohttp with requests side by side, msgspec into typed structs,
pyarrow to one Parquet file. No checks, no retries, no commit. usage: handmade.py FOLDER LIMIT basic [s3://BUCKET/PREFIX]

Prints {"seconds": …}, imports not counted.
"""

import asyncio
import datetime
import json
import os
import sys
import time

import aiohttp
import msgspec
import pyarrow
import pyarrow.fs
import pyarrow.parquet

IN_FLIGHT = 8


class Event(msgspec.Struct):
    event_id: str
    start_time: datetime.datetime | None = None
    end_time: datetime.datetime | None = None
    summary: str | None = None


class Page(msgspec.Struct):
    items: list[Event]
    total: int


SCHEMA = pyarrow.schema(
    [
        ("event_id", pyarrow.string()),
        ("start_time", pyarrow.timestamp("us", "UTC")),
        ("end_time", pyarrow.timestamp("us", "UTC")),
        ("summary", pyarrow.string()),
    ]
)


def target(folder, url):
    if url is None:
        os.makedirs(folder, exist_ok=True)
        return f"{folder}/events.parquet", None
    names = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "region": "AWS_REGION", "endpoint_override": "AWS_ENDPOINT_URL"}
    files = pyarrow.fs.S3FileSystem(**{name: os.environ[variable] for name, variable in names.items()})
    return f"{url.removeprefix('s3://')}/events.parquet", files


async def main(folder, limit, url):
    base = os.environ["CALENDAR_BASE_URL"]
    decode = msgspec.json.Decoder(Page).decode
    async with aiohttp.ClientSession() as session:
        form = {"grant_type": "client_credentials", "client_id": os.environ["CLIENT_ID"], "client_secret": os.environ["CLIENT_SECRET"]}
        async with session.post(f"{base}/oauth/token", data=form) as answer:
            token = (await answer.json())["access_token"]

        async def page(offset):
            url = f"{base}/v1/events?offset={offset}&limit={limit}"
            async with session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
                answer.raise_for_status()
                return decode(await answer.read())

        first = await page(0)
        path, files = target(folder, url)
        with pyarrow.parquet.ParquetWriter(path, SCHEMA, filesystem=files, compression="zstd", compression_level=1) as writer:
            rows = []

            def write():
                columns = [pyarrow.array([getattr(row, field.name) for row in rows], field.type) for field in SCHEMA]
                writer.write_batch(pyarrow.record_batch(columns, schema=SCHEMA))
                rows.clear()

            rows += first.items
            offsets = list(range(limit, first.total, limit))
            tasks = [asyncio.ensure_future(page(offset)) for offset in offsets[:IN_FLIGHT]]
            for position in range(len(offsets)):
                rows += (await tasks[position]).items
                tasks[position] = None
                if position + IN_FLIGHT < len(offsets):
                    tasks.append(asyncio.ensure_future(page(offsets[position + IN_FLIGHT])))
                if len(rows) >= 131_072:
                    write()
            if rows:
                write()


began = time.perf_counter()
asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[4] if len(sys.argv) > 4 else None))
print(json.dumps({"seconds": time.perf_counter() - began}))
