"""Spark for the readers' tests: `session(url)`; as a program it reads a table and prints what read_lake.py prints for its engines.

usage: read_spark.py TABLE_FOLDER      needs pyspark (tests/readers/requirements-spark.txt) and Java 17 or newer; reads local folders
"""

import json
import os
import sys

from pyspark.sql import SparkSession

from read_lake import rows

os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


def session(url):
    if "://" in url:
        raise ValueError(f"{url}: Spark reads local folders here; S3 would need hadoop-aws")
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    return spark


def with_spark(url):
    frame = session(url).read.option("mergeSchema", "true").parquet(url)
    names = frame.columns
    table = frame.toArrow()
    columns = [table.column(name).to_pylist() for name in names]
    return {"columns": dict(frame.dtypes), "rows": rows(names, zip(*columns))}


def main():
    (url,) = sys.argv[1:]
    json.dump({"spark": with_spark(url)}, sys.stdout)


if __name__ == "__main__":
    main()
