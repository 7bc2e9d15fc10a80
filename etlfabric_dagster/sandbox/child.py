"""One forked child: take one job, do it, give one verdict, leave nothing behind."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
import traceback
from pathlib import Path

from etlfabric_dagster.errors import FabricError, SandboxError
from etlfabric_dagster.sandbox import jobs, leash, limits, network, wire
from etlfabric_dagster.sandbox.emitter import Emitter, LogHandler
from etlfabric_dagster.schemas.jobs import DoneEvent, EgressPolicy, FailedEvent, Job
from etlfabric_dagster.schemas.runs import ErrorInfo
from etlfabric_dagster.security.egress import install_audit_hook


def main(conn: socket.socket, workdir: Path) -> int:
    """The whole life of a child; returns its exit status, 0 once a verdict was sent."""
    os.setsid()
    header = wire.receive_header(conn)
    if header is None:
        return 0
    size, leash_end = header
    leash.arm(leash_end)
    workdir.mkdir(mode=0o700)
    try:
        try:
            job = wire.receive_job(conn, size)
        except SandboxError as exc:
            return _refuse(conn, exc)
        _settle(workdir, job)
        emit = Emitter(conn, job)
        logging.getLogger().addHandler(LogHandler(emit))
        emit(_verdict(network.cut(job), emit, str(workdir)))
    finally:
        os.chdir("/")
        shutil.rmtree(workdir, ignore_errors=True)
    return 0


def _refuse(conn: socket.socket, error: SandboxError) -> int:
    info = ErrorInfo(message=error.message, remedy=error.remedy, code=error.code)
    conn.sendall(FailedEvent(error=info).model_dump_json().encode() + b"\n")
    return 0


def _settle(workdir: Path, job: Job) -> None:
    """Nothing outside the private folder is home; what libraries print goes nowhere."""
    os.chdir(workdir)
    os.environ |= {"HOME": str(workdir), "TMPDIR": str(workdir)}
    tempfile.tempdir = str(workdir)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    _close_network(job)
    limits.apply(job.limits)


def _close_network(job: Job) -> None:
    """Python code may dial what the connection may. The warehouse is reached through libpq, which
    this hook does not see.
    """
    dials = getattr(job, "source", job)
    install_audit_hook(getattr(dials, "egress", EgressPolicy()))


def _verdict(job: Job, emit: Emitter, workdir: str) -> DoneEvent | FailedEvent:
    try:
        return DoneEvent(payload=jobs.run(job, emit, workdir))
    except FabricError as exc:
        error = exc
    except MemoryError:
        error = limits.out_of_memory()
    except Exception as exc:
        first_line = (str(exc).strip().splitlines() or [""])[0][:300]
        error = SandboxError(
            f"The {job.kind} failed in a way we did not expect: {type(exc).__name__}: {first_line}",
            "Try again; if it repeats, send this message to your operator.",
            code="unforeseen",
        )
    info = ErrorInfo(message=error.message, remedy=error.remedy, code=error.code, where=error.where)
    return FailedEvent(
        error=info, error_class=type(error).__name__, detail=traceback.format_exc()[-8000:]
    )


def reset_signals() -> None:
    """Undo the server's signal handling after the fork."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
