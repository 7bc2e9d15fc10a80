"""One embedded PostgreSQL cluster: initdb, start, stop. Loopback and scram only.

As root the server runs as the OS user `embedded_postgres` (PostgreSQL refuses root); the data
directory belongs to that user.
"""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from etlfabric_dagster.embedded.packages import folder_of
from etlfabric_dagster.errors import StackError

OS_USER = "embedded_postgres"
MAX_SOCKET_PATH_BYTES = 103  # macOS; Linux allows 107
BASE_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "recovery_init_sync_method": "syncfs",  # crash recovery with 60k files: 11.5 s -> 0.2 s
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class PostgresCluster:
    """A cluster in `data_dir` listening on 127.0.0.1:`port`; superuser `postgres`."""

    data_dir: Path
    port: int
    superuser_password: str
    settings: tuple[tuple[str, str], ...] = ()

    def dsn(self, database: str = "postgres") -> str:
        """libpq keywords for the superuser."""
        return (
            f"host=127.0.0.1 port={self.port} user=postgres "
            f"password={self.superuser_password} dbname={database}"
        )

    def ensure_initialized(self) -> None:
        """Run initdb when the directory is empty; see that its OS user can reach it. Idempotent."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        _hand_to_os_user(self.data_dir)
        if (self.data_dir / "PG_VERSION").exists():
            return
        with tempfile.NamedTemporaryFile("w", suffix=".pw") as password_file:
            password_file.write(self.superuser_password)
            password_file.flush()
            if os_user():
                os.chown(password_file.name, pwd.getpwnam(OS_USER).pw_uid, -1)
            self._run(
                "initdb",
                ["-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
                + ["--no-sync", f"--pwfile={password_file.name}"],
            )

    def server_args(self) -> list[str]:
        """Arguments of the `postgres` binary besides -D."""
        wanted = BASE_SETTINGS | dict(self.settings) | {"port": str(self.port)}
        args = [part for key, value in wanted.items() for part in ("-c", f"{key}={value}")]
        return [*args, "-c", f"unix_socket_directories={self.socket_directory or ''}"]

    @property
    def socket_directory(self) -> Path | None:
        """Where its Unix socket stands; None where the path would be too long for one."""
        socket = self.data_dir / ".s.PGSQL.65535.lock"
        return self.data_dir if len(os.fsencode(socket)) < MAX_SOCKET_PATH_BYTES else None

    def server_command(self) -> list[str]:
        """The command line of a foreground server, to be run as `os_user()`; SIGINT stops it."""
        return [str(_bin_path() / "postgres"), "-D", str(self.data_dir), *self.server_args()]

    def start(self, timeout_s: int = 60) -> None:
        """Start and wait until it answers. Idempotent."""
        if self.is_running():
            return
        options = " ".join(f"'{arg}'" for arg in self.server_args())
        log = str(self.data_dir / "server.log")
        args = ["-w", "-t", str(timeout_s), "-l", log, "-o", options, "start"]
        self._run("pg_ctl", args)

    def stop(self, mode: str = "fast") -> None:
        """Stop and wait. Idempotent."""
        if self.is_running():
            self._run("pg_ctl", ["-w", "-m", mode, "stop"])

    def is_running(self) -> bool:
        """Whether a postmaster serves this directory."""
        return self._call("pg_ctl", ["status"]).returncode == 0

    def _run(self, program: str, args: list[str]) -> None:
        done = self._call(program, args)
        if done.returncode:
            raise StackError(
                f"Embedded PostgreSQL: {program} failed: {done.stderr.strip()[-400:]}",
                f"Read {self.data_dir}/server.log.",
            )

    def _call(self, program: str, args: list[str]) -> subprocess.CompletedProcess[str]:
        # Files, not pipes: the postmaster would inherit a pipe and keep it open for ever.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [str(_bin_path() / program), "-D", str(self.data_dir), *args],
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                user=os_user(),
                group=os_user(),
                cwd="/",
                check=False,
            )
            err.seek(0)
            out.seek(0)
            text = err.read() or out.read()
        return subprocess.CompletedProcess(done.args, done.returncode, "", text)


def _bin_path() -> Path:
    return folder_of("embedded_postgres") / "pginstall" / "bin"


def os_user() -> str | None:
    """Who runs the servers: None = this user, which PostgreSQL refuses to be root."""
    return OS_USER if os.geteuid() == 0 else None


def _hand_to_os_user(directory: Path) -> None:
    """As root: create the OS user, give it the directory and let it reach the binaries."""
    directory.chmod(0o700)
    if not os_user():
        return
    _ensure_os_user()
    _open_way_to(directory)
    _open_way_to(_bin_path())
    os.chown(directory, pwd.getpwnam(OS_USER).pw_uid, pwd.getpwnam(OS_USER).pw_gid)


def _ensure_os_user() -> None:
    try:
        pwd.getpwnam(OS_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", OS_USER], check=True, capture_output=True)


def _open_way_to(path: Path) -> None:
    """Let others pass through the parents, without reading them."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
