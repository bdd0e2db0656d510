"""An S3 for the tests: a server of its API on a free port, with one bucket."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "media"


@contextmanager
def s3() -> Iterator[str]:
    """Serve S3 for a block, and tell the environment of it as an operator does; gives the URL."""
    # Both are slow to load.
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        _, port = server.get_host_and_port()
        told = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "an id",
            "AWS_SECRET_ACCESS_KEY": "a secret",
        }
        for name, value in told.items():
            environment.setenv(name, value)
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        try:
            yield f"s3://{BUCKET}/some/prefix"
        finally:
            server.stop()
