"""Reading MySQL and MariaDB through a server-side cursor, in the server's own text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pymysql
from pymysql.constants import ER
from pymysql.cursors import SSCursor

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.cursors import (
    CHEAP_ROWS,
    may_be_cursor,
    rank_cursors,
)
from etlfabric_dagster.connectors.sql_database.mysql_types import (
    converter,
    expression,
    source_column,
)
from etlfabric_dagster.connectors.sql_database.row_session import RowSession, Values
from etlfabric_dagster.connectors.sql_database.session import Span
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.schemas.streams import ColumnInfo, DiscoveredStream

_CLOSED = (
    ER.TABLEACCESS_DENIED_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    ER.VIEW_INVALID,
    ER.NO_SUCH_TABLE,
)
_SCHEMAS = "select schema_name from information_schema.schemata order by 1"
_TABLES = """
select table_name, table_rows from information_schema.tables
where table_schema = {schema} and table_type in ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
order by table_name
"""
_COLUMNS = """
select column_name, data_type, column_type, is_nullable, numeric_precision, numeric_scale
from information_schema.columns where table_schema = {schema} and table_name = {table}
order by ordinal_position
"""
_PRIMARY_KEY = """
select column_name from information_schema.key_column_usage
where table_schema = {schema} and table_name = {table} and constraint_name = 'PRIMARY'
order by ordinal_position
"""
_INDEXED = """
select distinct column_name from information_schema.statistics
where table_schema = {schema} and table_name = {table} and seq_in_index = 1
"""
_NULLS = "select count(*) from {table} where {column} is null"
_ROWS = "select {columns} from {table} where {where}"
_LAST = "select max({column}) from {table} where {where}"


class MySqlSession(RowSession):
    """See `session.Session`."""

    def __init__(self, connection: Any, target: Target) -> None:
        self._connection, self._target = connection, target

    @property
    def encryption(self) -> str:
        """The TLS version in use, empty without."""
        version = self._query("show status like 'Ssl_version'")
        return (version[0][1] or "") if version else ""

    def schemas(self) -> list[str]:
        """See `session.Session`."""
        return [row[0] for row in self._query(_SCHEMAS)]

    def tables(self) -> tuple[list[str], list[str]]:
        """See `session.Session`."""
        names = [row[0] for row in self._about(_TABLES)]
        closed = [name for name in names if not self._readable(name)]
        return [name for name in names if name not in closed], closed

    def discover(self) -> list[DiscoveredStream]:
        """See `session.Session`."""
        rows = self._about(_TABLES)
        return [self._stream(name, estimate) for name, estimate in rows if self._readable(name)]

    def columns(self, table: str) -> list[SourceColumn]:
        """See `session.Session`."""
        return [source_column(row) for row in self._about(_COLUMNS, table)]

    def null_count(self, table: str, column: SourceColumn) -> int:
        """See `session.Session`."""
        if not column.nullable:
            return 0
        nulls = _NULLS.format(table=self._table(table), column=_quoted(column.name))
        with self._reading(table):
            return int(self._query(nulls)[0][0])

    def rows(
        self,
        table: str,
        columns: Sequence[SourceColumn],
        span: Span | None,
        limit: int | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> Iterator[Values]:
        """See `row_session.RowSession`."""
        names = ", ".join(expression(column, _quoted(column.name)) for column in columns)
        with self._reading(table, span), self._connection.cursor(SSCursor) as cursor:
            select = _ROWS.format(columns=names, table=self._table(table), where=self._where(span))
            cursor.execute(select if limit is None else f"{select} limit {limit}")
            yield from _converted(cursor, columns, warn)

    def last_value(self, table: str, span: Span) -> str | None:
        """See `row_session.RowSession`."""
        with self._reading(table, span):
            last = _LAST.format(
                column=_quoted(span.cursor.name),
                table=self._table(table),
                where=self._where(span),
            )
            return self._query(last)[0][0]

    def _where(self, span: Span | None) -> str:
        """`cursor >= since - lag`, compared in the column's own type so that an index serves."""
        if span is None or span.since is None:
            return "true"
        return f"{_quoted(span.cursor.name)} >= {self._start(span.cursor, span.since, span.lag_s)}"

    def _start(self, cursor: SourceColumn, since: str, lag_s: float) -> str:
        if cursor.kind in ("time", "date"):
            literal = f"cast({self._literal(_utc(cursor, since))} as datetime(6))"
            return f"{literal} - interval {lag_s!r} second" if lag_s else literal
        if cursor.kind in ("number", "float"):
            return f"{_number(cursor, since)} - {lag_s!r}" if lag_s else _number(cursor, since)
        if lag_s:
            raise problems.bad_cursor_value("The stream", cursor.name, "a lag needs a time")
        return self._literal(since)

    def _stream(self, name: str, estimate: str | None) -> DiscoveredStream:
        columns = self.columns(name)
        key = [row[0] for row in self._about(_PRIMARY_KEY, name)]
        indexed = {row[0] for row in self._about(_INDEXED, name)}
        rows = None if estimate is None else int(estimate)
        full = {column.name for column in columns if not column.nullable}
        for column in columns:
            cheap = column.name in indexed or (rows is not None and rows <= CHEAP_ROWS)
            asked = column.nullable and cheap and may_be_cursor(column, key)
            if asked and not self.null_count(name, column):
                full.add(column.name)
        return DiscoveredStream(
            name=name,
            columns=tuple(
                ColumnInfo(name=c.name, type=c.type, nullable=c.nullable) for c in columns
            ),
            primary_key=tuple(key),
            **rank_cursors(columns, indexed, key, full),
            row_estimate=rows,
        )

    def _readable(self, table: str) -> bool:
        """A privilege other than SELECT shows a table, too."""
        try:
            self._query(_ROWS.format(columns="1", table=self._table(table), where="false"))
        except pymysql.Error as exc:
            if exc.args[0] in _CLOSED:
                return False
            raise problems.read_failed(self._target, table, str(exc.args[-1])) from exc
        return True

    def _table(self, table: str) -> str:
        return f"{_quoted(self._target.schema)}.{_quoted(table)}"

    def _literal(self, text: str) -> str:
        return self._connection.escape(text)

    def _about(self, statement: str, table: str = "") -> list[tuple[Any, ...]]:
        names = {"schema": self._literal(self._target.schema), "table": self._literal(table)}
        return self._query(statement.format(**names))

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall()
        return [tuple(v.decode() if isinstance(v, bytes) else v for v in row) for row in rows]

    @contextmanager
    def _reading(self, stream: str, span: Span | None = None) -> Iterator[None]:
        """The server's errors in our words."""
        try:
            yield
        except pymysql.Error as exc:
            code, detail = exc.args[0], str(exc.args[-1])
            if code == ER.NO_SUCH_TABLE:
                raise problems.vanished(self._target, stream) from exc
            if code in _CLOSED:
                raise problems.unreadable(self._target, [stream], 1) from exc
            raise problems.read_failed(self._target, stream, detail) from exc
        except (ValueError, InvalidOperation) as exc:
            if span is None:
                raise
            detail = f"“{span.since}” is not of its type"
            raise problems.bad_cursor_value(stream, span.cursor.name, detail) from exc


def _converted(
    cursor: Any, columns: Sequence[SourceColumn], warn: Callable[[str], None]
) -> Iterator[Values]:
    todo = [(at, convert) for at, c in enumerate(columns) if (convert := converter(c))]
    lost = dict.fromkeys(range(len(columns)), 0)
    for row in cursor:
        values = list(row)
        for at, convert in todo:
            if values[at] is not None:
                values[at] = convert(values[at])
                lost[at] += values[at] is None
        yield values
    for at, count in lost.items():
        if count:
            warn(f"{columns[at].name}: {count:,} zero or partial dates became NULL.")


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _utc(cursor: SourceColumn, text: str) -> str:
    """A time as the session's UTC text; zero dates, which the server gave us, as they are."""
    if text.startswith("0000-00-00"):
        return text
    moment = datetime.fromisoformat(text)
    if moment.tzinfo and cursor.pg_type == "timestamp with time zone":
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(" ")


def _number(cursor: SourceColumn, text: str) -> str:
    """A number literal, exact for integers and decimals."""
    if not Decimal(text).is_finite():
        raise ValueError(text)
    return f"{float(text)!r}e0" if cursor.kind == "float" else f"{Decimal(text):f}"
