"""What went wrong with a stream, in words a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import psycopg2
from dlt.common.schema.exceptions import CannotCoerceColumnException, CannotCoerceNullException
from dlt.extract.incremental.exceptions import (
    IncrementalCursorPathHasValueNone,
    IncrementalCursorPathMissing,
)

from etlfabric_dagster.errors import FabricError, LoadError

_DISK_FULL, _TOO_MANY_COLUMNS = "53100", "54011"
_CONTEXT = re.compile(
    r"^CONTEXT:\s+COPY (?P<table>\S+), line (?P<line>\d+)(?:, column (?P<column>[^:]+))?"
)


def explain(stream: str, exc: BaseException) -> FabricError:
    """The error that is shown for a failed stream. Raises nothing."""
    chain = list(_chain(exc))
    for link in chain:
        if isinstance(link, FabricError):
            return link
    for link in chain:
        error = _of_database(stream, link) or _of_data(stream, link)
        if error:
            return error
    root = chain[-1]
    first_line = " ".join(str(root).split())[:600]
    return LoadError(
        f"{stream} failed in a way we did not expect: {type(root).__name__}: {first_line}"
        " Its old rows stay.",
        "Try again; if it repeats, send this message to your operator.",
        code="unforeseen",
        stream=stream,
    )


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes, outermost first; dlt also hides one in `client_exception`."""
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or getattr(exc, "client_exception", None) or exc.__context__


def _of_database(stream: str, exc: BaseException) -> LoadError | None:
    if isinstance(exc, psycopg2.Error):
        code, text = exc.pgcode or "", str(exc)
    elif isinstance(exc, psycopg.Error):
        code, text = exc.sqlstate or "", str(exc)
    else:
        return None
    lines = [line for line in text.strip().splitlines() if line] or ["no message"]
    reason = lines[0].removeprefix("ERROR:").strip()
    if code == _DISK_FULL:
        return LoadError(
            f"Postgres could not write {stream}: its disk is full. The table is as it was before"
            " this run.",
            "Tell an operator; retry when there is space.",
            code="disk_full",
            stream=stream,
        )
    if code == _TOO_MANY_COLUMNS:
        return LoadError(
            f"{stream} has more columns than a table may have (1,600). It was not loaded.",
            "Deselect columns.",
            code="too_many_columns",
            stream=stream,
        )
    found = next((m for line in lines if (m := _CONTEXT.match(line))), None)
    place = f", row {found['line']}" if found else ""
    column = f", column {found['column']}" if found and found["column"] else ""
    if code.startswith("22"):
        return LoadError(
            f"A value of {stream}{place}{column} does not fit: {reason}. None of it was loaded;"
            " its old rows stay.",
            "Correct the value at its source, or leave the column out.",
            code="bad_value",
            stream=stream,
        )
    return LoadError(
        f"The warehouse refused to load {stream}: {reason}. Its old rows stay.",
        "Try again; if it repeats, send this message to your operator.",
        code="warehouse",
        stream=stream,
    )


def _of_data(stream: str, exc: BaseException) -> LoadError | None:
    if isinstance(exc, IncrementalCursorPathHasValueNone):
        return LoadError(
            f"A row of {stream} has no {exc.json_path}, so Incremental would miss it."
            f" Nothing of {stream} was loaded.",
            "Choose a cursor that is always set, or load in Full.",
            code="cursor_nulls",
            stream=stream,
        )
    if isinstance(exc, IncrementalCursorPathMissing):
        return LoadError(
            f"Rows of {stream} have no field {exc.json_path}, its cursor. It was not loaded.",
            "Choose another cursor, or load in Full.",
            code="cursor_missing",
            stream=stream,
        )
    if isinstance(exc, CannotCoerceNullException):
        return LoadError(
            f"A row of {stream} has no value where one is required: {exc}. None of it was loaded.",
            "Choose a primary key that is always set.",
            code="key_nulls",
            stream=stream,
        )
    if isinstance(exc, CannotCoerceColumnException | UnicodeEncodeError | RecursionError):
        return LoadError(
            f"A value of {stream} cannot be stored: {str(exc).splitlines()[0][:300]}."
            " None of it was loaded.",
            "Correct the value at its source, or leave the column out.",
            code="bad_value",
            stream=stream,
        )
    return None
