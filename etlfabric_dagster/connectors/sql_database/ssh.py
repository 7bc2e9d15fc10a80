"""A local forward through an SSH server, as `ssh -L` would make it, bound to loopback.

A server is known by its host key. A check trusts the first one it sees, which is then kept with
the connection; everything else needs a known one.
"""

from __future__ import annotations

import io
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import paramiko

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.target import SshServer, Target
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.security.egress import open_forward, resolve_pinned

_KEY_TYPES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_CHUNK_BYTES = 1 << 16


class Forward:
    """Accepts on 127.0.0.1:`port` and passes each connection on through the SSH server."""

    def __init__(self, transport: paramiko.Transport, host: str, port: int) -> None:
        self._transport, self._to = transport, (host, port)
        offered = transport.get_remote_server_key()
        self.host_key: str = f"{offered.get_name()} {offered.get_base64()}"
        self.fingerprint: str = offered.fingerprint
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def try_out(self) -> None:
        """Open one channel and close it. Raises paramiko.ChannelException when that fails."""
        self._channel(("127.0.0.1", 0)).close()

    def close(self) -> None:
        """End the forward and its connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._transport.close()
        self._thread.join()

    def _channel(self, peer: tuple[str, int]) -> paramiko.Channel:
        return self._transport.open_channel(
            "direct-tcpip", self._to, peer, timeout=problems.DIAL_TIMEOUT_S
        )

    def _accept(self) -> None:
        pumps: list[threading.Thread] = []
        while True:
            try:
                client, peer = self._listener.accept()
            except OSError:  # closed
                break
            pumps.append(threading.Thread(target=self._serve, args=(client, peer), daemon=True))
            pumps[-1].start()
        for pump in pumps:
            pump.join()

    def _serve(self, client: socket.socket, peer: tuple[str, int]) -> None:
        # A channel that fails closes the client: its driver reports a server that hung up.
        refused = suppress(paramiko.SSHException, OSError, EOFError)
        with refused, client, self._channel(peer) as channel:
            pump(client, channel)


def pump(client: socket.socket, channel: paramiko.Channel) -> None:
    """Copy both ways until one side ends."""
    while True:
        readable, _, _ = select.select([client, channel], [], [])
        if client in readable:
            data = client.recv(_CHUNK_BYTES)
            if not data:
                return
            channel.sendall(data)
        if channel in readable:
            data = channel.recv(_CHUNK_BYTES)
            if not data:
                return
            client.sendall(data)


@contextmanager
def ssh_forward(target: Target, ssh: SshServer, *, trust_first: bool = False) -> Iterator[Forward]:
    """Log in to `ssh` and forward a loopback port to the database.

    Args:
        trust_first: take the server's host key as the right one where none is known.

    Raises:
        ConnectorError: the SSH server's address, key, login, or its way to the database.
    """
    if not (ssh.host_key or trust_first):
        raise ConnectorError(
            f"The host key of the SSH server {ssh.host} is not known yet.",
            "Check the connection: that trusts the key which the server shows, and keeps it.",
            code="ssh_host_key_unknown",
        )
    transport = _log_in(ssh, _private_key(ssh), _dial(target, ssh))
    forward = Forward(transport, target.host, target.port)
    try:
        _try_out(forward, target, ssh)
        with open_forward(forward.port):
            yield forward
    finally:
        forward.close()


def _dial(target: Target, ssh: SshServer) -> socket.socket:
    address = resolve_pinned(ssh.host, ssh.port, target.egress)
    try:
        return socket.create_connection((address, ssh.port), problems.DIAL_TIMEOUT_S)
    except OSError as exc:
        raise ConnectorError(
            f"The SSH server {ssh.host}:{ssh.port} does not answer.",
            "Check its host and port, and that its firewall lets this install in.",
            code="ssh_unreachable",
        ) from exc


def _log_in(ssh: SshServer, key: paramiko.PKey, sock: socket.socket) -> paramiko.Transport:
    transport = paramiko.Transport(sock)
    _prefer_known_kind(transport, ssh)
    try:
        transport.start_client(timeout=problems.DIAL_TIMEOUT_S)
        _check_host_key(ssh, transport.get_remote_server_key())
        transport.auth_publickey(ssh.username, key)
    except paramiko.AuthenticationException as exc:
        transport.close()
        raise ConnectorError(
            f"The SSH server {ssh.host} refused the key of “{ssh.username}”.",
            "Add its public key to that user's authorized_keys.",
            code="ssh_login_refused",
        ) from exc
    except (paramiko.SSHException, OSError, EOFError) as exc:
        transport.close()
        raise ConnectorError(
            f"{ssh.host}:{ssh.port} does not speak SSH as expected.",
            "Check the SSH host and port.",
            code="ssh_protocol",
        ) from exc
    except ConnectorError:
        transport.close()
        raise
    return transport


def _prefer_known_kind(transport: paramiko.Transport, ssh: SshServer) -> None:
    """A server has keys of several kinds, and shows one of those it is asked for first."""
    kind = (ssh.host_key or "").split(" ")[0]
    options = transport.get_security_options()
    known = [k for k in options.key_types if k == kind or (kind == "ssh-rsa" and "rsa-sha2" in k)]
    options.key_types = (*known, *(k for k in options.key_types if k not in known))


def _check_host_key(ssh: SshServer, offered: paramiko.PKey) -> None:
    if ssh.host_key and ssh.host_key.split()[1:2] != [offered.get_base64()]:
        raise ConnectorError(
            f"The SSH server {ssh.host} shows another host key than the one this connection"
            f" trusts: now {offered.get_name()} {offered.fingerprint}. It was set up anew, or"
            " something stands between.",
            "Ask its owner for its key. If it was changed, put the new one into ssh.host_key of"
            " the config, or take that field out and check the connection.",
            code="ssh_host_key",
        )


def _private_key(ssh: SshServer) -> paramiko.PKey:
    for kind in _KEY_TYPES:
        with suppress(paramiko.SSHException, ValueError, IndexError):
            return kind.from_private_key(io.StringIO(ssh.private_key))
    raise ConnectorError(
        f"The private key for {ssh.host} cannot be read.",
        "Give an Ed25519, ECDSA or RSA key in OpenSSH or PEM form, without a passphrase.",
        code="ssh_key",
        field="secrets.ssh_private_key",
    )


def _try_out(forward: Forward, target: Target, ssh: SshServer) -> None:
    try:
        forward.try_out()
    except paramiko.SSHException as exc:
        raise ConnectorError(
            f"The SSH server {ssh.host} cannot reach {target.address}.",
            "Give the host and port as that server sees them, and let it forward there.",
            code="unreachable",
        ) from exc
