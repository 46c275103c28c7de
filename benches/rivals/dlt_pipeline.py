"""The calendar pipeline in dlt with its defaults, as its documentation writes it. usage: dlt_pipeline.py FOLDER LIMIT DETAIL

Prints {"seconds": …}: from the first request to the last file, imports not counted.
"""

import json
import os
import sys
import time

folder, limit, detail = sys.argv[1], int(sys.argv[2]), sys.argv[3]
os.environ["DLT_DATA_DIR"] = f"{folder}/dlt-data"
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt
from dlt.sources.rest_api import rest_api_source

base = os.environ["CALENDAR_BASE_URL"]
began = time.perf_counter()
source = rest_api_source(
    {
        "client": {
            "base_url": base,
            "auth": {
                "type": "oauth2_client_credentials",
                "access_token_url": f"{base}/oauth/token",
                "client_id": os.environ["CLIENT_ID"],
                "client_secret": os.environ["CLIENT_SECRET"],
            },
        },
        "resources": [
            {
                "name": "calendar_events",
                "write_disposition": "append",
                "endpoint": {
                    "path": "/v1/events",
                    "params": {"detail": detail},
                    "data_selector": "items",
                    "paginator": {"type": "offset", "limit": limit},
                },
            }
        ],
    }
)
pipeline = dlt.pipeline(
    pipeline_name="bench",
    pipelines_dir=f"{folder}/pipelines",
    destination=dlt.destinations.filesystem(bucket_url=f"file://{folder}/lake"),
    dataset_name="bench",
)
pipeline.run(source, loader_file_format="parquet")
print(json.dumps({"seconds": time.perf_counter() - began}))
