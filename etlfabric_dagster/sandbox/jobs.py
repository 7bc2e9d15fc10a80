"""The dispatch table: which handler does which kind of job.

A handler takes the job, a function to emit events, and its private folder, and returns the payload
of the final `done`. It raises FabricError for what a person can mend. A handler's module may have a
function `warm()`, called once in the server, without any connection, to import what children need.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import Job

Handler = Callable[[Any, Emit, str], dict[str, Any]]

HANDLERS: dict[str, str] = {
    "check": "etlfabric_dagster.sandbox.sources:check",
    "discover": "etlfabric_dagster.sandbox.sources:discover",
    "sample": "etlfabric_dagster.sandbox.sources:sample",
    "extract": "etlfabric_dagster.sandbox.extract:extract",
    "parse": "etlfabric_dagster.sandbox.dbt_parse:handle",
    "transform": "etlfabric_dagster.sandbox.dbt_build:handle",
    "preview": "etlfabric_dagster.sandbox.dbt_preview:handle",
    "notify": "etlfabric_dagster.sandbox.notify:notify",
    "format": "etlfabric_dagster.sandbox.dbt_format:handle",
    "query": "etlfabric_dagster.sandbox.dbt_query:handle",
    "reach": "etlfabric_dagster.sandbox.network:reach",
}


def handler(kind: str) -> Handler:
    """The function that does this kind of job."""
    module, _, name = HANDLERS[kind].partition(":")
    return getattr(importlib.import_module(module), name)


def run(job: Job, emit: Emit, workdir: str) -> dict[str, Any]:
    """Do the job in this process. Raises FabricError, or whatever went wrong unforeseen."""
    return handler(job.kind)(job, emit, workdir)


def warm() -> None:
    """Import every handler, so that forked children start at once."""
    for path in HANDLERS.values():
        module = importlib.import_module(path.partition(":")[0])
        getattr(module, "warm", lambda: None)()
