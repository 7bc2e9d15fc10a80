"""The fork server: what a child may see and use, and that nothing of it stays."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from etlfabric_dagster.errors import ConnectorError, SandboxError
from etlfabric_dagster.sandbox.client import Call, SandboxClient
from etlfabric_dagster.sandbox.server import command
from etlfabric_dagster.schemas.jobs import CheckJob, DiscoverJob, DoneEvent, Limits, SourceConfig
from etlfabric_dagster.testing import SandboxServer, sandbox_server
from tests.processes import lives, pid_lives

SECRET = "canary-secret-9481"


def job(do: str, limits: Limits | None = None, **config: Any) -> CheckJob:
    source = SourceConfig(
        connector="plugin", config={"do": do, **config}, secrets={"password": SECRET}
    )
    return CheckJob(source=source, limits=limits or Limits(wall_s=60))


def look(sandbox: SandboxServer) -> dict[str, Any]:
    return json.loads(sandbox.client.run(job("look")).payload["cause"])


@retry(stop=stop_after_delay(20), wait=wait_fixed(0.01), retry=retry_if_result(lambda ok: not ok))
def wait_for(condition: Callable[[], bool]) -> bool:
    return condition()


def hang(sandbox: SandboxServer, tell: Path) -> tuple[Call, int, int, Path]:
    """A call whose child hangs: the call, child, grandchild, private folder."""
    call = sandbox.client.call(job("sleep", tell=str(tell)))
    wait_for(tell.exists)
    child, grandchild, folder = json.loads(tell.read_text())
    return call, child, grandchild, Path(folder)


def test_a_child_sees_no_setting_and_none_of_the_platform(sandbox: SandboxServer) -> None:
    seen = look(sandbox)
    assert not [name for name in seen["environment"] if name.startswith("ETLFABRIC_")]
    platform = {"config", "db", "queue", "models", "services", "tasks", "orchestration"}
    assert not [
        m
        for m in seen["modules"]
        if m.split(".")[:2] in [["etlfabric_dagster", part] for part in platform]
    ]
    assert "dagster" not in seen["modules"]


def test_a_child_has_a_private_folder_and_its_own_session(sandbox: SandboxServer) -> None:
    seen = look(sandbox)
    assert (seen["directory_mode"], seen["session"]) == ("0o700", True)
    assert seen["environment"]["HOME"] == seen["directory"]
    wait_for(lambda: not Path(seen["directory"]).exists())


def test_the_socket_is_the_owners_alone(sandbox: SandboxServer) -> None:
    assert stat.S_IMODE(sandbox.socket_path.stat().st_mode) == 0o600


def test_children_do_not_hold_each_others_connections(
    sandbox: SandboxServer, tmp_path: Path
) -> None:
    alone = look(sandbox)["descriptors"]
    call, *_ = hang(sandbox, tmp_path / "tell")
    with call:
        assert look(sandbox)["descriptors"] == alone


def test_discover_answers_with_a_discovery(sandbox: SandboxServer) -> None:
    source = SourceConfig(connector="plugin", config={})
    payload = sandbox.client.run(DiscoverJob(source=source)).payload
    assert payload["streams"][0]["columns"] == [{"name": "id", "type": "int8", "nullable": True}]


def test_an_error_keeps_its_class_code_and_facts_but_no_secret(sandbox: SandboxServer) -> None:
    with pytest.raises(ConnectorError) as caught:
        sandbox.client.run(job("refuse"))
    error = caught.value
    assert (error.code, error.remedy, error.where) == ("bad_login", "Check it.", {"host": "db"})
    assert "db refused" in error.message
    assert SECRET not in f"{error.message}{error.__notes__}"


def test_an_unforeseen_error_is_told_without_secrets(sandbox: SandboxServer) -> None:
    with pytest.raises(SandboxError, match="RuntimeError: boom •••") as caught:
        sandbox.client.run(job("stumble"))
    assert caught.value.code == "unforeseen"
    assert SECRET not in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("do", "limits", "code"),
    [
        ("sleep", Limits(wall_s=0.5), "sandbox_timeout"),
        ("burn", Limits(wall_s=60, cpu_s=1), "sandbox_timeout"),
        ("die", Limits(wall_s=60), "sandbox_killed"),
        ("crash", Limits(wall_s=60), "sandbox_crash"),
    ],
)
def test_a_death_without_a_verdict_tells_its_cause(
    sandbox: SandboxServer, tmp_path: Path, do: str, limits: Limits, code: str
) -> None:
    with pytest.raises(SandboxError) as caught:
        sandbox.client.run(job(do, limits, tell=str(tmp_path / "tell")))
    assert caught.value.code == code
    assert caught.value.remedy


def test_memory_is_limited(sandbox: SandboxServer) -> None:
    limits = Limits(wall_s=60, memory_mib=200)
    assert sandbox.client.run(job("hoard", limits, mib=100)).payload["cause"] == str(100 << 20)
    with pytest.raises(SandboxError) as caught:
        sandbox.client.run(job("hoard", limits, mib=300))
    assert caught.value.code == "sandbox_memory"


def test_closing_a_call_kills_child_and_descendants_and_wipes(
    sandbox: SandboxServer, tmp_path: Path
) -> None:
    call, child, grandchild, folder = hang(sandbox, tmp_path / "tell")
    call.close()
    wait_for(lambda: not (pid_lives(child) or pid_lives(grandchild) or folder.exists()))
    with pytest.raises(SandboxError, match="stopped"):
        next(call)


def test_closing_from_another_thread_ends_the_iteration(
    sandbox: SandboxServer, tmp_path: Path
) -> None:
    call, *_ = hang(sandbox, tmp_path / "tell")
    threading.Timer(0.1, call.close).start()
    with pytest.raises(SandboxError, match="stopped"):
        next(call)


def test_the_death_of_the_caller_kills_the_child(sandbox: SandboxServer, tmp_path: Path) -> None:
    tell = tmp_path / "tell"
    script = (
        "import sys; from etlfabric_dagster.sandbox.client import SandboxClient;"
        "from etlfabric_dagster.schemas.jobs import CheckJob;"
        "SandboxClient(sys.argv[1]).run(CheckJob.model_validate_json(sys.argv[2]))"
    )
    body = job("sleep", tell=str(tell)).model_dump_json()
    caller = subprocess.Popen([sys.executable, "-c", script, str(sandbox.socket_path), body])
    wait_for(tell.exists)
    caller.kill()
    caller.wait()
    child, grandchild, folder = json.loads(tell.read_text())
    wait_for(lambda: not (pid_lives(child) or pid_lives(grandchild) or Path(folder).exists()))


def test_killed_children_leave_no_zombies(sandbox: SandboxServer) -> None:
    for _ in range(3):
        with pytest.raises(SandboxError):
            sandbox.client.run(job("die"))
    server = psutil.Process(sandbox.process.pid)
    wait_for(lambda: all(lives(child) for child in server.children()))


def waiting(sandbox: SandboxServer) -> set[int]:
    """Children without a call: those of a call are leaders of a session of their own."""
    server = psutil.Process(sandbox.process.pid)
    return {one.pid for one in server.children() if _waits(one, server.cmdline())}


def _waits(child: psutil.Process, line: list[str]) -> bool:
    try:
        return child.cmdline() == line and os.getsid(child.pid) != child.pid
    except (psutil.NoSuchProcess, ProcessLookupError):  # ended meanwhile, or a zombie
        return False


def test_the_next_child_is_forked_ahead_and_takes_the_next_call(sandbox: SandboxServer) -> None:
    wait_for(lambda: len(waiting(sandbox)) == 1)
    (ahead,) = waiting(sandbox)
    assert look(sandbox)["pid"] == ahead
    wait_for(lambda: len(waiting(sandbox) - {ahead}) == 1)


def test_a_waiting_child_that_is_killed_is_replaced(sandbox: SandboxServer) -> None:
    wait_for(lambda: len(waiting(sandbox)) == 1)
    (ahead,) = waiting(sandbox)
    os.kill(ahead, signal.SIGKILL)
    wait_for(lambda: len(waiting(sandbox) - {ahead}) == 1)
    assert look(sandbox)["pid"] != ahead


def test_calls_run_side_by_side(sandbox: SandboxServer, tmp_path: Path) -> None:
    call, *_ = hang(sandbox, tmp_path / "tell")
    with call:
        pids = {look(sandbox)["pid"] for _ in range(3)}
    assert len(pids) == 3


def test_done_is_the_last_event(sandbox: SandboxServer) -> None:
    events = list(sandbox.client.call(job("look")))
    assert isinstance(events[-1], DoneEvent)


def test_a_killed_server_takes_its_children_along_and_the_next_one_wipes(
    tmp_path: Path, plugins: tuple[Path, Path]
) -> None:
    with _told_a_secret(tmp_path, plugins) as first:
        assert SECRET not in Path(f"/proc/{first.process.pid}/environ").read_text()
        assert SECRET not in first.client.run(job("look")).model_dump_json()
        folder = _end_while_busy(first, signal.SIGKILL, tmp_path / "first")
    with sandbox_server(tmp_path, plugins) as second:
        assert not folder.exists()
        assert look(second)["pid"]
        _end_while_busy(second, signal.SIGTERM, tmp_path / "second")


@contextmanager
def _told_a_secret(directory: Path, plugins: tuple[Path, Path]) -> Iterator[SandboxServer]:
    """A server whose starter leaves a key in its environment."""
    path = os.pathsep.join(map(str, plugins))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "ETLFABRIC_FERNET_KEYS": SECRET}
    socket_path = directory / "sandbox.sock"
    process = subprocess.Popen(command(socket_path), env=environment, stdout=subprocess.DEVNULL)
    try:
        client = SandboxClient(socket_path)
        client.wait_ready(120)
        yield SandboxServer(client, socket_path, process)
    finally:
        process.kill()
        process.wait()


def _end_while_busy(server: SandboxServer, number: signal.Signals, tell: Path) -> Path:
    """End the server while a child hangs, see that the child dies; its private folder."""
    call, child, _, folder = hang(server, tell)
    server.process.send_signal(number)
    server.process.wait()
    wait_for(lambda: not pid_lives(child))
    with pytest.raises(SandboxError):
        next(call)
    return folder


def test_a_second_server_on_the_same_socket_is_refused(sandbox: SandboxServer) -> None:
    done = subprocess.run(command(sandbox.socket_path), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Another sandbox server" in done.stderr


def test_no_server_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="does not answer") as caught:
        SandboxClient(tmp_path / "none.sock").run(job("look"))
    assert caught.value.code == "sandbox_down"
