"""Every URL of the panel: names, not ids, as in the CLI; runs by id."""

from __future__ import annotations

LOGIN, SIGNUP, FORGOT = "/login", "/signup", "/forgot"
RESET, INVITE, VERIFY = "/reset/[token]", "/invite/[token]", "/verify/[token]"
PASSWORD = "/password"  # noqa: S105 - a page, not a secret
HOME = "/"

OVERVIEW = "/o/[org_slug]/overview"
CONNECTIONS = "/o/[org_slug]/connections"
NEW_CONNECTION = "/o/[org_slug]/connections/new"
NEW_CONNECTION_OF = "/o/[org_slug]/connections/new/[[connector_key]]"
"""One route for all steps: what is typed outlives the change of address."""
CONNECTION = "/o/[org_slug]/connections/[connection_name]"
PIPELINES = "/o/[org_slug]/pipelines"
PIPELINE = "/o/[org_slug]/pipelines/[pipeline_name]"
RUNS = "/o/[org_slug]/runs"
RUN = "/o/[org_slug]/runs/[run_id]"
DBT_MODELS = "/o/[org_slug]/dbt-models"
DBT_MODEL = "/o/[org_slug]/dbt-models/[[...splat]]"
LINEAGE = "/o/[org_slug]/lineage"
DATA = "/o/[org_slug]/data"
TABLE = "/o/[org_slug]/data/[schema_name]/[table_name]"
SCHEDULES = "/o/[org_slug]/schedules"
ALERTS = "/o/[org_slug]/alerts"
SETTINGS_MEMBERS = "/o/[org_slug]/settings/members"
SETTINGS_TOKENS = "/o/[org_slug]/settings/tokens"
SETTINGS_AUDIT = "/o/[org_slug]/settings/audit"
SETTINGS_USAGE = "/o/[org_slug]/settings/usage"
SETTINGS_BI = "/o/[org_slug]/settings/bi-access"
SETTINGS_GENERAL = "/o/[org_slug]/settings/general"
SETTINGS_DANGER = "/o/[org_slug]/settings/danger-zone"

NEW_ORG = "/new-org"
ACCOUNT = "/account"
OPERATOR_ORGS, OPERATOR_FLEET = "/operator/orgs", "/operator/fleet"
OPERATOR_ORG = "/operator/orgs/[target_slug]"

WITH_PARTS = tuple(
    value
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, str) and "[" in value
)
"""Routes that stand for many addresses."""


def to(route: str, **parts: object) -> str:
    """The route with its parts filled: `to(RUN, org_slug="acme", run_id=…)`. Parts may be Vars."""
    for name, value in parts.items():
        route = route.replace(f"[[{name}]]", f"{value}").replace(f"[{name}]", f"{value}")
    return route
