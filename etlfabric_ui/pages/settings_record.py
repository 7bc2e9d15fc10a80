"""Settings: audit and usage."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.elements import button, link_button, state_icon, time
from etlfabric_ui.components.frame import addressed
from etlfabric_ui.components.panels import empty, no_match
from etlfabric_ui.components.tables import choose, table
from etlfabric_ui.pages.settings import part, section
from etlfabric_ui.state.settings_record import AuditState, UsageState
from etlfabric_ui.state.shell import Shell

Audit: Any = AuditState
Usage: Any = UsageState
DOMAINS = (
    ("", "Everything"),
    ("connections", "Connections"),
    ("pipelines", "Pipelines"),
    ("runs", "Runs"),
    ("schedules", "Schedules"),
    ("dbt_models", "dbt models"),
    ("alerts", "Alerts"),
    ("members", "Members"),
    ("tokens", "Tokens"),
    ("bi", "BI access"),
    ("orgs", "Org"),
)
USED = [("Rows", "num"), ("Bytes", "num"), ("Run time", "num not-narrow")]
USED += [("Runs", "num not-narrow")]


def audit() -> rx.Component:
    """Who changed what."""
    heads = [("When", ""), ("Who", ""), ("What", ""), ("From where", "not-narrow")]
    base = f"/o/{Shell.org}/settings/audit"
    return section(
        "audit",
        Audit,
        addressed(Audit.query),
        rx.el.div(
            choose("What", Audit.domain, DOMAINS, Audit.filter),
            button("Download CSV", icon_name="download", on_click=Audit.download),
            rx.el.span(
                state_icon(rx.cond(Audit.sound, "healthy", "failing"), label=False),
                rx.el.span(Audit.verdict, " ", time(Audit.verified), "."),
                class_name="row",
                role="status",
            ),
            class_name="toolbar",
        ),
        rx.cond(
            Audit.rows.length() > 0,
            table(heads, rx.foreach(Audit.rows, _event), "Audit log"),
            no_match("events", Audit.filter("")),
        ),
        rx.el.div(
            rx.cond(Audit.cursor != "", link_button("Newest", f"{base}?what={Audit.domain}")),
            rx.cond(
                Audit.next_cursor != "",
                link_button("Older", f"{base}?what={Audit.domain}&cursor={Audit.next_cursor}"),
            ),
            class_name="row",
        ),
    )


def usage() -> rx.Component:
    """What was used, against what may be."""
    return section(
        "usage",
        Usage,
        rx.foreach(
            Usage.warnings,
            lambda said: rx.el.div(
                state_icon("warning", label=False), rx.el.p(said), class_name="notice amber"
            ),
        ),
        part(
            "Quota",
            _quota(Usage.rows_said, Usage.rows_share),
            _quota(Usage.storage_said, Usage.storage_share),
            text=strings.USAGE_TIMES,
        ),
        rx.cond(
            Usage.days.length() > 0,
            rx.fragment(
                part("Rows loaded per day, 30 days", _chart()),
                part("By pipeline", _used("Pipeline", Usage.by_pipeline, total=True)),
                part("By day", _used("Day", Usage.by_day)),
            ),
            empty(strings.NO_USAGE, "Runs that load rows are counted here as they end."),
        ),
    )


def _event(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(time(row.at)),
        rx.el.td(rx.el.div(row.who, class_name="cut who", title=row.who)),
        rx.el.td(
            rx.el.div(
                row.what, " ", rx.el.span(row.target, class_name="strong"), class_name="wrap"
            ),
            rx.cond(row.changes != "", rx.el.div(row.changes, class_name="reason wrap")),
        ),
        rx.el.td(row.place, class_name="not-narrow nowrap"),
    )


def _quota(said: Any, share: Any) -> rx.Component:
    bar = rx.el.div(rx.el.i(style={"width": share}), class_name="bar")
    return rx.cond(said != "", rx.el.div(rx.el.span(said), rx.cond(share != "", bar)))


def _chart() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.foreach(
                Usage.days,
                lambda day: rx.el.span(
                    rx.el.i(
                        style={"height": day.height}, class_name=rx.cond(day.today, "today", "")
                    ),
                    title=day.said,
                ),
            ),
            class_name="bars",
            role="img",
            custom_attrs={"aria-label": Usage.finding},
        ),
        rx.el.div(
            rx.el.span(Usage.days[0].label),
            rx.el.span("highest ", Usage.most),
            rx.el.span("today"),
            class_name="axis",
        ),
    )


def _used(head: str, rows: Any, *, total: bool = False) -> rx.Component:
    body = rx.fragment(
        rx.foreach(rows, _row), _row(Usage.total, strong=True) if total else rx.fragment()
    )
    return table([(head, ""), *USED], body, f"Usage by {head.lower()}")


def _row(row: Any, *, strong: bool = False) -> rx.Component:
    return rx.el.tr(
        rx.el.td(row.name, class_name="strong wrap"),
        rx.el.td(row.rows, class_name="num"),
        rx.el.td(row.size, class_name="num"),
        rx.el.td(row.took, class_name="num not-narrow"),
        rx.el.td(row.runs, class_name="num not-narrow"),
        class_name="sum" if strong else "",
    )
