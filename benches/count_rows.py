"""Prints how many rows the Parquet files below FOLDER have. usage: count_rows.py FOLDER|s3://BUCKET/PREFIX [NAME]

With NAME only files of folders of that name count. A script of its own, so that the benchmark does not load pyarrow: Linux counts the size of the process that
starts another as the other's, too.
"""

import os
import pathlib
import sys

import pyarrow.fs
import pyarrow.parquet

root, name = sys.argv[1], (sys.argv[2:] + [None])[0]
if root.startswith("s3://"):
    names = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "region": "AWS_REGION", "endpoint_override": "AWS_ENDPOINT_URL"}
    files, root = pyarrow.fs.S3FileSystem(**{name: os.environ[variable] for name, variable in names.items()}), root.removeprefix("s3://")
else:
    files = pyarrow.fs.LocalFileSystem()
paths = [pathlib.PurePosixPath(file.path) for file in files.get_file_info(pyarrow.fs.FileSelector(root, recursive=True))]
paths = [path for path in paths if path.suffix == ".parquet" and name in (None, path.parent.name)]
print(sum(pyarrow.parquet.read_metadata(str(path), filesystem=files).num_rows for path in paths))
