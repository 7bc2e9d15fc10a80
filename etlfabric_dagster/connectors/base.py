"""What a connector is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dlt.extract import DltResource

    from etlfabric_dagster.schemas.connections import ConnectorSpec
    from etlfabric_dagster.schemas.jobs import SourceConfig
    from etlfabric_dagster.schemas.streams import CheckResult, DiscoveredStream, StreamPlan


@dataclass
class ExtractContext:
    """What a source may use while it is read.

    `progress(stream, rows)` counts rows read; `warn(stream, text)` puts a warning on the run's
    stream; `workdir` is the child's private folder, wiped at its end.
    """

    workdir: str
    progress: Callable[[str, int], None] = lambda stream, rows: None
    warn: Callable[[str, str], None] = lambda stream, text: None
    state: dict[str, Any] = field(default_factory=dict)
    """The connector's own small state of this pipeline (JSON), kept with dlt's when a load
    commits.
    """
    hash_key: str = ""


class Connector(Protocol):
    """One kind of source.

    Implementations are stateless. Anything they raise on purpose is a `ConnectorError` whose
    message
    names the object and whose remedy is one step; secrets never appear in it.
    """

    spec: ConnectorSpec

    def check(self, source: SourceConfig) -> CheckResult:
        """Try the connection for real: reach, TLS, login, permission. Never raises for a bad
        source.
        """
        ...

    def discover(self, source: SourceConfig) -> Iterable[DiscoveredStream]:
        """What can be loaded. Raises ConnectorError."""
        ...

    def resources(
        self, source: SourceConfig, streams: Sequence[StreamPlan], context: ExtractContext
    ) -> Sequence[DltResource]:
        """One dlt resource per stream, in order, named after the stream's raw table.

        The resource carries the primary key, the cursor (`dlt.sources.incremental`, with initial
        value and lag) and column hints (exact types); the write disposition is set by the sandbox
        from
        the mode. A resource is lazy: nothing is dialled until it is iterated. Column policies are
        applied by the sandbox, except where the connector can leave a dropped column unread.
        """
        ...

    def probe(
        self, source: SourceConfig, streams: Sequence[StreamPlan], cursors: dict[str, Any]
    ) -> set[str]:
        """Names of streams that may have rows at or past their last cursor value.

        Called only for streams with a cursor and no lag. The default answer is all of them.
        """
        ...
