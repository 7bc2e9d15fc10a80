"""The lists of connections and pipelines."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import (
    ONCE,
    badge,
    button,
    link_button,
    mark,
    search,
    spark,
    time,
)
from etlfabric_ui.components.frame import addressed, heading
from etlfabric_ui.components.panels import empty, loads, no_match
from etlfabric_ui.components.tables import LIVE_MS, choose, state_words, table, ticker
from etlfabric_ui.pages.framed import EDITORS_CONNECT, editors_only, framed
from etlfabric_ui.state.lists import ConnectionsState, PipelinesState
from etlfabric_ui.state.shell import Shell

PIPELINE_STATES = ("", "failing", "late", "running", "healthy", "paused", "never_run")
run_now: Any = PipelinesState.run


def connections() -> rx.Component:
    """Where data comes from."""
    state: Any = ConnectionsState
    rows = rx.foreach(state.rows, _connection)
    heads = [("Connection", ""), ("State", ""), ("Used by", "not-narrow")]
    heads += [("Last test", "not-narrow"), ("Last change", "not-narrow")]
    return framed(
        "connections",
        heading("Connections", _new()),
        loads(
            state.loaded,
            state.problem,
            rx.cond(
                state.total > 0,
                rx.el.div(
                    rx.el.div(
                        search(
                            "Search connections",
                            default_value=state.q,
                            on_change=state.search.debounce(200),
                        ),
                        class_name="toolbar",
                    ),
                    rx.cond(
                        state.rows.length() > 0,
                        table(heads, rows, "Connections"),
                        no_match("connections", state.search("")),
                    ),
                    class_name="stack loose",
                ),
                empty(strings.NO_CONNECTIONS, strings.NO_CONNECTIONS_TEXT, [_new()]),
            ),
            retry=state.load,
        ),
        addressed(state.query),
    )


def pipelines() -> rx.Component:
    """What is loaded and transformed together, and how it fares."""
    state: Any = PipelinesState
    heads = [("Pipeline", ""), ("State", ""), ("Last 14 runs", "not-narrow num")]
    heads += [("Rows, last run", "num not-narrow"), ("Fresh", ""), ("Next run", "not-narrow")]
    return framed(
        "pipelines",
        heading("Pipelines", _new()),
        loads(
            state.loaded,
            state.problem,
            rx.cond(
                state.total > 0,
                rx.el.div(
                    rx.el.div(
                        search(
                            "Search pipelines",
                            default_value=state.q,
                            on_change=lambda q: state.filter(q, state.status).debounce(200),
                        ),
                        choose(
                            "Status",
                            state.status,
                            state_words(PIPELINE_STATES),
                            lambda status: state.filter(state.q, status),
                        ),
                        class_name="toolbar",
                    ),
                    rx.cond(
                        state.rows.length() > 0,
                        table(
                            [*heads, ("", "num")], rx.foreach(state.rows, _pipeline), "Pipelines"
                        ),
                        no_match("pipelines", state.filter("", "")),
                    ),
                    class_name="stack loose",
                ),
                empty(strings.NO_PIPELINES, strings.NO_PIPELINES_TEXT, [_new()]),
            ),
            retry=state.load,
        ),
        addressed(state.query),
        ticker(LIVE_MS, state.poll),
    )


def _new() -> rx.Component:
    there = link_button(
        strings.NEW_CONNECTION,
        f"/o/{Shell.org}/connections/new",
        "primary",
        icon_name="plus",
        custom_attrs={"data-new": ""},
    )
    return editors_only(there, EDITORS_CONNECT)


def _connection(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.div(
                mark(row.mark),
                rx.el.div(
                    rx.link(
                        row.name,
                        href=f"/o/{Shell.org}/connections/{row.name}",
                        class_name="name",
                        unstyled=True,
                    ),
                    rx.el.div(row.connector, class_name="reason"),
                ),
                class_name="row",
            )
        ),
        rx.el.td(badge(row.state)),
        rx.el.td(row.used_by, class_name="not-narrow"),
        rx.el.td(time(row.tested), class_name="not-narrow"),
        rx.el.td(time(row.changed), class_name="not-narrow"),
    )


def _pipeline(row: Any) -> rx.Component:
    here = f"/o/{Shell.org}/pipelines/{row.name}"
    start = button(
        rx.fragment(),
        "icon",
        icon_name="play",
        custom_attrs={**ONCE, "aria-label": f"Run {row.name} now"},
        title=f"Run {row.name} now",
        on_click=run_now(row.name),
    )
    refused = button(
        rx.fragment(),
        "icon",
        icon_name="play",
        custom_attrs={"aria-label": f"Run {row.name} now"},
        refused="Editors can start runs.",
    )
    return rx.el.tr(
        rx.el.td(
            rx.link(row.name, href=here, class_name="name", unstyled=True),
            rx.el.div(
                rx.cond(row.reason != "", row.reason, row.source),
                class_name="reason",
                title=row.reason,
            ),
        ),
        rx.el.td(badge(row.state)),
        rx.el.td(spark(row.bars), class_name="num not-narrow"),
        rx.el.td(row.rows, title=row.rows_exact, class_name="num not-narrow"),
        rx.el.td(time(row.fresh)),
        rx.el.td(time(row.next_run), class_name="not-narrow"),
        rx.el.td(editors_only(start, refused), class_name="num"),
    )
