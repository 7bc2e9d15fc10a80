"""Importable dlt sources, by operators and through the entry-point group."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import dlt
import pytest

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.python_source import CONNECTOR
from etlfabric_dagster.connectors.validation import validate_connection
from etlfabric_dagster.errors import ConnectorError, InvalidInputError
from etlfabric_dagster.schemas.jobs import SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from tests.test_connectors import dlt_sources

HERE = "tests.test_connectors.dlt_sources"
TOKEN = "canary-token-1"


def source(function: str, **arguments: Any) -> SourceConfig:
    config = {"source": f"{HERE}:{function}", "arguments": arguments}
    validate_connection(CONNECTOR.spec, config, {"token": TOKEN})
    return SourceConfig(connector="python", config=config, secrets={"token": TOKEN})


def plan(name: str, **fields: Any) -> StreamPlan:
    return StreamPlan(**{"name": name, "table": f"p__{name}", "mode": LoadMode.FULL, **fields})


def resources(found: SourceConfig, *plans: StreamPlan, connector: Any = CONNECTOR) -> Any:
    return connector.resources(found, plans, ExtractContext(workdir=""))


def test_it_is_for_operators() -> None:
    assert CONNECTOR.spec.operators_only


def test_a_source_is_called_with_its_arguments_and_secrets() -> None:
    found = source("shop", token={"secret": "token"}, count=3)
    customers, orders = resources(found, plan("customers"), plan("orders", primary_key=("id",)))
    assert (customers.name, orders.name) == ("p__customers", "p__orders")
    assert list(orders) == [{"id": n, "Token": TOKEN} for n in range(3)]
    assert list(customers) == [{"name": "a"}]


def test_a_secret_named_like_a_parameter_is_passed() -> None:
    (orders,) = resources(source("shop", count=1), plan("orders"))
    assert list(orders) == [{"id": 0, "Token": TOKEN}]


def test_discover_and_check() -> None:
    found = source("shop", token={"secret": "token"})
    orders, customers = CONNECTOR.discover(found)
    assert [(c.name, c.type) for c in orders.columns] == [("id", "bigint"), ("token", "text")]
    assert orders.primary_key == ("id",)
    assert customers.name == "customers"
    result = CONNECTOR.check(found)
    assert result.ok
    assert [(s.name, s.detail) for s in result.steps] == [
        ("import", ""), ("call", "resources: orders, customers")]  # fmt: skip
    (arrow,) = CONNECTOR.discover(source("arrow"))
    assert [(c.name, c.type) for c in arrow.columns] == [
        ("id", "bigint"),
        ("price", "numeric(10,2)"),
    ]


def test_a_few_values_are_shown_before_anything_is_loaded() -> None:
    found = source("shop", token={"secret": "token"}, count=5)
    assert CONNECTOR.sample(found, "orders")["id"] == ["0", "1", "2"]
    assert CONNECTOR.sample(source("arrow"), "arrow") == {}
    with pytest.raises(ConnectorError, match="no resource “old” any more"):
        CONNECTOR.sample(found, "old")


def test_discover_tells_the_cursor_of_the_source() -> None:
    (events,) = CONNECTOR.discover(source("events"))
    assert (events.cursor_candidates, events.update_cursor) == (("at",), "at")
    (hinted,) = CONNECTOR.discover(source("hinted"))
    assert hinted.cursor_candidates == ("at",)
    (plain,) = CONNECTOR.discover(source("plain"))
    assert plain.cursor_candidates == ()


@pytest.mark.parametrize(
    ("function", "arguments", "code", "text"),
    [
        ("missing", {}, "import_failed", "missing"),
        ("neither", {}, "no_source", "neither a dlt source nor a dlt resource"),
        ("NOT_CALLABLE", {}, "no_source", "neither a dlt source"),
        ("broken", {"token": {"secret": "token"}}, "source_failed", "RuntimeError: no such shop"),
        ("shop", {"token": {"secret": "other"}}, "missing_secret", "“other”"),
        ("shop", {"tokem": "x"}, "source_failed", "tokem"),
    ],
)
def test_check_names_the_cause(
    function: str, arguments: dict[str, Any], code: str, text: str
) -> None:
    result = CONNECTOR.check(source(function, **arguments))
    assert not result.ok
    assert result.code == code
    assert text in result.cause
    assert "and much more" not in result.cause
    assert result.remedy
    assert TOKEN not in result.model_dump_json()


def test_a_module_that_is_not_installed_is_told() -> None:
    found = SourceConfig(connector="python", config={"source": "no_such_package.x:y"})
    assert CONNECTOR.check(found).code == "import_failed"


def test_a_resource_that_fails_while_it_is_read_is_named() -> None:
    with pytest.raises(ConnectorError, match="broken_later failed when it was read"):
        list(CONNECTOR.discover(source("broken_later")))


def test_a_stream_that_vanished_is_named() -> None:
    with pytest.raises(ConnectorError) as refused:
        resources(source("shop", token="x"), plan("old"))
    assert refused.value.code == "stream_vanished"
    assert "orders" in refused.value.remedy


@pytest.mark.parametrize(
    "path", ["os.system", "a:b:c", "../x:y", "/x:y", "a b:c", "", "a.b:", "x:__import__('os')"]
)
def test_a_path_is_a_module_and_a_function(path: str) -> None:
    with pytest.raises(InvalidInputError):
        validate_connection(CONNECTOR.spec, {"source": path}, {})


class Runs:
    """Loads one resource run after run, into dlt's own files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(self, function: str, planned: StreamPlan) -> list[int]:
        pipeline = dlt.pipeline(
            "runs",
            pipelines_dir=str(self._folder / "p"),
            destination=dlt.destinations.filesystem(f"file://{self._folder}/out"),
            dataset_name="d",
        )
        (resource,) = resources(source(function), planned)
        pipeline.run(resource, write_disposition="append", loader_file_format="jsonl")
        files = sorted((self._folder / "out").rglob(f"{planned.table}/*.jsonl*"))
        text = [line for file in files for line in file.read_text().splitlines()]
        return [json.loads(line)["id"] for line in text]


@pytest.mark.parametrize("function", ["events", "plain"])
def test_a_cursor_of_the_source_or_of_the_plan_reads_on(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION", "true")
    monkeypatch.setattr(dlt_sources, "ROWS", [{"id": 1, "at": 1}])
    runs, append = Runs(tmp_path), plan(function, mode=LoadMode.APPEND, cursor="at")
    assert runs.rows(function, append) == [1]
    dlt_sources.ROWS.extend([{"id": 2, "at": 1}, {"id": 3, "at": 2}])
    assert sorted(runs.rows(function, append)) == [1, 2, 3]


@pytest.fixture
def read_anew() -> Iterator[None]:
    """What is installed is read once per process; here it changes."""
    registry._loaders.cache_clear()
    yield
    registry._loaders.cache_clear()


@pytest.mark.usefixtures("read_anew")
def test_a_packages_source_is_a_connector_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = metadata.EntryPoint("my_shop", f"{HERE}:shop", registry.GROUP)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [entry])
    connector = registry.get("my_shop")
    assert connector.spec.name == "my_shop"
    assert connector.spec.description == "Orders and customers of a shop."
    assert not connector.spec.operators_only
    config = {"arguments": {"token": {"secret": "token"}, "count": 1}}
    validate_connection(connector.spec, config, {"token": TOKEN})
    with pytest.raises(InvalidInputError):
        validate_connection(connector.spec, {"source": "os:system"}, {})
    found = SourceConfig(connector="my_shop", config=config, secrets={"token": TOKEN})
    (orders,) = resources(found, plan("orders"), connector=connector)
    assert list(orders) == [{"id": 0, "Token": TOKEN}]
    assert "my_shop" in registry.names()


@pytest.mark.usefixtures("read_anew")
def test_a_package_cannot_take_a_built_in_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = metadata.EntryPoint("rest_api", f"{HERE}:shop", registry.GROUP)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [entry])
    assert registry.get("rest_api").spec.title == "REST API"


def test_the_list_of_connectors_costs_no_driver() -> None:
    code = (
        "import sys; from etlfabric_dagster.connectors import registry; registry.list();"
        "print([m for m in ('dlt', 'pyarrow', 'botocore', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
