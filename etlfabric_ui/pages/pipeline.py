"""A pipeline: its head and actions are the same on all tabs."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import badge, button, exact, link_button, time
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.modal import typed_name
from etlfabric_ui.components.panels import loads, refusal
from etlfabric_ui.components.tables import LIVE_MS, ticker
from etlfabric_ui.components.tabs import tab_bar
from etlfabric_ui.pages.framed import editors_only, framed
from etlfabric_ui.pages.pipeline_streams import streams_tab
from etlfabric_ui.pages.pipeline_tabs import changes_tab, runs_tab, schedule_tab, settings_tab
from etlfabric_ui.state.pipeline import PipelineState
from etlfabric_ui.state.shell import Shell

State: Any = PipelineState  # its attributes are Vars, which no type checker knows
HERE = f"/o/{Shell.org}/pipelines/{State.name}"


def pipeline() -> rx.Component:
    """One pipeline, on the tab of the URL."""
    changes = rx.fragment(
        "Schema changes", rx.cond(State.pending > 0, rx.fragment(" ", State.pending))
    )
    tabs = [
        ("streams", rx.fragment("Streams ", exact(State.selected))),
        ("runs", "Runs"),
        ("changes", changes),
        ("schedule", "Schedule"),
        ("settings", "Settings"),
    ]
    return framed(
        "pipelines",
        heading(
            rx.cond(State.loaded, State.name, "Pipeline"),
            rx.cond(State.loaded, _actions()),
            beside=rx.cond(State.loaded, badge(State.state)),
        ),
        loads(
            State.loaded,
            State.problem,
            rx.el.div(
                _sentence(),
                rx.cond(State.failure.kind != "", _failure()),
                tab_bar(HERE, State.tab, tabs),
                rx.match(
                    State.tab,
                    ("runs", runs_tab(HERE)),
                    ("changes", changes_tab(HERE)),
                    ("schedule", schedule_tab()),
                    ("settings", settings_tab()),
                    streams_tab(),
                ),
                class_name="stack loose",
            ),
            retry=State.load,
            overview=f"/o/{Shell.org}/overview",
        ),
        typed_name(
            State.deleting,
            what="pipeline",
            name=State.name,
            says=strings.DELETES_PIPELINE,
            error=State.delete_error,
            on_close=State.ask_delete(False),
            on_submit=State.delete,
        ),
        ticker(LIVE_MS, State.poll),
    )


def _actions() -> rx.Component:
    run = button(strings.RUN_NOW, "primary", icon_name="play", on_click=State.run)
    no_run = button(strings.RUN_NOW, "primary", icon_name="play", refused=strings.EDITORS_RUN)
    pause = rx.cond(
        State.paused,
        button("Resume", icon_name="play", on_click=State.pause(False)),
        button("Pause", icon_name="pause", on_click=State.pause(True)),
    )
    no_pause = button("Pause", icon_name="pause", refused=strings.EDITORS_PAUSE)
    return rx.fragment(editors_only(run, no_run), editors_only(pause, no_pause))


def _sentence() -> rx.Component:
    source = rx.cond(
        State.connection != "",
        rx.fragment(
            "from ",
            rx.link(State.connection, href=f"/o/{Shell.org}/connections/{State.connection}"),
        ),
        "dbt models only",
    )
    return rx.el.p(
        source,
        rx.cond(State.fresh.iso != "", rx.fragment(" · fresh ", time(State.fresh))),
        rx.cond(State.next_run.iso != "", rx.fragment(" · next run ", time(State.next_run))),
        rx.cond(State.usual != "", rx.fragment(" · usually takes ", State.usual)),
        class_name="soft",
    )


def _failure() -> rx.Component:
    return refusal(
        State.failure,
        link_button(State.failure.action, State.failure.href),
        rx.cond(State.pending > 0, link_button("Review change", f"{HERE}?tab=changes")),
    )
