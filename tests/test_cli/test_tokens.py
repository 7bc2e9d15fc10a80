"""`etlfabric tokens`, `users sessions` and `users logout` on a real org."""

from __future__ import annotations

from uuid import uuid4

import pytest

from etlfabric_dagster import aio
from etlfabric_dagster.errors import UnauthenticatedError
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import invitations, sessions, tokens, users
from etlfabric_dagster.services.scope import OPERATOR


def test_token_of_an_org_is_created_listed_and_revoked(etlfabric, org, make_slug):
    email = f"{make_slug()}@example.com"
    invited = aio.run(invitations.invite(OPERATOR, org.slug, email, Role.EDITOR))
    aio.run(invitations.accept(invited.link.rpartition("/")[2], password="a long enough one"))
    limits = ("--name", "ci", "--role", "viewer", "--read-only", "--days", 7)
    made = etlfabric("tokens", "create", org.slug, email, *limits, "--json").json
    actor = aio.run(tokens.authenticate(made["token"]))
    assert (actor.limits.org_id, actor.limits.role, actor.limits.read_only) == (
        *(org.id, "viewer", True),
    )
    (listed,) = etlfabric("tokens", "list", org.slug, "--json").json["items"]
    assert (listed["id"], listed["name"], "token" in listed) == (made["id"], "ci", False)
    assert etlfabric("tokens", "revoke", org.slug, made["id"], "--json").json["revoked"]
    with pytest.raises(UnauthenticatedError):
        aio.run(tokens.authenticate(made["token"]))
    again = etlfabric("tokens", "revoke", org.slug, made["id"], "--json")
    assert (again.status, bool(again.json["error"]["remedy"])) == (1, True)


@pytest.mark.parametrize(
    "given", [("--name", ""), ("--name", "x" * 81)], ids=["unnamed", "long_name"]
)
def test_token_of_a_stranger_or_without_a_name_is_refused(etlfabric, org, make_slug, given):
    user = aio.run(users.create(OPERATOR, f"{make_slug()}@example.com"))
    stranger = etlfabric("tokens", "create", org.slug, user.email, "--json")
    assert (stranger.status, stranger.json["error"]["code"]) == (1, "not_found")
    nameless = etlfabric("tokens", "create", org.slug, user.email, *given, "--json")
    assert (nameless.status, nameless.json["error"]["field"]) == (1, "name")


def test_person_is_signed_out_everywhere(etlfabric, make_slug):
    user = aio.run(users.create(OPERATOR, f"{make_slug()}@example.com"))
    agent = uuid4().hex
    grant = aio.run(sessions.open_for(user.id, "api", user_agent=agent))
    listed = etlfabric("users", "sessions", user.email, "--json").json["items"]
    assert [one["user_agent"] for one in listed] == [agent]
    assert etlfabric("users", "logout", user.email).status == 0
    assert etlfabric("users", "sessions", user.email, "--json").json["items"] == []
    with pytest.raises(UnauthenticatedError):
        aio.run(sessions.authenticate(grant.cookie, "api"))
