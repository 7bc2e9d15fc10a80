"""dbt models and their answers as they cross layers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.runs import ErrorInfo
from etlfabric_dagster.schemas.streams import ColumnInfo


class DbtOrigin(StrEnum):
    """Who owns a file: generated files are rewritten when the schema changes, tenant files
    never.
    """

    GENERATED = "generated"
    TENANT = "tenant"


class DbtFile(Value):
    """One file of the tenant's dbt project: `marts/daily_orders.sql`, `macros/cents.sql`,
    `seeds/…`.
    """

    path: str
    content: str
    origin: DbtOrigin = DbtOrigin.TENANT


class DbtDraftOut(Value):
    """What a person saved although it does not compile yet. Builds never see it."""

    content: str | None = None
    author: str
    error: ErrorInfo | None = None
    updated_at: datetime


class DbtVersion(Value):
    """One saved state of a file, newest first in lists."""

    id: UUID
    path: str
    action: str
    """`put`, `restore`, `import`, `delete`, or `found`: as it was before history began."""
    author: str
    digest: str
    """SHA-256 of the content, hex."""
    lines: int
    created_at: datetime
    content: str | None = None
    """None in lists, and where the file was deleted."""


class DbtModelOut(Value):
    """A file of the tenant's dbt project as people see it."""

    path: str
    name: str
    origin: DbtOrigin
    kind: str
    """`model`, `seed`, `snapshot`, `test`, `macro`, `analysis` or `properties`."""
    content: str | None = None
    """None in lists, and while there is only a draft."""
    draft: DbtDraftOut | None = None
    updated_at: datetime
    version: str | None = None
    """Names the text that an editor opens, the draft if there is one: what a save was made from.
    None in lists.
    """


class FormattedSql(Value):
    """SQL in one style."""

    sql: str


class TableResult(Value):
    """Rows of a preview or query. Values are JSON: numerics, timestamps and uuids as text."""

    columns: tuple[ColumnInfo, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False


class CompiledModel(Value):
    """A model's SQL as the database will get it."""

    path: str
    compiled_sql: str


class DbtTestOut(Value):
    """A dbt test of a model, and how it last ended."""

    unique_id: str
    name: str
    column: str | None
    severity: str
    status: str | None = None
    """`pass`, `fail`, `warn`, `error` or `skipped`; None = not among the last runs."""
    failures: int | None = None
    message: str | None = None
    run: UUID | None = None
    tested_at: datetime | None = None


class ImportReport(Value):
    """What `dbt-models import` took, changed and left."""

    imported: tuple[str, ...]
    changed: tuple[str, ...] = ()
    """`path: what was mapped` (sources, schemas)."""
    skipped: tuple[str, ...] = ()
    """`path: why`."""
