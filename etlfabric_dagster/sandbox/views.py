"""Views that stand on raw tables: set aside while a column's type changes, then put back.

PostgreSQL refuses to alter a column that a view uses. The views (dbt's staging models, mostly) are
the tenant's own; they are dropped and recreated from their definitions in the same transaction, so
nobody ever sees them missing. One that does not work with the new type stays dropped, with a
warning: dbt rebuilds it in the same run, or says why it cannot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

_DEPENDENTS = """
WITH RECURSIVE dependent(oid, depth) AS (
    SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = ANY(%s::regclass[]) AND r.ev_class <> d.refobjid
    UNION
    SELECT r.ev_class, p.depth + 1 FROM dependent p
    JOIN pg_depend d ON d.refobjid = p.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
    WHERE r.ev_class <> p.oid AND p.depth < 100
)
SELECT n.nspname, c.relname, c.relkind = 'm', pg_get_viewdef(c.oid)
FROM (SELECT oid, max(depth) AS depth FROM dependent GROUP BY oid) d
JOIN pg_class c ON c.oid = d.oid AND c.relkind IN ('v', 'm')
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY d.depth, c.oid
"""


@dataclass(frozen=True)
class View:
    """A view as it can be made again."""

    schema: str
    name: str
    materialized: bool
    definition: str

    @property
    def kind(self) -> sql.SQL:
        """The words of CREATE and DROP."""
        return sql.SQL("MATERIALIZED VIEW" if self.materialized else "VIEW")

    @property
    def identifier(self) -> sql.Identifier:
        """Schema and name."""
        return sql.Identifier(self.schema, self.name)


def dependents(conn: psycopg.Connection[Any], schema: str, tables: Sequence[str]) -> list[View]:
    """Views on the tables, direct ones first."""
    names = [sql.Identifier(schema, table).as_string(conn) for table in tables]
    return [View(*row) for row in conn.execute(_DEPENDENTS, [names]).fetchall()]


@contextmanager
def set_aside(
    conn: psycopg.Connection[Any], schema: str, tables: Sequence[str]
) -> Iterator[list[str]]:
    """In one transaction: views dropped, the block, views back.

    Yields a list that holds, after the block, the names of views that could not be made again.
    """
    lost: list[str] = []
    with conn.transaction():
        views = dependents(conn, schema, tables)
        for view in reversed(views):
            conn.execute(sql.SQL("DROP {} {}").format(view.kind, view.identifier))
        yield lost
        lost += [view.name for view in views if not _make(conn, view)]


def _make(conn: psycopg.Connection[Any], view: View) -> bool:
    definition = sql.SQL(view.definition)  # pyright: ignore[reportArgumentType]
    statement = sql.SQL("CREATE {} {} AS {}").format(view.kind, view.identifier, definition)
    try:
        with conn.transaction():
            conn.execute(statement)
    except psycopg.Error:
        return False
    return True
