"""Which role each action needs: the one table. Interfaces may show it, only services apply it.

An action is named `domain.verb`; the audit log uses the same names. Reading needs no entry: every
member may see all of an org but its people's tokens and its audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etlfabric_dagster.schemas.people import Role


@dataclass(frozen=True)
class Permission:
    """The least role that may do something, and how people call it."""

    role: Role
    what: str
    """Completes "Editors can …"."""
    changes: bool = True
    """False for what only reads: a read-only token may do it."""
    in_suspended_org: bool = False


_EDITOR, _ADMIN, _OWNER = Role.EDITOR, Role.ADMIN, Role.OWNER

ACTIONS: Mapping[str, Permission] = {
    "connections.create": Permission(_EDITOR, "create connections"),
    "connections.update": Permission(_EDITOR, "change connections"),
    "connections.delete": Permission(_ADMIN, "delete connections"),
    "connections.check": Permission(_EDITOR, "test connections"),
    "connections.discover": Permission(_EDITOR, "look for streams"),
    "pipelines.create": Permission(_EDITOR, "create pipelines"),
    "pipelines.update": Permission(_EDITOR, "change pipelines"),
    "pipelines.delete": Permission(_ADMIN, "delete pipelines"),
    "pipelines.pause": Permission(_EDITOR, "pause pipelines"),
    "pipelines.resume": Permission(_EDITOR, "resume pipelines"),
    "runs.start": Permission(_EDITOR, "start runs"),
    "runs.cancel": Permission(_EDITOR, "cancel runs", in_suspended_org=True),
    "runs.retry": Permission(_EDITOR, "retry runs"),
    "schedules.set": Permission(_EDITOR, "set schedules"),
    "schedules.remove": Permission(_EDITOR, "remove schedules"),
    "schedules.pause": Permission(_EDITOR, "pause schedules"),
    "schedules.resume": Permission(_EDITOR, "resume schedules"),
    "dbt_models.put": Permission(_EDITOR, "write dbt models"),
    "dbt_models.delete": Permission(_EDITOR, "delete dbt models"),
    "dbt_models.import": Permission(_EDITOR, "import dbt projects"),
    "uploads.put": Permission(_EDITOR, "upload files"),
    "uploads.delete": Permission(_EDITOR, "delete uploads"),
    "alerts.update": Permission(_EDITOR, "change alert rules"),
    "members.invite": Permission(_ADMIN, "invite people"),
    "members.update": Permission(_ADMIN, "change roles"),
    "members.remove": Permission(_ADMIN, "remove members"),
    "invitations.read": Permission(_ADMIN, "see invitations", False, True),
    "tokens.read": Permission(_ADMIN, "see others' tokens", False, True),
    "tokens.revoke": Permission(_ADMIN, "revoke others' tokens", in_suspended_org=True),
    "audit.read": Permission(_ADMIN, "read the audit log", False, True),
    "bi.read": Permission(_ADMIN, "see BI access", False, True),
    "bi.roll": Permission(_ADMIN, "roll the BI password"),
    "members.make_owner": Permission(_OWNER, "make owners"),
    "orgs.update": Permission(_OWNER, "rename the org"),
    "orgs.export": Permission(_OWNER, "export the org", in_suspended_org=True),
    "orgs.erase": Permission(_OWNER, "erase the org", in_suspended_org=True),
}
