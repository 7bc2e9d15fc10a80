"""The registry finds connectors without importing them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.connectors.catalogue import CatalogueConnector, fill
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.jobs import SourceConfig


def test_unknown_connector_is_refused_and_the_known_ones_are_named():
    with pytest.raises(NotFoundError) as caught:
        registry.get("fax")
    assert "“fax”" in caught.value.message
    assert "sql_database" in caught.value.remedy


def test_names_cost_no_driver():
    code = (
        "import sys; from etlfabric_dagster.connectors import registry; registry.names();"
        "print([m for m in ('dlt', 'psycopg', 'pymysql', 'paramiko') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_whole_placeholder_keeps_its_type_and_one_in_text_is_inserted():
    template = {"a": "${port}", "b": ["http://${host}:${port}/"], "c": 1, "d": "${missing}"}
    filled = fill(template, {"port": 80, "host": "h"})
    assert filled == {"a": 80, "b": ["http://h:80/"], "c": 1, "d": None}


def test_catalogue_entry_is_its_connector_with_config_filled_in():
    seen = []

    class Base:
        class spec:  # noqa: N801
            name = "base"

        applies_column_policies = True

        def discover(self, source):
            seen.append((source.connector, source.config))
            return []

    entry = {
        "name": "shop",
        "title": "Shop",
        "group": "APIs",
        "description": "",
        "config_schema": {},
        "secrets_schema": {},
        "config": {"host": "${host}"},
    }
    connector = CatalogueConnector(entry, Base())
    connector.discover(SourceConfig(connector="shop", config={"host": "h"}))
    assert seen == [("base", {"host": "h"})]
    assert connector.spec.title == "Shop"
