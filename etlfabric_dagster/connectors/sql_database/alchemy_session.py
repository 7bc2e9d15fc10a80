"""Reading databases through SQLAlchemy: its inspector for the catalog, plain SELECTs for rows.

A `Grammar` says what one product calls its types and how it prints a value without loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.cursors import rank_cursors
from etlfabric_dagster.connectors.sql_database.row_session import RowSession, Values
from etlfabric_dagster.connectors.sql_database.session import Span
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn, kind_of
from etlfabric_dagster.schemas.streams import ColumnInfo, DiscoveredStream

FETCH_ROWS = 2000
_ROWS = "select {columns} from {table} where {where}"
_LAST = "select max({column}) as last_value from {table} where {where}"
_NULLS = "select count(*) from {table} where {column} is null"


class Grammar(ABC):
    """One product's words."""

    @abstractmethod
    def destination(self, declared: str) -> tuple[str, str]:
        """PostgreSQL type of a declared type, and a note on what changes on the way."""

    @abstractmethod
    def expression(self, column: SourceColumn, quoted: str) -> str:
        """SQL for a value's lossless text."""

    @abstractmethod
    def moment(self, text: str) -> str:
        """SQL of a timestamp given as `YYYY-MM-DDTHH:MM:SS.ffffff`."""

    @abstractmethod
    def earlier(self, moment: str, seconds: float) -> str:
        """SQL of `moment` minus a lag."""

    @abstractmethod
    def limited(self, select: str, rows: int) -> str:
        """`select` with at most `rows` rows."""

    @abstractmethod
    def estimates(self, schema: str) -> str:
        """SQL of table names and row estimates."""


class AlchemySession(RowSession):
    """See `session.Session`."""

    def __init__(
        self, connection: sa.Connection, target: Target, grammar: Grammar, encryption: str
    ) -> None:
        self._connection, self._target, self._grammar = connection, target, grammar
        self._encryption = encryption
        self._inspector = sa.inspect(connection)

    @property
    def encryption(self) -> str:
        """What the connection was asked for: these drivers do not tell what they got."""
        return self._encryption

    def schemas(self) -> list[str]:
        """See `session.Session`."""
        names = self._inspector.get_schema_names()
        return [self._stored(name) for name in names]

    def tables(self) -> tuple[list[str], list[str]]:
        """See `session.Session`."""
        names = self._names()
        closed = [name for name in names if not self._readable(name)]
        return [name for name in names if name not in closed], closed

    def discover(self) -> list[DiscoveredStream]:
        """See `session.Session`."""
        with self._reading(self._target.schema):
            rows = self._execute(self._grammar.estimates(self._target.schema)).fetchall()
            estimates = {name: None if count is None else int(count) for name, count in rows}
        return [self._stream(name, estimates.get(name)) for name in self.tables()[0]]

    def columns(self, table: str) -> list[SourceColumn]:
        """See `session.Session`."""
        try:
            found = self._inspector.get_columns(self._plain(table), self._schema)
        except NoSuchTableError:
            return []
        return [self._column(column) for column in found]

    def null_count(self, table: str, column: SourceColumn) -> int:
        """See `session.Session`."""
        if not column.nullable:
            return 0
        nulls = _NULLS.format(table=self._table(table), column=self._quoted(column.name))
        with self._reading(table):
            return int(self._execute(nulls).scalar_one())

    def rows(
        self,
        table: str,
        columns: Sequence[SourceColumn],
        span: Span | None,
        limit: int | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> Iterator[Values]:
        """See `row_session.RowSession`."""
        texts = [self._grammar.expression(c, self._quoted(c.name)) for c in columns]
        with self._reading(table, span):
            select = _ROWS.format(
                columns=", ".join(texts), table=self._table(table), where=self._where(span)
            )
            if limit is not None:
                select = self._grammar.limited(select, limit)
            with self._execute(select) as result:
                for row in result.yield_per(FETCH_ROWS):
                    yield [text_of(value) for value in row]

    def last_value(self, table: str, span: Span) -> str | None:
        """See `row_session.RowSession`."""
        quoted = self._quoted(span.cursor.name)
        with self._reading(table, span):
            last = _LAST.format(column=quoted, table=self._table(table), where=self._where(span))
            shown = self._grammar.expression(span.cursor, "last_value")
            found = self._execute(f"select {shown} from ({last}) q").scalar_one()  # noqa: S608 - quoted
        text = text_of(found)
        return None if text is None else text.decode()

    def _where(self, span: Span | None) -> str:
        if span is None or span.since is None:
            return "1 = 1"
        return f"{self._quoted(span.cursor.name)} >= {self._start(span)}"

    def _start(self, span: Span) -> str:
        cursor, since, lag_s = span.cursor, span.since or "", span.lag_s
        if cursor.kind in ("time", "date"):
            moment = self._grammar.moment(_utc(cursor, since))
            return self._grammar.earlier(moment, lag_s) if lag_s else moment
        if cursor.kind in ("number", "float"):
            return f"{Decimal(since):f}" + (f" - {lag_s!r}" if lag_s else "")
        if lag_s:
            raise problems.bad_cursor_value("The stream", cursor.name, "a lag needs a time")
        return "'" + since.replace("'", "''") + "'"

    def _stream(self, name: str, estimate: int | None) -> DiscoveredStream:
        columns = self.columns(name)
        plain = self._plain(name)
        key = self._inspector.get_pk_constraint(plain, self._schema)["constrained_columns"]
        indexes = self._inspector.get_indexes(plain, self._schema)
        indexed = {self._stored(i["column_names"][0] or "") for i in indexes if i["column_names"]}
        key = [self._stored(column) for column in key]
        full = {column.name for column in columns if not column.nullable}
        return DiscoveredStream(
            name=name,
            columns=tuple(
                ColumnInfo(name=c.name, type=c.type, nullable=c.nullable) for c in columns
            ),
            primary_key=tuple(key),
            **rank_cursors(columns, indexed | set(key[:1]), key, full),
            row_estimate=estimate,
        )

    def _column(self, column: Any) -> SourceColumn:
        declared = column["type"].compile(self._connection.dialect).lower()
        pg_type, note = self._grammar.destination(declared)
        name = self._stored(column["name"])
        return SourceColumn(name, declared, pg_type, column["nullable"], kind_of(pg_type), note)

    def _names(self) -> list[str]:
        tables = self._inspector.get_table_names(self._schema)
        return sorted(
            self._stored(name) for name in tables + self._inspector.get_view_names(self._schema)
        )

    def _readable(self, table: str) -> bool:
        try:
            with self._execute(_ROWS.format(columns="1", table=self._table(table), where="1 = 0")):
                return True
        except SQLAlchemyError:
            return False

    # SQLAlchemy writes names that a database folds to upper case in lower case: `_stored` is a
    # name as the database has it, `_plain` as SQLAlchemy wants it.

    @property
    def _schema(self) -> str:
        return self._plain(self._target.schema)

    def _stored(self, name: str) -> str:
        dialect = self._connection.dialect
        if not dialect.requires_name_normalize:
            return str(name)
        return str(dialect.denormalize_name(name))

    def _plain(self, name: str) -> str:
        dialect = self._connection.dialect
        return str(dialect.normalize_name(name)) if dialect.requires_name_normalize else name

    def _quoted(self, name: str) -> str:
        return self._connection.dialect.identifier_preparer.quote_identifier(name)

    def _table(self, table: str) -> str:
        return f"{self._quoted(self._target.schema)}.{self._quoted(table)}"

    def _execute(self, statement: str) -> sa.CursorResult[Any]:
        return self._connection.execution_options(stream_results=True).exec_driver_sql(statement)

    @contextmanager
    def _reading(self, stream: str, span: Span | None = None) -> Iterator[None]:
        """The driver's errors in our words."""
        try:
            yield
        except DBAPIError as exc:
            detail = str(exc.orig).strip().splitlines()[0]
            raise problems.read_failed(self._target, stream, detail) from exc
        except (ValueError, InvalidOperation) as exc:
            if span is None:
                raise
            detail = f"“{span.since}” is not of its type"
            raise problems.bad_cursor_value(stream, span.cursor.name, detail) from exc


def text_of(value: Any) -> bytes | None:
    """A driver's value in the text that PostgreSQL reads back."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return rb"\x" + bytes(value).hex().encode()
    if isinstance(value, float):
        return repr(value).replace("inf", "Infinity").encode()
    return str(value).encode()


def _utc(cursor: SourceColumn, text: str) -> str:
    moment = datetime.fromisoformat(text.replace("+00", "+00:00") if text.endswith("+00") else text)
    if moment.tzinfo and cursor.pg_type == "timestamp with time zone":
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
