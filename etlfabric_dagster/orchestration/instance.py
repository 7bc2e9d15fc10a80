"""The install's Dagster instance: its dagster.yaml, and how processes open it."""

from __future__ import annotations

import os
import select
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterInstance
from sqlalchemy import URL, Dialect, Engine, event
from sqlalchemy.exc import DisconnectionError

from etlfabric_dagster.config import Settings

__all__ = ["DagsterInstance", "dagster_yaml", "open_instance", "write_dagster_yaml"]

FOLDER = "dagster"
STATEMENT_TIMEOUT_MS = 60_000
POOL_RECYCLE_S = 3600
POOL_OVERFLOW = 4
KEPT_SNAPSHOTS = 256  # of execution plans; about 20 KB each

_ASYNC_COMMIT = "-c synchronous_commit=off"
"""Dagster's events are a view of a run; the platform's rows are the truth and commit durably."""


def dagster_yaml(settings: Settings) -> str:
    """The instance's configuration. It holds the database's password: write it with mode 0600."""
    config = {
        "storage": {"postgres": {"postgres_url": storage_url(settings.dagster_database)}},
        "run_launcher": _class("etlfabric_dagster.orchestration.launcher", "FabricRunLauncher"),
        # the default coordinator queues and needs the daemon: +3.7 s per run
        "run_coordinator": _class("dagster._core.run_coordinator", "DefaultRunCoordinator"),
        # the default manager starts a `tail` and a watcher process per stream and step
        "compute_logs": _class(
            "dagster._core.storage.noop_compute_log_manager", "NoOpComputeLogManager"
        ),
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(instance_folder(settings))},
        },
        # Dagster prints its events on the worker's console otherwise; they are stored regardless
        "python_logs": {"python_log_level": "CRITICAL"},
        "telemetry": {"enabled": False},
        "run_monitoring": {"enabled": False},
    }
    return yaml.safe_dump(config, sort_keys=False)


def instance_folder(settings: Settings) -> Path:
    """DAGSTER_HOME of this install."""
    return settings.home_dir / FOLDER


def write_dagster_yaml(settings: Settings) -> Path:
    """Write `{home}/dagster/dagster.yaml` unless it is there already. Atomic, idempotent."""
    folder = instance_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path, content = folder / "dagster.yaml", dagster_yaml(settings)
    if not path.exists() or path.read_text() != content:
        fresh = path.with_name(f".dagster.yaml.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
        fresh.replace(path)
    return path


def open_instance(settings: Settings) -> DagsterInstance:
    """The instance with pooled connections, which save 250 ms per run. Close it with `dispose`."""
    write_dagster_yaml(settings)
    instance = DagsterInstance.from_config(str(instance_folder(settings)))
    instance.optimize_for_webserver(STATEMENT_TIMEOUT_MS, POOL_RECYCLE_S, POOL_OVERFLOW)
    _check_connections(instance)
    _remember(instance)
    return instance


def _check_connections(instance: DagsterInstance) -> None:
    """Replace connections that a restarted server closed, instead of failing an attempt on each."""
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        engine: Engine = storage._engine  # type: ignore[attr-defined]  # no public name
        event.listen(engine, "checkout", partial(_check_connection, engine.dialect))


def _check_connection(dialect: Dialect, connection: Any, *_: object) -> None:
    try:
        if _has_news(connection):
            dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as exc:
        raise DisconnectionError from exc  # the pool connects again


def _has_news(connection: Any) -> bool:
    """Whether the server said something nobody asked for, as it does when it closes. It needs no
    answer of the server, which 15 pings of a run do.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _remember(instance: DagsterInstance) -> None:
    """Ask Dagster's database once for what never changes under a running process: its columns,
    and snapshots, which are named by their content. 21 of the 59 statements of a run.
    """
    runs, events = instance.run_storage, instance.event_log_storage
    for storage, name, kept in (
        (runs, "has_run_stats_index_cols", 1),
        (runs, "has_backfill_id_column", 1),
        (runs, "has_job_snapshot", KEPT_SNAPSHOTS),
        (runs, "get_execution_plan_snapshot", KEPT_SNAPSHOTS),
        (events, "has_table", 8),
    ):
        setattr(storage, name, _remembering(getattr(storage, name), kept))


def _remembering(ask: Callable[..., Any], kept: int) -> Callable[..., Any]:
    """The last `kept` answers, except for no: what is missing may come."""
    known: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def answer(*args: Any) -> Any:
        if args not in known:
            found = ask(*args)
            if not found:
                return found
            known[args] = found
            if len(known) > kept:
                known.popitem(last=False)
        return known.get(args) or ask(*args)  # another thread may have dropped it

    return answer


def storage_url(database: URL) -> str:
    """SQLAlchemy URL of Dagster's own database, with asynchronous commit."""
    url = database.set(drivername="postgresql+psycopg2").update_query_dict(
        {"options": _ASYNC_COMMIT}
    )
    return url.render_as_string(hide_password=False)


def _class(module: str, name: str) -> dict[str, str]:
    return {"module": module, "class": name}
