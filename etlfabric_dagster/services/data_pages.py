"""Pages of a table's rows, by where the last row stands. Pure; names are quoted, values are text.

A table's row stands at its ctid, the tie-breaker of every order; a page goes on behind the last
row's value and ctid. Rows of views stand nowhere: they are counted, up to a limit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.data import RowFilter, RowPage, TableDetail
from etlfabric_dagster.schemas.streams import ColumnInfo
from etlfabric_dagster.services import data_sql, paging

CUT = 200
MAX_VALUE = 1_000_000
MAX_FILTERS = 10
_TID = re.compile(r"\(\d{1,10},\d{1,5}\)")
_UNORDERED = ("json", "xml", "point", "box", "path", "polygon", "circle", "line", "lseg")


class Asked(NamedTuple):
    """What page is asked for."""

    order_by: str | None
    descending: bool
    filters: tuple[RowFilter, ...]
    cursor: str | None
    limit: int


def statement(relation: str, detail: TableDetail, asked: Asked) -> str:
    """One row more than asked for: values cut, then place, order value and size of the row.

    Raises InvalidInputError.
    """
    if not 1 <= asked.limit <= data_sql.MAX_PAGE:
        raise InvalidInputError(
            f"A page has 1 to {data_sql.MAX_PAGE:,} rows.", "Ask for fewer.", field="limit"
        )
    conditions = [_condition(detail, one) for one in asked.filters[:MAX_FILTERS]]
    column = _column(detail, asked.order_by) if asked.order_by else None
    if column is not None and column.type.partition("(")[0].rstrip("[]") in _UNORDERED:
        raise InvalidInputError(
            f"{column.name} is {column.type}, which has no order.",
            "Sort by another column.",
            field="order_by",
        )
    stands = detail.kind != "view"
    offset = ""
    if asked.cursor and stands:
        conditions.append(_behind(column, asked))
    elif asked.cursor:
        (count,) = paging.decode(asked.cursor, int)
        if count > data_sql.MAX_OFFSET:
            raise InvalidInputError(
                f"A view is paged through its first {data_sql.MAX_OFFSET:,} rows.",
                "Filter first, or download it.",
            )
        offset = f" OFFSET {count}"
    where = f" WHERE {' AND '.join(f'({one})' for one in conditions)}" if conditions else ""
    name = data_sql.quoted(column.name) if column else ""
    orders = [f"{name} {'DESC' if asked.descending else 'ASC'} NULLS LAST"] if column else []
    orders += ["ctid"] if stands else []
    order = f" ORDER BY {', '.join(orders)}" if orders else ""
    values = [f"left({data_sql.quoted(one.name)}::text, {CUT + 1})" for one in detail.column_list]
    place = "ctid::text" if stands else "''"
    extra = [place, f"{name}::text" if column else "NULL", "octet_length(etlfabric_row::text)"]
    listed = ", ".join(f"{one} AS c{n}" for n, one in enumerate([*values, *extra]))
    rows = f"{relation} AS etlfabric_row{where}{order} LIMIT {asked.limit + 1}{offset}"
    return f"SELECT {listed} FROM {rows}"  # noqa: S608


def page_of(rows: Sequence[Sequence[Any]], detail: TableDetail, asked: Asked) -> RowPage:
    """The page that the statement's answer makes."""
    shown = rows[: asked.limit]
    width = len(detail.column_list)
    following = None
    if len(rows) > asked.limit:
        last = shown[-1]
        if detail.kind == "view":
            before = paging.decode(asked.cursor, int)[0] if asked.cursor else 0
            following = paging.encode(before + len(shown))
        else:
            following = paging.encode(last[width], last[width + 1])
    sizes = [int(row[width + 2] or 0) for row in shown]
    return RowPage(
        columns=detail.column_list,
        rows=tuple(tuple(row[:width]) for row in shown),
        places=tuple(str(row[width]) for row in shown),
        next=following,
        mean_bytes=sum(sizes) / len(sizes) if sizes else 0.0,
    )


def one_value(relation: str, detail: TableDetail, column: str, place: str) -> str:
    """One value of one row. Raises InvalidInputError."""
    if not _TID.fullmatch(place):
        raise InvalidInputError("This row has no place to look at.", "Query it in the SQL tab.")
    name = data_sql.quoted(_column(detail, column).name)
    return f"SELECT left({name}::text, {MAX_VALUE}) FROM {relation} WHERE ctid = '{place}'"  # noqa: S608


def _behind(column: ColumnInfo | None, asked: Asked) -> str:
    """Rows after the one that the cursor names."""
    place, at = paging.decode(asked.cursor or "", str, _text_or_null)
    if not _TID.fullmatch(place):
        raise InvalidInputError("This cursor is of another page.", "Start with the first page.")
    after = f"ctid > '{place}'"
    if column is None:
        return after
    name = data_sql.quoted(column.name)
    if at is None:
        return f"{name} IS NULL AND {after}"
    value = f"{_literal(at)}::{column.type}"
    beyond = "<" if asked.descending else ">"
    return f"{name} {beyond} {value} OR ({name} = {value} AND {after}) OR {name} IS NULL"


def _condition(detail: TableDetail, one: RowFilter) -> str:
    name = data_sql.quoted(_column(detail, one.column).name)
    text = _literal(one.value)
    conditions = {
        "contains": f"strpos(lower({name}::text), lower({text})) > 0",
        "equals": f"{name} = {text}",
        "above": f"{name} > {text}",
        "below": f"{name} < {text}",
        "null": f"{name} IS NULL",
        "not_null": f"{name} IS NOT NULL",
        "empty": f"{name}::text = ''",
    }
    if one.kind not in conditions:
        raise InvalidInputError(
            f"There is no filter {one.kind[:40]!r}.", f"Choose among: {', '.join(conditions)}."
        )
    return conditions[one.kind]


def _column(detail: TableDetail, name: str) -> ColumnInfo:
    for column in detail.column_list:
        if column.name == name:
            return column
    raise InvalidInputError(
        f"{detail.db_schema}.{detail.name} has no column {name[:100]}.",
        "Choose one of its columns.",
        field="column",
    )


def _literal(text: str) -> str:
    """Text as SQL; with backslashes in the form that no setting reads otherwise."""
    doubled = text.replace("\0", "").replace("'", "''")
    if "\\" in doubled:
        escaped = doubled.replace("\\", "\\\\")
        return f"E'{escaped}'"
    return f"'{doubled}'"


def _text_or_null(value: str | None) -> str | None:
    return value if value is None else str(value)
