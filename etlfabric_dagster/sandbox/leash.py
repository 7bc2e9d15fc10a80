"""A child never outlives its caller or its server: the kernel kills it, no Python needed.

The caller holds the write end of a pipe. When it closes, for whatever reason, the child gets
SIGKILL. Linux has signals for that; elsewhere a watcher thread does it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import sys
import threading

LINUX = sys.platform == "linux"
_F_SETSIG = 10  # fcntl.h; Python has no name for it
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def arm(leash: int) -> None:
    """Die when the other end of `leash` closes; at once if it has closed already."""
    if LINUX:
        fcntl.fcntl(leash, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(leash, _F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(leash, fcntl.F_GETFL)
        fcntl.fcntl(leash, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    else:
        threading.Thread(target=_watch, args=(leash,), daemon=True).start()
    if _is_closed(leash):
        os._exit(os.EX_NOINPUT)


def die_with_parent(parent: int) -> None:
    """Die when the server dies, kill -9 included (Linux)."""
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(os.EX_UNAVAILABLE)


def adopt_orphans() -> None:
    """Let descendants of a dead child become ours, so that none escapes (Linux)."""
    if LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _is_closed(leash: int) -> bool:
    readable, _, _ = select.select([leash], [], [], 0)
    return bool(readable) and os.read(leash, 1) == b""


def _watch(leash: int) -> None:
    select.select([leash], [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
