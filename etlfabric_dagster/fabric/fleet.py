"""All orgs of the install."""

from __future__ import annotations

from etlfabric_dagster.fabric.gateway import Gateway, sent
from etlfabric_dagster.schemas.fleet import FleetStatus
from etlfabric_dagster.services import fleet


class Fleet:
    """All orgs of the install at once."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def status(self) -> FleetStatus:
        """How all orgs stand, the worst first: freshness, failures, queue, lag.

        >>> found = fabric.fleet.status()
        >>> found.totals.orgs == len(found.items)
        True
        """
        return self._gateway.ask(
            fleet.status, sent("GET", "/fleet", FleetStatus, limit=fleet.MAX_SHOWN)
        )
