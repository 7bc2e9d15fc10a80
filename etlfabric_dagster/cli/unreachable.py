"""The platform's database that cannot be used, told as a refusal."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import OperationalError

from etlfabric_dagster.config import settings
from etlfabric_dagster.errors import FabricError, StackError

_KINDS = (OSError, OperationalError, asyncpg.PostgresError, asyncpg.InterfaceError)


def explain(exc: Exception) -> FabricError | None:
    """Where it is, and why; None when the error is of another kind."""
    if not isinstance(exc, _KINDS):
        return None
    try:
        where = settings.database.render_as_string(hide_password=True)
    except StackError as missing:
        return missing
    reason = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
    return StackError(
        f"The platform database {where} cannot be used: {reason}.",
        "See whether the stack is up: etlfabric status. Start it: etlfabric up.",
        code="database_unreachable",
    )
