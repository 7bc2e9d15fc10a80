"""Every route × every role × another org, from the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from etlfabric_dagster.models import InteractiveRequest, Pipeline, Run
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import invitations, tokens
from etlfabric_dagster.services.scope import OPERATOR, Actor, org_scope
from tests.test_api import matrix
from tests.test_api.document import document

ROLES = [str(role) for role in Role]
PREFIX = "/api/v1"


@dataclass(frozen=True)
class Route:
    """One operation of the document."""

    name: str
    method: str
    path: str
    uuids: frozenset[str]

    @property
    def names(self) -> int:
        """How many objects of the org its path names."""
        return self.path.count("{") - self.in_org

    @property
    def in_org(self) -> bool:
        return "{slug}" in self.path

    def url(self, slug: str, **objects: str) -> str:
        """The path, with objects that do not exist where none are given."""
        path = self.path.removeprefix(PREFIX).replace("{slug}", slug).replace("{layer}", "marts")
        while "{" in path:
            name = path[path.index("{") + 1 : path.index("}")]
            absent = str(uuid4()) if name in self.uuids else "nothing"
            path = path.replace(f"{{{name}}}", objects.get(name, absent))
        return path


def routes() -> Iterator[Route]:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            uuids = frozenset(
                one["name"]
                for one in operation.get("parameters", ())
                if one["in"] == "path" and one["schema"].get("format") == "uuid"
            )
            yield Route(operation["operationId"], method.upper(), path, uuids)


ROUTES = {route.name: route for route in routes()}
IN_ORG = [name for name, route in ROUTES.items() if route.in_org]


async def call(client, route, slug, headers, **objects):
    needed = {"path": "marts/nothing.sql", "column": "id", "place": "(0,1)"}
    body: dict[str, Any] = {"params": {"wait_s": 0, **needed}}
    if route.name in matrix.BODIES:
        body["json"] = matrix.BODIES[route.name]
    elif route.name in ("put_upload", "import_dbt_project"):
        body["content"] = b"a,b\n1,2\n"
        headers = headers | {"Content-Type": "application/octet-stream"}
    return await client.request(route.method, route.url(slug, **objects), headers=headers, **body)


def test_every_route_is_in_the_matrix_and_nothing_else():
    assert set(matrix.NEEDS) == set(ROUTES)


def test_routes_outside_orgs_need_no_role():
    outside = {name for name, route in ROUTES.items() if not route.in_org}
    assert {matrix.NEEDS[name] for name in outside} <= {"public", "person", "operator"}
    assert not {matrix.NEEDS[name] for name in IN_ORG} & {"public", "person"}


@pytest.mark.parametrize(
    "name", [name for name in ROUTES if matrix.NEEDS.get(name) != matrix.PUBLIC]
)
async def test_nobody_gets_in_without_credentials(client, people, name):
    for headers in ({}, {"Authorization": "Bearer etlf_forged"}):
        answer = await call(client, ROUTES[name], people.org.slug, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("name", IN_ORG)
async def test_stranger_sees_a_missing_org(client, people, name):
    needs = matrix.NEEDS[name]
    answer = await call(client, ROUTES[name], people.org.slug, people.stranger.headers)
    expected = 403 if needs == matrix.OPERATOR else 404
    assert answer.status_code == expected, answer.text
    assert people.org.name not in answer.text


@pytest.mark.parametrize(
    "name", [name for name in IN_ORG if matrix.NEEDS.get(name) not in (None, matrix.VIEWER)]
)
async def test_lesser_role_is_refused(client, people, name):
    needs = matrix.NEEDS[name]
    lesser = ROLES if needs == matrix.OPERATOR else ROLES[: ROLES.index(needs)]
    for role in lesser:
        answer = await call(client, ROUTES[name], people.org.slug, people[role].headers)
        assert answer.status_code == 403, f"{role}: {answer.text}"
        assert answer.json()["code"] == "permission_denied"
        assert answer.json()["remedy"]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in IN_ORG
        if name not in matrix.NOT_CALLED and matrix.NEEDS.get(name) != matrix.OPERATOR
    ],
)
async def test_least_role_is_let_in(client, people, name):
    role = matrix.NEEDS[name]
    answer = await call(client, ROUTES[name], people.org.slug, people[role].headers)
    assert answer.status_code not in (401, 403), answer.text
    assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("name", [n for n, needs in matrix.NEEDS.items() if needs == "operator"])
async def test_operators_routes_are_closed_to_owners(client, people, name):
    body = {"json": matrix.BODIES[name]} if name in matrix.BODIES else {}
    route = ROUTES[name]
    headers = people.owner.headers
    answer = (
        await call(client, route, people.org.slug, headers)
        if route.in_org
        else await client.request(route.method, route.url(""), headers=headers, **body)
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


@pytest.fixture(scope="module")
async def objects(people):
    """Real objects of `people.org`, by the name of the path parameter that would name them."""
    async with org_scope(OPERATOR, people.org.slug) as scope:
        pipeline = Pipeline(
            name=f"p{uuid4().hex[:8]}", table_prefix="", schema_policy="evolve", models="x"
        )
        scope.session.add(pipeline)
        await scope.session.flush()
        run = Run(
            org_id=people.org.id,
            pipeline_id=pipeline.id,
            pipeline_name=pipeline.name,
            trigger="manual",
            status="failed",
            selection={},
            max_attempts=1,
            created_by="test",
            streams={},
            models={},
        )
        request = InteractiveRequest(
            org_id=people.org.id, kind="query", arguments={}, status="done", answer={"rows": []}
        )
        scope.session.add_all([run, request])
        await scope.session.flush()
        found = {"run": run.id, "request": request.id}
    invited = await invitations.invite(
        OPERATOR, people.org.slug, f"{uuid4().hex[:8]}@example.com", Role.VIEWER
    )
    owner = await tokens.authenticate(people.owner.token)
    token = await tokens.create(Actor(owner.label, owner.user_id), "bound", org=people.org.slug)
    found |= {"invitation_id": invited.id, "token_id": token.id, "user_id": owner.user_id}
    return {name: str(value) for name, value in found.items()} | {
        "pipeline": pipeline.name,
        "name": pipeline.name,
    }


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in IN_ORG
        if matrix.NEEDS.get(name) != matrix.OPERATOR
        # a PUT by name makes one's own
        and (ROUTES[name].uuids or ROUTES[name].method == "GET" and ROUTES[name].names)
    ],
)
async def test_foreign_object_reads_like_a_missing_one(client, people, objects, name):
    """Asked for under one's own org, as its owner."""
    route = ROUTES[name]
    answer = await call(client, route, people.foreign.slug, people.stranger.headers, **objects)
    missing = await call(client, route, people.foreign.slug, people.stranger.headers)
    assert answer.status_code == missing.status_code, answer.text
    assert answer.status_code in (404, 410) or answer.json() == missing.json()
