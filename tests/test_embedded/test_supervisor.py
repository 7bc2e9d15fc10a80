"""The supervisor over shell commands that behave badly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from etlfabric_dagster.embedded.home import Home
from etlfabric_dagster.embedded.state import Phase, StackState, State
from tests.stacks import still_running, wait_for

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


@contextmanager
def supervising(home: Path, **scripts: tuple[str, float]) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor over `sh -c SCRIPT` for each name; killed at the end if it still runs."""
    command = [sys.executable, "-m", "tests.test_embedded.tiny", str(home), json.dumps(scripts)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def state_of(home: Path) -> StackState | None:
    return StackState.read(Home(home).state)


def is_ready(home: Path) -> bool:
    state = state_of(home)
    return state is not None and state.phase is Phase.READY


def test_descendant_that_left_its_group_ends_with_the_stack(tmp_path: Path) -> None:
    note = tmp_path / "stray"
    stray = f"setsid sh -c 'echo $$ > {note}; exec sleep 1000' & exec sleep 1000"
    with supervising(tmp_path / "home", parent=(stray, 5)) as supervisor:
        wait_for(lambda: note.exists() and note.read_text().strip())
        lost = psutil.Process(int(note.read_text()))
        wait_for(lambda: is_ready(tmp_path / "home"))
        supervisor.terminate()
        assert supervisor.wait(PATIENCE_S) == 0
    assert still_running([lost]) == []


def test_process_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    deaf = "trap '' TERM; while true; do sleep 0.1; done"
    with supervising(tmp_path / "home", deaf=(deaf, 0.3)) as supervisor:
        wait_for(lambda: is_ready(tmp_path / "home"))
        children = psutil.Process(supervisor.pid).children(recursive=True)
        assert children
        supervisor.send_signal(signal.SIGHUP)
        assert supervisor.wait(PATIENCE_S) == 0
    assert still_running(children) == []


def test_process_that_dies_is_started_again(tmp_path: Path) -> None:
    with supervising(tmp_path / "home", mortal=("exec sleep 1000", 5)) as supervisor:
        wait_for(lambda: is_ready(tmp_path / "home"))
        before = state_of(tmp_path / "home")
        assert before is not None
        psutil.Process(supervisor.pid).children()[0].kill()

        def again() -> bool:
            now = state_of(tmp_path / "home")
            row = now.processes["mortal"] if now else None
            known = before.processes["mortal"].pid
            return row is not None and row.state is State.HEALTHY and row.pid != known

        wait_for(again)
        supervisor.terminate()
        assert supervisor.wait(PATIENCE_S) == 0


def test_second_supervisor_of_a_home_is_refused(tmp_path: Path) -> None:
    with supervising(tmp_path / "home", one=("exec sleep 1000", 5)):
        wait_for(lambda: is_ready(tmp_path / "home"))
        with supervising(tmp_path / "home", one=("exec sleep 1000", 5)) as second:
            assert second.wait(PATIENCE_S) == 1
        assert is_ready(tmp_path / "home")


def test_later_step_that_fails_is_told_and_the_stack_stays_up(tmp_path: Path) -> None:
    scripts = {"later": ("exit 3", 5.0), "server": ("exec sleep 1000", 5.0)}
    with supervising(tmp_path / "home", **scripts) as supervisor:

        def failed() -> bool:
            state = state_of(tmp_path / "home")
            return state is not None and state.processes["later"].state is State.FAILED

        wait_for(failed)
        assert is_ready(tmp_path / "home")
        supervisor.terminate()
        assert supervisor.wait(PATIENCE_S) == 0


def test_later_step_that_still_runs_is_stopped_with_the_stack(tmp_path: Path) -> None:
    scripts = {"later": ("exec sleep 1000", 5.0), "server": ("exec sleep 1000", 5.0)}
    with supervising(tmp_path / "home", **scripts) as supervisor:
        wait_for(lambda: is_ready(tmp_path / "home"))
        wait_for(lambda: len(psutil.Process(supervisor.pid).children()) == len(scripts))
        children = psutil.Process(supervisor.pid).children()
        supervisor.terminate()
        assert supervisor.wait(PATIENCE_S) == 0
    assert still_running(children) == []
