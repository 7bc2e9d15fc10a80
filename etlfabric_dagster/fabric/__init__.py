"""The Python API: a thin, synchronous face over the services, here or over HTTP.

    with Fabric.connect() as fabric:
        acme = fabric.orgs.create("acme", name="Acme Inc.")

Every method blocks; every refusal is a `FabricError` with a message and a remedy.
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.fabric.fleet import Fleet
from etlfabric_dagster.fabric.gateway import Gateway, LocalGateway, at, sent
from etlfabric_dagster.fabric.orgs import Org, Orgs
from etlfabric_dagster.fabric.remote import RemoteGateway
from etlfabric_dagster.fabric.work import Run
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.orgs import TokenOut, UserOut
from etlfabric_dagster.schemas.people import SessionOut
from etlfabric_dagster.services import tokens, users
from etlfabric_dagster.services.scope import OPERATOR

__all__ = ["Fabric", "Org", "Run"]


class Fabric:
    """An install. Use as a context manager: it holds connections."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.orgs = Orgs(gateway)
        self.users = Users(gateway)
        self.fleet = Fleet(gateway)

    @classmethod
    def connect(cls, url: str | None = None, token: str | None = None) -> Fabric:
        """The install that the settings name, as its operator; with `url` and `token` one
        elsewhere, as whom the token names.

        Raises InvalidInputError.

        >>> with Fabric.connect() as fabric:
        ...     [org.slug for org in fabric.orgs.list()]
        [...'demo'...]
        """
        if url is None and token is None:
            return cls(LocalGateway(replace(OPERATOR, via="fabric")))
        if url is None or token is None:
            raise InvalidInputError(
                "An install elsewhere needs both its URL and a token.",
                "Issue a token: etlfabric users token EMAIL",
                field="token" if url else "url",
            )
        return cls(RemoteGateway(url, token))

    def close(self) -> None:
        """Give back the connections. Idempotent."""
        self._gateway.close()

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

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def create(self, email: str, *, operator: bool = False) -> UserOut:
        """Register a person. Raises ConflictError.

        >>> fabric.users.create("ana@example.com", operator=True).is_operator
        True
        """
        return self._gateway.ask(
            lambda actor: users.create(actor, email, operator=operator),
            sent("POST", "/users", UserOut, {"email": email, "operator": operator}),
        )

    def token(self, email: str) -> TokenOut:
        """Issue an API token, shown this once. Raises NotFoundError.

        >>> issued = fabric.users.token("ana@example.com")
        >>> headers = {"Authorization": f"Bearer {issued.token}"}  # for Dagster's webserver
        """
        return self._gateway.ask(
            lambda actor: tokens.issue_for(actor, email),
            sent("POST", f"/users/{at(email)}/token", TokenOut),
        )

    def sessions(self, email: str) -> tuple[SessionOut, ...]:
        """Where a person is signed in. Raises NotFoundError.

        >>> fabric.users.sessions("ana@example.com")
        ()
        """
        return self._gateway.ask(
            lambda actor: users.sessions_of(actor, email),
            sent("GET", f"/users/{at(email)}/sessions", Page[SessionOut]),
        ).items

    def sign_out(self, email: str) -> None:
        """End a person's sessions, at once; their tokens go on. Raises NotFoundError.

        >>> fabric.users.sign_out("ana@example.com")
        """
        self._gateway.ask(
            lambda actor: users.sign_out(actor, email),
            sent("DELETE", f"/users/{at(email)}/sessions", UserOut),
        )
