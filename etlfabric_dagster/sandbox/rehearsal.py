"""Rehearse a PostgreSQL login before anything is forked, so that libpq and its OpenSSL set
themselves up once: 12 ms of processor time that every child would pay, measured 2026-11.

The other side is a socket of our own that asks for a SCRAM proof and hangs up.
"""

from __future__ import annotations

import contextlib
import socket
import threading

import psycopg

_NO_TLS = b"N"
_ASK_FOR_SCRAM = 10
_SCRAM_CONTINUE = 11
_TIMEOUT_S = 5
_MESSAGE_BYTES = 4096


def rehearse_login() -> None:
    """Log in nowhere. Blocking, a few milliseconds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT_S)
        server = threading.Thread(target=_hang_up_on, args=(listener,))
        server.start()
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(
                host="127.0.0.1",
                port=listener.getsockname()[1],
                user="nobody",
                password="nothing",  # noqa: S106 - nobody is there
                dbname="nowhere",
                connect_timeout=_TIMEOUT_S,
                passfile="/dev/null",
            ).close()
        server.join()


def _hang_up_on(listener: socket.socket) -> None:
    with contextlib.suppress(OSError), listener.accept()[0] as client:
        client.settimeout(_TIMEOUT_S)
        client.recv(_MESSAGE_BYTES)
        client.sendall(_NO_TLS)
        client.recv(_MESSAGE_BYTES)
        client.sendall(_authentication(_ASK_FOR_SCRAM, b"SCRAM-SHA-256\0\0"))
        nonce = client.recv(_MESSAGE_BYTES).rpartition(b"r=")[2]
        client.sendall(_authentication(_SCRAM_CONTINUE, b"r=" + nonce + b"x,s=c2FsdA==,i=1"))
        client.recv(_MESSAGE_BYTES)


def _authentication(kind: int, body: bytes) -> bytes:
    payload = kind.to_bytes(4, "big") + body
    return b"R" + (len(payload) + 4).to_bytes(4, "big") + payload
