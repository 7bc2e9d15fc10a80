"""Data: a query of one's own."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.editor import SqlEditor, asks
from etlfabric_ui.components.elements import button
from etlfabric_ui.components.panels import refusal
from etlfabric_ui.components.results import result_table
from etlfabric_ui.copy import models as copy
from etlfabric_ui.state.data_query import QueryState

State: Any = QueryState  # its attributes are Vars, which no type checker knows


def query() -> rx.Component:
    """An editor, and what the read-only login answered."""
    return rx.el.div(
        rx.cond(
            State.problem.kind != "",
            refusal(
                State.problem,
                rx.cond(State.keep == "", button(strings.TRY_AGAIN, on_click=State.prepare)),
            ),
        ),
        rx.cond(State.keep != "", _editor()),
        rx.el.div(
            button(
                copy.RUN_QUERY,
                "primary",
                icon_name="play",
                busy=State.busy == "query",
                title="⌘↵",
                custom_attrs=asks("preview"),
            ),
            rx.cond(
                State.busy == "query",
                rx.fragment(
                    rx.el.span(copy.RUNNING_READ_ONLY, class_name="soft late-shown", role="status"),
                    button("Stop", on_click=State.stop),
                ),
                rx.el.span(
                    rx.cond(State.said != "", State.said, copy.QUERY_HELP),
                    class_name="soft",
                    role="status",
                ),
            ),
            rx.cond(
                State.rows.length() > 0,
                button("Download CSV", "ghost", icon_name="download", on_click=State.download),
            ),
            class_name="row wide",
        ),
        rx.cond(
            State.columns.length() > 0,
            result_table(State.columns, State.rows, "Result"),
        ),
        class_name="stack",
        on_mount=State.prepare,
    )


def _editor() -> rx.Component:
    return SqlEditor.create(
        name="data:query",
        value="",
        version="",
        saved="",
        keep=State.keep,
        language="sql",
        label="SQL",
        refs=False,
        tables=State.completions,
        read_only=False,
        offer="",
        offer_number=0,
        error_line=0,
        error_said="",
        on_preview=State.run,
    )
