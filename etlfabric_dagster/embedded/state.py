"""What the supervisor writes down for `up`, `down` and `status`: `{home}/run/stack.json`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from etlfabric_dagster.embedded.leftovers import Recorded, is_process
from etlfabric_dagster.schemas.base import Value


class Phase(StrEnum):
    """Where the whole stack is."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class State(StrEnum):
    """Where one process is."""

    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    DONE = "done"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


class ProcessState(Value):
    """One process as the supervisor last saw it."""

    state: State
    pid: int | None
    identity: str
    stop_signal: int
    restarts: int
    detail: str


class StackState(Value):
    """The whole stack as the supervisor last saw it."""

    supervisor: int
    identity: str
    phase: Phase
    error: str | None
    processes: dict[str, ProcessState]

    @classmethod
    def read(cls, path: Path) -> StackState | None:
        """None when nothing was ever started there."""
        return cls.model_validate_json(path.read_text()) if path.exists() else None

    def write(self, path: Path) -> None:
        """Replace the file in one step, and only when something changed."""
        text = self.model_dump_json()
        if path.exists() and path.read_text() == text:
            return
        part = path.with_suffix(".part")
        part.write_text(text)
        part.replace(path)

    def is_supervised(self) -> bool:
        """Whether the supervisor that wrote this runs."""
        return is_process(self.supervisor, self.identity)

    def recorded(self) -> list[Recorded]:
        """Its processes, as they can be found again."""
        return [
            Recorded(one.pid, one.identity, one.stop_signal)
            for one in self.processes.values()
            if one.pid is not None
        ]
