"""FormatJob: SQL laid out in one style, Jinja and comments kept."""

from __future__ import annotations

from typing import Any

from sqlfmt.api import format_string
from sqlfmt.exception import SqlfmtError
from sqlfmt.mode import Mode

from etlfabric_dagster.errors import TransformError
from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import FormatJob

STYLE = Mode(dialect_name="polyglot", line_length=88, no_jinjafmt=True)


def handle(job: FormatJob, emit: Emit, workdir: str) -> dict[str, Any]:
    """Returns `{"sql"}`. Raises TransformError for what it cannot read; nothing is lost then."""
    try:
        return {"sql": format_string(job.sql, STYLE)}
    except SqlfmtError as exc:
        said = str(exc).strip().splitlines()[0].removeprefix("sqlfmt encountered an error: ")
        raise TransformError(
            f"This SQL cannot be formatted: {said}", "Correct it first; nothing was changed."
        ) from exc
