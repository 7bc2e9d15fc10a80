"""Dagster's own webserver for this install: `python -m etlfabric_dagster.orchestration.webserver`.

It shows every org as a code location and lets operators in, nobody else.
"""

from __future__ import annotations

import uvicorn
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from starlette.types import ASGIApp

from etlfabric_dagster import logs
from etlfabric_dagster.config import settings
from etlfabric_dagster.orchestration.guard import OperatorGuard
from etlfabric_dagster.orchestration.instance import open_instance
from etlfabric_dagster.orchestration.workspace import FabricProcessContext

LIVE_DATA_POLL_MS = 2000


def create_app(context: FabricProcessContext) -> ASGIApp:
    """The guarded application."""
    app = create_app_from_workspace_process_context(context, live_data_poll_rate=LIVE_DATA_POLL_MS)
    return OperatorGuard(app)


def main() -> None:
    """Serve until SIGTERM. Blocking."""
    logs.configure(settings.log_level)
    with (
        open_instance(settings) as instance,
        FabricProcessContext(instance, version=__version__) as context,
    ):
        uvicorn.run(
            create_app(context),
            host=settings.bind_host,
            port=settings.dagster_port,
            log_level="warning",
            access_log=False,
        )


if __name__ == "__main__":
    main()
