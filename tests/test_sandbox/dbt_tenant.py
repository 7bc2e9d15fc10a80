"""A tenant's schemas and logins as provisioning makes them, and dbt jobs through a real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.errors import FabricError
from etlfabric_dagster.sandbox.client import SandboxClient
from etlfabric_dagster.schemas.dbt_models import DbtFile
from etlfabric_dagster.schemas.jobs import (
    DbtProject,
    DoneEvent,
    Job,
    NodeEvent,
    ParseJob,
    PreviewJob,
    QueryJob,
    TransformJob,
    Warehouse,
)
from etlfabric_dagster.testing import SandboxServer

PASSWORD = "canary-login-password"


@dataclass
class Answer:
    """What a child sent back."""

    payload: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, NodeEvent] = field(default_factory=dict)
    error: FabricError | None = None


@dataclass(frozen=True)
class Tenant:
    """One tenant of the test server; `sql` runs as superuser."""

    warehouse: Warehouse
    reader: Warehouse
    dsn: str
    client: SandboxClient

    def sql(self, statement: str, *args: object) -> list[tuple[Any, ...]]:
        """Run a statement, answer its rows."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            cursor = conn.execute(statement, args or None)
            return cursor.fetchall() if cursor.description else []

    def raw(self, table: str, ddl: str, rows: str = "") -> None:
        """Make a raw table, owned as dlt's are."""
        name = f'{self.warehouse.raw}."{table}"'
        self.sql(f"create table {name} ({ddl})")
        self.sql(f"alter table {name} owner to {self.warehouse.owner_role}")
        self.sql(f"grant select on {name} to {self.reader.username}")
        if rows:
            self.sql(f"insert into {name} values {rows}")

    def marts(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """The rows of a mart, ordered."""
        return self.sql(f"select {columns} from {self.warehouse.marts}.{table} order by 1")

    def parse(self, files: dict[str, str], *selectors: str) -> Answer:
        """A ParseJob of these files."""
        return self.run(
            ParseJob(project=project(files), warehouse=self.warehouse, selectors=selectors)
        )

    def build(
        self, files: dict[str, str], *select: str, packed: str | None = None, full: bool = False
    ) -> Answer:
        """A TransformJob of these files."""
        return self.run(
            TransformJob(
                project=project(files),
                warehouse=self.warehouse,
                select=select,
                packed=packed,
                full_refresh=full,
            )
        )

    def preview(self, files: dict[str, str], path: str, **options: Any) -> Answer:
        """A PreviewJob of one of these files, as the read-only login."""
        return self.run(
            PreviewJob(project=project(files), warehouse=self.reader, path=path, **options)
        )

    def query(self, sql: str, **options: Any) -> Answer:
        """A QueryJob, as the read-only login."""
        return self.run(QueryJob(warehouse=self.reader, sql=sql, **options))

    def run(self, job: Job) -> Answer:
        """Send a job to the sandbox server and gather what it says."""
        answer = Answer()
        try:
            with self.client.call(job) as call:
                for event in call:
                    if isinstance(event, NodeEvent):
                        answer.nodes[event.name] = event
                    elif isinstance(event, DoneEvent):
                        answer.payload = event.payload
        except FabricError as exc:
            answer.error = exc
        return answer


def project(files: dict[str, str]) -> DbtProject:
    """The files as a project."""
    return DbtProject(files=tuple(DbtFile(path=p, content=c) for p, c in files.items()))


@pytest.fixture(scope="session")
def data_database(cluster: PostgresCluster) -> str:
    """A database in which nobody has anything that was not granted."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        conn.execute("create database warehouse")
        conn.execute("revoke all on database warehouse from public")
    with psycopg.connect(cluster.dsn("warehouse"), autocommit=True) as conn:
        conn.execute("revoke all on schema public from public")
    return "warehouse"


@pytest.fixture
def tenant(
    cluster: PostgresCluster, data_database: str, sandbox: SandboxServer
) -> Iterator[Tenant]:
    """A fresh tenant: no TEMP, no CREATE on the database, one owner of three schemas."""
    dsn, key = cluster.dsn(data_database), uuid4().hex
    prefix, owner = f"tenant_{key}", f"owner_{key[:8]}"
    login, reader = f"login_{key[:8]}", f"reader_{key[:8]}"
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"create role {owner} nologin")
        conn.execute(f"create role {login} login password '{PASSWORD}' in role {owner}")
        conn.execute(f"alter role {login} set role = {owner}")
        conn.execute(f"create role {reader} login password '{PASSWORD}'")
        conn.execute(f"grant connect on database {data_database} to {owner}, {login}, {reader}")
        for schema in ("raw", "staging", "marts"):
            conn.execute(f"create schema {prefix}_{schema} authorization {owner}")
            conn.execute(f"grant usage on schema {prefix}_{schema} to {reader}")
            conn.execute(
                f"alter default privileges for role {owner} in schema {prefix}_{schema} "
                f"grant select on tables to {reader}"
            )
    common: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": cluster.port,
        "database": data_database,
        "password": PASSWORD,
        "owner_role": owner,
        "schema_prefix": prefix,
    }
    yield Tenant(
        Warehouse(username=login, **common),
        Warehouse(username=reader, **common),
        dsn,
        sandbox.client,
    )
    with psycopg.connect(dsn, autocommit=True) as conn:
        for role in (owner, login, reader):
            conn.execute(f"drop owned by {role} cascade")
            conn.execute(f"drop role {role}")
