"""What reading a database takes, whatever its dialect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from etlfabric_dagster.connectors.rawfile import RawFiles
from etlfabric_dagster.connectors.sql_database.layout import Layout
from etlfabric_dagster.connectors.sql_database.types import SourceColumn
from etlfabric_dagster.schemas.streams import DiscoveredStream

MAX_BOUNDARY_ROWS = 10_000  # hashes kept in a pipeline's state: 10,000 are 340 KB of JSON


@dataclass(frozen=True)
class Span:
    """Which rows of a stream to read: from `since` (None = all) on, without those in `seen`."""

    cursor: SourceColumn
    since: str | None
    """Text of the last cursor value, or of the initial value."""
    lag_s: float
    """How far before `since` to begin; 0 for an initial value."""
    seen: tuple[str, ...] = ()
    """Content hashes of rows that were loaded already."""
    seen_columns: tuple[str, ...] = ()
    """The columns those hashes are of."""


class Session(Protocol):
    """One connection inside one read-only snapshot: all answers describe the same moment."""

    @property
    def encryption(self) -> str:
        """What protects the connection, empty when nothing does."""
        ...

    def schemas(self) -> list[str]:
        """Schemas the user may use."""
        ...

    def tables(self) -> tuple[list[str], list[str]]:
        """Names of the readable tables and views of the schema, and of the others."""
        ...

    def discover(self) -> list[DiscoveredStream]:
        """The readable tables with all that is known about them."""
        ...

    def columns(self, table: str) -> list[SourceColumn]:
        """Columns in order; empty when there is no such table."""
        ...

    def null_count(self, table: str, column: SourceColumn) -> int:
        """Rows whose cursor is NULL."""
        ...

    def read(
        self,
        table: str,
        layout: Layout,
        span: Span | None,
        files: RawFiles,
        tick: Callable[[int], None],
    ) -> int:
        """Write the rows into `files` and count them; `tick(rows)` now and then."""
        ...

    def sample(
        self, table: str, columns: Sequence[SourceColumn], rows: int
    ) -> list[list[bytes | None]]:
        """The first rows that come, each value as text."""
        ...

    def high_water(
        self, table: str, layout: Layout, span: Span, keyed: bool
    ) -> dict[str, Any] | None:
        """The state after this read: `{"cursor", "rows", "digest" | "seen", "columns"}`.

        None when no row lies in the span. Raises ConnectorError when too many rows share the value.
        """
        ...

    def changed(self, table: str, span: Span, state: dict[str, Any]) -> bool:
        """Whether rows at or past the cursor differ from those `state` describes."""
        ...
