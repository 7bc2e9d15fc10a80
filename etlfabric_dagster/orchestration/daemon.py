"""Dagster's own daemon on our workspace: operators' backfills that launch many runs.

Optional: runs, schedules and retention need none of it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NoReturn

import dagster as dg

from etlfabric_dagster import logs
from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration.compat import (
    DagsterDaemonController,
    create_daemons_from_instance,
)
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.orchestration.workspace import FabricProcessContext


@contextmanager
def working(instance: dg.DagsterInstance) -> Iterator[DagsterDaemonController]:
    """Dagster's daemons at work, in threads, while the context is open."""
    with ExitStack() as stack:
        context = stack.enter_context(FabricProcessContext(instance))
        daemons = [stack.enter_context(one) for one in create_daemons_from_instance(instance)]
        yield stack.enter_context(DagsterDaemonController(context, daemons))


def main() -> None:
    """Run until SIGTERM. Blocking."""
    logs.configure(settings.log_level)
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        suppress(KeyboardInterrupt),
        open_instance(settings) as instance,
        working(instance) as controller,
    ):
        controller.check_daemon_loop()


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
