"""The way to a database: the vetted address, the SSH forward, the CA file."""

from __future__ import annotations

import importlib
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import certifi

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.security.egress import resolve_all

if TYPE_CHECKING:
    from etlfabric_dagster.connectors.sql_database.ssh import Forward

_SSH = "etlfabric_dagster.connectors.sql_database.ssh"


@dataclass(frozen=True)
class Road:
    """Dial `address:port`; the server's name for TLS stays `target.host`."""

    target: Target
    address: str
    port: int
    ca_file: str | None
    ssh: Forward | None = None

    def tls_context(self) -> ssl.SSLContext:
        """For drivers that use Python's ssl."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # private CAs rarely are that strict
        context.check_hostname = self.target.tls == "verify-full"
        if self.ca_file is None:
            context.verify_mode = ssl.CERT_NONE
        return context

    def dial(self) -> socket.socket:
        """A connected socket. Raises ConnectorError when nothing answers."""
        try:
            sock = socket.create_connection((self.address, self.port), problems.DIAL_TIMEOUT_S)
        except TimeoutError as exc:
            raise problems.unreachable(self.target, answered=False) from exc
        except OSError as exc:
            raise problems.unreachable(self.target, answered=True) from exc
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


@contextmanager
def open_road(target: Target, *, trust_first: bool = False) -> Iterator[Road]:
    """Resolve, vet, and tunnel when asked to; all of it ends with the block.

    Args:
        trust_first: see `ssh.ssh_forward`.

    Raises:
        ConnectorError: no address, a closed one, or an SSH server that does not let us through.
    """
    with ExitStack() as stack:
        ca_file = stack.enter_context(_ca_file(target))
        if target.ssh:
            ssh = importlib.import_module(_SSH)  # paramiko takes 0.5 s to import
            forward = stack.enter_context(
                ssh.ssh_forward(target, target.ssh, trust_first=trust_first)
            )
            yield Road(target, "127.0.0.1", forward.port, ca_file, forward)
        else:
            yield Road(target, _answering(target), target.port, ca_file)


def _answering(target: Target) -> str:
    """The one address, or the first of several that accepts a connection."""
    addresses = resolve_all(target.host, target.port, target.egress)
    for address in addresses[:-1]:
        with suppress(OSError):
            socket.create_connection((address, target.port), problems.DIAL_TIMEOUT_S).close()
            return address
    return addresses[-1]


@contextmanager
def _ca_file(target: Target) -> Iterator[str | None]:
    """The file of trusted CAs, where certificates are verified: the given one, or the public."""
    if target.ca is None:
        yield certifi.where() if target.tls == "verify-full" else None
        return
    try:
        ssl.create_default_context(cadata=target.ca)
    except (ssl.SSLError, ValueError) as exc:
        raise problems.bad_ca(target) from exc
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # created 0600
        file.write(target.ca)
        file.flush()
        yield file.name
