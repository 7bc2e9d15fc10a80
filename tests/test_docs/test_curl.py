"""The curl commands of docs/api.md, run by curl against the API."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etlfabric_dagster import Fabric
from etlfabric_dagster.fabric import Org
from etlfabric_dagster.schemas.jobs import Warehouse
from etlfabric_dagster.schemas.orgs import OrgOut
from tests.served import served_api

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
EMAIL = "curl@example.com"


def commands() -> list[str]:
    """Each `$ curl …` of the page, its continued lines joined."""
    blocks = "\n".join(BLOCK.findall(PAGE.read_text())).replace("\\\n", " ")
    return [line[2:] for line in blocks.splitlines() if line.startswith("$ curl ")]


@dataclass(frozen=True)
class Install:
    """What the page assumes: an install, an org with a pipeline and a mart, and a token."""

    url: str
    token: str
    org: Org
    folder: Path

    def run(self, command: str) -> str:
        """What it answers; the page's names are this install's. Fails on an HTTP error."""
        for name, here in (
            ("localhost:8000", self.url),
            ("orgs/acme", f"orgs/{self.org.slug}"),
            ("$TOKEN", self.token),
        ):
            command = command.replace(name, here)
        if "$RUN" in command:
            run = next(iter(self.org.runs.list()))
            run.cancel()
            command = command.replace("$RUN", str(run.id))
        done = subprocess.run(
            [*shlex.split(command), "--silent", "--show-error", "--fail-with-body"],
            cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def reader_of_docs(
    org: OrgOut, warehouse: Warehouse, interactive_worker: None, shop_source: Any, tmp_path: Path
) -> Iterator[Install]:
    config, credentials = shop_source
    (tmp_path / "prices.csv").write_text("id,price\n1,2.50\n")
    with psycopg.connect(
        host=warehouse.host,
        port=warehouse.port,
        dbname=warehouse.database,
        user=warehouse.username,
        password=warehouse.password,
    ) as conn:
        conn.execute(f'CREATE VIEW "{warehouse.marts}".daily_orders AS SELECT 1 AS day')
    with Fabric.connect() as fabric, served_api() as url:
        acme = fabric.orgs.get(org.slug)
        acme.register_source(
            "shop",
            connector="sql_database",
            config=config,
            credentials=credentials,
            streams={"orders": {}},
        )
        fabric.users.create(EMAIL, operator=True)
        yield Install(url, fabric.users.token(EMAIL).token, acme, tmp_path)


def test_every_curl_of_the_page_answers(reader_of_docs: Install) -> None:
    answers = {command: reader_of_docs.run(command) for command in commands()}
    assert len(answers) == 5
    said = dict(zip(("orgs", "run", "upload", "query", "log"), answers.values(), strict=True))
    first_page = [one["slug"] for one in json.loads(said["orgs"])["items"]]
    with Fabric.connect() as fabric:
        known = [one.slug for one in islice(fabric.orgs.list(), len(first_page))]
    assert first_page == known
    assert json.loads(said["run"])["status"] == "queued"
    assert json.loads(said["upload"])["name"] == "prices.csv"
    assert json.loads(said["query"])["rows"] == [[1]]
    assert "event: end" in said["log"]
