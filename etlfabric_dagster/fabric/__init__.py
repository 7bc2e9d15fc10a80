"""The Python API: a thin, synchronous face over the services.

    with Fabric.connect() as fabric:
        acme = fabric.orgs.create("acme", name="Acme Inc.")

Every method blocks; every refusal is a `FabricError` with a message and a remedy.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType

from etlfabric_dagster.aio import run as _run
from etlfabric_dagster.db import dispose
from etlfabric_dagster.fabric.fleet import Fleet
from etlfabric_dagster.fabric.orgs import Org, Orgs
from etlfabric_dagster.fabric.work import Run
from etlfabric_dagster.schemas.orgs import TokenOut, UserOut
from etlfabric_dagster.services import tokens, users
from etlfabric_dagster.services.scope import OPERATOR, Actor

__all__ = ["Fabric", "Org", "Run"]


class Fabric:
    """An install, as its operator. Use as a context manager: it holds database connections."""

    def __init__(self, actor: Actor = replace(OPERATOR, via="fabric")) -> None:  # noqa: B008
        self._actor = actor
        self.orgs = Orgs(actor)
        self.users = Users(actor)
        self.fleet = Fleet(actor)

    @classmethod
    def connect(cls) -> Fabric:
        """The install that the settings name (`ETLFABRIC_HOME` or `ETLFABRIC_DATABASE_URL`).

        >>> with Fabric.connect() as fabric:
        ...     [org.slug for org in fabric.orgs.list()]
        [...'demo'...]
        """
        return cls()

    def close(self) -> None:
        """Give back the database connections. Idempotent."""
        _run(dispose())

    def __enter__(self) -> Fabric:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Users:
    """People of the install."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    def create(self, email: str, *, operator: bool = False) -> UserOut:
        """Register a person. Raises ConflictError.

        >>> fabric.users.create("ana@example.com", operator=True).is_operator
        True
        """
        return _run(users.create(self._actor, email, operator=operator))

    def token(self, email: str) -> TokenOut:
        """Issue an API token, shown this once. Raises NotFoundError.

        >>> issued = fabric.users.token("ana@example.com")
        >>> headers = {"Authorization": f"Bearer {issued.token}"}  # for Dagster's webserver
        """
        return _run(tokens.issue_for(self._actor, email))
