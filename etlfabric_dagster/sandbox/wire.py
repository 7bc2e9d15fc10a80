"""How a job travels: a length, the leash's descriptor, then one JSON document."""

from __future__ import annotations

import os
import socket
import struct

from pydantic import TypeAdapter, ValidationError

from etlfabric_dagster.errors import SandboxError
from etlfabric_dagster.schemas.jobs import Event, Job

JOB: TypeAdapter[Job] = TypeAdapter(Job)
EVENT: TypeAdapter[Event] = TypeAdapter(Event)

MAX_JOB_BYTES = 256 << 20
_HEADER = struct.Struct("!Q")


def send_job(conn: socket.socket, job: Job, leash: int) -> None:
    """Hand the job and the leash's read end to a fresh child. Blocking."""
    body = JOB.dump_json(job)
    socket.send_fds(conn, [_HEADER.pack(len(body))], [leash])
    conn.sendall(body)


def receive_header(conn: socket.socket) -> tuple[int, int] | None:
    """The body's size and the leash, or None when the caller only looked whether we are there."""
    head, descriptors, _flags, _address = socket.recv_fds(conn, _HEADER.size, 1)
    if not head:
        return None
    size = _HEADER.unpack(head)[0]
    if len(descriptors) != 1 or size > MAX_JOB_BYTES:
        for descriptor in descriptors:
            os.close(descriptor)
        raise SandboxError("The sandbox was called without a leash, or with too large a job.")
    return size, descriptors[0]


def receive_job(conn: socket.socket, size: int) -> Job:
    """Read and validate the job. Blocking."""
    body = bytearray()
    while len(body) < size:
        part = conn.recv(min(1 << 20, size - len(body)))
        if not part:
            raise SandboxError("The caller went away in the middle of its job.")
        body += part
    try:
        return JOB.validate_json(bytes(body))
    except ValidationError as exc:  # its text quotes the input, secrets included
        first = exc.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SandboxError(
            f"The sandbox does not understand the job: {place}: {first['msg']}",
            "Run the same version of every process: etlfabric down, then etlfabric up.",
        ) from None
