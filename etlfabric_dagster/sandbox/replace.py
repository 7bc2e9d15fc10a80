"""The last step of a full load: the staged rows take the place of all others, in one transaction.

Readers see the old rows until it commits. Where views stand on the table its rows are replaced and
the views stay; where none does, the staged table itself moves in, which costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg
from dlt.common.destination.client import RunnableLoadJob
from dlt.common.storages.file_storage import FileStorage
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.exceptions import DatabaseTerminalException, DatabaseTransientException
from dlt.destinations.job_impl import FollowupJobRequestImpl
from psycopg import sql

from etlfabric_dagster.sandbox import catalog, evolution, views
from etlfabric_dagster.sandbox.evolution import Retype
from etlfabric_dagster.schemas.jobs import Warehouse

Connection = psycopg.Connection[Any]

_READERS = """
SELECT DISTINCT r.rolname
FROM pg_default_acl d CROSS JOIN aclexplode(d.defaclacl) a JOIN pg_roles r ON r.oid = a.grantee
WHERE d.defaclnamespace = %s::regnamespace AND d.defaclobjtype = 'r'
  AND d.defaclrole = %s::regrole AND a.privilege_type = 'SELECT'
"""


class ReplaceRequest(FollowupJobRequestImpl):
    """Asks for a ReplaceJob: the file lists the table chain with its columns."""

    def __init__(self, table_chain: Sequence[Any]) -> None:
        root = table_chain[0]["name"]
        name = ParsedLoadJobFileName(root, ParsedLoadJobFileName.new_file_id(), 0, "sql")
        super().__init__(name.file_name())
        chain = {
            table["name"]: [c for c, v in table["columns"].items() if v.get("data_type")]
            for table in table_chain
        }
        self._save_text_file(json.dumps(chain))


class ReplaceJob(RunnableLoadJob):
    """Replaces the rows of a table and its child tables."""

    def __init__(
        self,
        file_path: str,
        warehouse: Warehouse,
        retypes: Sequence[Retype],
        lost_views: list[str],
    ) -> None:
        super().__init__(file_path)
        self._lost_views = lost_views
        self._warehouse = warehouse
        self._retypes = retypes

    def run(self) -> None:
        with FileStorage.open_zipsafe_ro(self._file_path, "r", encoding="utf-8") as file:
            chain: dict[str, list[str]] = json.load(file)
        try:
            with catalog.connect(self._warehouse) as conn:
                self._lost_views += replace(conn, self._warehouse, chain, self._retypes)
        except psycopg.OperationalError as exc:
            raise DatabaseTransientException(exc) from exc
        except psycopg.Error as exc:
            raise DatabaseTerminalException(exc) from exc


def replace(
    conn: Connection,
    warehouse: Warehouse,
    chain: dict[str, list[str]],
    retypes: Sequence[Retype],
) -> list[str]:
    """Put the staged rows of `chain` (table → columns) in place, atomically.

    Returns the views that did not survive.
    """
    with conn.transaction():
        if _may_move(conn, warehouse, chain):
            _move(conn, warehouse, list(chain))
            return []
    affected = sorted({retype.table for retype in retypes})
    with views.set_aside(conn, warehouse.raw, affected) as lost:
        tables = [sql.Identifier(warehouse.raw, table) for table in chain]
        conn.execute(sql.SQL("TRUNCATE TABLE {}").format(sql.SQL(", ").join(tables)))
        for retype in retypes:
            conn.execute(evolution.alter(warehouse.raw, retype))
        for table, columns in chain.items():
            _insert(conn, warehouse, table, columns)
    return lost


def _may_move(conn: Connection, warehouse: Warehouse, chain: dict[str, list[str]]) -> bool:
    """Nothing stands on the tables, and they hold no column that the staged ones lack."""
    if views.dependents(conn, warehouse.raw, list(chain)):
        return False
    existing = catalog.read_tables(conn, warehouse.raw, chain)
    return all(set(existing.get(table, ())) <= set(columns) for table, columns in chain.items())


def _move(conn: Connection, warehouse: Warehouse, tables: Sequence[str]) -> None:
    owner = conn.execute("SELECT current_user").fetchone()
    readers = conn.execute(_READERS, [f'"{warehouse.raw}"', f'"{owner[0]}"']).fetchall()  # pyright: ignore[reportOptionalSubscript]
    for table in tables:
        raw = sql.Identifier(warehouse.raw, table)
        conn.execute(sql.SQL("DROP TABLE {}").format(raw))
        conn.execute(
            sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
                sql.Identifier(warehouse.raw_staging, table), sql.Identifier(warehouse.raw)
            )
        )
        for (reader,) in readers:  # default privileges are given where a table is created
            conn.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(raw, sql.Identifier(reader)))


def _insert(conn: Connection, warehouse: Warehouse, table: str, columns: Sequence[str]) -> None:
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    conn.execute(
        sql.SQL("INSERT INTO {raw} ({listed}) SELECT {listed} FROM {staged}").format(
            raw=sql.Identifier(warehouse.raw, table),
            staged=sql.Identifier(warehouse.raw_staging, table),
            listed=listed,
        )
    )
