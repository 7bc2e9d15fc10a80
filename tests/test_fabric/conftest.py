"""`Fabric` on this process's install: through its services, and through the API on a port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etlfabric_dagster import Fabric
from tests.served import served_api

EMAIL = "fabric@example.com"


@pytest.fixture(scope="module")
def fabrics(migrated, interactive_worker) -> Iterator[dict[str, Fabric]]:
    """Both, as operator."""
    with Fabric.connect() as local, served_api() as url:
        local.users.create(EMAIL, operator=True)
        token = local.users.token(EMAIL).token
        with Fabric.connect(url, token) as remote:
            yield {"local": local, "remote": remote}


@pytest.fixture(params=["local", "remote"])
def fabric(request: pytest.FixtureRequest, fabrics: dict[str, Fabric]) -> Fabric:
    """Each test runs on both."""
    return fabrics[request.param]


@pytest.fixture(scope="module")
def shops(fabrics, make_slug, shop_source) -> dict[str, object]:
    """An org per gateway, with the source `shop` registered through it."""
    config, credentials = shop_source
    found = {}
    for name, fabric in fabrics.items():
        org = fabric.orgs.create(make_slug(), name=name.title())
        org.register_source(
            "shop", connector="sql_database", config=config, credentials=credentials
        )
        found[name] = org
    return found


@pytest.fixture
def shop(request: pytest.FixtureRequest, fabric: Fabric, shops: dict[str, object]):
    """The org of this test's gateway."""
    return shops[request.node.callspec.params["fabric"]]
