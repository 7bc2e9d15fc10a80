"""The supervisor: starts the processes of one home in order, restarts what dies, stops all.

One per home, held by a lock. It has one thread and no secret of its own; what it knows stands in
`{home}/run/stack.json`, so that a later `up` or `down` can end what a killed supervisor left.
Why it is our own: docs/adr/0002-supervisor.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

import psutil

from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded import forking, kernel, leftovers
from etlfabric_dagster.embedded.forking import Nursery
from etlfabric_dagster.embedded.home import Home, Install
from etlfabric_dagster.embedded.logfiles import rotate
from etlfabric_dagster.embedded.processes import Process, demo_step, processes
from etlfabric_dagster.embedded.state import Phase, ProcessState, StackState, State

TICK_S, CALM_TICK_S = 0.1, 1.0
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.5, 30.0
STEADY_S = 20  # a process that lived this long starts over with the first backoff
START_TIMEOUT_S = 120
MAX_START_FAILURES = 3


@dataclass
class Child:
    """A process of the list and what became of it."""

    process: Process
    state: State = State.WAITING
    pid: int | None = None
    identity: str = ""
    started: float = 0
    next_start: float = 0
    next_check: float = 0
    failures: int = 0
    restarts: int = 0
    detail: str = ""
    killed: bool = False
    stop_before: float = 0

    @property
    def runs(self) -> bool:
        return self.pid is not None

    @property
    def works(self) -> bool:
        return self.state in (State.HEALTHY, State.DONE)


@dataclass
class Supervisor:
    """Runs the list until it is told to stop.

    Args:
        leash: a pipe's read end; when its other end closes the stack stops (foreground `up`).
    """

    home: Home
    install: Install
    listed: Sequence[Process]
    leash: int | None = None
    phase: Phase = Phase.STARTING
    error: str | None = None
    children: dict[str, Child] = field(default_factory=dict)
    nursery: Nursery = field(default_factory=lambda: Nursery(()))

    def run(self) -> int:
        """Returns 0 after a stop that was asked for, 1 when the stack could not start."""
        self.children = {one.name: Child(one) for one in self.listed}
        self.nursery = Nursery([one.command for one in self.listed if not one.clean])
        with kernel.locked(self.home.lock), kernel.signals() as woken:
            kernel.adopt_orphans()
            while not self._over():
                self._turn()
                self._write_state()
                self._wait(woken, at_once=self.phase is not Phase.STOPPING and self.nursery.step())
            self._end_strays()
            self.phase = Phase.FAILED if self.error else Phase.STOPPED
            self._write_state()
        return 1 if self.error else 0

    def _over(self) -> bool:
        stopping = self.phase is Phase.STOPPING
        return stopping and not any(child.runs for child in self.children.values())

    def _turn(self) -> None:
        self._reap()
        for child in self.children.values():
            if self.phase is Phase.STOPPING:
                self._stop(child)
            elif child.runs:
                self._look_at(child)
            elif self._may_start(child):
                self._start(child)
            with contextlib.suppress(OSError):  # a full disk must not end the stack
                rotate(self._log(child))
        needed = [child for child in self.children.values() if not child.process.later]
        if self.phase is Phase.STARTING and all(child.works for child in needed):
            self.phase = Phase.READY

    def _wait(self, woken: socket.socket, *, at_once: bool) -> None:
        watched = [woken] if self.leash is None else [woken, self.leash]
        settled = all(c.works or c.state is State.FAILED for c in self.children.values())
        calm = self.phase is Phase.READY and settled
        tick_s = 0 if at_once else CALM_TICK_S if calm else TICK_S
        for one in select.select(watched, [], [], tick_s)[0]:
            if one is self.leash or set(woken.recv(64)) - {signal.SIGCHLD}:
                self._begin_stop()

    def _begin_stop(self) -> None:
        self.phase, self.leash = Phase.STOPPING, None

    def _fail(self, message: str) -> None:
        self.error = self.error or message
        self._begin_stop()

    def _may_start(self, child: Child) -> bool:
        ready = all(self.children[name].works for name in child.process.needs)
        imported = child.process.clean or not self.nursery.is_waited_for(child.process.command)
        ended = child.state in (State.DONE, State.FAILED)
        due = not ended and time.monotonic() >= child.next_start
        return ready and imported and due and (self.phase is Phase.READY or not child.process.later)

    def _start(self, child: Child) -> None:
        try:
            with self._log(child).open("ab") as log:
                child.pid = self._spawn(child.process, log)
        except OSError as exc:  # no memory, no process slots: later, perhaps
            child.detail = f"could not be started: {exc.strerror}"
            self._back_off(child, steady=False)
            return
        child.state, child.started = State.STARTING, time.monotonic()
        child.identity = leftovers.identity(child.pid) or ""
        child.detail, child.next_check = "", 0

    def _spawn(self, process: Process, log: BinaryIO) -> int:
        environment = process.full_environment(self.home, self.install)
        if not process.clean and self.nursery.can_fork(process.command):
            name, signum = process.name, process.stop_signal
            return forking.fork(name, process.command, environment, log, signum)
        started = subprocess.Popen(
            process.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=process.directory,
            user=process.user,
            group=process.user,
            start_new_session=True,
            preexec_fn=partial(kernel.die_with_parent, process.stop_signal),
        )
        started.returncode = 0  # reaped here, with what its descendants left, not by Popen
        return started.pid

    def _look_at(self, child: Child) -> None:
        """Ask a starting process whether it works by now."""
        now = time.monotonic()
        if child.state is not State.STARTING or child.process.check is None:
            return
        if now >= child.next_check:
            try:
                child.detail, child.state = child.process.check(), State.HEALTHY
            except Exception as exc:
                child.detail = f"{type(exc).__name__}: {exc}"
                child.next_check = time.monotonic() + TICK_S
        if child.state is State.STARTING and now - child.started > START_TIMEOUT_S:
            self._kill_group(child, signal.SIGKILL)

    def _reap(self) -> None:
        by_pid = {child.pid: child for child in self.children.values() if child.runs}
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] in by_pid:
                    self._ended(by_pid[ended[0]], os.waitstatus_to_exitcode(ended[1]))

    def _ended(self, child: Child, status: int) -> None:
        self._kill_group(child, signal.SIGKILL)  # what a dead leader leaves would hold its ports
        lived = time.monotonic() - child.started
        child.pid, worked = None, child.works
        child.detail = f"ended with status {status}"
        if self.phase is Phase.STOPPING:
            child.state = State.STOPPED
        elif child.process.once:
            child.state = State.DONE if status == 0 else State.FAILED
            if status and not child.process.later:
                self._fail(f"{child.process.name} failed")
        else:
            self._back_off(child, steady=worked and lived > STEADY_S)

    def _back_off(self, child: Child, steady: bool) -> None:
        child.failures = 1 if steady else child.failures + 1
        child.restarts, child.state = child.restarts + 1, State.RESTARTING
        delay = min(FIRST_BACKOFF_S * 2 ** (child.failures - 1), MAX_BACKOFF_S)
        child.next_start = time.monotonic() + delay
        if self.phase is Phase.STARTING and child.failures >= MAX_START_FAILURES:
            self._fail(f"{child.process.name} ended {child.failures} times while it started")

    def _stop(self, child: Child) -> None:
        """Ask it to stop once nothing that runs needs it; by force when its grace is over."""
        if not child.runs:
            return
        needed = {n for c in self.children.values() if c.runs for n in c.process.needs}
        if child.state is not State.STOPPING and child.process.name not in needed:
            child.state = State.STOPPING
            child.stop_before = time.monotonic() + child.process.grace_s
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid or 0, child.process.stop_signal)
        elif child.state is State.STOPPING and time.monotonic() > child.stop_before:
            self._kill_group(child, signal.SIGKILL)

    def _kill_group(self, child: Child, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if child.pid is not None:
                os.killpg(child.pid, number)

    def _end_strays(self) -> None:
        """Descendants that left their group came to us when their parents ended."""
        strays = psutil.Process().children(recursive=True)
        for stray in strays:
            with contextlib.suppress(psutil.Error):
                stray.kill()
        psutil.wait_procs(strays, timeout=5)

    def _log(self, child: Child) -> Path:
        return self.home.logs / f"{child.process.name}.log"

    def _write_state(self) -> None:
        rows = {
            name: ProcessState(
                state=child.state,
                pid=child.pid,
                identity=child.identity,
                stop_signal=int(child.process.stop_signal),
                restarts=child.restarts,
                detail=child.detail,
            )
            for name, child in self.children.items()
        }
        state = StackState(
            supervisor=os.getpid(),
            identity=leftovers.identity(os.getpid()) or "",
            phase=self.phase,
            error=self.error,
            processes=rows,
        )
        with contextlib.suppress(OSError):  # told again at the next turn
            state.write(self.home.state)


def main(arguments: Sequence[str] | None = None) -> int:
    """Supervise the home that the settings name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-demo", dest="demo", action="store_false")
    parser.add_argument("--leash", type=int)
    given = parser.parse_args(arguments)
    home = Home(settings.home_dir)
    install = home.install()
    listed = processes(home, install, given.demo) + ([demo_step()] if given.demo else [])
    return Supervisor(home, install, listed, given.leash).run()


if __name__ == "__main__":
    os._exit(main())  # nothing is left to tidy, and taking the engine down takes a second
