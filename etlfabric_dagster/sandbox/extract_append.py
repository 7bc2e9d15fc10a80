"""Append streams and killed loads: rows of a load that never ended are removed before the next one.

A load's rows reach the raw table in one transaction and its id is noted in `_dlt_loads` in another;
a kill in between leaves rows whose load nobody finished, and their stream's cursor says that they
were never read. Nothing may ever prune `_dlt_loads`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import psycopg
from psycopg import sql

from etlfabric_dagster.connectors.base import LOAD_ID
from etlfabric_dagster.sandbox import catalog
from etlfabric_dagster.sandbox.catalog import Tables

# A loose index scan: one index probe per load, whatever the table's size.
_UNFINISHED = """
WITH RECURSIVE ids AS (
    (SELECT {id} AS id FROM {table} ORDER BY {id} LIMIT 1)
    UNION ALL
    SELECT (SELECT t.{id} FROM {table} t WHERE t.{id} > ids.id ORDER BY t.{id} LIMIT 1)
    FROM ids WHERE ids.id IS NOT NULL
)
SELECT id FROM ids WHERE id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM {loads} l WHERE l.load_id = ids.id AND l.status = 0)
"""


def remove_unfinished(
    conn: psycopg.Connection, schema: str, tables: Tables, chain: Sequence[str]
) -> int:
    """Delete rows of unfinished loads from a root table and its nested ones; returns root rows.

    `chain` names the root first. Idempotent.
    """
    root = chain[0]
    if LOAD_ID not in tables.get(root, {}):
        return 0
    catalog.ensure_index(conn, schema, root, (LOAD_ID,), index_name(root, LOAD_ID))
    names = {
        "id": sql.Identifier(LOAD_ID),
        "table": sql.Identifier(schema, root),
        "loads": sql.Identifier(schema, "_dlt_loads"),
    }
    found = conn.execute(sql.SQL(_UNFINISHED).format(**names)).fetchall()
    if not found:
        return 0
    with conn.transaction():
        done = conn.execute(
            sql.SQL("DELETE FROM {table} WHERE {id} = ANY(%s)").format(**names),
            [[row[0] for row in found]],
        )
        for child in chain[1:]:
            _remove_orphans(conn, schema, tables, root, child)
    return done.rowcount


def _remove_orphans(
    conn: psycopg.Connection, schema: str, tables: Tables, root: str, child: str
) -> None:
    if "_dlt_root_id" not in tables.get(child, {}):
        return
    conn.execute(
        sql.SQL(
            "DELETE FROM {child} c WHERE NOT EXISTS"
            " (SELECT 1 FROM {root} r WHERE r._dlt_id = c._dlt_root_id)"
        ).format(child=sql.Identifier(schema, child), root=sql.Identifier(schema, root))
    )


def index_name(table: str, *columns: str) -> str:
    """At most 63 bytes, one for each table and list of columns."""
    digest = hashlib.blake2b("\0".join((table, *columns)).encode(), digest_size=4).hexdigest()
    return f"{table[:45]}_{digest}_idx"
