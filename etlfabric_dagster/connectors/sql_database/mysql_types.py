"""Columns of MySQL and MariaDB: the PostgreSQL type, and each value's exact text.

Rules where a value has no equal: zero and partial dates become NULL and are counted in a warning;
`tinyint(1)` keeps its number, for it may hold more than 0 and 1; `time` becomes an interval, for it
reaches 838 hours; spatial values keep MySQL's own bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from etlfabric_dagster.connectors.sql_database.types import SourceColumn, kind_of

Convert = Callable[[bytes], bytes | None]

_INTEGERS = {"tinyint": 0, "smallint": 1, "mediumint": 2, "int": 3, "bigint": 4}
_SIGNED = ("smallint", "smallint", "integer", "integer", "bigint")
_UNSIGNED = ("smallint", "integer", "integer", "bigint", "numeric(20,0)")
_TEXT = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_BINARY = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_SPATIAL = ("geometry", "point", "linestring", "polygon", "multipoint", "multilinestring")
_SPATIAL += ("multipolygon", "geometrycollection", "geomcollection")
_SAME = {
    "date": "date",
    "datetime": "timestamp without time zone",
    "double": "double precision",
    "float": "real",
    "inet4": "inet",
    "inet6": "inet",
    "json": "json",
    "time": "interval",
    "timestamp": "timestamp with time zone",
    "uuid": "uuid",
    "year": "smallint",
}
_NO_DATE = re.compile(rb"^\d{4}-(00|\d\d-00)|^0000")


def source_column(row: tuple[Any, ...]) -> SourceColumn:
    """`name, data_type, column_type, nullable, precision, scale` as a column."""
    name, data_type, declared, nullable, precision, scale = row
    pg_type, note = _destination(data_type, declared, precision, scale)
    return SourceColumn(name, declared, pg_type, nullable == "YES", kind_of(pg_type), note)


def _destination(
    data_type: str, declared: str, precision: str | None, scale: str | None
) -> tuple[str, str]:
    if data_type in _INTEGERS:
        sizes = _UNSIGNED if "unsigned" in declared else _SIGNED
        return sizes[_INTEGERS[data_type]], ""
    if data_type == "decimal":
        return f"numeric({precision},{scale})", ""
    if data_type == "bit":
        return ("boolean" if precision == "1" else f"bit({precision})"), ""
    if data_type in _SAME:
        return _SAME[data_type], ""
    if data_type in _TEXT:
        return "text", ""
    if data_type in _BINARY:
        return "bytea", ""
    if data_type in _SPATIAL:
        return "bytea", f"{data_type} arrives as MySQL's own bytes (SRID, then WKB)."
    return "text", f"values of {data_type} arrive as the text the server prints."


def expression(column: SourceColumn, quoted: str) -> str:
    """What to select. A float printed as it is keeps 6 digits only; as a double, all."""
    return f"{quoted} + 0e0" if column.type.startswith("float") else quoted


def converter(column: SourceColumn) -> Convert | None:
    """How the server's text becomes PostgreSQL's; None when they are the same."""
    if column.pg_type == "bytea":
        return lambda value: rb"\x" + value.hex().encode()
    if column.type.startswith("bit"):
        return _bits(column.pg_type)
    if column.pg_type == "timestamp with time zone":
        return lambda value: None if _NO_DATE.match(value) else value + b"+00"
    if column.kind in ("time", "date"):
        return lambda value: None if _NO_DATE.match(value) else value
    return None


def _bits(pg_type: str) -> Convert:
    if pg_type == "boolean":
        return lambda value: b"t" if any(value) else b"f"
    width = int(pg_type.removeprefix("bit(").removesuffix(")"))
    return lambda value: f"{int.from_bytes(value):0{width}b}".encode()
