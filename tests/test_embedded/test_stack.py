"""`up`, `status` and what refuses to start, with real servers. Its end is in test_endings."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import psycopg

from etlfabric_dagster.embedded.bootstrap import bootstrap
from etlfabric_dagster.embedded.home import DATABASE, ROLE
from etlfabric_dagster.embedded.state import ProcessState, State
from tests.stacks import Stack, new_stack, wait_for


def test_up_starts_every_process_and_status_says_healthy(stack: Stack) -> None:
    found = stack.status()
    assert found["processes"]
    assert [p for p in found["processes"] if not p["healthy"]] == []
    assert all(psutil.pid_exists(p["pid"]) for p in found["processes"])
    assert {name: why for name, why in found["controls"].items() if why != "on"} == {}


def test_second_up_says_that_it_is_up_and_starts_nothing(stack: Stack) -> None:
    before = stack.state()
    done = stack.run("up", "--detach")
    assert done.returncode == 0
    assert "is up already" in " ".join(done.stderr.split())
    assert stack.state() == before


def test_up_whose_output_nobody_reads_ends_well(stack: Stack) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            stack.command("up", "--detach"),
            env=stack.environment,
            stdout=subprocess.PIPE,
            stderr=closed,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, b"")


def test_killed_process_is_restarted(stack: Stack) -> None:
    before = stack.state().processes["valkey"].pid
    assert before
    psutil.Process(before).send_signal(signal.SIGKILL)

    def valkey() -> ProcessState:
        return stack.state().processes["valkey"]

    wait_for(lambda: valkey().state is State.HEALTHY and valkey().pid != before)
    assert valkey().restarts > 0
    wait_for(lambda: stack.unhealthy() == [])  # each says anew that it is alive


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


def test_logs_prints_what_a_process_wrote_and_names_the_others(stack: Stack) -> None:
    assert "ready to accept connections" in stack.run("logs", "postgres").stdout
    refused = stack.run("logs", "nobody")
    assert refused.returncode == 1
    assert "postgres" in refused.stderr


def test_no_secret_stands_on_a_command_line_or_in_a_log(stack: Stack) -> None:
    facts = json.loads(stack.home.install_file.read_text())
    secrets = [v for k, v in facts.items() if k.endswith(("_password", "_keys"))]
    seen = [" ".join(p.cmdline()) for p in stack.alive()]
    seen += [path.read_text(errors="replace") for path in stack.home.logs.iterdir()]
    assert secrets
    assert [text for text in seen if any(secret in text for secret in secrets)] == []
