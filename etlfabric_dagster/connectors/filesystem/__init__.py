"""The connector `filesystem`: CSV, Parquet and JSONL in S3-compatible storage, or uploaded."""

from etlfabric_dagster.connectors.filesystem.config import SPEC
from etlfabric_dagster.connectors.lazy import LazyConnector

CONNECTOR = LazyConnector(SPEC, f"{__name__}.extract")
