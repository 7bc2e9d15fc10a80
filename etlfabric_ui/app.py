"""The Reflex application: its pages, what they load, and the API mounted beside them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.panels import skeleton
from etlfabric_ui.copy import models as copy
from etlfabric_ui.pages import lists
from etlfabric_ui.pages import login as doors
from etlfabric_ui.pages.connection import connection
from etlfabric_ui.pages.data import data
from etlfabric_ui.pages.dbt_models import dbt_models
from etlfabric_ui.pages.lineage import lineage
from etlfabric_ui.pages.overview import home, overview
from etlfabric_ui.pages.pipeline import pipeline
from etlfabric_ui.pages.run import run
from etlfabric_ui.pages.schedules import schedules
from etlfabric_ui.pages.wizard import wizard
from etlfabric_ui.state.connection import ConnectionState
from etlfabric_ui.state.data import DataState
from etlfabric_ui.state.dbt_models import DbtModelsState
from etlfabric_ui.state.dbt_panels import DbtPanelsState
from etlfabric_ui.state.lineage import LineageState
from etlfabric_ui.state.lists import ConnectionsState, PipelinesState, RunsState
from etlfabric_ui.state.mounting import with_api
from etlfabric_ui.state.overview import OverviewState
from etlfabric_ui.state.pipeline import PipelineState
from etlfabric_ui.state.pipeline_tabs import PipelineTabs
from etlfabric_ui.state.run import RunState
from etlfabric_ui.state.schedules import SchedulesState
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
    toaster=rx.toast.provider(position="bottom-right"),
)
app.app_wraps.pop((5, "Overlay"))  # its own connection pop-up; panel.js has a banner


def _add(page: Any, route: str, title: str, *on_load: Any) -> None:
    app.add_page(page, route=route, title=f"{title} · {strings.PRODUCT}", on_load=[*on_load])


_add(doors.login, routes.LOGIN, strings.SIGN_IN)
_add(doors.signup, routes.SIGNUP, strings.CREATE_ACCOUNT_LINK)
_add(doors.forgot, routes.FORGOT, strings.FORGOT)
_add(doors.reset, routes.RESET, strings.NEW_PASSWORD)
_add(doors.password, routes.PASSWORD, strings.NEW_PASSWORD)
_add(doors.invite, routes.INVITE, strings.INVITED)
_add(doors.verify, routes.VERIFY, strings.CONFIRM_ADDRESS)
_add(home, routes.HOME, "Home", Shell.go_home)
_add(overview, routes.OVERVIEW, "Overview", Shell.enter, OverviewState.load)
_add(lists.connections, routes.CONNECTIONS, "Connections", Shell.enter, ConnectionsState.load)
_add(wizard, routes.NEW_CONNECTION, strings.NEW_CONNECTION, Shell.enter, WizardState.load)
_add(wizard, routes.NEW_CONNECTION_OF, strings.NEW_CONNECTION, Shell.enter, WizardState.load)
_add(connection, routes.CONNECTION, "Connection", Shell.enter, ConnectionState.load)
_add(lists.pipelines, routes.PIPELINES, "Pipelines", Shell.enter, PipelinesState.load)
_add(pipeline, routes.PIPELINE, "Pipeline", Shell.enter, PipelineState.load, PipelineTabs.load)
_add(lists.runs, routes.RUNS, "Runs", Shell.enter, RunsState.load)
_add(run, routes.RUN, "Run", Shell.enter, RunState.load)
_add(
    dbt_models,
    routes.DBT_MODEL,
    copy.DBT_MODELS,
    Shell.enter,
    DbtModelsState.load,
    DbtPanelsState.load,
)
_add(data, routes.DATA, copy.DATA, Shell.enter, DataState.load)
_add(data, routes.TABLE, copy.DATA, Shell.enter, DataState.load)
_add(lineage, routes.LINEAGE, copy.LINEAGE, Shell.enter, LineageState.load)
_add(schedules, routes.SCHEDULES, "Schedules", Shell.enter, SchedulesState.load)
