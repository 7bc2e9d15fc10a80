"""The one list of the stack's processes, in starting order.

The supervisor runs it, `status` and `logs` name it, `docker-compose.yml` describes it (a test
keeps the two equal). A process starts when all it needs is healthy and stops before them.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from etlfabric_dagster import queue
from etlfabric_dagster.config import settings
from etlfabric_dagster.embedded import health, valkey
from etlfabric_dagster.embedded.foreground import command
from etlfabric_dagster.embedded.home import Home, Install, given
from etlfabric_dagster.embedded.leftovers import MARK
from etlfabric_dagster.embedded.postgres import os_user
from etlfabric_dagster.sandbox import server

POSTGRES, VALKEY, SOURCE = "postgres", "valkey", "source-postgres"
DEMO = "demo"
MIGRATE = "migrate"
STOP_S = 5  # a run that was handed over stops within a heartbeat
QUEUES = {"runs": ("worker", queue.RUNS), "interactive": ("interactive", queue.INTERACTIVE)}
"""Queue as people name it → its process, its queue in the broker."""
SANDBOX = "sandbox"
PANEL = "etlfabric_ui"  # named only: the engine does not import the panel


@dataclass(frozen=True)
class Process:
    """One process: how to run it and how to know that it works."""

    name: str
    command: tuple[str, ...]
    check: health.Check | None = None
    """None = it runs once, and works when it has ended with status 0."""
    needs: tuple[str, ...] = ()
    later: bool = False
    """A step that starts once the stack is ready; the stack stays up when it fails."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Setting → port that must be free before it starts."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the stack's environment, or all of it when `clean`."""
    clean: bool = False
    url: str | None = None
    """Where people open it."""
    user: str | None = None
    directory: Path | None = None
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10

    @property
    def once(self) -> bool:
        """Whether it is a step, not a server."""
        return self.check is None

    def full_environment(self, home: Home, install: Install) -> dict[str, str]:
        """What the process sees. Marked, so that a later `up` or `down` finds what it starts."""
        if self.clean:
            return dict(self.environment)
        opened = ",".join(filter(None, [*given().egress_allow, install.egress_allow]))
        facts = {
            "ETLFABRIC_HOME": str(home.path),
            "ETLFABRIC_EGRESS_ALLOW": opened,
            MARK: str(home.path),
        }
        return {**os.environ, **facts, **self.environment}


def processes(home: Home, install: Install, demo: bool = True) -> list[Process]:
    """The list for this home: without the servers that the operator runs elsewhere."""
    external = given()
    found = []
    if external.database_url is None:
        found.append(_postgres(home, install))
    if external.redis_url is None:
        found.append(_valkey(home, install))
    if demo:
        found.append(_source(home, install))
    return found + own_processes(servers=[one.name for one in found if one.name != SOURCE])


def own_processes(servers: Sequence[str] = (POSTGRES, VALKEY)) -> list[Process]:
    """What we run ourselves, wherever the servers are: also the list of a container's probe."""
    return [
        _sandbox(),
        Process(MIGRATE, python("etlfabric_dagster.embedded.migrate"), needs=tuple(servers)),
        _worker("runs", settings.workers),
        _worker("interactive", settings.interactive_workers),
        Process(
            "scheduler",
            command("scheduler"),
            partial(health.heartbeat, "scheduler"),
            needs=(MIGRATE,),
        ),
        *(_panel() if has_panel() else [_api()]),
        _served(
            Process("dagster", command("webserver")),
            "dagster_port",
            MIGRATE,
        ),
    ]


def demo_step() -> Process:
    """Loads the demo: the supervisor does, whatever becomes of the `up` that waits for it."""
    return Process(
        DEMO, python("etlfabric_dagster.demo"), needs=("worker", "interactive"), later=True
    )


def has_panel() -> bool:
    """Whether the control panel is installed; its backend then serves the API too."""
    return find_spec(PANEL) is not None


def _panel() -> list[Process]:
    return [
        _served(Process("backend", python(f"{PANEL}.server", "backend")), "api_port", MIGRATE),
        _served(Process("ui", python(f"{PANEL}.server", "static")), "ui_port"),
    ]


def _api() -> Process:
    return _served(Process("api", command("api")), "api_port", MIGRATE)


def _served(process: Process, setting: str, *needs: str) -> Process:
    """What people open at a port, and what answers `/healthz` there."""
    port = getattr(settings, setting)
    return replace(
        process,
        check=partial(health.http_ok, settings.bind_host, port, "/healthz"),
        needs=needs,
        ports={setting: port},
        url=f"http://localhost:{port}",
    )


def python(module: str, *args: str) -> tuple[str, ...]:
    """A module under this interpreter."""
    return (sys.executable, "-m", module, *args)


def _postgres(home: Home, install: Install) -> Process:
    cluster = home.platform(install)
    return Process(
        POSTGRES,
        tuple(cluster.server_command()),
        partial(health.postgres, cluster.dsn()),
        ports={"postgres_port": cluster.port},
        user=os_user(),
        directory=Path("/"),
        stop_signal=signal.SIGINT,  # fast shutdown: open transactions are rolled back
        grace_s=30,
    )


def _source(home: Home, install: Install) -> Process:
    cluster = home.source(install)
    return Process(
        SOURCE,
        tuple(cluster.server_command()),
        partial(health.postgres, cluster.dsn()),
        ports={"source_port": cluster.port},
        user=os_user(),
        directory=Path("/"),
        stop_signal=signal.SIGINT,
        grace_s=30,
    )


def _valkey(home: Home, install: Install) -> Process:
    return Process(
        VALKEY,
        tuple(valkey.command(home.path / "valkey")),
        partial(health.valkey, valkey.url(install.valkey_port, install.valkey_password)),
        ports={"valkey_port": install.valkey_port},
    )


def _sandbox() -> Process:
    """Runs tenants' code: its environment holds nothing that is not on a short list."""
    path = settings.sandbox_path
    return Process(
        SANDBOX,
        tuple(server.command(path)),
        partial(health.unix_socket, path),
        environment=server.clean_environment(),
        clean=True,
    )


def _worker(queue_name: str, slots: int) -> Process:
    """A Celery worker on one queue, with processes of its own: loads never delay a preview."""
    name, _ = QUEUES[queue_name]
    return Process(
        name,
        command("worker", "--queue", queue_name, "--slots", str(slots)),
        partial(health.celery_worker, f"{name}@{socket.gethostname()}"),
        needs=(MIGRATE, SANDBOX),
        grace_s=settings.drain_s + STOP_S,
    )
