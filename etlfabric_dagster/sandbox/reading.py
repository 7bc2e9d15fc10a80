"""Reads rows as a tenant's read-only login: one statement, read-only, in bounded time and size.

Values are exact: whole numbers, floats and booleans are JSON's; everything else is PostgreSQL's own
text, timestamps in ISO 8601.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import ExecStatus, TransactionStatus

from etlfabric_dagster.errors import FabricError, SandboxError, TransformError
from etlfabric_dagster.schemas.jobs import Warehouse

MAX_ANSWER_CHARACTERS = 8_000_000
_BOOL, _INTEGERS, _FLOATS, _TIMESTAMPS = 16, (20, 21, 23, 26), (700, 701), (1114, 1184)
_STATEMENT = "etlfabric_query"
_TYPES = "select n, format_type(o, m) from unnest(%s::int[], %s::oid[], %s::int[]) as t(n, o, m)"


def read(warehouse: Warehouse, sql: str, limit: int, timeout_s: float) -> dict[str, Any]:
    """`{"columns", "rows", "truncated"}` of one statement.

    Raises:
        TransformError: PostgreSQL refused it, or it took longer than `timeout_s`.
        SandboxError: the database cannot be reached.
    """
    with _connect(warehouse, timeout_s) as conn:
        try:
            return _read(conn, sql, limit)
        except psycopg.Error as exc:
            raise explain(exc, timeout_s) from exc


def explain(exc: psycopg.Error, timeout_s: float) -> FabricError:
    """PostgreSQL's refusal as our error; its own words stay in the message."""
    said = exc.diag.message_primary or str(exc).strip().splitlines()[0]
    if isinstance(exc, errors.QueryCanceled):
        return TransformError(
            f"Stopped after {timeout_s:g} s.", "Filter first, or add a limit.", code="timeout"
        )
    if "multiple commands" in said:
        return TransformError(
            "This is more than one statement.", "Send one select at a time.", code="statement"
        )
    if isinstance(exc, errors.ReadOnlySqlTransaction):
        return TransformError(f"This would write: {said}.", "Only select; models write.")
    if isinstance(exc, errors.InsufficientPrivilege):
        return TransformError(
            f"The read-only login may not do this: {said}.",
            "Read the org's own schemas: marts, staging and raw.",
        )
    hint = f" {exc.diag.message_hint}" if exc.diag.message_hint else ""
    return TransformError(f"PostgreSQL refused the SQL: {said}.{hint}", "Correct the SQL.")


@contextlib.contextmanager
def _connect(warehouse: Warehouse, timeout_s: float) -> Iterator[psycopg.Connection]:
    path = ",".join((warehouse.marts, warehouse.staging, warehouse.raw))
    try:
        conn = psycopg.connect(
            host=warehouse.host,
            port=warehouse.port,
            dbname=warehouse.database,
            user=warehouse.username,
            password=warehouse.password,
            application_name="etlfabric-query",
            autocommit=True,
            connect_timeout=10,
            options=(
                f"-c search_path={path} -c datestyle=ISO -c timezone=UTC"
                " -c default_transaction_read_only=on"
                f" -c statement_timeout={math.ceil(timeout_s * 1000)}"
                " -c bytea_output=hex -c intervalstyle=iso_8601 -c extra_float_digits=1"
            ),
        )
    except psycopg.OperationalError as exc:
        raise SandboxError(
            f"The org's database at {warehouse.host}:{warehouse.port} cannot be reached.",
            "See whether it is up: etlfabric status",
        ) from exc
    with contextlib.closing(conn):
        yield conn


def _read(conn: psycopg.Connection, sql: str, limit: int) -> dict[str, Any]:
    columns = _prepare(conn, sql)
    readers = [_reader(oid) for _, _, oid in columns]
    rows: list[list[Any]] = []
    size, truncated = 0, False
    with contextlib.closing(_run(conn)) as results:
        for cells in results:
            size += sum(len(cell) for cell in cells if cell is not None)
            if len(rows) == limit or size > MAX_ANSWER_CHARACTERS:
                truncated = True
                break
            pairs = zip(readers, cells, strict=True)
            rows.append([None if cell is None else read(cell.decode()) for read, cell in pairs])
    listed = [{"name": name, "type": type_name, "nullable": True} for name, type_name, _ in columns]
    return {"columns": listed, "rows": rows, "truncated": truncated}


def _run(conn: psycopg.Connection) -> Generator[list[bytes | None]]:
    """Rows as they are made, in PostgreSQL's text; what is left unread is canceled.

    Not `cursor.stream`, which loses the columns of an empty answer, nor SQL's EXECUTE, which makes
    all rows before it gives one.
    """
    pgconn = conn.pgconn
    pgconn.send_query_prepared(_STATEMENT.encode(), None)
    pgconn.set_single_row_mode()
    try:
        while (result := pgconn.get_result()) is not None:
            if result.status == ExecStatus.SINGLE_TUPLE:
                yield [result.get_value(0, n) for n in range(result.nfields)]
            elif result.status != ExecStatus.TUPLES_OK:
                raise errors.error_from_result(result)
    finally:
        if pgconn.transaction_status == TransactionStatus.ACTIVE:
            conn.cancel_safe()
            while pgconn.get_result() is not None:
                pass


def _prepare(conn: psycopg.Connection, sql: str) -> list[tuple[str, str, int]]:
    """(name, type, type oid) of each column. The server takes one statement, nothing runs yet."""
    for result in (
        conn.pgconn.prepare(_STATEMENT.encode(), sql.encode()),
        described := conn.pgconn.describe_prepared(_STATEMENT.encode()),
    ):
        if result.status != ExecStatus.COMMAND_OK:
            raise errors.error_from_result(result)
    numbers = range(described.nfields)
    if not numbers:
        raise TransformError(
            "This statement returns no rows: queries only read.", "Only select; models write."
        )
    oids, modifiers = [described.ftype(n) for n in numbers], [described.fmod(n) for n in numbers]
    types = dict(conn.execute(_TYPES, (list(numbers), oids, modifiers)).fetchall())
    names = [(described.fname(n) or b"").decode() for n in numbers]
    return [(names[n], types[n], oids[n]) for n in numbers]


def _reader(oid: int) -> Callable[[str], Any]:
    if oid == _BOOL:
        return lambda text: text == "t"
    if oid in _INTEGERS:
        return int
    if oid in _FLOATS:
        return _float
    if oid in _TIMESTAMPS:
        return _timestamp
    return str


def _float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _timestamp(text: str) -> str:
    """`2026-11-22 10:00:00+00` → `2026-11-22T10:00:00+00:00`; infinity and BC stay as they are."""
    if text[-1:].isalpha():
        return text
    text = text.replace(" ", "T", 1)
    return f"{text}:00" if text[-3:-2] in "+-" else text
