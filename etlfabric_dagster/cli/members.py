"""`etlfabric members …`: people of an org, and those who were asked to join."""

from __future__ import annotations

from uuid import UUID

import typer

from etlfabric_dagster.aio import run
from etlfabric_dagster.cli.output import AsJson, out, print_json, show, show_page
from etlfabric_dagster.cli.scoped import scoped
from etlfabric_dagster.errors import NotFoundError
from etlfabric_dagster.schemas.people import MemberOut, Role
from etlfabric_dagster.services import invitations, members
from etlfabric_dagster.services.scope import OPERATOR, OrgScope

app = typer.Typer(help="People of an org and their roles.", no_args_is_help=True)


@app.command("list")
def list_(org: str, as_json: AsJson = False) -> None:
    """Everybody in the org by address."""
    page = scoped(org, members.list_members)
    show_page(page, as_json, ("email", "name", "role", "last_seen_at"), "No members yet.")


@app.command("show")
def show_(org: str, email: str, as_json: AsJson = False) -> None:
    """One member."""
    show(scoped(org, lambda scope: _find(scope, email)), as_json)


@app.command("set-role")
def set_role(org: str, email: str, role: Role, as_json: AsJson = False) -> None:
    """Change what a member may do."""

    async def change(scope: OrgScope) -> MemberOut:
        return await members.set_role(scope, (await _find(scope, email)).user_id, role)

    show(scoped(org, change), as_json, lambda: f"{email} is {role} of {org}.")


@app.command()
def remove(org: str, email: str, as_json: AsJson = False) -> None:
    """Take a person out of the org; never its last owner."""

    async def take_out(scope: OrgScope) -> MemberOut:
        member = await _find(scope, email)
        await members.remove(scope, member.user_id)
        return member

    show(scoped(org, take_out), as_json, lambda: f"{email} is no member of {org} any more.")


@app.command()
def invite(org: str, email: str, role: Role = Role.VIEWER, as_json: AsJson = False) -> None:
    """Ask somebody to join; the link is shown this once."""
    made = run(invitations.invite(OPERATOR, org, email, role))
    show(made, as_json, lambda: made.link)


@app.command("invitations")
def invitations_(org: str, as_json: AsJson = False) -> None:
    """Invitations that still work."""
    page = scoped(org, invitations.list_open)
    show_page(page, as_json, ("id", "email", "role", "expires_at"), "Nobody is invited.")


@app.command()
def reinvite(org: str, invitation: UUID, as_json: AsJson = False) -> None:
    """A new link for an invitation; the old one stops working."""
    made = run(invitations.resend(OPERATOR, org, invitation))
    show(made, as_json, lambda: made.link)


@app.command()
def uninvite(org: str, invitation: UUID, as_json: AsJson = False) -> None:
    """End an invitation."""
    scoped(org, lambda scope: invitations.revoke(scope, invitation))
    if as_json:
        print_json({"id": str(invitation), "revoked": True})
    else:
        out.print(f"The link of invitation {invitation} works no more.", highlight=False)


async def _find(scope: OrgScope, email: str) -> MemberOut:
    wanted = email.strip().lower()
    for member in (await members.list_members(scope)).items:
        if member.email == wanted:
            return member
    raise NotFoundError(
        f"{email} is no member of '{scope.slug}'.",
        f"List them: etlfabric members list {scope.slug}",
    )
