"""What tenants' Jinja may not reach, enforced in the sandbox child before dbt runs.

dbt's Jinja is Jinja's own sandbox, which knows nothing of dbt's objects. Four rules close what it
leaves open: dbt never holds the login's password (the driver does), configuration, credentials,
connections and modules have no attributes, agate tables neither read nor write files, and the
environment is empty. All of it is process-wide, so it belongs into a forked child.
"""

from __future__ import annotations

import types
from typing import Any

import agate
import dbt.cli.requires
import psycopg2
import psycopg2.extensions
from dbt.adapters.contracts.connection import Connection, Credentials
from dbt.config.profile import Profile
from dbt.config.project import Project
from dbt.config.runtime import RuntimeConfig
from dbt_common.clients.jinja import MacroFuzzEnvironment

from etlfabric_dagster.sandbox.dbt_project import PASSWORD_STAND_IN

CLOSED_TYPES: tuple[type, ...] = (
    RuntimeConfig,
    Profile,
    Project,
    Credentials,
    Connection,
    psycopg2.extensions.connection,
    psycopg2.extensions.cursor,
    psycopg2.extensions.ConnectionInfo,
    types.ModuleType,
    types.CodeType,
    types.FrameType,
    types.TracebackType,
)
_FILE_METHODS = ("from_", "to_", "print_")
_connect = psycopg2.connect
_is_safe_attribute = MacroFuzzEnvironment.is_safe_attribute


def install(password: str) -> None:
    """Close this process for the login with `password`. Idempotent; the last password counts."""
    environment: Any = MacroFuzzEnvironment
    environment.is_safe_attribute = is_safe_attribute
    Credentials.__repr__ = _redacted  # an error that prints a connection would print its login
    requires: Any = dbt.cli.requires
    requires.get_env = dict  # env_var() finds nothing; its default still works
    hide_password(password)


def is_safe_attribute(env: MacroFuzzEnvironment, obj: Any, attr: str, value: Any) -> bool:
    """Jinja's rule, and ours."""
    if isinstance(value, CLOSED_TYPES) or isinstance(obj, CLOSED_TYPES):
        return False
    if _is_agate_table(obj) and attr.startswith(_FILE_METHODS):
        return False
    return _is_safe_attribute(env, obj, attr, value)


def hide_password(password: str) -> None:
    """Let the driver put the password in: dbt, and with it Jinja, only ever sees a stand-in."""

    def connect(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("password") == PASSWORD_STAND_IN:
            kwargs["password"] = password
        return _connect(*args, **kwargs)

    psycopg2.connect = connect


def _is_agate_table(obj: Any) -> bool:
    return isinstance(obj, agate.Table) or (isinstance(obj, type) and issubclass(obj, agate.Table))


def _redacted(self: Credentials) -> str:
    return f"<{type(self).__name__}>"
