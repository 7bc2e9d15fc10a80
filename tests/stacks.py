"""The whole stack, as `etlfabric up` starts it, in a home of its own and on free ports."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from etlfabric_dagster.embedded import ports
from etlfabric_dagster.embedded.home import Home
from etlfabric_dagster.embedded.kernel import is_locked
from etlfabric_dagster.embedded.leftovers import identity, marked
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.embedded.state import Phase, StackState
from tests.folders import throwaway
from tests.processes import family, lives

PORTS = (*ports.EMBEDDED, "dagster_port", "ui_port", "api_port")
PATIENCE_S = 120
PROGRAM = Path(sys.executable).with_name("etlfabric")


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; TimeoutError when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.05)


def still_running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that live; a zombie has ended."""
    return [one for one in processes if lives(one)]


@dataclass
class Stack:
    """A home, its environment, and the installed program that runs it."""

    home: Home
    environment: dict[str, str]
    program: Path = PROGRAM

    def command(self, *args: str) -> list[str]:
        """The command line of `etlfabric ARGS`."""
        return [str(self.program), *args]

    def run(self, *args: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """`etlfabric ARGS` in an environment of its own."""
        return subprocess.run(
            self.command(*args),
            env=self.environment | extra,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def cli(self, *args: str, ok: bool = True) -> Any:
        """One command with --json; its answer."""
        done = self.run(*args, "--json")
        if ok:
            assert done.returncode == 0, f"{args}: {done.stdout} {done.stderr}"
        return json.loads(done.stdout)

    def python(self, script: str) -> str:
        """Run a script in a fresh interpreter with the install's settings; what it printed."""
        done = subprocess.run(
            [str(self.program.with_name("python")), "-c", script],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self, *options: str) -> None:
        """Bring it up, detached."""
        done = self.run("up", "--detach", *options)
        assert done.returncode == 0, done.stdout + done.stderr

    def is_ready(self) -> bool:
        """Whether its supervisor runs and says that all works."""
        state = StackState.read(self.home.state)
        return state is not None and state.phase is Phase.READY and is_locked(self.home.lock)

    @contextmanager
    def foreground(self) -> Iterator[subprocess.Popen[bytes]]:
        """`etlfabric up` without --detach; ended at the end."""
        process = subprocess.Popen(
            self.command("up", "--no-demo"),
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        return json.loads(self.run("status", "--json").stdout)

    def unhealthy(self) -> list[dict[str, Any]]:
        """What `status` complains of."""
        return [one for one in self.status()["processes"] if not one["healthy"]]

    @property
    def source(self) -> PostgresCluster:
        """The server that plays the demo's source, which sources may reach."""
        return self.home.source(self.home.install())

    def error(self, *args: str, **extra: str) -> dict[str, Any]:
        """What a command that must fail says."""
        done = self.run(*args, "--json", **extra)
        assert done.returncode == 1, done.stdout + done.stderr
        return json.loads(done.stdout)["error"]

    def state(self) -> StackState:
        """What the supervisor wrote down."""
        found = StackState.read(self.home.state)
        assert found is not None
        return found

    def kill_supervisor(self) -> None:
        """kill -9, and wait until the kernel has done it."""
        psutil.Process(self.state().supervisor).kill()
        while is_locked(self.home.lock):
            time.sleep(0.01)

    def alive(self) -> list[psutil.Process]:
        """Every process that belongs to this stack."""
        state = self.state()
        pids = [one.pid for one in state.recorded() if one.is_alive()]
        if identity(state.supervisor) == state.identity:
            pids.append(state.supervisor)
        pids += [one.pid for one in marked(self.home.path)]
        found: set[psutil.Process] = set()
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                found.update(family(pid))
        return list(found)

    @contextmanager
    def servers(self) -> Iterator[None]:
        """The platform's PostgreSQL alone, without a stack."""
        cluster = self.home.platform(self.home.install())
        cluster.start()
        try:
            yield
        finally:
            cluster.stop()


def new_stack(path: Path, program: Path = PROGRAM) -> Stack:
    """A home that was never started, with ports of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ETLFABRIC_")}
    first = random.randrange(20_000, 30_000)  # below those that outgoing connections take
    chosen = ports.choose(first, dict.fromkeys(PORTS))
    given = {f"ETLFABRIC_{name.upper()}": str(port) for name, port in chosen.items()}
    return Stack(Home(path), kept | given | {"ETLFABRIC_HOME": str(path)}, program)


@contextmanager
def throwaway_stack(name: str = "stack", program: Path = PROGRAM) -> Iterator[Stack]:
    """A home that is gone afterwards, with all that was started in it."""
    with throwaway(name) as folder:
        made = new_stack(folder / "home", program)
        yield made
        if made.home.state.exists():
            made.run("down")
