"""Small things: icons, buttons, badges, times, fields."""

from __future__ import annotations

from typing import Any

import reflex as rx

from etlfabric_ui import strings, theme

Text = str | rx.Var
ONCE = {"data-once": ""}
"""For a button that makes something: pressed twice it makes one. So do `primary` and `danger`."""


def icon(name: str, **props: Any) -> rx.Component:
    """A lucide icon at the panel's size. Decorative: text stands beside it."""
    return rx.icon(
        name,
        size=props.pop("size", theme.ICON_SIZE),
        stroke_width=theme.ICON_STROKE,
        custom_attrs={"aria-hidden": "true"},
        **props,
    )


def state_icon(state: rx.Var | str, label: bool = True) -> rx.Component:
    """The icon of a state in its color, named for those who cannot see it."""
    named = [rx.el.span(state_word(state), class_name="sr")] if label else []
    return rx.el.span(_icon_of(state), *named, class_name=_with("state-icon", state))


def badge(state: rx.Var | str) -> rx.Component:
    """Icon and one word."""
    return rx.el.span(_icon_of(state), state_word(state), class_name=_with("badge", state))


def state_word(state: rx.Var | str) -> Any:
    """The word on the badge."""
    if isinstance(state, str):
        return strings.STATES[state]
    return rx.match(state, *strings.STATES.items(), state)


def button(
    label: Text | rx.Component,
    kind: str = "",
    *,
    icon_name: str = "",
    busy: rx.Var | bool = False,
    refused: rx.Var | str = "",
    **props: Any,
) -> rx.Component:
    """A button.

    Args:
        busy: under way; a second press does nothing.
        refused: why it may not be pressed; it stays in the tab order and says so.
    """
    refusal = rx.Var.create(refused)
    parts = [icon(icon_name)] if icon_name else []
    props.setdefault("type", "button")
    attrs = props.pop("custom_attrs", {})
    return rx.el.button(
        *parts,
        label if isinstance(label, rx.Component) else rx.el.span(label),
        class_name=f"btn {kind}".strip(),
        title=rx.cond(refusal, refusal, props.pop("title", "")),
        custom_attrs={
            **attrs,
            "aria-disabled": rx.cond(refusal | rx.Var.create(busy), "true", "false"),
        },
        **props,
    )


def unless(refused: Any, title: Any = "", **attrs: Any) -> dict[str, Any]:
    """Props of a field that, for the reason `refused`, is read and not chosen from or ticked.

    Like a button it stays in the tab order and says why; `panel.js` lets nothing change it. Else
    it says `title`.
    """
    reason = rx.Var.create(refused)
    state = {"aria-disabled": rx.cond(reason, "true", "false")}
    return {"title": rx.cond(reason, reason, title), "custom_attrs": {**attrs, **state}}


def copy_button(text: Any, label: Text = "Copy") -> rx.Component:
    """Copies in the browser."""
    return button(label, icon_name="copy", custom_attrs={"data-do": "copy", "data-copy": text})


def link_button(
    label: Text, href: Text, kind: str = "", *, icon_name: str = "", **props: Any
) -> rx.Component:
    """A link that looks like a button: it leads to a page."""
    parts = [icon(icon_name)] if icon_name else []
    return rx.link(
        *parts, label, href=href, class_name=f"btn {kind}".strip(), unstyled=True, **props
    )


def time(value: Any, kind: str = "ago") -> rx.Component:
    """A `Moment`, which ticks in the browser."""
    return rx.cond(
        value.iso != "",
        rx.el.time(
            value.said,
            title=value.full,
            custom_attrs={"dateTime": value.iso, "data-tick": kind},
            class_name="nowrap",
        ),
        rx.el.span("—", class_name="soft"),
    )


def exact(number: Any) -> Any:
    """A state's number, as `formats.exact` says it: “1,412,003”."""
    said = f"({number!s}).toLocaleString('en-US')"
    return rx.Var(said, _var_data=number._get_all_var_data()).to(str)


def spark(bars: Any) -> rx.Component:
    """The last 14 runs as bars."""
    return rx.el.span(
        rx.foreach(
            bars,
            lambda bar: rx.el.i(class_name=bar.state, title=bar.said, style={"height": bar.height}),
        ),
        class_name="spark",
        role="img",
        custom_attrs={"aria-label": "Last runs, oldest first"},
    )


def mark(name: rx.Var | str) -> Any:
    """A connector's brand mark, in one color."""
    plain = {"database": "database", "cloud": "cloud", "file": "file-text"}
    brand = rx.el.span(
        class_name="mark",
        style={"--mark": f"url(/marks/{name}.svg)"},
        custom_attrs={"aria-hidden": "true"},
    )
    if isinstance(name, str):
        return icon(plain[name], size=20) if name in plain else brand
    return rx.match(name, *((key, icon(value, size=20)) for key, value in plain.items()), brand)


def search(label: str, **props: Any) -> rx.Component:
    """A search field that `/` focuses."""
    return rx.el.label(
        icon("search"),
        rx.el.input(
            type="search",
            class_name="input",
            placeholder=f"{label}  /",
            custom_attrs={"aria-label": label},
            **props,
        ),
        class_name="with-icon",
    )


def _icon_of(state: rx.Var | str) -> Any:
    if isinstance(state, str):
        return icon(theme.STATE_ICONS[state])
    return rx.match(
        state,
        *((name, icon(shape)) for name, shape in theme.STATE_ICONS.items()),
        icon("circle-dashed"),
    )


def _with(base: str, state: rx.Var | str) -> Any:
    return f"{base} {state}"
