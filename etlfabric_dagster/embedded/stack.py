"""`up`, `down` and `status` of the stack on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import psutil

from etlfabric_dagster import aio
from etlfabric_dagster.config import reload_settings, settings
from etlfabric_dagster.embedded import kernel, leftovers, logfiles, ports
from etlfabric_dagster.embedded.controls import controls
from etlfabric_dagster.embedded.home import Home
from etlfabric_dagster.embedded.processes import (
    DEMO,
    POSTGRES,
    SOURCE,
    Process,
    own_processes,
    processes,
)
from etlfabric_dagster.embedded.state import Phase, StackState, State
from etlfabric_dagster.errors import FabricError, StackError
from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.services import users

POLL_S = 0.1
STOP_TIMEOUT_S = 60
LEFTOVER_GRACE_S = 5
DEMO_TIMEOUT_S = 600
REAP_TIMEOUT_S = 2  # until init takes the dead supervisor off the list
OPERATOR = "operator@localhost"

Show = Callable[[StackState], None]


class ProcessStatus(Value):
    """One process, asked just now."""

    name: str
    pid: int | None
    healthy: bool
    detail: str


class StackStatus(Value):
    """The whole stack, asked just now."""

    processes: tuple[ProcessStatus, ...]
    controls: dict[str, str]
    urls: dict[str, str]


def up(show: Show, *, demo: bool = True, leashed: bool = False) -> IO[bytes] | None:
    """Start the stack and wait until all of it works. Blocking.

    Args:
        show: called with each new state.
        leashed: stop the stack when the returned pipe is closed, by hand or by this process' end.

    Raises: StackError, MigrationError or CryptoError with what to do; nothing is left running.
    """
    home = Home(settings.home_dir)
    install = home.prepare(demo)
    reload_settings()
    _end_leftovers(home)
    listed = processes(home, install, demo)
    for process in listed:
        for setting, port in process.ports.items():
            ports.require_free(port, setting)
    _initialize_clusters(home, listed)
    leash = _spawn_supervisor(home, demo, leashed)
    wait_until_ready(show)
    return leash


def first_login() -> tuple[str, str] | None:
    """The operator's address and one-time password, once per install. Blocking."""
    user, password = aio.run(users.ensure_operator(OPERATOR))
    return (user.email, password) if password else None


def urls() -> dict[str, str]:
    """Where people open what runs."""
    return {one.name: one.url for one in own_processes() if one.url}


def is_up() -> bool:
    """Whether a supervisor holds the home."""
    return kernel.is_locked(Home(settings.home_dir).lock)


def was_stopped() -> bool:
    """Whether the stack ended because it was told to."""
    state = StackState.read(Home(settings.home_dir).state)
    return state is None or state.phase is Phase.STOPPED


def down(show: Show = lambda _: None) -> int:
    """Stop everything, also what a killed supervisor left. Idempotent. Blocking.

    Returns: how many processes had to be ended without their supervisor.
    """
    home = Home(settings.home_dir)
    state = StackState.read(home.state)
    if state is None:
        return 0
    if state.is_supervised():
        os.kill(state.supervisor, signal.SIGTERM)
        _wait_while(state.is_supervised, home, show)
        if state.is_supervised():
            os.kill(state.supervisor, signal.SIGKILL)
        _wait_while(lambda: psutil.pid_exists(state.supervisor), home, show, REAP_TIMEOUT_S)
    return _end_leftovers(home)


def status() -> StackStatus:
    """Ask every process and every control now. Blocking, a few seconds at most."""
    home = Home(settings.home_dir)
    install = home.install()
    state = StackState.read(home.state)
    demo = state is None or SOURCE in state.processes
    listed = [one for one in processes(home, install, demo) if not one.once]
    with ThreadPoolExecutor(len(listed)) as pool:
        found = tuple(pool.map(lambda one: _ask(one, state), listed))
    return StackStatus(processes=found, controls=controls(home), urls=urls())


def _ask(process: Process, state: StackState | None) -> ProcessStatus:
    known = state.processes.get(process.name) if state else None
    if known is None or known.pid is None or not leftovers.is_process(known.pid, known.identity):
        why = known.detail if known and known.detail.startswith("ended") else "not running"
        return ProcessStatus(name=process.name, pid=None, healthy=False, detail=why)
    try:
        detail, healthy = process.check() if process.check else "", True
    except Exception as exc:
        detail, healthy = f"{type(exc).__name__}: {exc}", False
    times = "once" if known.restarts == 1 else f"{known.restarts} times"
    again = f", restarted {times}" if known.restarts else ""
    return ProcessStatus(name=process.name, pid=known.pid, healthy=healthy, detail=detail + again)


def _end_leftovers(home: Home) -> int:
    state = StackState.read(home.state)
    return leftovers.end(home.path, state.recorded() if state else (), LEFTOVER_GRACE_S)


def _initialize_clusters(home: Home, listed: list[Process]) -> None:
    """Both at once: initdb takes seconds, and there are two cores."""
    names = {one.name for one in listed}
    install = home.install()
    clusters = [
        cluster
        for name, cluster in ((POSTGRES, home.platform(install)), (SOURCE, home.source(install)))
        if name in names
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda cluster: cluster.ensure_initialized(), clusters))


def _spawn_supervisor(home: Home, demo: bool, leashed: bool) -> IO[bytes] | None:
    command = [sys.executable, "-m", "etlfabric_dagster.embedded.supervisor"]
    command += [] if demo else ["--no-demo"]
    home.state.unlink(missing_ok=True)
    reading, writing = os.pipe() if leashed else (None, None)
    with (home.logs / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            [*command, *(["--leash", str(reading)] if reading is not None else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "ETLFABRIC_HOME": str(home.path), leftovers.MARK: str(home.path)},
            pass_fds=[reading] if reading is not None else [],
            start_new_session=True,
        ).returncode = 0  # it outlives this process; nobody here waits for it
    if reading is not None:
        os.close(reading)
    return os.fdopen(writing, "wb") if writing is not None else None


def wait_until_ready(show: Show) -> None:
    """Wait for a stack that was started. Blocking. Raises what kept it from starting."""
    home = Home(settings.home_dir)

    def starting() -> bool:
        state = StackState.read(home.state)
        return state is None or state.phase is Phase.STARTING or state.phase is Phase.STOPPING

    _wait_while(starting, home, show, timeout_s=300)
    state = StackState.read(home.state)
    if state is None or state.phase is not Phase.READY:
        _wait_while(lambda: state is not None and state.is_supervised(), home, show)
        raise _reason(home, state)


def wait_for_demo(show: Callable[[str], None]) -> bool:
    """Wait until the supervisor has loaded the demo. Blocking.

    Args:
        show: called with what it does now.

    Returns: False when this stack was started without. Raises FabricError in its words.
    """
    home = Home(settings.home_dir)

    def loading() -> bool:
        state = StackState.read(home.state)
        step = state.processes.get(DEMO) if state and state.phase is Phase.READY else None
        return step is not None and step.state not in (State.DONE, State.FAILED)

    def told(_: StackState) -> None:
        show(next(iter(logfiles.tail(home.logs / f"{DEMO}.log", 1)), ""))

    _wait_while(loading, home, told, DEMO_TIMEOUT_S)
    state = StackState.read(home.state)
    step = state.processes.get(DEMO) if state else None
    if step is not None and step.state is not State.DONE:
        raise _last_words(home, DEMO, "The demo was not loaded.")
    return step is not None


def _wait_while(
    condition: Callable[[], bool], home: Home, show: Show, timeout_s: float = STOP_TIMEOUT_S
) -> None:
    deadline = time.monotonic() + timeout_s
    while condition() and time.monotonic() < deadline:
        state = StackState.read(home.state)
        if state is not None:
            show(state)
        time.sleep(POLL_S)


def _reason(home: Home, state: StackState | None) -> FabricError:
    """Why the stack did not start: in the words of the process that refused, if it had any."""
    failed = state.error.split()[0] if state and state.error else "supervisor"
    said = state.error if state and state.error else "no supervisor"
    return _last_words(home, failed, f"The stack did not start: {said}.")


def _last_words(home: Home, process: str, message: str) -> FabricError:
    """The error that a process told as its last line; else the message and that line."""
    lines = logfiles.tail(home.logs / f"{process}.log", 3)
    try:
        error = json.loads(lines[-1])["error"]
        return StackError(error["message"], error["remedy"], code=error["code"])
    except (LookupError, ValueError, TypeError):
        pass
    said = f" Its last words: {lines[-1].strip()[:300]}" if lines else ""
    return StackError(f"{message}{said}", f"Read {home.logs / process}.log.")
