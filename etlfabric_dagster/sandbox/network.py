"""No network for what needs none: dbt, previews and queries reach the warehouse by its Unix socket.

Their child moves into a network namespace of its own, where nothing answers and which it cannot
leave. Linux only, and only where the kernel lets this user make one; elsewhere they keep the
network, and `status` says why.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from psycopg import pq
from psycopg.conninfo import make_conninfo

from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import (
    Job,
    ParseJob,
    PreviewJob,
    QueryJob,
    ReachJob,
    TransformJob,
)

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PING_TIMEOUT_S = 2


def cut(job: Job) -> Job:
    """Take the network from this process if the job can do without, for good.

    Returns the job, with the way to the warehouse that is left.
    """
    if isinstance(job, ParseJob | ReachJob):  # they connect to nothing, or try to
        leave()
        return job
    if not isinstance(job, PreviewJob | QueryJob | TransformJob):
        return job
    folder = job.warehouse.socket_directory
    if folder is None or leave():
        return job
    warehouse = job.warehouse.model_copy(update={"host": folder})
    return job.model_copy(update={"warehouse": warehouse})


def leave() -> str:
    """Move this process into an empty network namespace. Returns why it could not, or nothing.

    Root needs no user namespace, in which it would lose its way to others' folders.
    """
    if sys.platform != "linux":
        return "only Linux has network namespaces"
    uid, gid, is_root = os.geteuid(), os.getegid(), os.geteuid() == 0
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET if is_root else CLONE_NEWNET | CLONE_NEWUSER):
        return f"the kernel refused a network namespace ({errno.errorcode[ctypes.get_errno()]})"
    if not is_root:
        with suppress(OSError):  # it then only is nobody by name
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    return ""


def reach(job: ReachJob, emit: Emit, workdir: str) -> dict[str, Any]:
    """Try both ways to a server as a dbt child does: `{"tcp", "socket"}`, whether it answered."""
    return {
        "tcp": _answers(job.host, job.port),
        "socket": _answers(job.socket_directory, job.port),
    }


def _answers(host: str, port: int) -> bool:
    """By libpq, which no hook of Python's sees; without a login."""
    info = make_conninfo(host=host, port=port, dbname="-", connect_timeout=PING_TIMEOUT_S)
    return pq.PGconn.ping(info.encode()) != pq.Ping.NO_RESPONSE
