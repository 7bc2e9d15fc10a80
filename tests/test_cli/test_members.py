"""`etlfabric members` and `users show` on a real org."""

from __future__ import annotations

from etlfabric_dagster import aio
from etlfabric_dagster.services import invitations, users
from etlfabric_dagster.services.scope import OPERATOR

PASSWORD = "a long enough one"


def test_people_are_invited_shown_given_roles_and_removed(etlfabric, org, make_slug):
    emails = [f"{make_slug()}@example.com" for _ in range(2)]
    for email in emails:
        made = etlfabric("members", "invite", org.slug, email, "--role", "owner", "--json").json
        token = made["link"].rpartition("/")[2]
        aio.run(invitations.accept(token, password=PASSWORD))
    assert [m["email"] for m in etlfabric("members", "list", org.slug, "--json").json["items"]] == (
        sorted(emails)
    )
    changed = etlfabric("members", "set-role", org.slug, emails[0].upper(), "viewer", "--json").json
    assert changed["role"] == "viewer"
    shown = etlfabric("members", "show", org.slug, emails[0], "--json").json
    assert (shown["email"], shown["role"]) == (emails[0], "viewer")
    assert etlfabric("members", "remove", org.slug, emails[0]).status == 0
    last = etlfabric("members", "remove", org.slug, emails[1], "--json")
    assert (last.status, last.json["error"]["code"]) == (1, "last_owner")
    missing = etlfabric("members", "show", org.slug, emails[0], "--json")
    assert (missing.status, bool(missing.json["error"]["remedy"])) == (1, True)


def test_invitation_is_listed_sent_again_and_ended(etlfabric, org):
    made = etlfabric("members", "invite", org.slug, "guest@example.com", "--json").json
    again = etlfabric("members", "reinvite", org.slug, made["id"], "--json").json
    assert again["link"] != made["link"]
    listed = etlfabric("members", "invitations", org.slug, "--json").json["items"]
    assert [(one["email"], one["role"]) for one in listed] == [("guest@example.com", "viewer")]
    assert etlfabric("members", "uninvite", org.slug, made["id"], "--json").json["revoked"]
    assert etlfabric("members", "invitations", org.slug, "--json").json["items"] == []


def test_end_of_an_invitation_is_told(etlfabric, org):
    made = etlfabric("members", "invite", org.slug, "guest@example.com", "--json").json
    said = etlfabric("members", "uninvite", org.slug, made["id"]).out
    assert said == f"The link of invitation {made['id']} works no more.\n"


def test_one_person_is_shown(etlfabric, make_slug):
    user = aio.run(users.create(OPERATOR, f"{make_slug()}@example.com"))
    shown = etlfabric("users", "show", user.email, "--json").json
    assert (shown["email"], shown["id"]) == (user.email, str(user.id))
