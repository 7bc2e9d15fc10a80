"""All orgs of the install."""

from __future__ import annotations

from etlfabric_dagster.aio import run as _run
from etlfabric_dagster.schemas.fleet import FleetStatus
from etlfabric_dagster.services import fleet
from etlfabric_dagster.services.scope import Actor


class Fleet:
    """All orgs of the install at once."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def status(self) -> FleetStatus:
        """How all orgs stand, the worst first: freshness, failures, queue, lag.

        >>> found = fabric.fleet.status()
        >>> found.totals.orgs == len(found.items)
        True
        """
        return _run(fleet.status(self._actor))
