"""Alerts: open, history, rules."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.dialogs import confirm, opener, refusal, shown_once
from etlfabric_ui.components.elements import button, link_button, state_icon, time
from etlfabric_ui.components.fields import choice, entry
from etlfabric_ui.components.frame import heading
from etlfabric_ui.components.panels import announced, empty, loads
from etlfabric_ui.components.tables import table, ticker
from etlfabric_ui.pages.framed import framed
from etlfabric_ui.pages.settings import part
from etlfabric_ui.state.alerts import AlertsState
from etlfabric_ui.state.shell import Shell

State: Any = AlertsState
TABS = (("open", "Open"), ("history", "History"), ("rules", "Rules"))
KINDS = (
    ("failure", "Failure"),
    ("recovery", "Recovery"),
    ("staleness", "Late data"),
    ("schema_change", "Schema change"),
)
CHANNELS = (("email", "Email"), ("slack", "Slack-compatible"), ("webhook", "Webhook"))


def alerts() -> rx.Component:
    """What goes on, what was, what is told to whom."""
    base = f"/o/{Shell.org}/alerts"
    tabs = [
        rx.link(
            label,
            href=f"{base}?tab={key}",
            unstyled=True,
            custom_attrs={"aria-current": rx.cond(State.tab == key, "page", "false")},
        )
        for key, label in TABS
    ]
    return framed(
        "alerts",
        heading("Alerts"),
        rx.el.nav(*tabs, class_name="tabs", aria_label="Alerts"),
        loads(
            State.loaded,
            State.problem,
            rx.cond(State.tab == "rules", _rules(), _incidents(base)),
            retry=State.load,
        ),
        ticker(5000, State.poll),
    )


def _incidents(base: str) -> rx.Component:
    return rx.el.div(
        rx.cond(
            State.incidents.length() > 0,
            rx.el.ul(rx.foreach(State.incidents, _incident), class_name="incidents panel"),
            empty(
                strings.NO_ALERTS,
                strings.NO_ALERTS_TEXT,
                [link_button("See the rules", f"{base}?tab=rules")],
            ),
        ),
        rx.el.div(
            rx.cond(State.cursor != "", link_button("Newest", f"{base}?tab={State.tab}")),
            rx.cond(
                State.next_cursor != "",
                link_button("Older", f"{base}?tab={State.tab}&cursor={State.next_cursor}"),
            ),
            class_name="row",
        ),
        class_name="stack loose",
    )


def _incident(row: Any) -> rx.Component:
    muted = rx.el.span("Muted, ends ", time(row.muted), class_name="soft nowrap")
    ended = rx.cond(row.recovered.iso != "", rx.el.span(" · ended ", time(row.recovered)))
    quiet = rx.cond(
        row.muted.iso != "",
        button("Unmute", on_click=State.unmute(row.id), refused=Shell.refused_edit),
        button("Mute 24 h", on_click=State.mute(row.id), refused=Shell.refused_edit),
    )
    return rx.el.li(
        state_icon(row.state),
        rx.el.div(
            rx.el.p(
                rx.el.span(row.pipeline, class_name="strong"),
                " ",
                row.what,
                " ",
                rx.el.span("· began ", time(row.opened), ended, class_name="soft"),
            ),
            rx.el.p(row.message, class_name="wrap"),
            rx.cond(row.remedy != "", rx.el.p(row.remedy, class_name="soft wrap")),
            rx.el.p("Seen ", row.repeated, " · ", row.told, class_name="soft small wrap"),
            class_name="grow stack tight",
        ),
        rx.el.div(
            rx.cond(row.muted.iso != "", muted),
            rx.cond(row.run_id != "", link_button("Open run", f"/o/{Shell.org}/runs/{row.run_id}")),
            rx.cond(State.tab == "open", quiet),
            class_name="row actions",
        ),
    )


def _rules() -> rx.Component:
    heads = [("Rule", ""), ("When", ""), ("Pipelines", "not-narrow"), ("To", "not-narrow")]
    heads += [("Quiet hours", "not-narrow"), ("", "num")]
    add = button(
        "New rule",
        "primary",
        icon_name="plus",
        on_click=State.edit(""),
        refused=rx.cond(
            Shell.refused_edit != "",
            Shell.refused_edit,
            rx.cond(State.channels.length() > 0, "", "Add a channel first."),
        ),
        custom_attrs={"data-new": ""},
    )
    return rx.el.div(
        part(
            "Rules",
            rx.cond(
                State.rules.length() > 0,
                table(heads, rx.foreach(State.rules, _rule), "Rules"),
                empty(strings.NO_RULES, strings.NO_RULES_TEXT),
            ),
            rx.cond(State.editing, _form(), rx.el.div(add)),
        ),
        part("Channels", _channels()),
        class_name="stack sections",
    )


def _rule(row: Any) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.div(row.name, class_name="strong"),
            rx.cond(row.enabled, rx.fragment(), rx.el.div("Off", class_name="reason")),
        ),
        rx.el.td(row.when),
        rx.el.td(row.pipelines, class_name="not-narrow"),
        rx.el.td(row.told, class_name="not-narrow"),
        rx.el.td(row.quiet, class_name="not-narrow"),
        rx.el.td(
            rx.el.div(
                button(
                    "Edit",
                    on_click=State.edit(row.name),
                    refused=Shell.refused_edit,
                    custom_attrs={"aria-label": f"Edit {row.name}"},
                ),
                opener(
                    "Delete",
                    f"delete-rule-{row.name}",
                    refused=Shell.refused_edit,
                    custom_attrs={"aria-label": f"Delete {row.name}"},
                ),
                class_name="row end",
            ),
            confirm(
                f"delete-rule-{row.name}",
                f"Delete {row.name}",
                "Its incidents and their history go with it. Nothing is told by it any more.",
                "Delete rule",
                State.remove_rule(row.name),
            ),
            class_name="num",
        ),
    )


def _form() -> rx.Component:
    one = State.edited
    kinds = [_check(f"kind.{key}", label, one.kinds.contains(key)) for key, label in KINDS]
    return rx.form(
        _rule_name(one),
        rx.el.fieldset(
            rx.el.legend("When"), rx.el.div(*kinds, class_name="row wide"), class_name="field"
        ),
        entry(
            "Late after hours",
            "stale_h",
            default_value=one.stale_h,
            help_text="Empty: late against the schedule.",
        ),
        entry(
            "Pipelines",
            "only",
            default_value=one.only,
            help_text="Names with commas. Empty: all, those to come too.",
        ),
        rx.el.fieldset(
            rx.el.legend("To"),
            rx.el.div(
                rx.foreach(
                    State.channels,
                    lambda channel: _check(
                        f"channel.{channel.name}",
                        channel.name,
                        one.channels.contains(channel.name),
                    ),
                ),
                class_name="row wide",
            ),
            class_name="field",
        ),
        rx.el.div(
            entry("Quiet from", "quiet_from", default_value=one.quiet_from, type="time"),
            entry("Quiet to", "quiet_to", default_value=one.quiet_to, type="time"),
            class_name="pair even",
        ),
        rx.el.p(
            "Messages of quiet hours wait until they end, in ",
            Shell.zone,
            "; what has ended by then is not told.",
            class_name="help",
        ),
        _check("enabled", "On", one.enabled),
        refusal(State, "rule"),
        rx.el.div(
            button("Save rule", "primary", type="submit"),
            button("Cancel", on_click=State.close),
            class_name="row",
        ),
        on_submit=State.save_rule,
        key=one.name,
        class_name="form narrow notice column-form",
    )


def _rule_name(one: Any) -> rx.Component:
    field = entry("Name", "rule-name", name="name", required=True, placeholder="nightly_failures")
    return rx.cond(one.name == "", field, rx.el.h3(one.name))


def _check(name: Any, label: Any, chosen: Any) -> rx.Component:
    return rx.el.label(
        rx.el.input(type="checkbox", name=name, default_checked=chosen, class_name="check"),
        label,
        class_name="row",
    )


def _channels() -> rx.Component:
    heads = [("Channel", ""), ("Kind", "not-narrow"), ("Leads to", ""), ("Rules", "not-narrow")]
    return rx.el.div(
        rx.cond(
            State.channels.length() > 0,
            table([*heads, ("", "num")], rx.foreach(State.channels, _channel), "Channels"),
            empty(strings.NO_CHANNELS, strings.NO_CHANNELS_TEXT),
        ),
        _new_channel(),
        shown_once("Signing secret of the new webhook", State.secret, strings.TOKEN_ONCE),
        class_name="stack loose",
    )


def _new_channel() -> rx.Component:
    may = {"refused": Shell.refused_edit}
    return rx.form(
        rx.el.div(
            entry("Name", "channel-name", name="name", required=True, placeholder="ops", **may),
            choice("Kind", "channel-kind", CHANNELS, name="kind", **may),
            entry("Addresses, or URL", "channel-target", name="target", required=True, **may),
            button("Add channel", type="submit", refused=Shell.refused_edit),
            class_name="inline-form",
        ),
        refusal(State, "channel"),
        on_submit=State.add_channel,
        reset_on_submit=True,
        class_name="form",
    )


def _channel(row: Any) -> rx.Component:
    answer = announced(
        rx.cond(State.sent_to == row.name, State.sent, ""),
        state_icon(rx.cond(State.sent_ok, "healthy", "failing"), label=False),
        State.sent,
        class_name="row reason wrap",
    )
    return rx.el.tr(
        rx.el.td(rx.el.div(row.name, class_name="strong"), answer),
        rx.el.td(row.kind, class_name="not-narrow"),
        rx.el.td(rx.el.div(row.target, class_name="cut who", title=row.target)),
        rx.el.td(row.rules, class_name="not-narrow"),
        rx.el.td(
            rx.el.div(
                button(
                    rx.cond(State.busy == row.name, "Sending …", "Send a test"),
                    on_click=State.test(row.name),
                    busy=State.busy != "",
                    refused=Shell.refused_edit,
                    custom_attrs={"aria-label": f"Send a test to {row.name}"},
                ),
                button(
                    "Delete",
                    on_click=State.remove_channel(row.name),
                    refused=rx.cond(
                        Shell.refused_edit != "",
                        Shell.refused_edit,
                        rx.cond(row.rules != "—", "A rule uses it. Change that rule first.", ""),
                    ),
                    custom_attrs={"aria-label": f"Delete {row.name}"},
                ),
                class_name="row end",
            ),
            class_name="num",
        ),
    )
