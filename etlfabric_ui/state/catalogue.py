"""The connectors as tiles: a SQL database is offered as the product people know."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.schemas.connections import ConnectorInfo
from etlfabric_ui.views.connections import Tile

DIALECTS = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "mssql": "SQL Server",
    "oracle": "Oracle",
}
BRANDED = {"postgresql", "mysql", "mariadb", "stripe", "hubspot", "github", "gitlab"}
PLAIN = {"Databases": "database", "Files": "file"}
SQL = "sql_database"


def tiles(*, operator: bool) -> list[Tile]:
    """Every connector; one for operators is shown, and locked for others."""
    return list(_tiles(operator))


@cache
def _tiles(operator: bool) -> tuple[Tile, ...]:
    """Put together once a process: listing the registry makes every connector's schemas."""
    found: list[Tile] = []
    for one in registry.list():
        if one.name == SQL:
            found += [
                Tile(dialect, title, one.group, mark_of(SQL, one.group, dialect), "")
                for dialect, title in DIALECTS.items()
            ]
            continue
        locked = one.operators_only and not operator
        mark = mark_of(one.name, one.group)
        found.append(Tile(one.name, one.title, one.group, mark, one.description, locked))
    return tuple(found)


def choice(key: str) -> tuple[str, Mapping[str, Any]]:
    """Connector and preset config behind a tile. Raises NotFoundError."""
    if key in DIALECTS:
        return SQL, MappingProxyType({"dialect": key})
    registry.get(key)
    return key, MappingProxyType({})


def title_of(connector: ConnectorInfo, dialect: str = "") -> str:
    """As the tile is called."""
    return DIALECTS.get(dialect, connector.title)


def mark_of(connector: str, group: str, dialect: str = "") -> str:
    """Its brand mark, or what kind of thing it is."""
    name = dialect if connector == SQL else connector
    return name if name in BRANDED else PLAIN.get(group, "cloud")
