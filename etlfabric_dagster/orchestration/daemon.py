"""Dagster's own daemon on our workspace: operators' backfills that launch many runs.

Optional: runs, schedules and retention need none of it.
"""

from __future__ import annotations

import signal
from contextlib import ExitStack
from typing import Any, NoReturn

from etlfabric_dagster import logs
from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration.compat import (
    DagsterDaemonController,
    create_daemons_from_instance,
)
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.orchestration.workspace import FabricProcessContext


def main() -> None:
    """Run until SIGTERM. Blocking."""
    logs.configure(settings.log_level)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as stack:
            instance = stack.enter_context(open_instance(settings))
            context = stack.enter_context(FabricProcessContext(instance))
            daemons = [stack.enter_context(one) for one in create_daemons_from_instance(instance)]
            controller = stack.enter_context(DagsterDaemonController(context, daemons))
            controller.check_daemon_loop()
    except KeyboardInterrupt:
        return


def _interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
