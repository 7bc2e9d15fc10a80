"""A real S3 server on loopback."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from moto.server import ThreadedMotoServer


@dataclass(frozen=True)
class S3Server:
    """Where it listens, a bucket in it, and keys that open it."""

    endpoint_url: str
    bucket: str
    key: str
    secret: str

    def put(self, name: str, body: bytes) -> None:
        """Store an object in the bucket."""
        self.client().put_object(Bucket=self.bucket, Key=name, Body=body)

    def client(self):
        """A plain boto3 client of this server."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with one empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = S3Server(
            f"http://{host}:{port}", f"bucket-{secrets.token_hex(4)}", "key-id", secrets.token_hex()
        )
        running.client().create_bucket(Bucket=running.bucket)
        yield running
    finally:
        server.stop()
