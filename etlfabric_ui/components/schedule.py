"""Fields that choose when something runs, for any state with a `ScheduleChoice`."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import reflex as rx

from etlfabric_ui import strings
from etlfabric_ui.components.panels import announced
from etlfabric_ui.formats import whole

ZONES = sorted(available_timezones())
PRESETS = (
    ("15min", whole("Every 15 min")),
    ("hourly", "Every hour"),
    ("daily", "Daily at 06:00"),
    ("cron", "Cron"),
    ("manual", "Manual"),
)


def schedule_fields(state: Any) -> rx.Component:
    """Preset, own expression, zone, and the next five runs."""
    return rx.el.div(
        rx.el.div(
            *(
                rx.el.label(
                    rx.el.input(
                        type="radio",
                        name="preset",
                        value=key,
                        checked=state.preset == key,
                        on_change=state.pick_preset(key),
                    ),
                    label,
                )
                for key, label in PRESETS
            ),
            class_name="segments",
            role="radiogroup",
            custom_attrs={"aria-label": "How often it runs"},
        ),
        rx.cond(state.preset == "cron", _cron(state)),
        rx.cond(
            state.preset == "manual",
            rx.el.p(strings.NO_SCHEDULES_TEXT, class_name="soft"),
            rx.el.div(_zone(state), _next(state), class_name="stack loose"),
        ),
        class_name="stack loose narrow-form",
    )


def _cron(state: Any) -> rx.Component:
    return rx.el.div(
        rx.el.label("Cron expression", html_for="cron"),
        rx.el.input(
            id="cron",
            default_value=state.cron,
            on_change=state.write_cron.debounce(250),
            class_name="input mono",
            auto_complete="off",
            spell_check=False,
            custom_attrs={
                "aria-describedby": "cron-error",
                "aria-invalid": rx.cond(state.cron_error != "", "true", "false"),
            },
        ),
        rx.el.span("minute hour day month weekday", class_name="help"),
        rx.el.span(state.cron_error, id="cron-error", class_name="err"),
        class_name="field",
    )


def _zone(state: Any) -> rx.Component:
    return rx.el.div(
        rx.el.label("Time zone", html_for="zone"),
        rx.el.input(
            id="zone",
            list="zones",
            key=state.preset == "manual",
            default_value=state.zone,
            on_change=state.choose_zone.debounce(250),
            class_name="input",
            auto_complete="off",
            custom_attrs={
                "aria-describedby": "zone-error",
                "aria-invalid": rx.cond(state.zone_error != "", "true", "false"),
            },
        ),
        rx.el.datalist(*(rx.el.option(value=zone) for zone in ZONES), id="zones"),
        rx.el.span(state.zone_error, id="zone-error", class_name="err"),
        class_name="field",
    )


def _next(state: Any) -> rx.Component:
    planned = state.upcoming.length() > 0
    words = rx.fragment(
        rx.el.p(state.in_words, class_name="strong"),
        rx.el.p("Next, in ", state.zone, ":", class_name="soft"),
    )
    times = rx.foreach(state.upcoming, lambda at: rx.el.li(at))
    return rx.el.div(
        rx.el.div(rx.cond(planned, words), class_name="live", role="status"),
        rx.cond(planned, rx.el.ol(times, class_name="plain-list")),
        announced(state.clocks, class_name="soft"),
        class_name="stack tight",
    )
