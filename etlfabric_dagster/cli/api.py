"""`etlfabric api`"""

from __future__ import annotations

import typer

from etlfabric_dagster.api import server


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("api")(api)


def api() -> None:
    """Serve the HTTP API alone, on ETLFABRIC_API_PORT; `etlfabric up` runs it too."""
    server.main()
