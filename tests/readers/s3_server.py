"""A real S3-protocol server on a free loopback port, with an empty bucket `lake`. Prints its URL; ends when stdin closes."""

import sys

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"
boto3.client(
    "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="AKLAKE", aws_secret_access_key="SKLAKE"
).create_bucket(Bucket="lake")
print(endpoint, flush=True)
sys.stdin.read()
server.stop()
