"""For operators: orgs and fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from etlfabric_ui import routes, strings
from etlfabric_ui.components.dialogs import confirm, opener, refusal
from etlfabric_ui.components.elements import (
    badge,
    button,
    icon,
    link_button,
    search,
    state_icon,
    time,
)
from etlfabric_ui.components.fields import entry
from etlfabric_ui.components.frame import addressed, heading
from etlfabric_ui.components.panels import empty, loads, no_match, skeleton
from etlfabric_ui.components.tables import Head, table, ticker
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.pages.settings import part
from etlfabric_ui.state.operator import FleetState, OperatorOrgsState, OperatorOrgState

Orgs: Any = OperatorOrgsState
Org: Any = OperatorOrgState
Fleet: Any = FleetState


def orgs() -> rx.Component:
    """All orgs of the install."""
    heads = [("Org", ""), ("State", ""), ("Pipelines", "num not-narrow")]
    heads += [("Failing", "num not-narrow"), ("Rows/day", "num not-narrow")]
    heads += [("Storage", "num not-narrow"), ("Runs now", "num not-narrow")]
    heads += [("Last active", "not-narrow")]
    return framed(
        "operator",
        heading("Orgs", link_button(strings.CREATE_ORG, routes.NEW_ORG, "primary")),
        _tabs("orgs"),
        loads(
            Orgs.loaded,
            Orgs.problem,
            rx.cond(
                Orgs.exists,
                rx.el.div(
                    rx.el.p(Orgs.summary, class_name="soft", role="status"),
                    rx.el.div(
                        search(
                            "Search orgs",
                            default_value=Orgs.q,
                            on_change=Orgs.search.debounce(200),
                        ),
                        class_name="toolbar",
                    ),
                    rx.cond(
                        Orgs.rows.length() > 0,
                        table(heads, rx.foreach(Orgs.rows, _org), "Orgs"),
                        no_match("orgs", Orgs.search("")),
                    ),
                    rx.cond(
                        Orgs.next_cursor != "",
                        link_button(
                            "Next", f"{routes.OPERATOR_ORGS}?q={Orgs.q}&cursor={Orgs.next_cursor}"
                        ),
                    ),
                    class_name="stack loose",
                ),
                empty("No orgs yet", strings.NO_ORG),
            ),
            retry=Orgs.load,
        ),
        addressed(Orgs.query),
    )


def org() -> rx.Component:
    """One org: figures, limits, suspend and resume, enter."""
    active = Org.state == "active"
    figures = (
        ("Pipelines", Org.card.pipelines),
        ("Failing", Org.card.failing),
        ("Rows per day, 7 days", Org.card.rows),
        ("Storage", Org.card.storage),
        ("Runs now", Org.card.runs),
        ("Last active", time(Org.card.active)),
    )
    return framed(
        "operator",
        loads(
            Org.loaded,
            Org.problem,
            rx.el.div(
                heading(
                    Org.name,
                    link_button("Enter", f"/o/{Org.slug}/overview", "primary"),
                    rx.cond(
                        active,
                        opener("Suspend", "suspend", "danger"),
                        rx.cond(Org.state == "suspended", button("Resume", on_click=Org.resume)),
                    ),
                    beside=badge(Org.state),
                ),
                confirm(
                    "suspend",
                    f"Suspend {Org.slug}",
                    Org.consequences,
                    "Suspend",
                    lambda _: Org.suspend(),
                ),
                _tabs("orgs"),
                rx.el.dl(
                    *(
                        item
                        for label, value in figures
                        for item in (rx.el.dt(label), rx.el.dd(value))
                    ),
                    class_name="kv",
                ),
                _share(),
                _quota(),
                class_name="stack sections",
            ),
            retry=Org.load,
            overview=routes.OPERATOR_ORGS,
        ),
        rx.cond(Org.loaded, rx.fragment(), rx.el.h1("Org", class_name="sr", tab_index=-1)),
    )


def fleet() -> rx.Component:
    """Processes, queue, protections."""
    heads = [("Process", ""), ("Health", ""), ("Detail", "")]
    controls = [("Control", ""), ("State", ""), ("Why", "")]
    return framed(
        "operator",
        heading(
            "Fleet",
            rx.el.a(
                "Open Dagster",
                icon("external-link"),
                href=Fleet.dagster,
                target="_blank",
                rel="noreferrer",
                class_name="btn",
            ),
        ),
        _tabs("fleet"),
        loads(
            Fleet.loaded,
            Fleet.problem,
            rx.el.div(
                rx.el.p(Fleet.sentence, class_name="strong", role="status"),
                rx.cond(
                    Fleet.asked,
                    rx.el.div(
                        rx.cond(
                            Fleet.unknown != "",
                            rx.el.div(
                                state_icon("warning", label=False),
                                rx.el.p(Fleet.unknown),
                                class_name="notice amber",
                            ),
                        ),
                        rx.cond(Fleet.unknown == "", _asked(heads, controls)),
                        rx.el.p(Fleet.versions, class_name="soft small"),
                        class_name="stack sections",
                    ),
                    skeleton(12),
                ),
                class_name="stack sections",
            ),
            retry=Fleet.load,
        ),
        ticker(10_000, Fleet.poll),
    )


def _share() -> rx.Component:
    return part(
        "Share of the workers",
        rx.form(
            rx.el.div(
                _number("max_runs", "Runs at once", Org.max_runs),
                _number("weight", "Weight among orgs that wait", Org.weight),
                button("Save", type="submit"),
                class_name="inline-form",
            ),
            refusal(Org, "limits"),
            on_submit=Org.limit,
            class_name="form",
        ),
    )


def _quota() -> rx.Component:
    return part(
        "Quota",
        rx.form(
            rx.el.div(
                _number("rows_limit", "Rows a month", Org.rows_limit, required=False),
                _number("storage_limit", "Storage in GB", Org.storage_limit, required=False),
                button("Save quota", type="submit"),
                class_name="inline-form",
            ),
            refusal(Org, "quota"),
            on_submit=Org.set_quota,
            class_name="form",
        ),
        rx.el.p("Used: ", Org.used, class_name="soft"),
        text=strings.QUOTA,
    )


def _asked(heads: Sequence[Head], controls: Sequence[Head]) -> rx.Component:
    return rx.el.div(
        part("Processes", table(heads, rx.foreach(Fleet.processes, _process), "Processes")),
        part(
            "Controls",
            table(controls, rx.foreach(Fleet.controls, _process), "Controls"),
            text="Each is tried now. What could not be tried counts as off.",
        ),
        class_name="stack sections",
    )


def _tabs(current: str) -> rx.Component:
    found = (("orgs", "Orgs", routes.OPERATOR_ORGS), ("fleet", "Fleet", routes.OPERATOR_FLEET))
    return rx.el.nav(
        *(
            rx.link(
                label,
                href=href,
                unstyled=True,
                custom_attrs={"aria-current": "page"} if key == current else {},
            )
            for key, label, href in found
        ),
        class_name="tabs",
        aria_label="Operator",
    )


def _org(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.link(
                row.name,
                href=f"{routes.OPERATOR_ORGS}/{row.slug}",
                class_name="name",
                unstyled=True,
            ),
            rx.el.div(row.slug, class_name="reason"),
        ),
        rx.el.td(badge(row.state)),
        rx.el.td(row.pipelines, class_name="num not-narrow"),
        rx.el.td(row.failing, class_name="num not-narrow"),
        rx.el.td(row.rows, class_name="num not-narrow"),
        rx.el.td(row.storage, class_name="num not-narrow"),
        rx.el.td(row.runs, class_name="num not-narrow"),
        rx.el.td(time(row.active), class_name="not-narrow"),
    )


def _process(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.name, class_name="strong"),
        rx.el.td(badge(row.state)),
        rx.el.td(row.detail, class_name="wrap"),
    )


def _number(name: str, label: str, value: Any, *, required: bool = True) -> rx.Component:
    return entry(
        label,
        name,
        key=name + value,
        default_value=value,
        input_mode="numeric",
        required=required,
    )
