"""Ports on loopback: choose free ones once, and say who holds one that is taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from itertools import count

import psutil

from etlfabric_dagster.errors import StackError

EMBEDDED = ("postgres_port", "valkey_port", "source_port")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


def choose(first: int, wanted: Mapping[str, int | None]) -> dict[str, int]:
    """A port per name: the wanted one, else the next free one from `first` on.

    They stay below the range that the kernel hands to outgoing connections, which could take a
    port while the stack is down.
    """
    free: Iterator[int] = (port for port in count(first) if is_free(port))
    taken = {port for port in wanted.values() if port}
    return {
        name: port or next(candidate for candidate in free if candidate not in taken)
        for name, port in wanted.items()
    }


def require_free(port: int, setting: str, host: str = "127.0.0.1") -> None:
    """Raises StackError naming the port, its setting and, where visible, the program there."""
    if is_free(port, host):
        return
    raise StackError(
        f"Port {port} is taken{_by_whom(port)}.",
        f"Stop that program, or set ETLFABRIC_{setting.upper()} to a free port.",
        code="port_taken",
        port=port,
        setting=f"ETLFABRIC_{setting.upper()}",
    )


def _by_whom(port: int) -> str:
    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):  # macOS shows other users' sockets to root only
        return ""
    for one in found:
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr[1] == port and one.pid:
            return f" by {psutil.Process(one.pid).name()} (process {one.pid})"
    return ""
