"""A client that a maintained generator makes of the OpenAPI document works."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.served import served_api
from tests.test_api.document import document

PACKAGE = "generated_client"
CONFIG = {
    "post_hooks": [],
    "content_type_overrides": {"application/gzip": "application/octet-stream"},
}
"""Nothing formats what is thrown away; an archive is bytes."""

Load = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """Imports a module of the generated package."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(document()))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    tool = Path(sys.executable).with_name("openapi-python-client")
    made = subprocess.run(
        [tool, "generate", "--path", "openapi.json", "--config", "config.json", "--meta", "none"]
        + ["--output-path", PACKAGE, "--fail-on-warning"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


async def test_client_signs_in_lists_creates_and_reads_a_problem(load, desk):
    client, models = load("client"), load("models")
    with served_api() as url:
        body = models.LoginIn(email=desk.owner.email, password=desk.owner.password)
        async with client.Client(base_url=url) as nobody:
            signed_in = await load("api.auth.login").asyncio(client=nobody, body=body)
        signed = client.AuthenticatedClient(base_url=url, token=signed_in.access_token)
        async with signed:
            listed = await load("api.pipelines.list_pipelines").asyncio(
                desk.org.slug, client=signed
            )
            assert "shop" in [one.name for one in listed.items]
            token = await load("api.tokens.create_token").asyncio(
                client=signed, body=models.TokenIn(name="generated", read_only=True)
            )
            assert token.token.startswith("etlf_")
            missing = await load("api.pipelines.get_pipeline").asyncio_detailed(
                desk.org.slug, "nothing", client=signed
            )
            assert missing.status_code == 404
            assert isinstance(missing.parsed, models.Problem)
            assert (missing.parsed.code, bool(missing.parsed.remedy)) == ("not_found", True)


def test_names_in_the_document_are_neat_and_used_once():
    schema = document()
    operations = [one for path in schema["paths"].values() for one in path.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert all(one["summary"] and one["description"] for one in operations)
    unclear = [name for name in schema["components"]["schemas"] if "__" in name]
    assert unclear == []


def test_every_operation_describes_its_problems():
    schema = document()
    for path in schema["paths"].values():
        for operation in path.values():
            problem = operation["responses"]["default"]["content"]["application/problem+json"]
            assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert {"code", "detail", "remedy"} <= set(
        schema["components"]["schemas"]["Problem"]["required"]
    )
