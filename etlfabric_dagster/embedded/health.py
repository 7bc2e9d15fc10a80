"""Is a process doing its work? Each check asks the process itself and answers with a detail.

A check raises when the answer is no; it takes two seconds at most and is cheap enough to repeat.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import cast

import psycopg
import redis

from etlfabric_dagster.errors import StackError
from etlfabric_dagster.queue import celery_app
from etlfabric_dagster.tasks import heartbeats

Check = Callable[[], str]
TIMEOUT_S = 2


def postgres(dsn: str) -> str:
    """A query answers."""
    with psycopg.connect(dsn, connect_timeout=TIMEOUT_S) as conn:
        row = conn.execute("SELECT current_setting('server_version')").fetchone()
    return f"PostgreSQL {row[0]}" if row else ""


def valkey(url: str) -> str:
    """PING answers."""
    with redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    ) as client:
        client.ping()
        info = cast("dict[str, str]", client.info("server"))
    version = info.get("valkey_version", info["redis_version"])
    return f"{info.get('server_name', 'redis')} {version}"


def unix_socket(path: Path) -> str:
    """The server accepts connections."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect(str(path))
    return f"accepts on {path.name}"


def http_ok(host: str, port: int, path: str) -> str:
    """The server answers 200."""
    conn = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        conn.request("GET", path)
        status = conn.getresponse().status
    finally:
        conn.close()
    if status != http.client.OK:
        raise StackError(f"{path} answered {status}.", "Read its log: etlfabric logs NAME.")
    return f"answers on port {port}"


def celery_worker(node: str) -> str:
    """The worker's own loop answers a ping through the broker."""
    answers = celery_app().control.ping([node], timeout=TIMEOUT_S / 2, limit=1)
    if not answers:
        raise StackError(f"{node} did not answer.", "Read its log: etlfabric logs NAME.")
    return f"{node} answers"


def heartbeat(name: str) -> str:
    """The process said less than a lifetime ago, on this host, that it works; who else did."""
    said = heartbeats.hosts(name, TIMEOUT_S)
    said_at = said.pop(heartbeats.this_host(), None)
    others = f"; also on {', '.join(sorted(said))}" if said else ""
    if said_at is None:
        raise StackError(
            f"No sign of life on this host{others}.", f"Read its log: etlfabric logs {name}."
        )
    return f"alive at {datetime.fromisoformat(said_at):%H:%M:%S} UTC{others}"
