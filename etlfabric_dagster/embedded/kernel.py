"""What a supervisor asks of the kernel: one lock, signals as data, no lost descendants."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etlfabric_dagster.errors import ConflictError

WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
LINUX = sys.platform == "linux"
_prctl = ctypes.CDLL(None).prctl if LINUX else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the home's lock; the kernel frees it when the process ends, however it ends.

    Raises: ConflictError when another process holds it.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ConflictError(
                f"A stack runs in {path.parent.parent} already.", "Stop it with `etlfabric down`."
            ) from exc
        yield


def is_locked(path: Path) -> bool:
    """Whether a supervisor holds the home."""
    if not path.exists():
        return False
    try:
        with locked(path):
            return False
    except ConflictError:
        return True


@contextmanager
def signals() -> Iterator[socket.socket]:
    """A socket that yields one byte, the number, for each watched signal."""
    reading, writing = socket.socketpair()
    with reading, writing:
        writing.setblocking(False)
        for number in WATCHED:
            signal.signal(number, lambda *_: None)
        before = signal.set_wakeup_fd(writing.fileno())
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(before)


def adopt_orphans() -> None:
    """Descendants whose parent ends become ours instead of init's. Linux only."""
    if _prctl is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(number: int, parent: int | None = None) -> None:
    """In a new child: get `number` when the parent dies. Linux only; lost when the user changes.

    `parent` is its pid where that may be 1: in a container without an init.
    """
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() == 1 if parent is None else os.getppid() != parent:
            os.kill(os.getpid(), number)


def default_signals() -> None:
    """In a forked child: signals mean again what they mean in a new process."""
    signal.set_wakeup_fd(-1)
    for number in WATCHED:
        signal.signal(number, signal.SIG_DFL)


def call_process(name: str) -> None:
    """How `top` and `ps -o comm` name this process; 15 characters. Linux only."""
    if _prctl is not None:
        _prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
