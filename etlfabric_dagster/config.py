"""`settings`: every knob of an install, from the environment, `.env` and the home's `install.json`.

Precedence: environment, `.env`, then `install.json`, which `etlfabric up` writes with what it
generated
(URLs of the embedded servers, keys). Nothing below the interfaces reads the environment itself.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy import URL, make_url

from etlfabric_dagster.errors import StackError

INSTALL_FILE = "install.json"


class InstallFileSource(PydanticBaseSettingsSource):
    """Reads `{home}/install.json`, the lowest of the sources."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        home = Path(self.current_state.get("home") or Settings.model_fields["home"].default)
        path = home / INSTALL_FILE
        try:
            return json.loads(path.read_text()) if path.exists() else {}
        except (OSError, ValueError) as exc:
            raise StackError(
                f"{path} cannot be read: {exc}",
                "Give this user access to the home, or point ETLFABRIC_HOME elsewhere.",
            ) from exc


class Settings(BaseSettings):
    """The settings of one install. See docs/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix="ETLFABRIC_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    home: Path = Path("./.etlfabric")
    database_url: SecretStr | None = None
    database_socket: Path | None = None
    """Folder of the database's Unix socket, where it is on this machine."""
    redis_url: SecretStr | None = None
    superuser_url: SecretStr | None = None
    """Of an external server, for the migrate step alone: it then creates the platform's role and
    databases itself, and closes what only a superuser can.
    """
    storage_url: str | None = None
    fernet_keys: Annotated[list[SecretStr], NoDecode] = Field(default_factory=list)
    """Newest first; the newest seals, all open."""
    jwt_keys: Annotated[list[SecretStr], NoDecode] = Field(default_factory=list)
    """Newest first; the newest signs, all verify."""
    egress_allow: Annotated[list[str], NoDecode] = Field(default_factory=list)
    public_api_url: str | None = None
    """Where browsers reach the API, behind a proxy; else the page's host on `api_port`."""
    public_dagster_url: str | None = None
    """Where operators reach Dagster, behind a proxy; else the page's host on `dagster_port`."""
    ui_port: int = 3000
    api_port: int = 8000
    dagster_port: int = 3001
    postgres_port: int | None = None
    """Port of the embedded PostgreSQL; chosen at the first `up` when unset."""
    valkey_port: int | None = None
    """Port of the embedded Valkey, likewise."""
    source_port: int | None = None
    """Port of the demo's source database, likewise."""
    bind_host: str = "127.0.0.1"
    cors_origins: Annotated[list[str], NoDecode] = Field(default_factory=list)
    """Origins besides the control panel's on this machine whose pages may call with a cookie."""
    public_url: str | None = None
    """Where people reach the control panel; links in letters begin with it."""
    operator_contact: str | None = None
    """Whom people write to when only the operator can help, as the panel offers it to be copied."""
    rate_limit_per_minute: int = 1200
    """Requests of one person, or of one address without a person; 0 = no limit."""
    signup: bool = True
    """Whether people may register themselves, each with an org of their own."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses whose X-Forwarded-For is believed, comma-separated."""
    workers: int = 2
    """Run slots of one worker process."""
    interactive_workers: int = 1
    lease_s: float = 15
    max_attempts: int = 3
    default_max_concurrent_runs: int = 2
    query_timeout_s: float = 30
    run_timeout_s: float = 6 * 3600
    sandbox_memory_mib: int = 2048
    sandbox_socket: Path | None = None
    retention_days: int = Field(default=30, ge=0)
    """Run history, run logs and Dagster's records are kept so long; 0 = for ever."""
    drain_s: float = Field(default=8, ge=0)
    """How long a worker that is told to stop lets its runs end before it hands them over."""
    log_level: str = "INFO"
    smtp_url: SecretStr | None = None
    """`smtp://user:password@host:587` or `smtps://…:465`; unset: mail is kept in the home."""
    mail_from: str = "etlfabric@localhost"
    bi_host: str | None = None
    """Host that BI tools should use; the database URL's host by default."""

    @field_validator("fernet_keys", "jwt_keys", "egress_allow", "cors_origins", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, InstallFileSource(settings_cls)

    @property
    def home_dir(self) -> Path:
        """The home, absolute."""
        return self.home.expanduser().resolve()

    @cached_property
    def database(self) -> URL:
        """The platform database. Raises StackError when the install was never started."""
        if self.database_url is None:
            raise StackError(
                f"No database is configured for the home {self.home_dir}.",
                "Run `etlfabric up`, or set ETLFABRIC_DATABASE_URL.",
            )
        return make_url(self.database_url.get_secret_value()).set(drivername="postgresql")

    @property
    def database_socket_directory(self) -> Path | None:
        """Where the platform database's Unix socket stands now; None where there is none."""
        if self.database_socket is None:
            return None
        socket = self.database_socket / f".s.PGSQL.{self.database.port or 5432}"
        return self.database_socket if socket.exists() else None

    @property
    def dagster_database(self) -> URL:
        """Dagster's own database on the same server: `<name>_dagster`."""
        return self.database.set(database=f"{self.database.database}_dagster")

    @property
    def redis(self) -> str:
        """The broker's URL. Raises StackError when the install was never started."""
        if self.redis_url is None:
            raise StackError(
                f"No Redis is configured for the home {self.home_dir}.",
                "Run `etlfabric up`, or set ETLFABRIC_REDIS_URL.",
            )
        return self.redis_url.get_secret_value()

    @property
    def panel_url(self) -> str:
        """Where people reach the control panel, without a slash at the end."""
        return (self.public_url or f"http://localhost:{self.ui_port}").rstrip("/")

    @property
    def storage(self) -> str:
        """fsspec URL under which uploads and run logs are kept."""
        return self.storage_url or f"file://{self.home_dir}/storage"

    @property
    def sandbox_path(self) -> Path:
        """Unix socket of the sandbox server."""
        return self.sandbox_socket or self.home_dir / "run" / "sandbox.sock"

    @property
    def allowed_origins(self) -> list[str]:
        """Whose pages may call the API with a cookie: the panel's own, and `cors_origins`."""
        own = [f"http://{host}:{self.ui_port}" for host in ("localhost", "127.0.0.1")]
        return [*own, *filter(None, [self.public_url and self.panel_url]), *self.cors_origins]

    @property
    def platform_addresses(self) -> tuple[str, ...]:
        """`host:port` of the platform's own servers: closed to sources whatever is allowed."""
        addresses = [f"{self.database.host or '127.0.0.1'}:{self.database.port or 5432}"]
        if self.redis_url is not None:
            redis = make_url(self.redis_url.get_secret_value())
            addresses.append(f"{redis.host or '127.0.0.1'}:{redis.port or 6379}")
        return tuple(addresses)


settings = Settings()


def reload_settings() -> Settings:
    """Read all sources again, in place: for `up`, which writes install.json, and for tests."""
    fresh = Settings()
    vars(settings).clear()
    vars(settings).update(vars(fresh))
    return settings
