"""Dialect → the module that reads it, imported on first use."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager

from etlfabric_dagster.connectors.sql_database.session import Session
from etlfabric_dagster.connectors.sql_database.target import Target

_PACKAGE = "etlfabric_dagster.connectors.sql_database"
_MODULES = {
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mssql": "mssql",
    "oracle": "oracle",
}


def open_session(target: Target) -> AbstractContextManager[Session]:
    """Connect. Raises ConnectorError, also when the driver is not installed."""
    return importlib.import_module(f"{_PACKAGE}.{_MODULES[target.dialect]}").session(target)
