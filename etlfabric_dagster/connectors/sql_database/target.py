"""A database to read, parsed from a connection."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from etlfabric_dagster.connectors.sql_database.spec import SPEC
from etlfabric_dagster.connectors.validation import validate_connection
from etlfabric_dagster.errors import ConnectorError
from etlfabric_dagster.schemas.jobs import EgressPolicy, SourceConfig

_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}


@dataclass(frozen=True)
class SshServer:
    """The SSH server that leads to the database."""

    host: str
    port: int
    username: str
    private_key: str = field(repr=False)
    host_key: str | None


@dataclass(frozen=True)
class Target:
    """Where the database is, who reads it, and how it must be reached."""

    dialect: str
    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    schema: str
    tls: str
    ca: str | None
    ssh: SshServer | None
    egress: EgressPolicy

    @classmethod
    def parse(cls, source: SourceConfig) -> Target:
        """Raises InvalidInputError naming the field; ConnectorError without the SSH key."""
        validate_connection(SPEC, source.config, source.secrets)
        config = source.config
        dialect = config["dialect"]
        return cls(
            dialect=dialect,
            host=config["host"],
            port=config.get("port", _PORTS[dialect]),
            database=config["database"],
            username=config["username"],
            password=source.secrets["password"],
            schema=config.get("schema") or _default_schema(dialect, config),
            tls=config.get("tls", "prefer"),
            ca=config.get("ca"),
            ssh=_ssh(source),
            egress=source.egress,
        )

    def trusting(self, host_key: str) -> Target:
        """The same, with the SSH server's host key known; an empty one changes nothing."""
        if not (self.ssh and host_key):
            return self
        return replace(self, ssh=replace(self.ssh, host_key=host_key))

    @property
    def address(self) -> str:
        """`host:port`, for messages."""
        return f"{self.host}:{self.port}"


def _default_schema(dialect: str, config: dict[str, str]) -> str:
    own = {"postgresql": "public", "mssql": "dbo", "oracle": config["username"].upper()}
    return own.get(dialect, config["database"])


def _ssh(source: SourceConfig) -> SshServer | None:
    ssh = source.config.get("ssh")
    if ssh is None:
        return None
    key = source.secrets.get("ssh_private_key")
    if not key:
        raise ConnectorError(
            f"The SSH tunnel through {ssh['host']} has no private key.",
            "Give the secret “ssh_private_key”.",
            code="missing_secret",
            field="secrets.ssh_private_key",
        )
    return SshServer(ssh["host"], ssh.get("port", 22), ssh["username"], key, ssh.get("host_key"))
