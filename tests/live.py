"""The whole stack, as `etlfabric up` starts it, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etlfabric_dagster.embedded.home import Home
from etlfabric_dagster.embedded.postgres import PostgresCluster
from etlfabric_dagster.testing import free_port

UP_TIMEOUT_S = 300


@dataclass(frozen=True)
class LiveStack:
    """A running stack: its home, its environment and how long it took to start."""

    home: Path
    environment: dict[str, str]
    started_s: float

    def cli(self, *args: str, ok: bool = True) -> Any:
        """One command with --json; its answer."""
        done = run_cli(self.environment, *args, "--json")
        if ok:
            assert done.returncode == 0, f"{args}: {done.stdout} {done.stderr}"
        return json.loads(done.stdout)

    def python(self, script: str) -> str:
        """Run a script in a fresh interpreter with the install's settings; what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=UP_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def source(self) -> PostgresCluster:
        """The server that plays the demo's source, which sources may reach."""
        home = Home(self.home)
        return home.source(home.install())


def run_cli(environment: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """`etlfabric …` as people run it."""
    command = [str(Path(sys.executable).with_name("etlfabric")), *args]
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=UP_TIMEOUT_S,
        check=False,
    )


@contextmanager
def live_stack(home: Path) -> Iterator[LiveStack]:
    """`etlfabric up --detach`, with the demo; `down` at the end."""
    ports = ("UI", "API", "DAGSTER", "POSTGRES", "VALKEY", "SOURCE")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ETLFABRIC_")}
    environment |= {"ETLFABRIC_HOME": str(home)}
    environment |= {f"ETLFABRIC_{port}_PORT": str(free_port()) for port in ports}
    before = time.monotonic()
    try:
        up = run_cli(environment, "up", "--detach")
        assert up.returncode == 0, up.stdout + up.stderr
        yield LiveStack(home, environment, time.monotonic() - before)
    finally:
        run_cli(environment, "down")
