"""`up`, `status`, `down` and what a crash leaves, with real servers and real signals."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

import psutil
import psycopg
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster.embedded.state import Phase, State
from tests.test_embedded.conftest import Stack, new_stack

wait_for = retry(stop=stop_after_delay(30), wait=wait_fixed(0.05), reraise=True)


def still_running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that live; a zombie has ended."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def platform_dsn(stack: Stack) -> str:
    return stack.home.platform(stack.home.install()).dsn("etlfabric")


def test_up_starts_every_process_and_status_says_healthy(stack: Stack) -> None:
    stack.up()
    found = stack.status()
    assert found["processes"]
    assert [p for p in found["processes"] if not p["healthy"]] == []
    assert all(psutil.pid_exists(p["pid"]) for p in found["processes"])
    assert found["controls"]["functions_closed_to_public"] == "on"
    assert found["controls"]["home_private"] == "on"


def test_second_up_says_that_it_is_up_and_starts_nothing(stack: Stack) -> None:
    stack.up()
    before = stack.state()
    done = stack.run("up", "--detach")
    assert done.returncode == 0
    assert "is up already" in " ".join(done.stderr.split())
    assert stack.state() == before


def test_down_leaves_no_process_and_may_be_repeated(stack: Stack) -> None:
    stack.up()
    running = stack.alive()
    assert len(running) > 4
    assert stack.run("down").returncode == 0
    assert still_running(running) == []
    assert stack.run("down").returncode == 0


def test_killed_process_is_restarted(stack: Stack) -> None:
    stack.up()
    before = stack.state().processes["valkey"].pid
    assert before
    psutil.Process(before).send_signal(signal.SIGKILL)

    @wait_for
    def restarted() -> None:
        now = stack.state().processes["valkey"]
        assert (now.state, now.restarts > 0, now.pid != before) == (State.HEALTHY, True, True)

    restarted()


def test_up_after_kill_of_supervisor_recovers_and_keeps_data(stack: Stack) -> None:
    stack.up()
    with psycopg.connect(platform_dsn(stack), autocommit=True) as conn:
        conn.execute("CREATE TABLE public.kept_by_test AS SELECT 1 AS one")
    orphans = stack.alive()
    psutil.Process(stack.state().supervisor).send_signal(signal.SIGKILL)
    stack.up()
    assert still_running(orphans) == []
    with psycopg.connect(platform_dsn(stack), autocommit=True) as conn:
        assert conn.execute("SELECT one FROM public.kept_by_test").fetchone() == (1,)
        conn.execute("DROP TABLE public.kept_by_test")


def test_down_ends_what_a_killed_supervisor_left(stack: Stack) -> None:
    stack.up()
    running = stack.alive()
    psutil.Process(stack.state().supervisor).send_signal(signal.SIGKILL)
    assert stack.run("down").returncode == 0
    assert still_running(running) == []


def test_foreground_up_stops_everything_when_it_is_killed(stack: Stack) -> None:
    stack.run("down")
    foreground = psutil.Popen(
        stack.command("up"),
        env=stack.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    @wait_for
    def ready() -> None:
        assert stack.state().phase is Phase.READY

    ready()
    running = stack.alive()
    foreground.kill()
    foreground.wait()
    psutil.wait_procs(running, timeout=30)
    assert still_running(running) == []


def test_taken_port_is_named_with_its_setting(stack: Stack) -> None:
    stack.run("down")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", int(stack.environment["ETLFABRIC_VALKEY_PORT"])))
        sock.listen()
        error = stack.error("up", "--detach")
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


def test_database_newer_than_the_code_is_refused(stack: Stack) -> None:
    stack.up()
    with psycopg.connect(platform_dsn(stack), autocommit=True) as conn:
        row = conn.execute("SELECT version_num FROM public.alembic_version").fetchone()
        assert row is not None
        conn.execute("UPDATE public.alembic_version SET version_num = 'from_the_future'")
    stack.run("down")
    try:
        error = stack.error("up", "--detach")
        assert error["code"] == "database_newer"
        assert stack.alive() == []
    finally:
        with stack.servers(), psycopg.connect(platform_dsn(stack), autocommit=True) as conn:
            conn.execute("UPDATE public.alembic_version SET version_num = %s", row)


def test_unreachable_redis_is_refused(stack: Stack) -> None:
    stack.run("down")
    error = stack.error("up", "--detach", ETLFABRIC_REDIS_URL="redis://127.0.0.1:1/0")
    assert error["code"] == "redis_unreachable", error


def test_logs_prints_what_a_process_wrote_and_names_the_others(stack: Stack) -> None:
    stack.up()
    assert "ready to accept connections" in stack.run("logs", "postgres").stdout
    assert "postgres" in stack.error("logs", "nobody")["remedy"]


def test_no_secret_stands_on_a_command_line_or_in_a_log(stack: Stack) -> None:
    stack.up()
    facts = json.loads(stack.home.install_file.read_text())
    secrets = [v for k, v in facts.items() if k.endswith(("_password", "_keys"))]
    seen = [" ".join(p.cmdline()) for p in stack.alive()]
    seen += [path.read_text(errors="replace") for path in stack.home.logs.iterdir()]
    assert secrets
    assert [text for text in seen if any(secret in text for secret in secrets)] == []
