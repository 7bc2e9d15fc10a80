"""Which connectors there are: the built-in ones, those that packages add, and catalogue entries.

A module is imported when its connector is asked for, so that unused drivers cost nothing.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import metadata, resources
from typing import Any

import yaml

from etlfabric_dagster.connectors.base import Connector
from etlfabric_dagster.connectors.catalogue import CatalogueConnector
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.connections import ConnectorInfo, ConnectorSpec

GROUP = "etlfabric.connectors"
BUILT_IN = {
    "sql_database": "etlfabric_dagster.connectors.sql_database",
    "rest_api": "etlfabric_dagster.connectors.rest_api",
    "filesystem": "etlfabric_dagster.connectors.filesystem",
    "python": "etlfabric_dagster.connectors.python_source",
}
"""Name → module; the module's `CONNECTOR` is the connector."""


def get(name: str) -> Connector:
    """The connector called `name`.

    Raises:
        NotFoundError: no connector has that name.
    """
    loader = _loaders().get(name)
    if loader is None:
        raise NotFoundError(
            f"There is no connector “{name}”.", f"Choose one of: {', '.join(names())}."
        )
    return loader()


def names() -> builtins.list[str]:
    """Names of all connectors, sorted. Imports none of them."""
    return sorted(_loaders())


def list() -> builtins.list[ConnectorInfo]:
    """Every connector, sorted by name."""
    fields = tuple(ConnectorInfo.model_fields)
    specs = (get(name).spec for name in names())
    return [ConnectorInfo(**{field: getattr(spec, field) for field in fields}) for spec in specs]


def warm() -> None:
    """Import every connector with its drivers, in a process whose forks will use them.

    A connector may have a method `warm`. One whose driver is not installed says so when it is used.
    """
    for name in names():
        with suppress(ImportError):
            getattr(get(name), "warm", lambda: None)()


@cache
def _loaders() -> dict[str, Callable[[], Connector]]:
    """Built-in names win over catalogue entries, these over what packages add.

    Read once: what is installed stays, and reading every package's entry points takes 15 ms.
    """
    added = {entry.name: _entry_point(entry) for entry in metadata.entry_points(group=GROUP)}
    built_in = {name: _module(module) for name, module in BUILT_IN.items()}
    return added | _catalogue() | built_in


def _module(module: str) -> Callable[[], Connector]:
    return lambda: importlib.import_module(module).CONNECTOR


def _entry_point(entry: metadata.EntryPoint) -> Callable[[], Connector]:
    """An entry point names a Connector, or a `@dlt.source` that `python_source` wraps."""

    def load() -> Connector:
        found = entry.load()
        if isinstance(getattr(found, "spec", None), ConnectorSpec):  # dlt's sources have one too
            return found
        python_source = importlib.import_module(BUILT_IN["python"])
        return python_source.from_source(entry.name, entry.value, found)

    return load


def _catalogue() -> dict[str, Callable[[], Connector]]:
    folder = resources.files("etlfabric_dagster.connectors").joinpath("catalogue")
    files = [f for f in folder.iterdir() if f.name.endswith(".yaml")] if folder.is_dir() else []
    return {file.name.removesuffix(".yaml"): _entry(file.read_text("utf-8")) for file in files}


def _entry(text: str) -> Callable[[], Connector]:
    def load() -> Connector:
        entry: dict[str, Any] = yaml.safe_load(text)
        return CatalogueConnector(entry, get(entry["connector"]))

    return load
