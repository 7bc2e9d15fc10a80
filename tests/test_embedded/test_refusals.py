"""What refuses to start, and says why."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg

from etlfabric_dagster.embedded.bootstrap import bootstrap
from etlfabric_dagster.embedded.home import DATABASE, ROLE
from tests.stacks import Stack, new_stack


def test_taken_port_is_named_with_its_setting(refused: Stack) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", int(refused.environment["ETLFABRIC_VALKEY_PORT"])))
        sock.listen()
        error = refused.error("up", "--detach")
    assert error["code"] == "port_taken"
    assert "ETLFABRIC_VALKEY_PORT" in error["remedy"]


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    error = new_stack(tmp_path / "home").error("up", "--detach")
    assert error["code"] == "home_not_writable"
    assert "ETLFABRIC_HOME" in error["remedy"]


def test_database_of_a_lost_install_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "home" / "postgres").mkdir(parents=True)
    (tmp_path / "home" / "postgres" / "PG_VERSION").write_text("18")
    error = new_stack(tmp_path / "home").error("up", "--detach")
    assert error["code"] == "install_file_missing"


def test_database_newer_than_the_code_is_refused(refused: Stack) -> None:
    install = refused.home.prepare()
    cluster = refused.home.platform(install)
    cluster.ensure_initialized()
    with refused.servers():
        bootstrap(cluster.dsn(), ROLE, install.platform_password, DATABASE)
        with psycopg.connect(install.database_url, autocommit=True) as conn:
            conn.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
            conn.execute("INSERT INTO alembic_version VALUES ('from_the_future')")
    error = refused.error("up", "--detach", "--no-demo")
    assert error["code"] == "database_newer"
    assert refused.alive() == []


def test_unreachable_redis_is_refused(refused: Stack) -> None:
    url = {"ETLFABRIC_REDIS_URL": "redis://127.0.0.1:1/0"}
    error = refused.error("up", "--detach", "--no-demo", **url)
    assert error["code"] == "redis_unreachable"
    assert refused.alive() == []
