"""Real source databases, and a way to load raw files as the loader does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from etlfabric_dagster.connectors.base import PG_TYPE_HINT, ExtractContext
from etlfabric_dagster.connectors.sql_database.extract import read_stream
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.schemas.jobs import EgressPolicy, SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan

LOOPBACK = EgressPolicy(allow=("127.0.0.0/8",))


@dataclass
class Source:
    """A source database: how to change it, and the connection that reads it."""

    dsn: str
    config: SourceConfig

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def with_config(self, **changes: Any) -> SourceConfig:
        return self.config.model_copy(update={"config": {**self.config.config, **changes}})

    def with_secrets(self, **secrets: str) -> SourceConfig:
        return self.config.model_copy(update={"secrets": {**self.config.secrets, **secrets}})


@pytest.fixture
def source(cluster: PostgresCluster, request: pytest.FixtureRequest) -> Iterator[Source]:
    """An empty PostgreSQL database of the test's own."""
    name = "src_" + re.sub(r"\W", "", request.node.name)[:40].lower()
    with psycopg.connect(cluster.dsn(), autocommit=True) as admin:
        admin.execute(f"create database {name}")
        config = {
            "dialect": "postgresql",
            "host": "127.0.0.1",
            "port": cluster.port,
            "database": name,
            "username": "postgres",
        }
        secrets = {"password": cluster.superuser_password}
        connection = SourceConfig(
            connector="sql_database", config=config, secrets=secrets, egress=LOOPBACK
        )
        yield Source(cluster.dsn(name), connection)
        admin.execute(f"drop database {name} with (force)")


@dataclass
class Loader:
    """Reads streams and loads their files into `schema` by the agreement of connectors.base."""

    dsn: str
    workdir: str
    schema: str = "raw"
    warnings: list[str] = field(default_factory=list)
    context: ExtractContext = field(init=False)

    def __post_init__(self) -> None:
        warn = lambda stream, text: self.warnings.append(f"{stream}: {text}")  # noqa: E731
        self.context = ExtractContext(self.workdir, warn=warn, hash_key="org-key")

    def read(self, source: SourceConfig, name: str, **plan: Any) -> Any:
        plan = {"mode": LoadMode.FULL, "table": f"shop__{name}", **plan}
        layout, files, state = read_stream(
            Target.parse(source), StreamPlan(name=name, **plan), self.context, "1.0"
        )
        if state is not None:
            self.context.state[name] = state
        return layout, files

    def load(self, source: SourceConfig, name: str, into: str = "t", **plan: Any) -> int:
        """Load into a fresh table `into`; rows read."""
        layout, files = self.read(source, name, **plan)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(raw), sql.SQL(hints[PG_TYPE_HINT]))
            for raw, hints in layout.hints.items()
        )
        table = sql.Identifier(self.schema, into)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(f"create schema if not exists {self.schema}")
            connection.execute(sql.SQL("drop table if exists {}").format(table))
            connection.execute(sql.SQL("create table {} ({})").format(table, columns))
            for path, _ in files:
                self._copy(connection, table, Path(path))
        return sum(rows for _, rows in files)

    def _copy(self, connection: psycopg.Connection, table: sql.Identifier, path: Path) -> None:
        with path.open("rb") as file:
            names = [name.strip('"') for name in file.readline().decode().strip().split(",")]
            file.seek(0)
            copy = sql.SQL(r"copy {} ({}) from stdin (format csv, header, null '\N')").format(
                table, sql.SQL(", ").join(map(sql.Identifier, names))
            )
            with connection.cursor().copy(copy) as stream:
                while chunk := file.read(1 << 20):
                    stream.write(chunk)


@pytest.fixture
def loader(source: Source, tmp_path: Path) -> Loader:
    """Loads into the schema `raw` of the source's own database, where both can be compared."""
    return Loader(source.dsn, str(tmp_path))
