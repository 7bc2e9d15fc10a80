"""`--requests N` (10,000) made up from the API's own OpenAPI document, fitting and unfitting ones.

A 5xx, and an answer that the document does not describe, is a failure. With `--kept FILE` each
batch is noted, and the same command goes on where an earlier one ended.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.hosts import host, wait_until
from benchmarks.install import throw_away_install
from benchmarks.report import Figure, finish
from etlfabric_dagster.aio import run
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.schemas.runs import Trigger
from etlfabric_dagster.services import (
    connections,
    dbt_history,
    dbt_models,
    invitations,
    members,
    orgs,
    pipelines,
    runs,
    tokens,
    uploads,
    users,
)
from etlfabric_dagster.services.scope import OPERATOR, Actor, org_scope
from etlfabric_dagster.testing import free_port

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ON_STRANGERS_ONLY = ("suspend_org", "erase_org", "leave_org")
"""What would take the org away from the requests that follow."""
SMALL_BATCH = 20
SLOW = 4
"""An operation that has taken so many times the mean is left out of a round: what parses a dbt
project takes a second, most take ten milliseconds.
"""
TOLD_EVERY_S = 10
TIMEOUT_S = 200  # what parses a dbt project may wait for a worker for so long
MODEL = "marts/one.sql"


@dataclass
class Report:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    """Each with the request that shows it, as a curl line."""

    @property
    def requests(self) -> int:
        """How many were answered."""
        return self.statuses.total()

    @property
    def server_errors(self) -> int:
        """How many were answered with a 5xx."""
        return sum(count for status, count in self.statuses.items() if status >= 500)

    def add(self, other: Report) -> None:
        """Count what came back elsewhere too."""
        self.statuses.update(other.statuses)
        self.operations.update(other.operations)
        self.faults += other.faults


@dataclass
class Kept:
    """Batches that are done, a line of JSON each: of a run that was interrupted, all but the one
    that it was at.
    """

    file: Path | None
    done: set[tuple[int, str]] = field(default_factory=set)

    def read(self) -> Report:
        """What earlier runs found."""
        report = Report()
        lines = self.file.read_text().splitlines() if self.file and self.file.exists() else []
        for line in lines:
            batch = json.loads(line)
            self.done.add((batch["round"], batch["operation"]))
            statuses = Counter({int(key): count for key, count in batch["statuses"].items()})
            sent = Counter({batch["operation"]: statuses.total()})
            report.add(Report(statuses, sent, batch["faults"]))
        return report

    def note(self, round_: int, operation: str, found: Report) -> None:
        """A batch is done."""
        self.done.add((round_, operation))
        if self.file:
            batch = {"round": round_, "operation": operation, "faults": found.faults}
            with self.file.open("a") as file:
                file.write(json.dumps(batch | {"statuses": found.statuses}) + "\n")


@dataclass
class Pace:
    """How long operations take, and when to tell how far it is."""

    count: int
    started: float = field(default_factory=time.monotonic)
    spent: Counter[str] = field(default_factory=Counter)
    told: float = 0

    def is_slow(self, operation: str) -> bool:
        """Whether it has had more than its share of the time."""
        return self.spent[operation] * len(self.spent) > SLOW * self.spent.total()

    def tell(self, report: Report) -> None:
        """A line now and then."""
        now = time.monotonic()
        if now - self.told > TOLD_EVERY_S:
            self.told = now
            print(
                f"{report.requests} of {self.count} in {now - self.started:.0f} s:"
                f" {report.server_errors} of 5xx, {len(report.faults)} faults",
                file=sys.stderr,
                flush=True,
            )


def main() -> None:
    """Fuzz an install of its own and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, help="Note each batch there, and go on from it.")
    parser.add_argument("--json", action="store_true")
    given_ = parser.parse_args()
    worker = ("worker", "--queue", "interactive", "--slots", "1")
    with throw_away_install(), host(*worker), served() as url:
        token, objects = run(prepare("fuzz"))
        report = fuzz(url, token, objects, given_.requests, given_.seed, Kept(given_.kept))
    for fault in report.faults:
        print(fault, file=sys.stderr)
    for status, count in sorted(report.statuses.items()):
        print(f"{status}: {count}")
    finish(
        "fuzz",
        {
            "server_errors": Figure(report.server_errors, 0),
            "undocumented_answers": Figure(len(report.faults), 0),
            "requests": Figure(report.requests, given_.requests, higher_is_better=True),
            "operations": Figure(len(report.operations)),
        },
    )


@contextmanager
def served() -> Iterator[str]:
    """The URL of `etlfabric api` on the install that the settings name."""
    port = free_port()
    limits = {"ETLFABRIC_RATE_LIMIT_PER_MINUTE": "0", "ETLFABRIC_LOG_LEVEL": "ERROR"}
    with host("api", ETLFABRIC_API_PORT=str(port), **limits) as api:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url), "the API", 120)
        yield url
        print((api.home / "log").read_text(), file=sys.stderr)


def answers(url: str) -> bool:
    """Whether a request can be served."""
    with suppress(requests.RequestException):
        return requests.get(f"{url}/readyz", timeout=TIMEOUT_S).ok
    return False


async def prepare(slug: str) -> tuple[str, dict[str, str]]:
    """An org with something of each kind. Returns an operator's token, and what paths may name."""
    org = await orgs.create(OPERATOR, slug, "Fuzz")
    email = f"{slug}@example.com"
    user = await users.create(OPERATOR, email, operator=True)
    issued = await tokens.issue_for(OPERATOR, email)
    invited = await invitations.invite(OPERATOR, slug, f"guest@{slug}.example", Role.VIEWER)
    bound = await tokens.create(Actor(email, user.id, is_operator=True), "bound", org=slug)
    async with org_scope(OPERATOR, slug) as scope:
        await uploads.put(scope, "orders.csv", io.BytesIO(b"id,email\n1,a@example.com\n"))
        stream = {"name": "orders", "glob": "orders.csv", "format": "csv"}
        config = {"bucket_url": "uploads://", "streams": [stream]}
        await connections.create(scope, "shop", "filesystem", config, {})
        await members.add(scope.session, org.id, user.id, Role.OWNER)
    await pipelines.create(OPERATOR, slug, "shop", connection="shop")
    await dbt_models.put(OPERATOR, slug, MODEL, "select 1 as one")
    async with org_scope(OPERATOR, slug) as scope:
        ran = await runs.start(scope, "shop", trigger=Trigger.MANUAL)
        await runs.request_cancel(scope, ran.id)  # its log has an end
        version = (await dbt_history.list_versions(scope, MODEL)).items[0]
    ids = {
        "run": ran.id,
        "version": version.id,
        "user_id": user.id,
        "invitation_id": invited.id,
        "token_id": bound.id,
    }
    names = {"slug": slug, "path": MODEL, "layer": "marts", "email": email, "stream": "orders"}
    shops = dict.fromkeys(("name", "pipeline", "connection"), "shop")
    return issued.token, names | shops | {name: str(value) for name, value in ids.items()}


def fuzz(
    url: str,
    token: str,
    objects: Mapping[str, str],
    count: int,
    seed_: int,
    kept: Kept | None = None,
) -> Report:
    """Send about `count` requests, spread over all operations, those that earlier runs sent among
    them.
    """
    kept = kept or Kept(None)
    report, pace = kept.read(), Pace(count)
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    made_up = {
        found.definition.raw["operationId"]: _cases(found, objects)
        for found in (one.ok() for one in schema.get_all_operations())
    }
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        round_ = 0
        while report.requests < count:
            share = max(2, min(SMALL_BATCH, (count - report.requests) // len(made_up)))
            for name, cases in made_up.items():
                if (round_, name) in kept.done or pace.is_slow(name) or report.requests >= count:
                    continue
                began = time.monotonic()
                found = _send_some(cases, url, session, share, seed_ + round_)
                pace.spent[name] += time.monotonic() - began
                kept.note(round_, name, found)
                report.add(found)
                pace.tell(report)
            round_ += 1
    return report


def _send_some(
    cases: SearchStrategy[Case], url: str, session: requests.Session, count: int, seed_: int
) -> Report:
    report = Report()

    @seed(seed_)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def send(case: Case) -> None:
        _send(case, url, session, report)

    with suppress(Unsatisfiable):
        send()
    return report


def _cases(operation: Any, objects: Mapping[str, str]) -> SearchStrategy[Case]:
    """Fitting and unfitting requests, three of four about objects that exist."""
    name = operation.definition.raw["operationId"]
    known = {
        one.name: objects[one.name] for one in operation.path_parameters if one.name in objects
    }
    if operation.method.upper() == "DELETE":
        known = {"slug": known["slug"]} if "slug" in known else {}
    if name in ON_STRANGERS_ONLY:
        known = {}
    waits = any(one.name == "wait_s" for one in operation.query)
    given_: dict[str, Any] = {"query": {"wait_s": 0}} if waits else {}
    strangers = operation.as_strategy(GenerationMode.POSITIVE, **given_)
    fitting = operation.as_strategy(GenerationMode.POSITIVE, path_parameters=known, **given_)
    unfitting = operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=known, **given_)
    about = {one: objects[one] for one in ("pipeline", "connection", "path")}
    return fitting | unfitting | fitting.map(lambda case: _about(case, about)) | strangers


def _about(case: Case, objects: Mapping[str, str]) -> Case:
    """The request with names that exist in its body and query."""
    for part in (case.body, case.query):
        if isinstance(part, dict):
            part.update({name: value for name, value in objects.items() if name in part})
    return case


def _send(case: Case, url: str, session: requests.Session, report: Report) -> None:
    headers = {"X-Request-ID": uuid4().hex}
    try:
        answer = case.call(url, session, headers, timeout=TIMEOUT_S)
    except requests.RequestException as exc:
        report.faults.append(f"{type(exc).__name__}\n  {case.as_curl_command()[:2000]}")
        return
    report.statuses[answer.status_code] += 1
    report.operations[case.operation.definition.raw["operationId"]] += 1
    try:
        case.validate_response(answer, checks=CHECKS)
        _require_documented(case, answer)
    except (Failure, FailureGroup) as exc:
        shown = str(exc) if isinstance(exc, Failure) else "; ".join(map(str, exc.exceptions))
        report.faults.append(f"{shown}\n  {case.as_curl_command()[:2000]}")


def _require_documented(case: Case, answer: Any) -> None:
    """The document's `default` covers refusals only, and each of those has a remedy."""
    described = case.operation.definition.raw["responses"]
    if answer.status_code < 400 and str(answer.status_code) not in described:
        raise Failure(
            operation=case.operation.label,
            title="Undocumented success",
            message=str(answer.status_code),
        )
    if answer.status_code >= 400 and not answer.json().get("remedy"):
        raise Failure(operation=case.operation.label, title="No remedy", message=answer.text[:200])


if __name__ == "__main__":
    main()
