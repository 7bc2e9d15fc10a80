"""Servers and factories for this project's tests, and for the tests of those who build on it."""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster.embedded import valkey
from etlfabric_dagster.embedded.postgres import PostgresCluster


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def postgres_cluster(directory: Path) -> Iterator[PostgresCluster]:
    """A throw-away PostgreSQL: fast, not durable."""
    settings = (("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off"))
    cluster = PostgresCluster(directory, free_port(), secrets.token_hex(8), settings)
    cluster.ensure_initialized()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop("immediate")


@dataclass(frozen=True)
class ValkeyServer:
    """A running Valkey: its URL and process, so that a test may kill it."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def valkey_server(directory: Path) -> Iterator[ValkeyServer]:
    """A throw-away Valkey."""
    port, password = free_port(), secrets.token_hex(8)
    process = subprocess.Popen(valkey.command(directory, port, password), stdout=subprocess.DEVNULL)
    url = valkey.url(port, password)
    try:
        _wait_for_ping(url)
        yield ValkeyServer(url, process)
    finally:
        process.kill()
        process.wait()


@retry(stop=stop_after_delay(10), wait=wait_fixed(0.02), reraise=True)
def _wait_for_ping(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.ping()
