"""An empty bucket `lake` on a real S3-protocol server on loopback. Prints the server's URL; ends when stdin closes.

The server is moto on a free port, or the one that LAKEFEED_TEST_S3_ENDPOINT names (tests/servers), whose bucket is emptied: then one test at a time.
"""

import os
import sys

import boto3
from moto.server import ThreadedMotoServer

endpoint = os.environ.get("LAKEFEED_TEST_S3_ENDPOINT")
server = None
if not endpoint:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
s3 = boto3.resource(
    "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="AKLAKE", aws_secret_access_key="SKLAKE"
)
bucket = s3.Bucket("lake")
bucket.create()
bucket.objects.all().delete()
print(endpoint, flush=True)
sys.stdin.read()
if server:
    server.stop()
