"""QueryJob: one statement of a person, as the tenant's read-only login."""

from __future__ import annotations

from typing import Any

from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.sandbox import reading
from etlfabric_dagster.sandbox.emitter import Emit
from etlfabric_dagster.schemas.jobs import QueryJob

MAX_SQL_CHARACTERS = 100_000


def handle(job: QueryJob, emit: Emit, workdir: str) -> dict[str, Any]:
    """Returns a TableResult. Raises TransformError, InvalidInputError."""
    sql = job.sql.strip()
    if not sql or len(sql) > MAX_SQL_CHARACTERS or "\0" in sql:
        raise InvalidInputError(
            f"A query is 1 to {MAX_SQL_CHARACTERS:,} characters of text; this one has"
            f" {len(sql):,}{' with a NUL' if chr(0) in sql else ''}.",
            "Send one select statement.",
            field="sql",
        )
    return reading.read(job.warehouse, sql, job.limit, job.timeout_s)
