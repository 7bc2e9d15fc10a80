"""Servers that the operator runs: what does not fit is refused with the statement that helps."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL

from etlfabric_dagster.embedded import external, migrate
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.errors import CryptoError, StackError
from etlfabric_dagster.schemas.orgs import OrgOut
from etlfabric_dagster.security.crypto import generate_key
from etlfabric_dagster.services import vault
from etlfabric_dagster.testing import ValkeyServer, free_port

NAME = "operator_owned"


@pytest.fixture
def server(source_cluster: PostgresCluster) -> Iterator[psycopg.Connection]:
    """A superuser's connection; what a test made is gone afterwards."""
    with psycopg.connect(source_cluster.dsn(), autocommit=True) as conn:
        yield conn
        for database in (f"{NAME}_dagster", NAME):
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database)))
        conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(NAME)))


def url_of_new_role(conn: psycopg.Connection, options: str) -> URL:
    """A role and its empty database."""
    role = sql.Identifier(NAME)
    conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pw' {}").format(role, sql.SQL(options)))
    conn.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
    return URL.create("postgresql", NAME, "pw", "127.0.0.1", conn.info.port, NAME)


def test_role_without_rights_is_told_the_grants(server: psycopg.Connection) -> None:
    url = url_of_new_role(server, "")
    with pytest.raises(StackError) as refused:
        external.require_database(url)
    assert refused.value.code == "database_rights"
    assert f'ALTER ROLE "{NAME}" CREATEROLE' in refused.value.remedy
    assert f'GRANT pg_signal_backend TO "{NAME}"' in refused.value.remedy


def test_missing_dagster_database_is_told_the_statement(server: psycopg.Connection) -> None:
    url = url_of_new_role(server, "CREATEROLE IN ROLE pg_signal_backend")
    with pytest.raises(StackError) as refused:
        external.require_database(url)
    assert refused.value.code == "database_missing"
    server.execute(refused.value.remedy.removeprefix("As superuser: ").encode())
    external.require_database(url)


def test_dagster_database_is_created_once_and_closed_to_others(server: psycopg.Connection) -> None:
    url = url_of_new_role(server, "CREATEROLE CREATEDB IN ROLE pg_signal_backend")
    external.require_database(url)
    external.require_database(url)
    row = server.execute(
        "SELECT has_database_privilege('public', oid, 'CONNECT') FROM pg_database"
        " WHERE datname = %s",
        (f"{NAME}_dagster",),
    ).fetchone()
    assert row == (False,)


def test_wrong_password_names_the_server_and_not_the_password(server: psycopg.Connection) -> None:
    url = url_of_new_role(server, "").set(password="not-this-one")
    with pytest.raises(StackError) as refused:
        external.require_database(url)
    assert refused.value.code == "database_unreachable"
    assert f"127.0.0.1:{server.info.port}" in refused.value.message
    assert "not-this-one" not in refused.value.message + refused.value.remedy


def test_redis_is_asked_for_real(valkey: ValkeyServer) -> None:
    external.require_redis(valkey.url)
    with pytest.raises(StackError) as refused:
        external.require_redis(f"redis://127.0.0.1:{free_port()}/0")
    assert refused.value.code == "redis_unreachable"


async def test_key_that_does_not_open_the_database_is_refused(
    org: OrgOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.require_fitting_keys()
    wrong = vault.Vault([generate_key()])
    monkeypatch.setattr(migrate, "vault", lambda: wrong)
    with pytest.raises(CryptoError) as refused:
        migrate.require_fitting_keys()
    assert refused.value.code == "crypto_key"
    assert "ETLFABRIC_FERNET_KEYS" in refused.value.remedy
