"""Spark for the readers' tests: `session(url)`; as a program it reads a table and prints what read_lake.py prints for its engines.

usage: read_spark.py TABLE_URL      a folder, or s3://bucket/prefix with AWS_ENDPOINT_URL and AWS_* credentials; needs what `make test-spark` installs, and
                                    Java 17 or newer
"""

import importlib.util
import json
import os
import sys

from pyspark.sql import SparkSession

from read_lake import rows

os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.driver.host": "127.0.0.1",
}


def s3_settings():
    """Those of S3A. PyPI has it in one package only, whose Hadoop is 3.3: some defaults of Spark's own Hadoop are beyond it."""
    # The package itself is for another Spark, and is not imported.
    (folder,) = importlib.util.find_spec("sagemaker_pyspark").submodule_search_locations
    jars = [f"{folder}/jars/{name}" for name in ("hadoop-aws-3.3.1.jar", "aws-java-sdk-bundle-1.11.901.jar")]
    s3a = {
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "endpoint.region": "us-east-1",
        "path.style.access": "true",
        "connection.ssl.enabled": "false",
        "access.key": os.environ["AWS_ACCESS_KEY_ID"],
        "secret.key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "threads.keepalivetime": "60",
        "connection.establish.timeout": "5000",
        "connection.timeout": "200000",
        "multipart.purge.age": "86400",
    }
    return {"spark.driver.extraClassPath": ":".join(jars)} | {f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()}


def session(url):
    """The session of this process. Whether it can read S3 is settled by the first URL."""
    builder = SparkSession.builder.master("local[2]")
    for name, value in (SETTINGS | (s3_settings() if url.startswith("s3://") else {})).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def as_spark_writes(url):
    return url.replace("s3://", "s3a://")


def with_spark(url):
    frame = session(url).read.option("mergeSchema", "true").parquet(as_spark_writes(url))
    names = frame.columns
    table = frame.toArrow()
    columns = [table.column(name).to_pylist() for name in names]
    return {"columns": dict(frame.dtypes), "rows": rows(names, zip(*columns))}


def main():
    (url,) = sys.argv[1:]
    json.dump({"spark": with_spark(url)}, sys.stdout)


if __name__ == "__main__":
    main()
