"""Database servers that the machine has from its packages, started in a folder of the test's."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import paramiko
import psycopg
import pymysql
import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster.connectors.sql_database.ssh import pump
from etlfabric_dagster.testing import free_port

POSTGRES_BIN = Path("/usr/lib/postgresql")


def needed(program: str | None, package: str) -> str:
    """The program's path; without it a test is skipped, but fails where CI promised it."""
    if program is None:
        complaint = f"{package} is not installed: apt-get install {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)
    return program


@contextmanager
def folder_of(user: str) -> Iterator[tuple[Path, str | None]]:
    """A folder that `user` owns, and the user to run as (None unless this is root)."""
    folder = Path(tempfile.mkdtemp(prefix="etlfabric_db_"))
    as_root = os.geteuid() == 0
    if as_root:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    try:
        yield folder, user if as_root else None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class MariaDb:
    """A running MariaDB with an account `root`."""

    port: int
    password: str

    def run(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """The rows of the last statement."""
        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            password=self.password,
            database=database,
            autocommit=True,
            charset="utf8mb4",
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def mariadb(*options: str) -> Iterator[MariaDb]:
    """A throw-away MariaDB on loopback."""
    server = needed(shutil.which("mariadbd") or shutil.which("mysqld"), "mariadb-server")
    installer = needed(shutil.which("mariadb-install-db"), "mariadb-server")
    with folder_of("mysql") as (folder, user):
        data, port, password = folder / "data", free_port(), secrets.token_hex(8)
        common: dict[str, Any] = {"user": user, "cwd": "/", "stdout": subprocess.DEVNULL}
        subprocess.run(
            [
                installer,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            check=True,
            stderr=subprocess.DEVNULL,
            **common,
        )
        init = folder / "init.sql"
        init.write_text(
            f"create or replace user 'root'@'127.0.0.1' identified by '{password}';\n"
            "grant all on *.* to 'root'@'127.0.0.1' with grant option;\n"
        )
        process = subprocess.Popen(
            [server, "--no-defaults", f"--datadir={data}", f"--port={port}",
             f"--socket={folder}/s", f"--pid-file={folder}/pid", "--bind-address=127.0.0.1",
             f"--init-file={init}", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin",
             "--innodb-buffer-pool-size=32M", "--skip-name-resolve", *options],
            stderr=subprocess.DEVNULL, **common,
        )  # fmt: skip
        try:
            running = MariaDb(port, password)
            _until_it_answers(running)
            yield running
        finally:
            process.terminate()
            process.wait()


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
def _until_it_answers(server: MariaDb) -> None:
    server.run("select 1")


@contextmanager
def postgres_with_tls(ca: Path, certificate: Path, key: Path) -> Iterator[int]:
    """A throw-away PostgreSQL built with OpenSSL; user `reader`, password `pw`. Its port."""
    files = {"ca": ca, "crt": certificate, "key": key}
    settings = {"ssl_ca_file": "../ca", "ssl_cert_file": "../crt", "ssl_key_file": "../key"}
    with debian_postgres(files, ssl="on", **settings) as (port, _):
        yield port


@contextmanager
def debian_postgres(
    files: Mapping[str, Path] = MappingProxyType({}), **settings: str
) -> Iterator[tuple[int, Path]]:
    """A throw-away PostgreSQL, superuser `reader`, password `pw`: the system's, or of the folder of
    binaries that TESTED_POSTGRES names.

    Args:
        files: name → file that is copied for the server's user, into the parent of its data.

    Yields its port, and the folder of its Unix socket.
    """
    found = [os.environ.get("TESTED_POSTGRES"), *map(str, sorted(POSTGRES_BIN.glob("*/bin")))]
    binaries = Path(needed(found[0] or found[-1], "postgresql"))
    with folder_of("postgres") as (folder, user):
        port = free_port()
        common: dict[str, Any] = {"user": user, "cwd": "/", "stdout": subprocess.DEVNULL}
        password = folder / "pw"
        password.write_text("pw")
        for name, path in files.items():
            shutil.copy(path, folder / name)
            if user:
                shutil.chown(folder / name, user)
            (folder / name).chmod(0o600)
        data = folder / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "reader", "--auth=scram-sha-256", "--no-sync",
             f"--pwfile={password}"], check=True, **common,
        )  # fmt: skip
        wanted = {"port": str(port), "listen_addresses": "127.0.0.1", "fsync": "off"}
        wanted |= {"unix_socket_directories": str(folder)} | settings
        args = [part for name, value in wanted.items() for part in ("-c", f"{name}={value}")]
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *args], stderr=subprocess.DEVNULL, **common
        )
        try:
            _until_it_serves(port)
            yield port, folder
        finally:
            process.send_signal(signal.SIGINT)  # fast: what is connected is ended
            process.wait()


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.1), reraise=True)
def _until_it_serves(port: int) -> None:
    psycopg.connect(f"host=127.0.0.1 port={port} user=reader password=pw dbname=postgres").close()


@contextmanager
def ssh_server(authorized: paramiko.PKey, *, forwards: bool = True) -> Iterator[SshServer]:
    """An SSH server on loopback that forwards for one user's key."""
    server = SshServer(authorized, forwards)
    server.thread.start()
    try:
        yield server
    finally:
        server.close()


class SshServer:
    """`host_key` is its public key as known_hosts has it; `forwarded` what it was asked for."""

    def __init__(self, authorized: paramiko.PKey, forwards: bool) -> None:
        self.authorized, self.forwards = authorized, forwards
        self.key = paramiko.RSAKey.generate(2048)
        self.host_key = f"{self.key.get_name()} {self.key.get_base64()}"
        self.forwarded: list[tuple[str, int]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()
        self.thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self.key)
            self._transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_SshSession(self, transport))


class _SshSession(paramiko.ServerInterface):
    def __init__(self, server: SshServer, transport: paramiko.Transport) -> None:
        self._server, self._transport = server, transport

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == "tunnel" and key == self._server.authorized
        return paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self._server.forwarded.append(destination)
        if not self._server.forwards:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=self._serve, args=(destination,), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def _serve(self, destination: tuple[str, int]) -> None:
        channel = self._transport.accept(10)
        if channel is None:
            return
        # The names this server knows are its own: "db.internal" is loopback here.
        gone = contextlib.suppress(OSError, EOFError)
        with gone, channel, socket.create_connection(("127.0.0.1", destination[1]), 5) as database:
            pump(database, channel)
