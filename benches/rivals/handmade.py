"""The flat calendar pipeline as a careful Python programmer tunes it by hand: aiohttp with requests side by side, msgspec into typed structs,
pyarrow to one Parquet file. No checks, no retries, no commit. usage: handmade.py FOLDER LIMIT basic

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


async def main(folder, limit):
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
        os.makedirs(folder, exist_ok=True)
        with pyarrow.parquet.ParquetWriter(f"{folder}/events.parquet", SCHEMA, compression="zstd", compression_level=1) as writer:
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
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
print(json.dumps({"seconds": time.perf_counter() - began}))
