"""`guarded`: the one decorator that every event handler goes through.

Any client can call any public handler with any argument, whatever the page shows. So each call
derives anew who asks (the cookie's session row) and as what (the membership row); state is never
believed. Services decide once more; this is what keeps a handler from forgetting to ask.
"""

from __future__ import annotations

import functools
import inspect
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from typing import Any, get_type_hints
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import reflex as rx
from reflex.istate.proxy import StateProxy

from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import (
    FabricError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from etlfabric_dagster.logs import log
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import sessions
from etlfabric_dagster.services.scope import Actor, org_scope
from etlfabric_ui import remedies, routes, strings
from etlfabric_ui.state.base import spoken
from etlfabric_ui.state.zones import use_zone
from etlfabric_ui.views.shared import Problem

COOKIE = "etlfabric"
AUDIENCE = "api"  # one session for panel and API
PASSWORD_CODE = "password_change_required"  # noqa: S105 - an error's code
GUARD = "__etlfabric_guard__"


@dataclass(frozen=True)
class Visit:
    """Who asks, in which org and as what; true at this moment only."""

    actor: Actor
    org: str = ""
    role: Role | None = None


def guarded(needs: Role | None = Role.VIEWER, *, operator: bool = False) -> Callable[[Any], Any]:
    """Give an async handler a `visit` as first argument, or refuse.

    Args:
        needs: the least role in the page's org; None = signed in is enough.
        operator: only operators.

    A FabricError of the handler becomes the page's `problem`; anything else is logged under a
    reference that the page shows.
    """

    def decorate(handler: Callable[..., Any]) -> Any:
        streams = inspect.isasyncgenfunction(handler)
        wrapper = (
            _streaming(handler, needs, operator) if streams else _single(handler, needs, operator)
        )
        _hide_visit(handler, wrapper)
        setattr(wrapper, GUARD, "operator" if operator else needs or "signed-in")
        return wrapper

    return decorate


async def derive(state: rx.State, needs: Role | None, *, operator: bool = False) -> Visit:
    """Who calls, from the session that the socket's handshake named. Raises FabricError."""
    found = await sessions.resume(session_of(state.router.headers.cookie))
    actor = replace(found, via="ui", address=state.router.session.client_ip or None)
    if operator and not actor.is_operator:
        raise PermissionDeniedError("Only operators can do this.", "Ask an operator.")
    if needs is None:
        return Visit(actor)
    slug = getattr(state, "org_slug", "") or ""
    async with org_scope(actor, slug) as scope:
        role = scope.role
        use_zone(scope.timezone)
    if not role.may(needs):
        raise PermissionDeniedError(
            f"{needs.capitalize()}s can do this; you are {role} of '{slug}'.",
            "Ask an admin or owner.",
        )
    return Visit(actor, slug, role)


def session_of(header: str | None) -> UUID:
    """The session's id, which stands in the Cookie header in its token's place (`mounting`).

    Raises UnauthenticatedError.
    """
    jar = SimpleCookie()
    try:
        jar.load(header or "")
        return UUID(jar[COOKIE].value)
    except (CookieError, KeyError, ValueError) as exc:
        raise UnauthenticatedError("Nobody is signed in.", "Sign in.") from exc


def problem_of(error: FabricError) -> Problem:
    """An error as the page tells it; what is missing and what is foreign read the same."""
    if isinstance(error, NotFoundError):
        return Problem("missing", strings.MISSING, code=error.code)
    kind = "permission" if isinstance(error, PermissionDeniedError) else "error"
    said = Problem(kind, error.message, spoken(error.remedy), error.code)
    return remedies.with_copy(said, error.where, settings.operator_contact or "")


def _single(handler: Callable[..., Any], needs: Role | None, operator: bool) -> Callable[..., Any]:
    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await handler(
                self, await derive(self, needs, operator=operator), *args, **kwargs
            )
        except Exception as exc:
            return await _refused(self, handler, exc)

    return wrapper


def _streaming(
    handler: Callable[..., Any], needs: Role | None, operator: bool
) -> Callable[..., Any]:
    async def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            visit = await derive(self, needs, operator=operator)
            async for event in handler(self, visit, *args, **kwargs):
                yield event
        except Exception as exc:
            yield await _refused(self, handler, exc)

    return wrapper


async def _refused(state: Any, handler: Callable[..., Any], exc: Exception) -> Any:
    """The state of a background handler is changed under its lock only."""
    if not isinstance(state, StateProxy):
        return _refuse(state, handler, exc)
    async with state:
        return _refuse(state, handler, exc)


def _refuse(state: Any, handler: Callable[..., Any], exc: Exception) -> Any:
    """Every handler ends visibly."""
    if isinstance(exc, UnauthenticatedError):
        return sign_in_again(state)
    if isinstance(exc, FabricError) and exc.code == PASSWORD_CODE:
        return rx.redirect(routes.PASSWORD)
    if isinstance(exc, FabricError):
        state.problem = problem_of(exc)
    else:
        reference = secrets.token_hex(3).upper()
        log.error("ui.unforeseen", handler=handler.__qualname__, ref=reference, exc_info=exc)
        said = strings.UNFORESEEN.format(reference=reference)
        unforeseen = Problem("error", said, strings.UNFORESEEN_REMEDY, "error", reference)
        state.problem = remedies.with_copy(unforeseen, {})
    if hasattr(state, "busy"):
        state.busy = ""
    return None


def sign_in_again(state: rx.State) -> rx.event.EventSpec:
    """To the sign-in page, and back here afterwards."""
    url = urlsplit(str(state.router.url))
    here = f"{url.path}?{url.query}" if url.query else url.path
    query = urlencode({"next": here}) if here not in ("", "/", routes.LOGIN) else ""
    return rx.redirect(f"{routes.LOGIN}?{query}" if query else routes.LOGIN)


def _hide_visit(handler: Callable[..., Any], wrapper: Callable[..., Any]) -> None:
    """The wrapper looks like the handler without `visit`: Reflex reads names and types off it."""
    signature = inspect.signature(handler)
    own, visit, *rest = signature.parameters.values()
    functools.update_wrapper(wrapper, handler)
    del wrapper.__wrapped__  # type: ignore[attr-defined]
    wrapper.__signature__ = signature.replace(parameters=[own, *rest])  # type: ignore[attr-defined]
    # resolved here: by name they would be looked up in this module
    kinds = get_type_hints(handler).items()
    wrapper.__annotations__ = {k: kind for k, kind in kinds if k not in (visit.name, "return")}
