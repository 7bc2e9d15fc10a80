"""Catalogue entries: each is a valid form, and pages through its API the way that API pages."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from etlfabric_dagster.connectors import registry
from etlfabric_dagster.connectors.base import ExtractContext
from etlfabric_dagster.connectors.catalogue import CatalogueConnector, fill
from etlfabric_dagster.connectors.rest_api import CONNECTOR as REST
from etlfabric_dagster.connectors.rest_api import config as rest_config
from etlfabric_dagster.connectors.validation import validate_config, validate_connection
from etlfabric_dagster.errors import InvalidInputError
from etlfabric_dagster.schemas.jobs import EgressPolicy, SourceConfig
from etlfabric_dagster.schemas.streams import LoadMode, StreamPlan
from tests.http_api import Answer, Api, Asked, http_api

FOLDER = resources.files("etlfabric_dagster.connectors").joinpath("catalogue")
ENTRIES = {
    file.name.removesuffix(".yaml"): yaml.safe_load(file.read_text("utf-8"))
    for file in FOLDER.iterdir()
    if file.name.endswith(".yaml")
}
FORMS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "github": ({"owner": "acme", "repository": "shop.js"}, {"token": "t0k3n"}),
    "gitlab": ({"host": "gitlab.com", "project_id": 7}, {"token": "t0k3n"}),
    "hubspot": ({}, {"token": "t0k3n"}),
    "jsonplaceholder": ({}, {}),
    "stripe": ({}, {"secret_key": "t0k3n"}),
}


@pytest.fixture
def api() -> Iterator[Api]:
    with http_api() as running:
        yield running


def test_every_entry_has_a_form_here() -> None:
    assert set(FORMS) == set(ENTRIES)


@pytest.mark.parametrize("name", FORMS)
def test_an_entry_is_a_valid_form_and_fills_a_valid_config(name: str) -> None:
    connector = registry.get(name)
    assert connector.spec.name == name
    assert not connector.spec.operators_only
    for schema in (connector.spec.config_schema, connector.spec.secrets_schema):
        Draft202012Validator.check_schema(schema)
    form, secrets = FORMS[name]
    validate_connection(connector.spec, form, secrets)
    filled = fill(ENTRIES[name]["config"], form)
    validate_config(REST.spec, filled)
    parsed = rest_config.parse(SourceConfig(connector=name, config=filled, secrets=secrets))
    assert parsed.base_url.startswith("https://")
    assert all(endpoint.primary_key for endpoint in parsed.endpoints.values())


class Reads:
    """An entry whose API stands on loopback, read stream by stream."""

    def __init__(self, name: str, api: Api) -> None:
        entry = ENTRIES[name]
        client = {**entry["config"]["client"], "base_url": f"{api.url}/"}
        moved = {**entry, "config": {**entry["config"], "client": client}}
        self._connector = CatalogueConnector(moved, REST)
        form, secrets = FORMS[name]
        egress = EgressPolicy(allow=("127.0.0.0/8",))
        self.source = SourceConfig(connector=name, config=form, secrets=secrets, egress=egress)
        self.state: dict[str, Any] = {}

    def rows(self, stream: str, **fields: Any) -> list[Any]:
        plan = StreamPlan(**{"name": stream, "table": "t", "mode": LoadMode.FULL, **fields})
        context = ExtractContext(workdir="", state=self.state)
        (resource,) = self._connector.resources(self.source, [plan], context)
        return [row["id"] for row in resource]


def test_github_follows_links_and_asks_since_the_last_update(api: Api) -> None:
    path = "/repos/acme/shop.js/issues"

    def issues(asked: Asked) -> Answer:
        page = int(asked.query.get("page", 1))
        link = f'<{api.url}{path}?page={page + 1}&per_page=100>; rel="next"'
        headers = {"Link": link} if page < 3 else {}
        row = {"id": page, "updated_at": f"2026-01-0{page}T00:00:00Z"}
        return Answer([row], headers=headers)

    api.serve(path, issues)
    reads = Reads("github", api)
    merge = {"mode": LoadMode.MERGE, "cursor": "updated_at", "primary_key": ("id",)}
    assert reads.rows("issues", **merge) == [1, 2, 3]
    assert {a.headers["authorization"] for a in api.asked} == {"Bearer t0k3n"}
    assert api.asked[0].query == {
        "state": "all", "sort": "updated", "direction": "asc", "per_page": "100"}  # fmt: skip
    assert reads.rows("issues", **merge) == [3]
    assert api.asked[3].query["since"] == "2026-01-03T00:00:00Z"


def test_gitlab_sends_its_own_header(api: Api) -> None:
    api.serve("/projects/7/merge_requests", lambda _: [{"id": 1}])
    assert Reads("gitlab", api).rows("merge_requests") == [1]
    assert api.asked[0].headers["private-token"] == "t0k3n"


def test_stripe_goes_on_after_the_last_object(api: Api) -> None:
    objects = [{"id": f"c{n}", "created": n} for n in range(5)]

    def page(asked: Asked) -> Any:
        after = asked.query.get("starting_after")
        start = next((i + 1 for i, o in enumerate(objects) if o["id"] == after), 0)
        data = objects[start : start + 2]
        return {"object": "list", "data": data, "has_more": start + 2 < len(objects)}

    api.serve("/customers", page)
    api.serve("/balance_transactions", page)
    reads = Reads("stripe", api)
    assert reads.rows("customers") == ["c0", "c1", "c2", "c3", "c4"]
    append = {"mode": LoadMode.MERGE, "cursor": "created", "primary_key": ("id",)}
    reads.rows("balance_transactions", **append)
    assert reads.rows("balance_transactions", **append) == ["c4"]
    assert api.asked[-1].query["created[gte]"] == "4"
    objects.clear()
    assert reads.rows("customers") == []


def test_hubspot_goes_on_after_its_cursor(api: Api) -> None:
    def page(asked: Asked) -> Any:
        after = int(asked.query.get("after", 0))
        more = {"paging": {"next": {"after": str(after + 1), "link": "x"}}} if after < 2 else {}
        return {"results": [{"id": str(after), "properties": {"Email": "a"}}], **more}

    api.serve("/crm/v3/objects/contacts", page)
    api.serve("/crm/v3/pipelines/deals", lambda _: {"results": [{"id": "default"}]})
    reads = Reads("hubspot", api)
    assert reads.rows("contacts") == ["0", "1", "2"]
    assert reads.rows("deal_pipelines") == ["default"]


def test_jsonplaceholder_needs_no_sign_in(api: Api) -> None:
    api.serve("/users", lambda _: [{"id": 1}, {"id": 2}])
    assert Reads("jsonplaceholder", api).rows("users") == [1, 2]
    assert "authorization" not in api.asked[0].headers


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("github", {"owner": "a/b", "repository": "c"}),
        ("github", {"owner": "a", "repository": "../x"}),
        ("github", {"owner": "a", "repository": "{incremental.__class__}"}),
        ("github", {"owner": "a"}),
        ("gitlab", {"host": "user:pw@evil.example", "project_id": 1}),
        ("gitlab", {"host": "gitlab.com/x", "project_id": 1}),
        ("gitlab", {"host": "gitlab.com", "project_id": "1"}),
        ("stripe", {"base_url": "https://evil.example"}),
    ],
)
def test_a_form_takes_nothing_else(name: str, form: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        validate_config(registry.get(name).spec, form)
