"""What a connector is, and what it agrees on with the loader.

**Two roads into the raw schema.** A resource yields either Python items or Arrow tables, which dlt
normalises, or *file imports*: finished CSV files that dlt passes on unopened. Databases use files:
only COPY keeps every value. The agreement about such a file, kept by `connectors.rawfile`:

- It is yielded by `dlt.mark.with_file_import(path, "csv", rows, hints=…)`, stands in
  `context.workdir`, and carries its columns in the hints. A stream yields all its files after
  it was read completely, in one snapshot, or raises `ConnectorError` (`where["stream"]`) before
  it yielded any. An empty stream yields one file with a header only, so that its table exists.
  dlt counts imported rows in its extract metrics only (normalize says 0).
- UTF-8, `FORMAT csv, HEADER, NULL '\\N'`: an unquoted `\\N` is NULL, a quoted one is text, `''` is
  the empty string. Load it with exactly these options and the column list of the header.
- The header holds column names as dlt normalises them (snake_case, 63 characters; letters beyond
  ASCII are spelled first, see `rawfile.raw_name`), and
  `_dlt_load_id` (`LOAD_ID`), the id of the load package it was extracted into. With
  `LoadMode.SCD2` also `ROW_HASH`: use it as `row_version_column_name`.
- Every column's hints carry `PG_TYPE_HINT`, the destination type in the words of `format_type`
  (`numeric(38,10)`, `text[]`, `timestamp without time zone`): create the column with it. The
  `data_type` beside it is the nearest that dlt knows, `text` where it knows none.
- Names that collapse into one, and columns the pipeline does not take, cannot be told apart
  inside a file. The connector refuses the first (code `duplicate_column`); about the others it
  asks `context.accept` before it reads, and leaves out what that leaves out.

**Cursors.** With items and Arrow, `dlt.sources.incremental` keeps the cursor. File imports bypass
it: such a connector keeps its cursor in `context.state[stream]`, a JSON object with at least
`{"cursor": text}`, written when the stream was read completely. The loader hands in the state of
the last load that committed, and persists what it holds afterwards atomically with the load.
Rows that share the last cursor value are read again and merged by key; without a key, those already
loaded are told by their content and left out. `full_refresh` ignores the state; so must the loader
then replace the table.

**Column policies.** A connector whose `applies_column_policies` is true has applied drop, hash and
mask (`connectors.policies`) before anything reaches dlt; for the others the sandbox does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dlt.extract import DltResource

    from etlfabric_dagster.schemas.connections import ConnectorSpec
    from etlfabric_dagster.schemas.jobs import SourceConfig
    from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, StreamPlan

PG_TYPE_HINT = "x-pg-type"
"""Column hint: the exact PostgreSQL type of the raw column."""
LOAD_ID = "_dlt_load_id"
ROW_HASH = "_fabric_row_hash"
"""Content hash of the row as it was read, in files of SCD2 streams."""
CSV_NULL = r"\N"

Samples = dict[str, list[str | None]]
"""Column → its values in the first rows, as text, cut when they are long."""


def _accept_all(_stream: str, columns: Mapping[str, Any]) -> Iterable[str]:
    return columns


@dataclass
class ExtractContext:
    """What a source may use while it is read.

    `progress(stream, rows)` counts rows read so far; `warn(stream, text)` puts a warning on the
    run's stream; `workdir` is the child's private folder, wiped at its end.
    `accept(stream, columns)` gets the normalised columns (name → dlt column hints) of a file import
    before it is read, answers the names to load, or raises to stop the stream (schema policy).
    """

    workdir: str
    progress: Callable[[str, int], None] = lambda stream, rows: None
    warn: Callable[[str, str], None] = lambda stream, text: None
    state: dict[str, Any] = field(default_factory=dict)
    """The connector's own small state of this pipeline (JSON), kept with dlt's when a load
    commits: `{stream: {"cursor": …}}`.
    """
    hash_key: str = ""
    accept: Callable[[str, Mapping[str, Any]], Iterable[str]] = _accept_all


class Connector(Protocol):
    """One kind of source.

    Implementations are stateless, and cheap to import: drivers load on first use. Anything they
    raise on purpose is a `ConnectorError` whose message names the object and whose remedy is one
    step; secrets never appear in it.
    """

    spec: ConnectorSpec
    applies_column_policies: bool
    """Whether `resources` applies `StreamPlan.columns` itself; otherwise the sandbox does."""

    def check(self, source: SourceConfig) -> CheckResult:
        """Try the connection for real: reach, TLS, login, permission. Never raises for a bad
        source.
        """
        ...

    def discover(self, source: SourceConfig) -> Iterable[DiscoveredStream]:
        """What can be loaded. Raises ConnectorError."""
        ...

    def sample(self, source: SourceConfig, stream: str) -> Samples:
        """A few values per column of a stream, read from as little of it as its kind allows; none
        where that would be much. Raises ConnectorError.
        """
        ...

    def resources(
        self, source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
    ) -> Sequence[DltResource]:
        """One dlt resource per stream, in order, named after the stream's raw table.

        The resource carries the primary key (normalised), the cursor (`dlt.sources.incremental`,
        or `context.state` with file imports) and column hints (exact types); the write disposition
        is set by the sandbox from the mode. A resource is lazy: nothing is dialled until it is
        iterated.
        """
        ...

    def probe(
        self, source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]
    ) -> set[str]:
        """Names of streams that may have rows at or past their last cursor value.

        `cursors[stream]` is what `context.state[stream]` held after the last load (or dlt's last
        value). Called only for streams with a cursor and no lag. Doubt is an answer: a stream that
        cannot be probed is named. Never raises for a bad source.
        """
        ...
