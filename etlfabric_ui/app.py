"""The Reflex application: its pages, what they load, and the API mounted beside them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.elements import state_word
from etlfabric_ui.components.panels import skeleton
from etlfabric_ui.copy import models as copy
from etlfabric_ui.pages import (
    lists,
    operator,
    settings_access,
    settings_org,
    settings_people,
    settings_record,
)
from etlfabric_ui.pages import login as doors
from etlfabric_ui.pages.account import account
from etlfabric_ui.pages.alerts import alerts
from etlfabric_ui.pages.connection import connection
from etlfabric_ui.pages.data import data
from etlfabric_ui.pages.dbt_models import dbt_models
from etlfabric_ui.pages.lineage import lineage
from etlfabric_ui.pages.missing import missing
from etlfabric_ui.pages.overview import home, overview
from etlfabric_ui.pages.pipeline import pipeline
from etlfabric_ui.pages.run import run
from etlfabric_ui.pages.runs import runs
from etlfabric_ui.pages.schedules import schedules
from etlfabric_ui.pages.wizard import wizard
from etlfabric_ui.state.account import AccountState
from etlfabric_ui.state.alerts import AlertsState
from etlfabric_ui.state.connection import ConnectionState
from etlfabric_ui.state.data import DataState
from etlfabric_ui.state.dbt_models import DbtModelsState
from etlfabric_ui.state.dbt_panels import DbtPanelsState
from etlfabric_ui.state.lineage import LineageState
from etlfabric_ui.state.lists import ConnectionsState, PipelinesState
from etlfabric_ui.state.mounting import with_api
from etlfabric_ui.state.operator import FleetState, OperatorOrgsState, OperatorOrgState
from etlfabric_ui.state.overview import OverviewState
from etlfabric_ui.state.pipeline import PipelineState
from etlfabric_ui.state.pipeline_tabs import PipelineTabs
from etlfabric_ui.state.run import RunState
from etlfabric_ui.state.runs import RunsState
from etlfabric_ui.state.schedules import SchedulesState
from etlfabric_ui.state.settings_access import BiState, TokensState
from etlfabric_ui.state.settings_org import OrgState
from etlfabric_ui.state.settings_people import MembersState
from etlfabric_ui.state.settings_record import AuditState, UsageState
from etlfabric_ui.state.shell import Shell
from etlfabric_ui.state.wizard import WizardState


def _head() -> list[rx.Component]:
    return [
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.link(
            rel="preload",
            href="/fonts/inter-latin-wght-normal.woff2",
            custom_attrs={"as": "font"},
            type="font/woff2",
            cross_origin="anonymous",
        ),
        rx.el.script(src="/panel-config.js"),
        rx.el.script(src="/panel.js"),
        rx.el.script(src="/models.js"),
    ]


app = rx.App(
    api_transformer=with_api,
    stylesheets=["/panel.css", "/models.css"],
    head_components=_head(),
    html_lang="en",
    hydrate_fallback=skeleton(),
    toaster=None,  # it evaluates text, which the policy forbids; see state/receipts.py
)
app.app_wraps.pop((5, "Overlay"))  # its own connection pop-up; panel.js has a banner


def _add(page: Any, route: str, title: Any, *on_load: Any) -> None:
    """A page; its title ends in the org's name, so that tabs tell which is which.

    `title` of one object's page is a Var that begins with the object: `shop · Pipelines`.
    """
    of = rx.cond(Shell.org_name != "", Shell.org_name, strings.PRODUCT)
    whole = f"{title} · {of}" if "[org_slug]" in route else f"{title} · {strings.PRODUCT}"
    app.add_page(page, route=route, title=rx.Var.create(whole), on_load=[*on_load])


_RUN: Any = rx.cond(
    RunState.pipeline != "", f"{state_word(RunState.state)} · {RunState.pipeline}", "Run"
)


def _of_kind(one: Any, kind: str) -> Any:
    """“shop · Pipelines”, and the kind alone while no object is open."""
    return rx.cond(one != "", f"{one} · {kind}", kind)


_CHOSEN: Any = rx.cond(WizardState.step == "connector", "", WizardState.title)
_WIZARD: Any = _of_kind(_CHOSEN, strings.NEW_CONNECTION)

_add(doors.login, routes.LOGIN, strings.SIGN_IN)
_add(doors.signup, routes.SIGNUP, strings.CREATE_ACCOUNT_LINK)
_add(doors.forgot, routes.FORGOT, strings.FORGOT)
_add(doors.reset, routes.RESET, strings.NEW_PASSWORD)
_add(doors.password, routes.PASSWORD, strings.OWN_PASSWORD)
_add(doors.invite, routes.INVITE, strings.INVITED)
_add(doors.verify, routes.VERIFY, strings.CONFIRM_ADDRESS)
_add(home, routes.HOME, "Home", Shell.go_home)
_add(overview, routes.OVERVIEW, "Overview", Shell.enter, OverviewState.load)
_add(lists.connections, routes.CONNECTIONS, "Connections", Shell.enter, ConnectionsState.load)
_add(wizard, routes.NEW_CONNECTION_OF, _WIZARD, Shell.enter, WizardState.load)
# Second, so that the browser draws it by the route above; Reflex' own router, which finds what a
# page loads, would take `new` for a connection's name without it.
_add(wizard, routes.NEW_CONNECTION, _WIZARD, Shell.enter, WizardState.load)
_add(
    connection,
    routes.CONNECTION,
    f"{ConnectionState.name} · Connections",
    Shell.enter,
    ConnectionState.load,
)
_add(lists.pipelines, routes.PIPELINES, "Pipelines", Shell.enter, PipelinesState.load)
_add(
    pipeline,
    routes.PIPELINE,
    f"{PipelineState.name} · Pipelines",
    Shell.enter,
    PipelineState.load,
    PipelineTabs.load,
)
_add(runs, routes.RUNS, "Runs", Shell.enter, RunsState.load)
_add(
    dbt_models,
    routes.DBT_MODEL,
    _of_kind(rx.cond(DbtModelsState.path != "", DbtModelsState.name, ""), copy.DBT_MODELS),
    Shell.enter,
    DbtModelsState.load,
    DbtPanelsState.load,
)
_add(data, routes.DATA, copy.DATA, Shell.enter, DataState.load)
_add(data, routes.TABLE, _of_kind(DataState.table, copy.DATA), Shell.enter, DataState.load)
_add(lineage, routes.LINEAGE, copy.LINEAGE, Shell.enter, LineageState.load)
_add(run, routes.RUN, _RUN, Shell.enter, RunState.load)
_add(schedules, routes.SCHEDULES, "Schedules", Shell.enter, SchedulesState.load)
_add(alerts, routes.ALERTS, "Alerts", Shell.enter, AlertsState.load)
_settings: tuple[tuple[Any, str, Any], ...] = (
    (settings_people.members, routes.SETTINGS_MEMBERS, MembersState),
    (settings_access.tokens, routes.SETTINGS_TOKENS, TokensState),
    (settings_record.audit, routes.SETTINGS_AUDIT, AuditState),
    (settings_record.usage, routes.SETTINGS_USAGE, UsageState),
    (settings_access.bi_access, routes.SETTINGS_BI, BiState),
    (settings_org.general, routes.SETTINGS_GENERAL, OrgState),
    (settings_org.danger_zone, routes.SETTINGS_DANGER, OrgState),
)
for _page, _route, _state in _settings:
    _name = dict(strings.SECTIONS)[_route.rpartition("/")[2]]
    _add(_page, _route, f"{_name} · Settings", Shell.enter, _state.load)
_add(account, routes.ACCOUNT, "Account", Shell.enter, AccountState.load)
_add(settings_org.new_org, routes.NEW_ORG, strings.CREATE_ORG, Shell.enter)
_add(operator.orgs, routes.OPERATOR_ORGS, "Orgs", Shell.enter, OperatorOrgsState.load)
_add(
    operator.org,
    routes.OPERATOR_ORG,
    _of_kind(OperatorOrgState.name, "Orgs"),
    Shell.enter,
    OperatorOrgState.load,
)
_add(operator.fleet, routes.OPERATOR_FLEET, "Fleet", Shell.enter, FleetState.load)
app.add_page(missing, route="404", title=f"{strings.NOT_FOUND} · {strings.PRODUCT}")
