"""The connector `rest_api`: any JSON API."""

from etlfabric_dagster.connectors.lazy import LazyConnector
from etlfabric_dagster.connectors.rest_api.spec import SPEC

CONNECTOR = LazyConnector(SPEC, f"{__name__}.extract")
