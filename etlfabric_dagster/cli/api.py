"""`etlfabric api`"""

from __future__ import annotations

from etlfabric_dagster.api import server


def api() -> None:
    """Serve the HTTP API alone, on ETLFABRIC_API_PORT; `etlfabric up` runs it too."""
    server.main()
