"""Servers and factories for this project's tests, and for the tests of those who build on it."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster.embedded import valkey
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.sandbox import server
from etlfabric_dagster.sandbox.client import SandboxClient

_THROW_AWAY = (
    ("autovacuum", "off"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("scram_iterations", "1"),  # 4096 take a client 3 ms per connection
    ("synchronous_commit", "off"),
)


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def postgres_cluster(directory: Path) -> Iterator[PostgresCluster]:
    """A throw-away PostgreSQL: fast, not durable, and its passwords are cheap to prove."""
    cluster = PostgresCluster(directory, free_port(), secrets.token_hex(8), _THROW_AWAY)
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
    valkey.configure(directory, port, password)
    process = subprocess.Popen(valkey.command(directory), stdout=subprocess.DEVNULL)
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


@contextmanager
def sandbox_server(directory: Path, plugins: Iterable[Path] = ()) -> Iterator[SandboxServer]:
    """A warm sandbox server on a socket in `directory`; `plugins` are added to its import path."""
    socket_path = directory / "sandbox.sock"
    path = os.pathsep.join([*map(str, plugins), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        server.command(socket_path),
        env=server.clean_environment() | ({"PYTHONPATH": path} if path else {}),
        stdout=subprocess.DEVNULL,
    )
    client = SandboxClient(socket_path)
    try:
        client.wait_ready(timeout_s=120)
        yield SandboxServer(client, socket_path, process)
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True)
class SandboxServer:
    """A running sandbox server: a client for it, its socket and process."""

    client: SandboxClient
    socket_path: Path
    process: subprocess.Popen[bytes]
