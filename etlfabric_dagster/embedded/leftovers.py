"""Processes of this home that a killed supervisor left behind.

They are known by pid and start time, or by the mark in their environment: never by name.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "ETLFABRIC_STACK"
"""Environment variable of every process of a stack and of what it starts: the home's path."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def identity(pid: int) -> str | None:
    """What tells a process from a later one with the same pid; None when there is none.

    On Linux from the kernel's own clock ticks, which a change of the wall clock cannot move.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        fields = stat[stat.rindex(")") + 2 :].split()
        return None if fields[0] in "ZX" else f"{_BOOT.read_text().strip()}:{fields[19]}"
    except OSError:
        return None if _BOOT.exists() else _started(pid)


def is_process(pid: int, known_identity: str) -> bool:
    """Whether that very process runs."""
    return identity(pid) == known_identity


@dataclass(frozen=True)
class Recorded:
    """A process that a supervisor started, as it wrote it down."""

    pid: int
    identity: str
    stop_signal: int

    def is_alive(self) -> bool:
        """Whether that very process runs."""
        return is_process(self.pid, self.identity)


def end(home: Path, recorded: Iterable[Recorded], grace_s: float) -> int:
    """End what is left of the home's stack: politely, then by force. Blocking.

    Returns: how many processes were found.
    """
    leaders = [one for one in recorded if one.is_alive()]
    families = {p for one in leaders for p in _family(one.pid)}
    for one in leaders:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, one.stop_signal)
    gone, _ = psutil.wait_procs(list(families), timeout=grace_s)
    rest = (families - set(gone)) | set(marked(home))
    found = families | rest
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in rest:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        _, alive = psutil.wait_procs(list(rest), timeout=grace_s)
        rest = set(alive)
    return len(found)


def marked(home: Path) -> list[psutil.Process]:
    """Processes whose environment says that they belong to this home's stack."""
    mine = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(home):
                mine.append(process)
    return mine


def _family(pid: int) -> list[psutil.Process]:
    try:
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return []


def _started(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        dead = process.status() == psutil.STATUS_ZOMBIE
        return None if dead else str(process.create_time())
    except psutil.Error:
        return None
