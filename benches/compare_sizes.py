"""Prints, as one line of JSON, how many bytes a row the Parquet files below FOLDER take, and how many the same rows take when pyarrow writes them with zstd
level 1, plain keys and delta-encoded timestamps. Bloom filters, which pyarrow is not asked for, do not count. usage: compare_sizes.py FOLDER
"""

import json
import pathlib
import sys
import tempfile

import duckdb
import pyarrow.parquet

paths = [path for path in pathlib.Path(sys.argv[1]).rglob("*.parquet")]
rows = ours = theirs = 0
for path in paths:
    table = pyarrow.parquet.ParquetFile(path).read()
    names = [str(path)]
    blooms = duckdb.execute("SELECT coalesce(sum(bloom_filter_length), 0) FROM parquet_metadata(?)", names).fetchone()[0]
    with tempfile.NamedTemporaryFile() as file:
        times = [field.name for field in table.schema if pyarrow.types.is_timestamp(field.type)]
        pyarrow.parquet.write_table(
            table,
            file.name,
            compression="zstd",
            compression_level=1,
            use_dictionary=["summary"],
            column_encoding={"event_id": "PLAIN"} | dict.fromkeys(times, "DELTA_BINARY_PACKED"),
            row_group_size=128 * 1024,
        )
        theirs += pathlib.Path(file.name).stat().st_size
    rows += table.num_rows
    ours += path.stat().st_size - int(blooms)
print(json.dumps({"rows": rows, "lakefeed": ours / rows, "pyarrow": theirs / rows}))
