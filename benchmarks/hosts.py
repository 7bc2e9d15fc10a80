"""Processes of a benchmark's install, started as people start them, each host with its own home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from etlfabric_dagster.config import settings
from etlfabric_dagster.queue import celery_app

PATIENCE_S = 600  # imports take long on a busy machine


class Host:
    """One process and all that it starts; it can be killed, frozen and started again."""

    def __init__(self, home: Path, command: tuple[str, ...], environment: dict[str, str]) -> None:
        self.home, self._command = home, command
        self._environment = environment | {"ETLFABRIC_HOME": str(home)}
        self.process = self._spawn()

    def tree(self) -> list[psutil.Process]:
        """The process and its descendants; nothing when it has ended."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def has(self, pid: int) -> bool:
        """Whether the process is one of this host's."""
        return pid in {one.pid for one in self.tree()}

    def signal(self, number: int) -> None:
        """Send it to every process of the host."""
        for one in self.tree():
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)

    def kill(self) -> None:
        """kill -9 of everything at once."""
        tree = self.tree()
        self.signal(signal.SIGKILL)
        self.process.wait()
        psutil.wait_procs(tree, timeout=10)

    def revive(self) -> bool:
        """Start it again if it has ended; whether it had."""
        ended = self.process.poll() is not None
        if ended:
            self.process = self._spawn()
        return ended

    def memory_mib(self) -> float:
        """Proportional set size of all its processes."""
        total = 0
        for one in self.tree():
            with suppress(psutil.Error):
                total += one.memory_full_info().pss
        return total / 2**20

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                [str(Path(sys.executable).with_name("etlfabric")), *self._command],
                env=self._environment,
                stdout=log,
                stderr=log,
                cwd=self.home,
            )


def beside(other: Host, *command: str) -> Host:
    """`etlfabric COMMAND` in the home of another, whose sandbox server it shares."""
    return Host(other.home, command, _environment())


@contextmanager
def host(*command: str, **extra: str) -> Iterator[Host]:
    """`etlfabric COMMAND` in a home of its own, on the install that the settings name."""
    with tempfile.TemporaryDirectory(prefix="etlfabric_host_") as folder:
        started = Host(Path(folder), command, _environment() | extra)
        try:
            yield started
        finally:
            started.kill()


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ETLFABRIC_")}
    return kept | {
        "ETLFABRIC_DATABASE_URL": settings.database.render_as_string(hide_password=False),
        "ETLFABRIC_REDIS_URL": settings.redis,
        "ETLFABRIC_FERNET_KEYS": settings.fernet_keys[0].get_secret_value(),
        "ETLFABRIC_JWT_KEYS": settings.jwt_keys[0].get_secret_value(),
        "ETLFABRIC_EGRESS_ALLOW": ",".join(settings.egress_allow),
        "ETLFABRIC_STORAGE_URL": settings.storage,
    }


def wait_until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Raises SystemExit when it never comes."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {patience_s:.0f} s")
        time.sleep(0.1)


def workers_answer(count: int) -> bool:
    """Whether so many Celery workers answer a ping."""
    return len(celery_app().control.ping(timeout=1)) >= count
