"""What goes into the sandbox and what comes out of it.

A job is one JSON document with the secrets it needs in clear: it travels only over the caller's
Unix socket to a forked child and is never logged, stored or sent through Celery. `repr` hides
secrets.
Answers are JSON lines: any number of events, then exactly one `done` or `failed`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from etlfabric_dagster.schemas.base import Value
from etlfabric_dagster.schemas.dbt_models import DbtFile
from etlfabric_dagster.schemas.runs import ErrorInfo, NodeResult, StreamResult
from etlfabric_dagster.schemas.streams import SchemaPolicy, StreamPlan


class EgressPolicy(Value):
    """Which addresses a child may dial: `allow` opens private ones, `deny` stays closed even
    then.
    """

    allow: tuple[str, ...] = ()
    """`CIDR` or `host:port`."""
    deny: tuple[str, ...] = ()
    """`host:port` of the platform's own servers."""


class SourceConfig(Value):
    """A connection with its secrets in clear."""

    connector: str
    config: dict[str, Any]
    secrets: dict[str, str] = Field(default_factory=dict, repr=False)
    egress: EgressPolicy = EgressPolicy()
    uploads: str | None = None
    """fsspec URL of the org's upload folder, for `uploads://`."""
    cache_key: str = ""


class Warehouse(Value):
    """The tenant's own database login and schemas."""

    host: str
    port: int
    database: str
    username: str
    password: str = Field(repr=False)
    owner_role: str
    schema_prefix: str
    """`tenant_{org_id}`; the data schemas are `{prefix}_raw`, `_raw_staging`, `_staging`,
    `_marts`.
    """
    socket_directory: str | None = None
    """Where the server's Unix socket stands, if on this machine: the way for children that are
    given no network.
    """

    @property
    def raw(self) -> str:
        return f"{self.schema_prefix}_raw"

    @property
    def raw_staging(self) -> str:
        return f"{self.schema_prefix}_raw_staging"

    @property
    def staging(self) -> str:
        return f"{self.schema_prefix}_staging"

    @property
    def marts(self) -> str:
        return f"{self.schema_prefix}_marts"


class Limits(Value):
    """What one child may use."""

    wall_s: float = 3600
    memory_mib: int = 2048
    cpu_s: int = 3600


class CheckJob(Value):
    kind: Literal["check"] = "check"
    source: SourceConfig
    limits: Limits = Limits(wall_s=30)


class DiscoverJob(Value):
    kind: Literal["discover"] = "discover"
    source: SourceConfig
    limits: Limits = Limits(wall_s=120)


class SampleJob(Value):
    """A few values of a stream. Done payload: `{"values": {column: [text | null]}}`."""

    kind: Literal["sample"] = "sample"
    source: SourceConfig
    stream: str
    limits: Limits = Limits(wall_s=20)


class ExtractJob(Value):
    """Load streams into the raw schema. `state` is dlt's cached state and schemas, opaque
    (base64).
    """

    kind: Literal["extract"] = "extract"
    pipeline: str
    """Stable dlt pipeline name (the pipeline's uuid hex): state in the destination hangs on it."""
    source: SourceConfig
    warehouse: Warehouse
    streams: tuple[StreamPlan, ...]
    schema_policy: SchemaPolicy = SchemaPolicy.EVOLVE
    accepted_columns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Under freeze: stream → columns a person accepted since."""
    state: str | None = Field(default=None, repr=False)
    hash_key: str = Field(default="", repr=False)
    """Per-org key for the `hash` column policy (HMAC-SHA256)."""
    limits: Limits = Limits()


class DbtProject(Value):
    """The tenant's files; the platform adds dbt_project.yml, profiles.yml and its own macros."""

    files: tuple[DbtFile, ...]


class ParseJob(Value):
    """Parse the project. Done payload: `{"manifest": json, "packed": base64 msgpack,
    "selected": {selector: [unique_id]}}`.
    """

    kind: Literal["parse"] = "parse"
    project: DbtProject
    warehouse: Warehouse
    selectors: tuple[str, ...] = ()
    limits: Limits = Limits(wall_s=120)


class TransformJob(Value):
    """dbt build of `select` (unique ids or selectors; empty = all) with the parsed manifest."""

    kind: Literal["transform"] = "transform"
    project: DbtProject
    packed: str | None = Field(default=None, repr=False)
    warehouse: Warehouse
    select: tuple[str, ...] = ()
    full_refresh: bool = False
    limits: Limits = Limits()


class PreviewJob(Value):
    """Compile one model and run it read-only. Done payload: TableResult plus `compiled_sql`."""

    kind: Literal["preview"] = "preview"
    project: DbtProject
    packed: str | None = Field(default=None, repr=False)
    warehouse: Warehouse
    path: str
    test: str | None = None
    """Unique id of a dbt test: its failing rows instead of the model's."""
    limit: int = 20
    timeout_s: float = 30
    limits: Limits = Limits(wall_s=60)


class FormatJob(Value):
    """Lay out SQL with its Jinja as sqlfmt does. Done payload: `{"sql": text}`."""

    kind: Literal["format"] = "format"
    sql: str
    limits: Limits = Limits(wall_s=20, memory_mib=512, cpu_s=10)


class QueryJob(Value):
    """Run SQL with the read-only login. Done payload: TableResult."""

    kind: Literal["query"] = "query"
    warehouse: Warehouse
    sql: str
    limit: int = 1000
    timeout_s: float = 30
    limits: Limits = Limits(wall_s=60)


class NotifyJob(Value):
    """Call a tenant's webhook once. Done payload: `{"status": HTTP status}`."""

    kind: Literal["notify"] = "notify"
    url: str = Field(repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    body: str
    egress: EgressPolicy
    limits: Limits = Limits(wall_s=25, memory_mib=512, cpu_s=10)


class ReachJob(Value):
    """Can a child that needs no network still dial? Done payload: `{"tcp": bool, "socket": bool}`,
    whether the server answered.
    """

    kind: Literal["reach"] = "reach"
    host: str
    port: int
    socket_directory: str
    limits: Limits = Limits(wall_s=10)


Job = Annotated[
    CheckJob
    | DiscoverJob
    | SampleJob
    | ExtractJob
    | ParseJob
    | TransformJob
    | PreviewJob
    | FormatJob
    | QueryJob
    | NotifyJob
    | ReachJob,
    Field(discriminator="kind"),
]


class LogEvent(Value):
    t: Literal["log"] = "log"
    level: str = "info"
    message: str
    subject: str | None = None


class ProgressEvent(Value):
    """Rows read so far of one stream."""

    t: Literal["progress"] = "progress"
    stream: str
    rows: int


class StreamEvent(Value):
    """One stream ended, well or not."""

    t: Literal["stream"] = "stream"
    name: str
    result: StreamResult


class NodeEvent(Value):
    """One dbt node ended."""

    t: Literal["node"] = "node"
    unique_id: str
    name: str
    result: NodeResult


class DoneEvent(Value):
    t: Literal["done"] = "done"
    payload: dict[str, Any] = Field(default_factory=dict)


class FailedEvent(Value):
    t: Literal["failed"] = "failed"
    error: ErrorInfo
    error_class: str = "SandboxError"
    """Class in `errors` that the caller raises."""
    detail: str = ""
    """Redacted trace for the log."""


Event = Annotated[
    LogEvent | ProgressEvent | StreamEvent | NodeEvent | DoneEvent | FailedEvent,
    Field(discriminator="t"),
]
