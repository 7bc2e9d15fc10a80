"""What one child may use, kept by the kernel: memory, processor time, wall time."""

from __future__ import annotations

import os
import re
import resource
import signal
from pathlib import Path

from etlfabric_dagster.errors import SandboxError
from etlfabric_dagster.schemas.jobs import Limits

CPU_GRACE_S = 5  # between SIGXCPU, which says why, and SIGKILL


def apply(limits: Limits) -> None:
    """Limit this process; what it forks inherits memory and processor time.

    Memory counts from what the warm server brought along, which the child shares with it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + CPU_GRACE_S))
    data = _data_bytes() + (limits.memory_mib << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s)


def _data_bytes() -> int:
    """Private writable memory of this process, what RLIMIT_DATA measures; 0 where unknown."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmData:\s+(\d+) kB", status)
    return int(found.group(1)) << 10 if found else 0


def explain(status: int) -> SandboxError:
    """Why a child ended without a verdict, from its wait status."""
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number == signal.SIGALRM:
        return SandboxError(
            "The work was stopped: it used up its time limit.",
            "Load less at a time, or ask an operator for a longer limit.",
            code="sandbox_timeout",
        )
    if number == signal.SIGXCPU:
        return SandboxError(
            "The work was stopped: it used up its processor time.",
            "Load less at a time, or ask an operator for a higher limit.",
            code="sandbox_timeout",
        )
    if number in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS):
        return SandboxError(
            f"The work ended abruptly ({signal.Signals(number).name}); it probably ran out of"
            " memory.",
            "Load less at a time, or ask an operator for more memory.",
            code="sandbox_crash",
        )
    if number == signal.SIGKILL:
        return SandboxError(
            "The work was killed from outside; the machine probably ran out of memory.",
            "Try again; if it repeats, ask an operator to look at this machine's memory.",
            code="sandbox_killed",
        )
    cause = signal.Signals(number).name if number else f"status {os.waitstatus_to_exitcode(status)}"
    return SandboxError(
        f"The work ended without an answer ({cause}).",
        "Try again; if it repeats, send this message to your operator.",
    )


def out_of_memory() -> SandboxError:
    """The error for a child that hit its own memory limit."""
    return SandboxError(
        "The work ran out of memory.",
        "Load less at a time, or ask an operator for more memory.",
        code="sandbox_memory",
    )
