"""The API alone: `python -m etlfabric_dagster.api.server`, which `etlfabric api` runs too."""

from __future__ import annotations

import uvicorn

from etlfabric_dagster import logs
from etlfabric_dagster.config import settings


def main() -> None:
    """Serve until SIGTERM. Blocking."""
    logs.configure(settings.log_level)
    uvicorn.run(
        "etlfabric_dagster.api.app:create_app",
        factory=True,
        host=settings.bind_host,
        port=settings.api_port,
        log_level="warning",
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
