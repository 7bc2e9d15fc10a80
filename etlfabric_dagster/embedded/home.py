"""The home: one folder that holds everything an install on this machine keeps.

Owns the paths and `install.json`, the secrets and ports chosen at the first `up`. It never
changes a secret again.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from pydantic import Field

from etlfabric_dagster.config import INSTALL_FILE, InstallFileSource, Settings, settings
from etlfabric_dagster.embedded import ports, valkey
from etlfabric_dagster.embedded.postgres import MAX_SOCKET_PATH_BYTES, PostgresCluster
from etlfabric_dagster.errors import StackError
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.security.crypto import generate_key

ROLE = DATABASE = SOURCE_DATABASE = "etlfabric"
FOLDERS = ("dagster", "logs", "run", "storage", "valkey")
FIRST_PORT = 15432

CLUSTER_SETTINGS = (
    ("max_connections", "200"),
    ("shared_buffers", "128MB"),
    ("jit", "off"),
    ("temp_file_limit", "20GB"),  # per session; a tenant's login cannot raise it
)


class GivenSettings(Settings):
    """What the operator set in the environment or `.env`, without `install.json`."""

    @classmethod
    def settings_customise_sources(cls, *args: Any, **sources: Any) -> tuple[Any, ...]:
        found = super().settings_customise_sources(*args, **sources)
        return tuple(source for source in found if not isinstance(source, InstallFileSource))


class Install(Value):
    """What `install.json` holds. Keys that settings know are read by `config` too."""

    database_url: str = Field(repr=False)
    redis_url: str = Field(repr=False)
    fernet_keys: str = Field(repr=False)
    jwt_keys: str = Field(repr=False)
    egress_allow: str = ""
    sandbox_socket: str
    database_socket: str | None = None
    postgres_port: int
    valkey_port: int
    source_port: int
    postgres_password: str = Field(repr=False)
    """Superuser of the platform's cluster."""
    platform_password: str = Field(repr=False)
    valkey_password: str = Field(repr=False)
    source_password: str = Field(repr=False)
    """Superuser of the demo's source cluster."""


class Home:
    """Paths of one home, and its install facts once they exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.install_file = path / INSTALL_FILE
        self.run = path / "run"
        self.logs = path / "logs"
        self.lock = self.run / "supervisor.lock"
        self.state = self.run / "stack.json"

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    def prepare(self, demo: bool = True) -> Install:
        """Make the folders and, once, the secrets. Idempotent.

        Args:
            demo: open the demo's source to connections.

        Raises: StackError when the home cannot be written.
        """
        try:
            # Others may pass through, not read: as root, PostgreSQL runs as another OS user.
            mode = 0o711 if os.geteuid() == 0 else 0o700
            self.path.mkdir(mode=mode, parents=True, exist_ok=True)
            self.path.chmod(mode)
            for folder in FOLDERS:
                (self.path / folder).mkdir(mode=0o700, exist_ok=True)
            install = self._current() if self.install_file.exists() else self._first()
            # The only private address that is open from the start.
            source = f"127.0.0.1:{install.source_port}" if demo else ""
            socket = self.platform(install).socket_directory
            install = install.model_copy(
                update={
                    "egress_allow": source,
                    "database_socket": str(socket) if socket else None,
                }
            )
            _write_private(self.install_file, install.model_dump_json(indent=2))
            valkey.configure(self.path / "valkey", install.valkey_port, install.valkey_password)
        except OSError as exc:
            raise StackError(
                f"The home {self.path} cannot be written: {exc.strerror}.",
                "Give this user access to it, or point ETLFABRIC_HOME to another folder.",
                code="home_not_writable",
            ) from exc
        return install

    def install(self) -> Install:
        """The facts of a home that was started before. Raises StackError otherwise."""
        if not self.install_file.exists():
            raise StackError(f"The home {self.path} was never started.", "Run `etlfabric up`.")
        return Install.model_validate(json.loads(self.install_file.read_text()))

    def platform(self, install: Install) -> PostgresCluster:
        """The cluster that holds the platform's databases."""
        return PostgresCluster(
            self.path / "postgres",
            install.postgres_port,
            install.postgres_password,
            CLUSTER_SETTINGS,
        )

    def source(self, install: Install) -> PostgresCluster:
        """The cluster that plays the demo's source: a server of its own, as a real one is."""
        return PostgresCluster(
            self.path / "source-postgres",
            install.source_port,
            install.source_password,
            (("shared_buffers", "32MB"),),
        )

    def _current(self) -> Install:
        install = self.install()
        wanted = {name: getattr(settings, name) for name in ports.EMBEDDED}
        return _with_urls(install.model_dump() | {k: v for k, v in wanted.items() if v})

    def _first(self) -> Install:
        if (self.path / "postgres" / "PG_VERSION").exists():
            raise StackError(
                f"{self.install_file} is missing, but the home holds a database: its passwords "
                "and keys are gone.",
                "Restore install.json from a backup, or point ETLFABRIC_HOME to a new folder.",
                code="install_file_missing",
            )
        passwords = {
            f"{name}_password": secrets.token_urlsafe(24)
            for name in ("postgres", "platform", "valkey", "source")
        }
        keys = {"fernet_keys": generate_key(), "jwt_keys": secrets.token_urlsafe(48)}
        chosen = ports.choose(FIRST_PORT, {n: getattr(settings, n) for n in ports.EMBEDDED})
        return _with_urls(
            passwords | keys | chosen | {"sandbox_socket": str(self._sandbox_socket())}
        )

    def _sandbox_socket(self) -> Path:
        """In the home, or in /tmp where the home's path is too long for a socket."""
        socket = self.run / "sandbox.sock"
        if len(os.fsencode(socket)) < MAX_SOCKET_PATH_BYTES:
            return socket
        return Path(f"/tmp/etlfabric-{secrets.token_hex(8)}/sandbox.sock")


def given() -> GivenSettings:
    """The settings that the operator gave: a URL here means an external server."""
    return GivenSettings()


def _with_urls(facts: dict[str, Any]) -> Install:
    """Everything that follows from the ports and passwords."""
    login = f"{ROLE}:{facts['platform_password']}"
    follows = {
        "database_url": f"postgresql://{login}@127.0.0.1:{facts['postgres_port']}/{DATABASE}",
        "redis_url": valkey.url(facts["valkey_port"], facts["valkey_password"]),
    }
    return Install.model_validate(facts | follows)


def _write_private(path: Path, text: str) -> None:
    """Replace the file in one step, readable by this user only."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)
