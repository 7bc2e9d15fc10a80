"""Reading PostgreSQL: COPY for rows, because only COPY keeps every value; SQL for cursors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from etlfabric_dagster.connectors.base import CSV_NULL
from etlfabric_dagster.connectors.rawfile import RawFiles, csv_values
from etlfabric_dagster.connectors.sql_database import problems
from etlfabric_dagster.connectors.sql_database.layout import Layout
from etlfabric_dagster.connectors.sql_database.postgres_discovery import (
    OID,
    SCHEMAS,
    TABLES,
    discover,
    table_columns,
)
from etlfabric_dagster.connectors.sql_database.session import MAX_BOUNDARY_ROWS, Span
from etlfabric_dagster.connectors.sql_database.target import Target
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.schemas.streams import DiscoveredStream

_NULL = CSV_NULL.encode()
_TRUE = sql.SQL("true")


class PostgresSession:
    """See `session.Session`."""

    def __init__(self, connection: psycopg.Connection, target: Target) -> None:
        self._connection, self._target = connection, target

    @property
    def encryption(self) -> str:
        """The TLS version in use, empty without."""
        return "TLS" if self._connection.pgconn.ssl_in_use else ""

    def schemas(self) -> list[str]:
        """See `session.Session`."""
        return [row[0] for row in self._query(SCHEMAS)]

    def tables(self) -> tuple[list[str], list[str]]:
        """See `session.Session`."""
        rows = self._query(TABLES, (self._target.schema,))
        return [row[0] for row in rows if row[2]], [row[0] for row in rows if not row[2]]

    def discover(self) -> list[DiscoveredStream]:
        """See `session.Session`."""
        with self._reading(self._target.schema):
            return discover(self._query, self._target.schema)

    def columns(self, table: str) -> list[SourceColumn]:
        """See `session.Session`."""
        found = self._query(OID, (self._target.schema, table))
        return table_columns(self._query, found[0][0]) if found else []

    def null_count(self, table: str, column: SourceColumn) -> int:
        """See `session.Session`."""
        if not column.nullable:
            return 0
        where = {"t": self._table(table), "c": sql.Identifier(column.name)}
        with self._reading(table):
            if not self._one("select exists (select from {t} where {c} is null)", **where):
                return 0
            return self._one("select count(*) from {t} where {c} is null", **where)

    def read(
        self,
        table: str,
        layout: Layout,
        span: Span | None,
        files: RawFiles,
        tick: Callable[[int], None],
    ) -> int:
        """See `session.Session`."""
        rows = sql.SQL("select {} from {} where {}").format(
            self._select_list(layout), self._table(table), self._where(span)
        )
        copy = sql.SQL("copy ({}) to stdout (format csv, null {})").format(rows, CSV_NULL)
        with (
            self._reading(layout.stream),
            self._connection.cursor() as cursor,
            cursor.copy(copy) as records,
        ):
            return files.write(_rewritten(records, layout) if layout.rewritten else records, tick)

    def sample(
        self, table: str, columns: Sequence[SourceColumn], rows: int
    ) -> list[list[bytes | None]]:
        """See `session.Session`."""
        texts = [
            sql.SQL("convert_to({}::text, 'UTF8')").format(sql.Identifier(one.name))
            for one in columns
        ]
        with self._reading(table):
            found = self._query(
                sql.SQL("select {} from {} limit {}").format(
                    sql.SQL(", ").join(texts), self._table(table), sql.Literal(rows)
                )
            )
        return [list(row) for row in found]

    def high_water(
        self, table: str, layout: Layout, span: Span, keyed: bool
    ) -> dict[str, Any] | None:
        """See `session.Session`."""
        column = sql.Identifier(span.cursor.name)
        with self._reading(layout.stream, span):
            found = self._query(
                sql.SQL(
                    "select {c}::text from {t} where {c} is not null and {finite} and {w} "
                    "order by {c} desc limit 1"
                ).format(
                    c=column,
                    t=self._table(table),
                    finite=_finite(span.cursor),
                    w=self._from(span),
                )
            )
            if not found:
                return None
            names = [field.column.name for field in layout.fields]
            at = Span(span.cursor, found[0][0], 0 if keyed else span.lag_s)
            rows, digest, hashes = self._boundary(table, names, at, MAX_BOUNDARY_ROWS + 1)
        state = {"cursor": at.since, "rows": rows, "digest": digest, "columns": names}
        if rows > MAX_BOUNDARY_ROWS:
            if not keyed:
                raise problems.cursor_too_coarse(table, span.cursor.name, MAX_BOUNDARY_ROWS)
            state["digest"] = None
        return state if keyed else {**state, "seen": hashes}

    def changed(self, table: str, span: Span, state: dict[str, Any]) -> bool:
        """See `session.Session`."""
        with self._reading(table, span):
            rows, digest, _ = self._boundary(table, state["columns"], span, state["rows"] + 1)
        return (rows, digest) != (state["rows"], state["digest"])

    def _boundary(
        self, table: str, names: list[str], span: Span, limit: int
    ) -> tuple[int, str | None, list[str]]:
        """Number, digest and content hashes of the rows from `span` on, at most `limit`."""
        rows = self._query(
            sql.SQL(
                "select count(*), md5(string_agg(h, '' order by h)), coalesce(array_agg(h), '{{}}')"
                " from (select {} as h from {} where {} limit {}) as boundary"
            ).format(_row_hash(names), self._table(table), self._from(span), sql.Literal(limit))
        )
        return rows[0]

    def _select_list(self, layout: Layout) -> sql.Composable:
        parts = [
            sql.SQL("encode(convert_to({}::text, 'UTF8'), 'hex')").format(_value(field.column))
            for field in layout.rewritten
        ]
        parts += [_value(field.column) for field in layout.kept]
        if layout.row_hash:
            names = [field.column.name for field in layout.fields]
            parts.append(_row_hash(names))
        parts.append(sql.SQL("{}::text").format(sql.Literal(layout.load_id)))
        return sql.SQL(", ").join(parts)

    def _where(self, span: Span | None) -> sql.Composable:
        if span is None:
            return _TRUE
        if not span.seen:
            return self._from(span)
        return sql.SQL("{} and not ({} = any({}::text[]))").format(
            self._from(span), _row_hash(span.seen_columns), sql.Literal(list(span.seen))
        )

    def _from(self, span: Span) -> sql.Composable:
        """`cursor >= since - lag`, in the cursor's own type so that an index serves."""
        if span.since is None:
            return _TRUE
        start: sql.Composable = sql.SQL("{}::{}").format(
            sql.Literal(span.since), _type(span.cursor)
        )
        if span.lag_s and span.cursor.kind in ("time", "date"):
            start = sql.SQL("({} - make_interval(secs => {}))").format(
                start, sql.Literal(span.lag_s)
            )
        elif span.lag_s and span.cursor.kind in ("number", "float"):
            lag = int(span.lag_s) if span.lag_s == int(span.lag_s) else span.lag_s
            start = sql.SQL("({} - {})").format(start, sql.Literal(lag))
        elif span.lag_s:
            raise problems.bad_cursor_value("The stream", span.cursor.name, "a lag needs a time")
        return sql.SQL("{} >= {}").format(sql.Identifier(span.cursor.name), start)

    def _table(self, table: str) -> sql.Identifier:
        return sql.Identifier(self._target.schema, table)

    def _query(self, statement: Any, parameters: Any = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, parameters).fetchall()

    def _one(self, statement: str, **parts: sql.Composable) -> Any:
        return self._query(sql.SQL(cast("LiteralString", statement)).format(**parts))[0][0]

    @contextmanager
    def _reading(self, stream: str, span: Span | None = None) -> Iterator[None]:
        """The server's errors in our words."""
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as exc:
            raise problems.unreadable(self._target, [stream], 1) from exc
        except psycopg.errors.UndefinedTable as exc:
            raise problems.vanished(self._target, stream) from exc
        except (psycopg.DataError, psycopg.errors.UndefinedFunction) as exc:
            if span is None:
                raise problems.read_failed(self._target, stream, _first_line(exc)) from exc
            raise problems.bad_cursor_value(stream, span.cursor.name, _first_line(exc)) from exc
        except psycopg.Error as exc:
            raise problems.read_failed(self._target, stream, _first_line(exc)) from exc


def _value(column: SourceColumn) -> sql.Composable:
    name = sql.Identifier(column.name)
    return sql.SQL("{}::numeric").format(name) if column.type == "money" else name


def _type(column: SourceColumn) -> sql.SQL:
    """The type as format_type spelled it, quoted by the server itself."""
    return sql.SQL(cast("LiteralString", column.pg_type))


def _row_hash(names: Any) -> sql.Composable:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in names)
    return sql.SQL("md5(row({})::text)").format(columns)


def _finite(column: SourceColumn) -> sql.Composable:
    """A cursor never moves to infinity: nothing would come after it."""
    name = sql.Identifier(column.name)
    if column.kind in ("time", "date"):
        return sql.SQL("isfinite({})").format(name)
    if column.kind == "float" or column.pg_type.startswith("numeric"):
        return sql.SQL("{}::text not in ('NaN', 'Infinity', '-Infinity')").format(name)
    return _TRUE


def _rewritten(records: Iterable[Any], layout: Layout) -> Iterator[bytes]:
    """COPY's records with their policies applied. The values to rewrite come first, in hex."""
    count = len(layout.rewritten)
    for record in records:
        *coded, rest = bytes(record).split(b",", count)
        values = [None if c == _NULL else bytes.fromhex(c.decode()) for c in coded]
        yield csv_values(layout.rewrite(values)) + b"," + rest


def _first_line(exc: psycopg.Error) -> str:
    return (exc.diag.message_primary or str(exc)).strip().splitlines()[0]
