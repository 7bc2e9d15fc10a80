"""What the destination holds: raw tables and their columns, as PostgreSQL itself spells types."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg import sql

from etlfabric_dagster.schemas.jobs import Warehouse

Columns = dict[str, str]
"""Column → type in the words of `format_type`, in the table's order."""
Tables = dict[str, Columns]

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = %(schema)s
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND (c.relname = ANY(%(names)s) OR c.relname LIKE ANY(%(children)s))
ORDER BY c.relname, a.attnum
"""


def connect(warehouse: Warehouse) -> psycopg.Connection:
    """A connection as the tenant's login, in autocommit."""
    return psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
        autocommit=True,
        connect_timeout=10,
        passfile="/dev/null",
    )


def read_tables(conn: psycopg.Connection, schema: str, roots: Iterable[str]) -> Tables:
    """The tables called `roots`, and their child tables (`{root}__…`), that exist."""
    names = list(roots)
    children = [_escape_like(name) + r"\_\_%" for name in names]
    found: Tables = {}
    rows = conn.execute(_COLUMNS, {"schema": schema, "names": names, "children": children})
    for table, column, data_type in rows:
        found.setdefault(table, {})[column] = data_type
    return found


def family(tables: Tables, root: str) -> Tables:
    """`root` and its child tables among `tables`."""
    prefix = f"{root}__"
    return {t: c for t, c in tables.items() if t == root or t.startswith(prefix)}


def has_values(conn: psycopg.Connection, schema: str, table: str, column: str) -> bool:
    """Whether any row has something in the column. Reads the whole table when none has."""
    statement = sql.SQL("SELECT EXISTS (SELECT 1 FROM {} WHERE {} IS NOT NULL)")
    found = conn.execute(
        statement.format(sql.Identifier(schema, table), sql.Identifier(column))
    ).fetchone()
    return bool(found and found[0])


def add_text_columns(
    conn: psycopg.Connection, schema: str, table: str, columns: Iterable[str]
) -> None:
    """Create columns that held only NULLs so far; the first value decides their type later."""
    for column in columns:
        conn.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} text").format(
                sql.Identifier(schema, table), sql.Identifier(column)
            )
        )


def ensure_index(
    conn: psycopg.Connection, schema: str, table: str, columns: tuple[str, ...], name: str
) -> None:
    """A plain index on `columns`, called `name`. Idempotent."""
    conn.execute(
        sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})").format(
            sql.Identifier(name),
            sql.Identifier(schema, table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
        )
    )


def _escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%")
