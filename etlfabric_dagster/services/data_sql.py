"""The statements of the data browser. Pure; every name is quoted, every column known."""

from __future__ import annotations

import re

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.data import TableDetail
from etlfabric_dagster.schemas.streams import ColumnInfo

PROFILED_ROWS = 50_000
MAX_PROFILED_COLUMNS = 100
MAX_PAGE = 1000
MAX_OFFSET = 1_000_000

# types whose values have an order that min() and max() know in every supported server
_ORDERED = re.compile(
    r"(smallint|integer|bigint|real|double precision|numeric|money|date|timestamp|time|interval"
    r"|text|character)\b(?!.*\[\])"
)


def quoted(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def everything(relation: str) -> str:
    """All rows of a relation whose name is quoted."""
    return f"SELECT * FROM {relation}"  # noqa: S608


def rows(
    relation: str,
    detail: TableDetail,
    *,
    order_by: str | None,
    descending: bool,
    offset: int,
    limit: int,
) -> str:
    """Some rows. Raises InvalidInputError for an unknown column or a page out of range."""
    if not (1 <= limit <= MAX_PAGE and 0 <= offset <= MAX_OFFSET):
        raise InvalidInputError(
            f"A page of {limit} rows from {offset} is out of range.",
            f"Ask for 1 to {MAX_PAGE:,} rows, from at most {MAX_OFFSET:,}; download the table for"
            " more.",
            field="limit",
        )
    order = ""
    if order_by is not None:
        if order_by not in {column.name for column in detail.column_list}:
            raise InvalidInputError(
                f"{detail.db_schema}.{detail.name} has no column {order_by[:100]}.",
                "Order by one of its columns.",
                field="order_by",
            )
        order = f" ORDER BY {quoted(order_by)} {'DESC' if descending else 'ASC'} NULLS LAST"
    return f"{everything(relation)}{order} LIMIT {limit} OFFSET {offset}"


def profile(relation: str, detail: TableDetail, limit: int | None = PROFILED_ROWS) -> str:
    """One row: rows looked at (one more than the limit when there are more), then five values for
    each column. No limit: all rows.
    """
    columns = detail.column_list[:MAX_PROFILED_COLUMNS]
    parts = ", ".join(["count(*)", *(_profiled(column) for column in columns)])
    sample = everything(relation) + ("" if limit is None else f" LIMIT {limit + 1}")
    return f"WITH sample AS MATERIALIZED ({sample}) SELECT {parts} FROM sample"  # noqa: S608


def _profiled(column: ColumnInfo) -> str:
    name = quoted(column.name)
    ends = "NULL, NULL"
    if _ORDERED.match(column.type):
        ends = f"left(min({name})::text, 200), left(max({name})::text, 200)"
    top = (
        "(SELECT json_agg(json_build_array(v, n)) FROM (SELECT left("  # noqa: S608
        f"{name}::text, 100) AS v, count(*) AS n FROM sample WHERE {name} IS NOT NULL GROUP BY 1"
        " ORDER BY 2 DESC, 1 LIMIT 5) AS met)::text"
    )
    return f"count(*) - count({name}), count(DISTINCT {name}::text), {ends}, {top}"
