"""The states every page shares: loading, empty, error, permission, missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button, copy_button, icon, link_button

MARKS = {
    "red": ("circle-x", "failed"),
    "amber": ("triangle-alert", "warning"),
    "": ("circle-check", "succeeded"),
}


def skeleton(lines: int = 8) -> rx.Component:
    """Rows in grey, after 200 ms; nothing moves."""
    widths = ("62%", "48%", "70%", "55%")
    return rx.el.div(
        *(rx.el.span(class_name="bone", style={"width": widths[n % 4]}) for n in range(lines)),
        class_name="bones",
        custom_attrs={"aria-hidden": "true"},
    )


def problem_panel(problem: Any, retry: Any = None, overview: Any = "") -> rx.Component:
    """A `Problem`, where it happened, with its way out."""
    again = button(strings.TRY_AGAIN, on_click=retry) if retry is not None else rx.fragment()
    return rx.el.div(
        rx.el.span(
            rx.match(
                problem.kind,
                ("permission", icon("lock")),
                ("missing", icon("circle-slash")),
                icon("circle-x"),
            ),
            class_name=rx.cond(problem.kind == "error", "state-icon failed", "state-icon"),
        ),
        rx.el.div(
            rx.el.p(problem.message, class_name="strong"),
            rx.cond(problem.remedy != "", rx.el.p(problem.remedy)),
            rx.el.div(
                rx.cond(problem.href != "", link_button(problem.action, problem.href)),
                copies(problem),
                rx.cond(
                    problem.kind == "missing",
                    link_button(strings.GO_TO_OVERVIEW, overview),
                    rx.cond(problem.kind == "error", again),
                ),
                class_name="actions",
            ),
            class_name="grow",
        ),
        class_name=rx.cond(problem.kind == "error", "notice red", "notice"),
        role="alert",
    )


def notice(kind: str, message: Any, *actions: rx.Component, remedy: Any = "") -> rx.Component:
    """What stands where it matters, with its way out: a failure (`red`), a doubt (`amber`), or
    what went well (“”), which is said without haste.
    """
    name, state = MARKS[kind]
    return rx.el.div(
        rx.el.span(icon(name), class_name=f"state-icon {state}"),
        rx.el.div(
            rx.el.p(message, class_name="strong"),
            rx.cond(rx.Var.create(remedy) != "", rx.el.p(remedy)),
            *([rx.el.div(*actions, class_name="actions")] if actions else []),
            class_name="grow",
        ),
        class_name=f"notice {kind}".strip(),
        role="alert" if kind else "status",
    )


def announced(said: Any, *parts: rx.Component | str, class_name: str = "notice") -> rx.Component:
    """What was done, once there is something to say; `parts` stand for the words alone.

    The region stands there from the start: words that come along with theirs are told by no reader.
    """
    words = rx.el.p(*(parts or [said]), class_name=class_name)
    return rx.el.div(rx.cond(said != "", words), class_name="live", role="status")


def refusal(problem: Any, *actions: rx.Component) -> rx.Component:
    """A `Problem` of a part of the page."""
    return notice("red", problem.message, *actions, remedy=problem.remedy)


def copies(problem: Any) -> rx.Component:
    """Copies what somebody else needs to solve the `Problem`."""
    return rx.cond(problem.copies != "", copy_button(problem.copied, problem.copies))


def empty(
    title: str, text: str | rx.Component = "", actions: Sequence[rx.Component] = ()
) -> rx.Component:
    """What stands where a list would be."""
    return rx.el.div(
        rx.el.h2(title),
        rx.el.p(text) if isinstance(text, str) else text,
        rx.el.div(*actions, class_name="row"),
        class_name="empty",
    )


def no_match(noun: str, clear: Any, *, beside: bool = False) -> rx.Component:
    """What stands where a filtered list would be; `clear` drops the filters.

    Args:
        beside: in a narrow pane, without a frame.
    """
    return rx.el.div(
        rx.el.p(strings.NO_MATCH.format(noun=noun), class_name="soft"),
        button(strings.CLEAR_FILTERS, on_click=clear, custom_attrs={"data-clear": ""}),
        class_name="stack start" if beside else "empty",
    )


def loads(
    loaded: Any,
    problem: Any,
    content: rx.Component,
    *,
    retry: Any,
    overview: Any = "",
    lines: int = 8,
) -> rx.Component:
    """The problem, the skeleton until the data is known, then the content."""
    return rx.fragment(
        rx.cond(problem.kind != "", problem_panel(problem, retry, overview)),
        rx.cond(loaded, content, rx.cond(problem.kind == "", skeleton(lines))),
    )
