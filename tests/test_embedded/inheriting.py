"""A parent that forks itself: what its child says of the files that the parent had open."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

from etlfabric_dagster.embedded import forking

INHERITED = [tempfile.TemporaryFile() for _ in range(4)]  # noqa: SIM115
ITSELF = "tests.test_embedded.inheriting"


def main() -> int:
    """The child: opens connections, then what it inherited is finalized."""
    theirs = {os.readlink(f"/proc/self/fd/{file.fileno()}") for file in INHERITED}
    print("inherited", *theirs)
    pairs = [socket.socketpair() for _ in INHERITED]
    INHERITED.clear()
    for here, there in pairs:
        here.sendall(b"x")
        assert there.recv(1) == b"x"
    print("connections kept")
    return 0


if __name__ == "__main__":
    from tests.test_embedded import inheriting  # what the child finds loaded

    with Path(sys.argv[1]).open("ab") as log:
        command = [sys.executable, "-m", ITSELF]
        pid = forking.fork(ITSELF, command, os.environ, log, signal.SIGKILL)
    assert inheriting.INHERITED
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
