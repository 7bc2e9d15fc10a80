"""Connections for `requests` that dial vetted addresses only, each resolved once."""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as Unreachable
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from etlfabric_dagster.schemas.jobs import EgressPolicy
from etlfabric_dagster.security import egress

CONNECT_TIMEOUT_S = 10


class VettingAdapter(HTTPAdapter):
    """Dials only addresses that the egress policy lets through, resolved once."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._pools = {"http": _pool(policy, "http"), "https": _pool(policy, "https")}
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _pool(policy: EgressPolicy, scheme: str) -> Any:
    base: type[Any] = HTTPSConnection if scheme == "https" else HTTPConnection

    class Connection(base):
        def _new_conn(self) -> socket.socket:
            address = egress.resolve_pinned(self.host, self.port, policy)
            if scheme == "http":
                egress.refuse_plaintext(self.host, address, self.port)
            try:
                return socket.create_connection((address, self.port), CONNECT_TIMEOUT_S)
            except OSError as exc:
                raise Unreachable(f"{self.host}:{self.port}") from exc

    pool: type[Any] = HTTPSConnectionPool if scheme == "https" else HTTPConnectionPool
    return type(f"Vetted{pool.__name__}", (pool,), {"ConnectionCls": Connection})
