"""Which pictures of the panel docs/images holds: one of each page, and of what opens over it."""

from __future__ import annotations

from etlfabric_ui import routes

DOORS = {
    "sign-in": routes.LOGIN,
    "sign-up": routes.SIGNUP,
    "forgot-password": routes.FORGOT,
    "reset-password": routes.RESET,
    "own-password": routes.PASSWORD,
    "invitation": routes.INVITE,
    "confirm-address": routes.VERIFY,
}
"""Picture → page of who is not signed in."""
PAGES = {
    "overview": routes.OVERVIEW,
    "connections": routes.CONNECTIONS,
    "wizard": routes.NEW_CONNECTION,
    "wizard-details": routes.NEW_CONNECTION_OF,
    "connection": routes.CONNECTION,
    "pipelines": routes.PIPELINES,
    "pipeline": routes.PIPELINE,
    "runs": routes.RUNS,
    "run": routes.RUN,
    "dbt-models": routes.DBT_MODEL,
    "lineage": routes.LINEAGE,
    "data": routes.TABLE,
    "schedules": routes.SCHEDULES,
    "alerts": routes.ALERTS,
    "settings": routes.SETTINGS_MEMBERS,
    "settings-tokens": routes.SETTINGS_TOKENS,
    "settings-audit": routes.SETTINGS_AUDIT,
    "settings-usage": routes.SETTINGS_USAGE,
    "settings-bi-access": routes.SETTINGS_BI,
    "settings-general": routes.SETTINGS_GENERAL,
    "settings-danger-zone": routes.SETTINGS_DANGER,
    "account": routes.ACCOUNT,
    "new-org": routes.NEW_ORG,
    "operator": routes.OPERATOR_FLEET,
    "operator-orgs": routes.OPERATOR_ORGS,
    "operator-org": routes.OPERATOR_ORG,
}
"""Picture → page of who is."""
OPENED = {"switch-org": (routes.OVERVIEW, "Switch org")}
"""Picture → page, and the button that is pressed on it."""
NAMES = (*DOORS, *PAGES, *OPENED)
